"""The queue in a real browser: the keyboard alone, what survives a refresh, two people, search, insights."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import browser as b
from tests.test_browser import TEAM, open_video_issue

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not Path(b.CHROMIUM).exists(), reason="no chromium on this machine"),
]
LINK = "https://cdn.example.com/ok.mp4"


@pytest.fixture
def page(chromium, demo):
    opened = b.open_page(chromium)
    b.log_in(opened, demo.url)
    b.wait_for_issues(opened, 10)
    opened.goto(demo.url + TEAM + "/?state=open")
    yield opened
    assert [text for text in opened.complaints if "422" not in text] == []
    opened.context.close()


def toast(page):
    return page.locator("#toasts")


def open_count(page) -> int:
    return int(page.locator(".tabs [aria-current] .count").inner_text())


# --- Keys ----------------------------------------------------------------------------------------------------


def test_the_main_job_without_a_mouse(page, demo):
    """From the queue: the first row that takes a link, its field, the link, Enter, and on to the next one."""
    for _ in range(30):
        page.keyboard.press("j")
        if not page.locator("tr[data-row]:focus-within").get_by_text("image 2").count():
            break
    page.keyboard.press("f")
    expect(page.get_by_label("A link that downloads the video")).to_be_focused()
    first = page.locator("h1").inner_text()
    page.keyboard.type(LINK)
    page.keyboard.press("Enter")
    expect(page.get_by_text("You need not wait here.").or_(page.get_by_text("Fixed and verified."))).to_be_visible()
    page.locator("body").press("n")

    expect(page.locator("h1")).not_to_have_text(first)
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Issues")).to_be_visible()
    assert "state=open" in page.url or page.url.endswith(TEAM + "/")


def test_keys_move_select_and_open(page):
    rows = page.locator("tr[data-row]")
    page.keyboard.press("j")
    expect(rows.nth(0).locator(".row-title")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(rows.nth(1).locator(".row-title")).to_be_focused()
    page.keyboard.press("x")
    expect(rows.nth(1).locator("[data-pick]")).to_be_checked()
    name = rows.nth(1).locator(".row-title").inner_text()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(name)


def test_keys_rest_while_somebody_types(page):
    page.get_by_label("Search this list").click()
    page.keyboard.type("jkfx?/s")

    expect(page.get_by_label("Search this list")).to_have_value("jkfx?/s")
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator("tr[data-row]:focus-within")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_each_key_has_a_visible_button(page, demo):
    row = page.locator("tr[data-row]").first
    for name in ("Assign", "Snooze"):
        expect(row.get_by_role("button", name=re.compile(f"^{name} "))).to_be_visible()
    expect(page.get_by_role("button", name="Keys and help")).to_be_visible()
    expect(page.get_by_role("searchbox", name=re.compile("^Search issues, bundles"))).to_be_visible()
    open_video_issue(page, demo)
    for name in ("Assign", "Snooze"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("^Next: "))).to_be_visible()


# --- Assign and snooze ---------------------------------------------------------------------------------------


def test_a_row_is_given_to_a_colleague_and_the_place_is_kept(page):
    page.keyboard.press("j")
    page.keyboard.press("j")
    row = page.locator("tr[data-row]").nth(1)
    key = row.get_attribute("data-row")
    page.keyboard.press("a")
    page.get_by_role("dialog", name="Whose is it?").get_by_role("button", name="Ben Okafor").click()

    expect(toast(page)).to_contain_text("1 issue goes to Ben Okafor now.")
    expect(page.locator(f"#issue-{key} .whose")).to_contain_text("Ben Okafor")
    expect(page.locator(f"#issue-{key} .row-title")).to_be_focused()


def test_a_selection_outlives_the_refresh_and_is_snoozed(page, demo, chromium):
    before = open_count(page)
    boxes = page.locator("tr[data-row]:not(:has(.late)) [data-pick]")
    values = [boxes.nth(number).get_attribute("value") for number in (8, 9)]
    for value in values:
        page.locator(f'[data-pick][value="{value}"]').check()
    expect(page.locator("[data-picked]")).to_contain_text("2 selected")
    # Somebody else takes one: the list renews itself under the selection.
    other = b.open_page(chromium)
    b.log_in(other, demo.url, b.EDITOR)
    other.goto(demo.url + TEAM + "/?state=open")
    other.locator(f'[data-pick][value="{values[0]}"]').check()
    other.get_by_role("button", name="Take").click()
    expect(toast(other)).to_contain_text("yours now")
    other.context.close()
    expect(page.locator(f"#issue-{values[0]} .whose")).to_contain_text("Ben Okafor", timeout=12_000)
    for value in values:
        expect(page.locator(f'[data-pick][value="{value}"]')).to_be_checked()

    page.locator("[data-picked]").get_by_role("button", name="Snooze").click()
    page.get_by_role("dialog", name="Snooze").get_by_role("button", name="For an hour").click()

    expect(toast(page)).to_contain_text("2 issues snoozed until")
    expect(page.locator(".tabs [aria-current] .count")).to_have_text(str(before - 2))
    expect(page.locator("[data-picked]")).to_be_hidden()
    page.get_by_role("link", name=re.compile("^Snoozed")).click()
    for value in values:
        page.locator(f"#issue-{value}").get_by_role("button", name=re.compile("^Bring ")).click()
        expect(page.locator(f"#issue-{value}")).to_have_count(0)


def test_what_is_due_soon_cannot_be_snoozed(page):
    late = page.locator("tr[data-row]", has=page.locator(".late")).first
    late.get_by_role("button", name=re.compile("^Snooze ")).click()
    page.get_by_role("dialog", name="Snooze").get_by_role("button", name="For an hour").click()

    expect(page.locator(".toast.error")).to_contain_text("stay in the queue")


def test_an_issue_is_assigned_and_snoozed_on_its_page(page, demo):
    page.locator("tr[data-row]:not(:has(.late)) .row-title").nth(6).click()
    page.locator(".glance").wait_for()
    page.keyboard.press("a")
    page.get_by_role("dialog", name="Whose is it?").get_by_role("button", name="Mine").click()
    expect(page.locator(".glance")).to_contain_text("You")
    page.keyboard.press("s")
    page.get_by_role("dialog", name="Snooze").get_by_role("button", name="For an hour").click()
    expect(page.locator(".glance")).to_contain_text("snoozed, back in")
    page.get_by_role("button", name="Bring back").click()
    expect(page.locator(".glance")).not_to_contain_text("snoozed")


# --- Notes, views, search ------------------------------------------------------------------------------------


def test_a_note_calls_a_colleague_who_finds_it(page, demo, chromium):
    page.locator(".row-title").nth(9).click()
    name = page.locator("h1").inner_text()
    page.get_by_label("Note for the team").fill("@b")
    page.locator("[data-call='@BenOkafor']").click()
    page.keyboard.type("is this the right file?")
    page.get_by_role("button", name="Add the note").click()
    expect(page.locator(".story")).to_contain_text("@BenOkafor is this the right file?")

    ben = b.open_page(chromium)
    b.log_in(ben, demo.url, b.EDITOR)
    ben.goto(demo.url + TEAM + "/?state=open")
    ben.get_by_role("link", name=re.compile("^Where I am called")).click()
    ben.locator(".row-title").first.click()
    expect(ben.locator("h1")).to_have_text(name)
    ben.wait_for_timeout(500)
    ben.goto(demo.url + TEAM + "/?state=open")
    expect(ben.get_by_role("link", name=re.compile("^Where I am called"))).to_have_count(0)
    ben.context.close()


def test_a_view_is_saved_and_opens_first(page, demo):
    page.get_by_label("Platform").select_option("tiktok")
    page.wait_for_url("**platform=tiktok**")
    count = open_count(page)
    page.locator(".views summary").click()
    page.get_by_label("Keep what is shown now as").fill("TikTok only")
    page.get_by_label("open the queue with it").check()
    page.get_by_role("button", name="Save the view").click()
    expect(toast(page)).to_contain_text("“TikTok only” is saved.")

    page.get_by_role("link", name="Issues", exact=True).click()
    expect(page.locator(".views [aria-current]")).to_contain_text(f"TikTok only {count}")
    page.locator(".views summary").click()
    page.get_by_role("button", name="Remove “TikTok only”").click()
    expect(page.locator(".views")).not_to_contain_text("TikTok only")


def test_search_finds_from_anywhere(page, demo):
    page.goto(demo.url + TEAM + "/bundles/")
    page.keyboard.press("/")
    page.keyboard.type("kopi")
    expect(page.locator("#found a").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#found a").first).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/issues/\d+/$"))
    page.keyboard.press("/")
    page.keyboard.type("nothing like this")
    expect(page.locator("#found")).to_contain_text("Nothing matches")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()


def test_the_story_of_two_people_is_told_at_once(page, demo, chromium):
    """Ben says that he is on it: it shows to Anna without a reload."""
    open_video_issue(page, demo)
    ben = b.open_page(chromium)
    b.log_in(ben, demo.url, b.EDITOR)
    ben.goto(page.url)
    ben.get_by_role("button", name="I am on it").click()

    expect(page.locator("#presence")).to_contain_text("Ben Okafor is on it", timeout=12_000)
    ben.get_by_role("button", name="Let go").click()
    ben.context.close()


def test_consequences_are_said_before_anything_is_sent(page, demo):
    open_video_issue(page, demo)

    after = page.locator(".consequences")
    expect(after).to_contain_text("raised")
    expect(after).to_contain_text("cleared")
    expect(after).to_contain_text("tomorrow, ")


# --- Insights ------------------------------------------------------------------------------------------------


def test_insights_draw_their_charts_in_both_themes_and_have_tables(page, demo):
    page.goto(demo.url + TEAM + "/insights/")

    expect(page.locator(".canvas canvas")).to_have_count(3)
    page.get_by_role("button", name="Switch between light and dark").click()
    expect(page.locator(".canvas canvas")).to_have_count(3)
    page.get_by_text("The charts as tables").click()
    expect(page.get_by_role("region", name="The charts as tables").locator("tbody tr")).to_have_count(
        2
    )  # durations, and the one day that is known
    with page.expect_download() as download:
        page.locator("#by-hosts + a").click()
    assert Path(download.value.path()).read_text().startswith("host,flags,flagged_again,open_now")
    page.get_by_role("link", name="Report for a client").click()
    expect(page.get_by_role("heading", name="Brightside Agency: media repairs")).to_be_visible()
    assert len(re.findall(rb"/Type /Page\b", page.pdf(format="A4"))) == 1


def test_what_changes_by_itself_is_announced_politely(page, demo, chromium):
    before = open_count(page)
    ben = b.open_page(chromium)
    b.log_in(ben, demo.url, b.EDITOR)
    ben.goto(demo.url + TEAM + "/?state=open")
    ben.locator("tr[data-row]").last.get_by_role("button", name=re.compile("^Snooze ")).click()
    ben.get_by_role("button", name="For an hour").click()
    expect(toast(ben)).to_contain_text("1 issue snoozed until")

    expect(page.locator("[data-list-status]")).to_have_text(f"Open: {before - 1} now", timeout=12_000)
    assert page.locator("[data-list-status]").get_attribute("role") == "status"
    assert page.locator("#toasts").get_attribute("aria-live") == "polite"
    assert page.locator("[data-picked] [aria-live=polite]").count() == 1
    assert page.locator("#found").get_attribute("aria-live") == "polite"
    ben.context.close()
