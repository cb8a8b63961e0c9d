"""What was once broken on a page, and the kind behind each: clicks, focus, drafts, scripts without data."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import browser as b
from tests.test_browser import TEAM, run_axe

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not Path(b.CHROMIUM).exists(), reason="no chromium on this machine"),
]
SIZES = {"desk": (1440, 900), "phone": (390, 844)}
GOOD = "https://cdn.example.com/ok.mp4"
SIGNED = "https://cdn.example.com/draft.mp4?X-Amz-Signature=topsecret"
# Which element a person hits in the middle of each control of the bar.
MISSED = """
[...document.querySelectorAll('[data-picked] button, [data-picked] label, [data-picked] input:not([type=hidden])')]
  .filter(control => control.getClientRects().length)
  .filter(control => {
    const box = control.getBoundingClientRect();
    const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    return !hit || !(control.contains(hit) || hit.contains(control));
  })
  .map(control => control.textContent.trim())
"""


@pytest.fixture(params=SIZES)
def page(request, chromium, demo):
    width, height = SIZES[request.param]
    opened = b.open_page(chromium, width=width, height=height)
    b.log_in(opened, demo.url)
    b.wait_for_issues(opened, 15)
    yield opened
    assert [text for text in opened.complaints if "422" not in text] == []
    opened.context.close()


def settle(page):
    """Wait until the first sweep has found its last issue: rows that move take clicks elsewhere."""
    former = ""
    for _ in range(40):
        page.reload()
        count = page.locator(".tabs [aria-current] .count").inner_text()
        if count == former:
            return
        former = count
        page.wait_for_timeout(2000)


def open_video(page, demo, number=0):
    """The page of an issue of a video; its address."""
    page.goto(demo.url + TEAM + "/")
    hrefs = [link.get_attribute("href") for link in page.locator("a.row-title").all()]
    for href in hrefs[number:]:
        page.goto(demo.url + href)
        if page.get_by_role("tab", name="Link", exact=True).count():
            return page.url
    raise AssertionError("no video issue is left")


def test_the_bar_of_the_selection_takes_its_clicks(page, demo):
    page.goto(demo.url + TEAM + "/")
    settle(page)
    boxes = page.locator("[data-pick]")
    height = page.evaluate("document.documentElement.scrollHeight")
    boxes.first.check()
    expect(page.locator("[data-picked]")).to_be_visible()

    for top in range(0, height, 37):  # rows of any place lie under the bar
        page.evaluate(f"scrollTo(0, {top})")
        assert page.evaluate(MISSED) == [], f"scrolled to {top}"

    page.evaluate("scrollTo(0, 0)")
    page.get_by_role("button", name="Take", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("yours now")


def test_the_focus_goes_on_after_a_fix(page, demo):
    open_video(page, demo)
    page.locator("#links").fill(GOOD)
    send = page.get_by_role("button", name="Send the fix")
    send.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Fixed and verified.")).to_be_visible(timeout=30_000)

    expect(page.get_by_role("link", name="Next issue")).to_be_focused()


def test_the_focus_stays_where_a_link_is_refused(page, demo):
    open_video(page, demo)
    page.locator("#links").fill("not a link")
    page.get_by_role("button", name="Send the fix").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").first).to_be_visible()

    expect(page.get_by_role("button", name="Send the fix")).to_be_focused()
    page.get_by_role("button", name="I am on it").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Let go")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="I am on it")).to_be_visible()


def test_what_was_typed_is_still_there(page, demo):
    address = open_video(page, demo, 2)
    page.locator("#links").press_sequentially(SIGNED)
    page.goto(demo.url + TEAM + "/")
    page.goto(address)
    hint = page.get_by_text("This is what you typed before.")
    expect(hint).to_be_visible()
    expect(page.locator("#links")).to_have_value(SIGNED)
    assert run_axe(page).response["violations"] == []
    assert page.evaluate("JSON.stringify(localStorage)").count("topsecret") == 0

    page.get_by_role("button", name="Discard it").click()
    expect(page.locator("#links")).to_have_value("")
    expect(hint).to_be_hidden()
    page.reload()
    expect(page.locator("#links")).to_have_value("")

    page.locator("#links").press_sequentially(SIGNED)
    page.evaluate("document.querySelector('[data-ends-session]').requestSubmit()")
    page.wait_for_url("**/accounts/**")
    assert "topsecret" not in page.evaluate("JSON.stringify(sessionStorage)")


def test_what_was_sent_is_not_kept(page, demo):
    address = open_video(page, demo)
    page.locator("#links").fill(GOOD)
    page.get_by_role("button", name="Send the fix").click()
    expect(page.get_by_text("Fixed and verified.")).to_be_visible(timeout=30_000)

    assert page.evaluate("Object.keys(sessionStorage).filter(key => key.includes('draft'))") == []
    assert address == page.url


def test_an_image_list_is_kept_too(page, demo):
    page.goto(demo.url + TEAM + "/")
    page.locator("tr.link-row", has_text="image 2 is not loading").first.get_by_role("link").first.click()
    field = page.locator("textarea#links")
    typed = "https://cdn.example.com/1.jpg\nhttps://cdn.example.com/2.jpg"
    field.fill(typed)
    address = page.url
    page.goto(demo.url + TEAM + "/")
    page.goto(address)

    expect(field).to_have_value(typed)
    expect(page.get_by_text("This is what you typed before.")).to_be_visible()


def test_after_undo_nobody_is_on_it(page, demo):
    page.goto(demo.url + TEAM + "/")
    rows = page.locator("tr.link-row", has=page.locator("td", has_text="drive.google.com"))
    address = rows.first.locator("a.row-title").get_attribute("href")
    rows.first.get_by_role("checkbox").check()
    page.get_by_role("button", name="Fix these").click()
    page.wait_for_url("**/bulk/new/**")
    page.get_by_label("Find this host").fill("drive.google.com")
    page.get_by_label("Put this in its place").fill("cdn.example.com")
    page.locator("section", has=page.locator("#find")).get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Send the ticked fixes").click(timeout=30_000)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="Taken back: nothing was sent")).to_be_visible()

    page.goto(demo.url + address)
    expect(page.get_by_text("on it", exact=False).filter(has_text="Anna")).to_have_count(0)
    expect(page.get_by_text("You are on it")).to_have_count(0)
    expect(page.get_by_text("UNDONE")).to_have_count(0)
    expect(page.get_by_role("button", name="Send the fix")).to_be_visible()


# --- Every page, without data and with it --------------------------------------------------------------------

PAGES = (
    "", "?state=snoozed", "?state=fixed", "?state=all", "bundles/", "at-risk/", "history/", "insights/",
    "insights/report/", "bulk/new/", "bulk/new/?all=1", "search/?q=zzz", "notifications/", "settings/workspaces/",
    "settings/workspaces/connect/", "settings/members/", "settings/webhooks/",
)  # fmt: skip


def visit(page, url, team):
    """Every page of a team; those that complain, with what they said."""
    bad = {}
    for name in PAGES:
        page.complaints.clear()
        answer = page.goto(f"{url}/t/{team}/{name}")
        page.wait_for_load_state("networkidle") if "insights" in name else None
        if answer.status != 404 and page.complaints:
            bad[name] = [answer.status, *page.complaints]
        if name in {"", "insights/", "history/", "bulk/new/"}:
            assert answer.status == 200
        page.complaints.clear()
    return bad


def test_no_script_breaks_on_an_empty_team(chromium, demo):
    founder = "empty@demo.example"
    demo.manage("create_team", "Empty hands", "--owner", founder, TOKDASH_PASSWORD=b.PASSWORD)
    page = b.open_page(chromium)
    b.log_in(page, demo.url, founder)
    team = re.search(r"/t/([^/]+)/", page.url)[1]

    assert visit(page, demo.url, team) == {}
    page.goto(f"{demo.url}/t/{team}/insights/")
    expect(page.get_by_role("heading", name="Nothing is connected yet")).to_be_visible()
    expect(page.locator(".empty.good")).to_have_count(0)
    assert run_axe(page).response["violations"] == []
    page.context.close()


def test_no_script_breaks_on_a_full_team(page, demo):
    assert visit(page, demo.url, TEAM.removeprefix("/t/")) == {}
