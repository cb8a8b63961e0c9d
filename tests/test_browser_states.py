"""Every state of the pages in a real browser, the first steps of a new team, and the settings of being told."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from issues.sandbox.server import FULL_KEY
from tests import browser as b
from tests.test_browser import TEAM, run_axe
from tests.test_browser_queue import open_count, toast
from tests.test_browser_queue import page as page  # the fixture: the queue of a logged-in owner

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not Path(b.CHROMIUM).exists(), reason="no chromium on this machine"),
]


# --- First steps ---------------------------------------------------------------------------------------------


def test_a_new_team_gets_to_its_queue_in_three_steps(chromium, demo):
    founder = "founder@demo.example"
    demo.manage("create_team", "Fresh start", "--owner", founder, TOKDASH_PASSWORD=b.PASSWORD)
    page = b.open_page(chromium)
    b.log_in(page, demo.url, founder)
    steps = page.get_by_role("region", name="Three steps, and TokDash works for you")
    expect(steps.locator("[aria-current=step]")).to_contain_text("Connect your TokPortal account")
    assert run_axe(page).response["violations"] == []

    steps.get_by_role("link", name="Connect a workspace").click()
    page.get_by_label("Name").fill("Our account")
    page.get_by_label("API key", exact=True).press_sequentially("tkp_wrong")
    expect(page.locator("#key-check")).to_contain_text("TokPortal refuses this key")
    page.get_by_label("API key", exact=True).fill(FULL_KEY)
    expect(page.locator("#key-check")).to_contain_text("TokPortal accepts this key.")
    assert run_axe(page).response["violations"] == []
    page.get_by_role("button", name="Check the key and connect").click()
    page.wait_for_url("**/settings/workspaces/")
    page.get_by_role("link", name="Issues", exact=True).click()
    expect(steps.locator("[aria-current=step]")).to_contain_text("Invite a colleague", timeout=60_000)
    assert open_count(page) > 5
    steps.get_by_label("E-mail of a colleague").fill("mate@demo.example")
    steps.get_by_role("button", name="Invite").click()
    expect(toast(page)).to_contain_text("mate@demo.example gets an e-mail")
    page.get_by_role("link", name="Issues", exact=True).click()
    expect(steps).to_have_count(0)
    assert [text for text in page.complaints if "422" not in text] == []
    page.context.close()


# --- Accessibility -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_every_state_is_accessible_and_fits(chromium, demo, dark, width, height):
    page = b.open_page(chromium, width=width, height=height, dark=dark)
    findings = []

    def look(state: str) -> None:
        findings.extend(
            f"{state}: {v['id']} {[n['target'] for n in v['nodes']][:3]}" for v in run_axe(page).response["violations"]
        )
        if b.width_of(page) > width:
            findings.append(f"{state}: scrolls sideways")

    b.log_in(page, demo.url)
    b.wait_for_issues(page, 5)
    for path in ("/?state=open", "/?state=snoozed", "/?state=all", "/?who=me", "/at-risk/", "/insights/",
                 "/insights/report/", "/search/?q=kopi", "/search/?q=zzzz", "/bulk/new/?all=1", "/settings/hooks/"):  # fmt: skip
        page.goto(demo.url + TEAM + path)
        look(path)
    page.goto(demo.url + TEAM + "/?state=open")
    page.locator("[data-pick]").first.check()
    look("selected")
    page.locator(".views summary").click()
    look("views")
    page.keyboard.press("Escape")
    page.locator("tr[data-row]").first.get_by_role("button", name=re.compile("^Assign ")).click()
    look("assign")
    page.keyboard.press("Escape")
    page.locator("tr[data-row]").first.get_by_role("button", name=re.compile("^Snooze ")).click()
    look("snooze")
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("?")
    look("help")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("kopi")
    page.locator("#found a").first.wait_for()
    look("found")
    page.goto(demo.url + TEAM + "/?state=open")
    page.locator("tr", has=page.locator(".chip.wrong")).first.get_by_role("link").first.click()
    look("issue with a recommendation")
    page.goto(demo.url + TEAM + "/settings/hooks/")
    if not page.get_by_role("link", name="CRM").count():
        page.get_by_label("Name").fill("CRM")
        page.get_by_label("Address").fill("https://hooks.example.com/tokdash")
        page.get_by_role("button", name="Add it").click()
        look("an endpoint with its secret")
        page.get_by_role("button", name="Send a test event").click()
    page.goto(demo.url + TEAM + "/settings/hooks/")
    page.get_by_role("link", name="CRM").click()
    look("an endpoint's log")
    page.goto(demo.url + TEAM + "/settings/notifications/")
    look("notifications")
    page.get_by_role("link", name="E-mail").first.click()
    page.get_by_role("button", name="Send a test message").click()
    look("a channel's log")
    page.context.close()

    assert findings == []


def test_an_endpoint_is_told_within_seconds(page, demo):
    page.goto(demo.url + TEAM + "/settings/hooks/")
    page.get_by_label("Name").fill("Warehouse")
    page.get_by_label("Address").fill("https://hooks.example.com/warehouse")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_text("whsec_")).to_be_visible()
    page.get_by_role("button", name="Send a test event").click()
    # Flags that are just being found are told to it, too: the row of the test event.
    tried = page.locator("tr", has_text="webhook.test")
    for _ in range(20):
        if tried.get_by_text("answered 200").count():
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(tried.get_by_text("answered 200")).to_be_visible()
