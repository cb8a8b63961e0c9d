"""Make pictures of every page from the running demo: `make screenshots`.

All of them go to var/screenshots to be looked at; those that README and documentation show also to docs/screenshots.
"""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from issues.sandbox.control import SandboxControl
from tests import browser as b

TARGET = b.ROOT / "var" / "screenshots"
SHOWN = b.ROOT / "docs" / "screenshots"
IN_DOCS = (
    "issues-wide-light", "insights-wide-light", "issue-wide-light", "fixed-wide-dark", "issues-phone-dark",
    "plan-wide-light", "dialog-snooze-wide-light", "at-risk-wide-light", "history-wide-light", "report-wide-light",
    "notifications-wide-light", "sync-wide-light", "issue-phone-light", "keep-dates-wide-light",
)  # fmt: skip
TEAM = "/t/brightside-agency"
SIZES = {"wide": (1440, 900), "phone": (390, 844)}
PAGES = {
    "issues": "/?state=open",
    "insights": "/insights/",
    "report": "/insights/report/",
    "search": "/search/?q=kopi",
    "snoozed": "/?state=snoozed",
    "at-risk": "/at-risk/",
    "fix-many": "/bulk/new/?all=1",
    "bundles": "/bundles/",
    "history": "/history/",
    "workspaces": "/settings/workspaces/",
    "hooks": "/settings/hooks/",
    "notifications": "/settings/notifications/",
    "members": "/settings/members/",
    "team": "/settings/team/",
    "proof": "/history/proof/",
    "event": "/history/3/",
}
DIALOGS = {"a": "assign", "s": "snooze", "?": "keys"}
ACCOUNT = {"second-factor": "/accounts/2fa/", "sessions": "/accounts/sessions/", "email": "/accounts/email/", "profile": "/profile/"}  # fmt: skip


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        demo = b.Demo(Path(folder), "--rate=600", "--latency=5", "--fix-seconds=0.3")
        control = SandboxControl(demo.sandbox_origin)
        try:
            with b.chromium() as browser:
                for size, (width, height) in SIZES.items():
                    for dark in (False, True):
                        page = b.open_page(browser, width=width, height=height, dark=dark)
                        suffix = f"{size}-{'dark' if dark else 'light'}"
                        page.goto(f"{demo.url}/accounts/login/")
                        page.screenshot(path=TARGET / f"login-{suffix}.png")
                        b.log_in(page, demo.url)
                        b.wait_for_issues(page, 20)
                        _wait_for_looks(page)
                        if size == "wide" and not dark:
                            _fill_webhooks(page, demo, control)
                        for name, path in PAGES.items():
                            page.goto(demo.url + TEAM + path)
                            page.screenshot(path=TARGET / f"{name}-{suffix}.png")
                        for name, path in ACCOUNT.items():
                            page.goto(demo.url + path)
                            page.screenshot(path=TARGET / f"{name}-{suffix}.png")
                        page.goto(demo.url + TEAM + "/?state=open")
                        for key in ("a", "s", "?"):
                            page.keyboard.press(key)
                            page.screenshot(path=TARGET / f"dialog-{DIALOGS[key]}-{suffix}.png")
                            page.keyboard.press("Escape")
                        # Its fix would post it days too early; and a carousel with one bad image.
                        for title, name in (("Launch film", "keep-dates"), ("Lookbook", "carousel")):
                            page.goto(demo.url + TEAM + "/?state=open")
                            page.get_by_role("link", name=title).first.click()
                            page.wait_for_url("**/issues/*/**")
                            page.screenshot(path=TARGET / f"{name}-{suffix}.png")
                        _plan(page, demo.url)
                        page.screenshot(path=TARGET / f"plan-{suffix}.png")
                        page.goto(demo.url + TEAM + "/?state=open")
                        # A link that its address explains.
                        page.locator("tr", has=page.locator(".chip.wrong")).nth(2 if size == "wide" else 0).get_by_role(
                            "link"
                        ).first.click()
                        page.screenshot(path=TARGET / f"issue-{suffix}.png")
                        page.get_by_label("A link that downloads the video").fill("https://cdn.example.com/final.mp4")
                        page.get_by_role("button", name="Send the fix").click()
                        page.get_by_text("Fixed and verified.").wait_for(timeout=20_000)
                        page.screenshot(path=TARGET / f"fixed-{suffix}.png")
                        page.goto(demo.url + TEAM + "/bundles/")
                        page.locator("a.row-title").first.click()
                        page.screenshot(path=TARGET / f"bundle-{suffix}.png")
                        page.goto(demo.url + TEAM + "/settings/workspaces/")
                        page.locator("a.row-title").first.click()
                        page.screenshot(path=TARGET / f"sync-{suffix}.png", full_page=size == "phone")
                        for tab in ("Keys and name", "Webhooks"):
                            page.get_by_role("link", name=tab).click()
                            page.screenshot(path=TARGET / f"{tab.split()[0].lower()}-{suffix}.png")
                        page.context.close()
        finally:
            demo.stop()
    SHOWN.mkdir(parents=True, exist_ok=True)
    for name in IN_DOCS:
        shutil.copy(TARGET / f"{name}.png", SHOWN)


def _plan(page: Page, url: str) -> None:
    """One replacement for all links of one host, looked at before anything is sent."""
    page.goto(url + TEAM + "/bulk/new/?all=1")
    page.get_by_label("Find this host").fill("drive.google.com")
    page.get_by_label("Put this in its place").fill("cdn.example.com")
    page.get_by_role("button", name="Preview").last.click()
    page.wait_for_url("**/bulk/*/")
    page.locator(".spinner").first.wait_for(state="detached", timeout=30_000)


def _wait_for_looks(page: Page) -> None:
    """Until the links of the issues were opened."""
    for _ in range(40):
        if not page.get_by_text("Not checked").count():
            return
        page.wait_for_timeout(500)
        page.reload()


def _fill_webhooks(page: Page, demo: b.Demo, control: SandboxControl) -> None:
    """Register the endpoint and let some bundles change, so that there is something to see."""
    page.goto(demo.url + TEAM + "/settings/workspaces/")
    page.locator("a.row-title").first.click()
    page.get_by_role("link", name="Webhooks").click()
    page.get_by_role("button", name="Register at TokPortal").click()
    page.get_by_role("button", name="Send a test event").click()
    page.get_by_text("has arrived").wait_for()
    for bundle, _ in control.videos(position=1)[:4]:
        if bundle["status"] == "accepted":
            control.change_bundle(bundle["id"], status="published")


if __name__ == "__main__":
    main()
