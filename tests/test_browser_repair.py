"""The ways of repair in a real browser, on a desk and on a phone."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from issues.sandbox.control import SandboxControl
from tests import browser as b
from tests.test_browser import run_axe

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not Path(b.CHROMIUM).exists(), reason="no chromium on this machine"),
]

TEAM = "/t/brightside-agency"
SIZES = {"desk": (1440, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    options = ("--rate=600", "--latency=5", "--fix-seconds=0.4", "--flagged=60")
    running = b.Demo(tmp_path_factory.mktemp("demo"), *options)
    yield running
    running.stop()


@pytest.fixture(params=SIZES)
def page(request, chromium, demo):
    width, height = SIZES[request.param]
    opened = b.open_page(chromium, width=width, height=height, dark=request.param == "phone")
    b.log_in(opened, demo.url)
    b.wait_for_issues(opened, 20)
    yield opened
    assert [text for text in opened.complaints if "422" not in text] == []
    opened.context.close()


def fits(page):
    assert b.width_of(page) <= page.viewport_size["width"]
    assert run_axe(page).response["violations"] == []


def pick(page, count):
    """Tick the first issues of the queue that take a link and go on to "fix many"."""
    page.goto(page.url.split("/t/")[0] + TEAM + "/")
    rows = page.locator("tr.link-row", has=page.locator("td", has_text="drive.google.com"))
    for number in range(count):
        rows.nth(number).get_by_role("checkbox").check()
    expect(page.locator("[data-picked-count]")).to_have_text(str(count))
    page.get_by_role("button", name="Fix these").click()
    page.wait_for_url("**/bulk/new/**")


def test_a_bulk_fix_is_planned_taken_back_and_sent(page, demo):
    pick(page, 2)
    fits(page)
    page.get_by_label("Find this host").fill("drive.google.com")
    page.get_by_label("Put this in its place").fill("cdn.example.com")
    page.locator("section", has=page.locator("#find")).get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="2 ready")).to_be_visible(timeout=30_000)
    fits(page)
    one, other = (page.locator("table.plan tbody tr").first.locator(".chip").nth(n).bounding_box() for n in range(2))
    assert one["x"] + one["width"] <= other["x"]  # side by side, on a phone too
    page.get_by_role("button", name="Send the ticked fixes").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="Taken back: nothing was sent")).to_be_visible()

    pick(page, 1)
    page.get_by_label("Find this host").fill("drive.google.com")
    page.get_by_label("Put this in its place").fill("cdn.example.com")
    page.locator("section", has=page.locator("#find")).get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Send the ticked fixes").click(timeout=30_000)
    expect(page.get_by_role("heading", name="Done: 1 of 1 fixed and verified")).to_be_visible(timeout=40_000)
    fits(page)


def test_a_table_is_previewed_with_what_cannot_be_used(page, demo):
    control = SandboxControl(demo.sandbox_origin)
    bundle, video = next(pair for pair in control.videos(download_issue=True, video_type="video"))
    page.goto(demo.url + TEAM + "/bulk/new/")
    page.get_by_label("Paste it from a spreadsheet").fill(
        f"bundle_id;position;url\n{bundle['id']};{video['position']};https://gone.example.com/x.mp4\nnowhere;1;https://cdn.example.com/1.mp4"
    )
    page.locator("section", has=page.locator("#table")).get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="0 ready, 1 with a bad link, 1 cannot be sent")).to_be_visible(
        timeout=30_000
    )
    expect(page.get_by_text("No flagged video is known there.")).to_be_visible()


def test_a_file_behind_a_repaired_link_is_copied_to_tokportal(page, demo):
    page.goto(demo.url + TEAM + "/?q=Vorschau")
    page.locator("tr.link-row", has_text="Dropbox share link").first.get_by_role("link").first.click()
    expect(page.locator("#suggestion")).to_contain_text("It opens fine here: 3 MB MP4, 31 s.", timeout=20_000)
    page.get_by_role("button", name="Copy that file to TokPortal").click()
    expect(page.get_by_text("Fixed and verified.")).to_be_visible(timeout=30_000)
    fits(page)


def test_a_replacement_is_prepared_and_goes_out_with_the_flag(page, demo):
    page.goto(demo.url + TEAM + "/at-risk/")
    for _ in range(30):
        if page.locator("details.prepare").count():
            break
        page.wait_for_timeout(1000)
        page.reload()
    fits(page)
    row = page.locator("tr", has=page.locator("details.prepare")).first
    name = row.locator("a.title-link").inner_text()
    row.locator("summary").click()
    row.get_by_label("A link that downloads the video").fill("https://cdn.example.com/ready.mp4")
    row.get_by_role("button", name="Keep it until the flag comes").click()
    prepared = page.locator("tr", has_text="prepared").filter(has_text=name).first
    expect(prepared).to_be_visible()
    prepared.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("The prepared replacement was withdrawn.")).to_be_visible()


def test_the_other_one_sees_who_is_on_it(page, chromium, demo):
    page.goto(demo.url + TEAM + "/")
    page.locator("a.row-title").nth(5).click()
    page.get_by_role("button", name="I am on it").click()
    expect(page.get_by_text("You are on it")).to_be_visible()
    other = b.open_page(chromium)
    b.log_in(other, demo.url, b.EDITOR)
    other.goto(page.url)
    expect(other.get_by_text("Anna Keller is on it")).to_be_visible()
    page.get_by_role("button", name="Let go").click()
    expect(other.get_by_text("Anna Keller is on it")).to_be_hidden(timeout=15_000)
    other.context.close()


def test_an_unfinished_video_is_told_before_a_byte_goes_out(page, demo, tmp_path):
    from issues.sandbox.media import mp4

    cut = tmp_path / "cut.mp4"
    content = mp4(40_000, index="missing")
    cut.write_bytes(content.part(0, content.size))
    page.goto(demo.url + TEAM + "/")
    page.locator("tr.link-row", has_text="docs.google.com").first.get_by_role("link").first.click()
    page.get_by_role("tab", name="File").click()
    page.locator("#file-input").set_input_files(cut)
    page.get_by_role("button", name="Upload and send the fix").click()
    expect(page.locator("[data-error]")).to_have_text("“cut.mp4” is incomplete: its export was not finished.")
    expect(page.get_by_role("button", name="Upload it anyway")).to_be_visible()


def test_one_image_of_a_carousel_is_replaced_and_the_rest_stays(page, demo, tmp_path):
    control = SandboxControl(demo.sandbox_origin)
    before = len(control.ledger("fix"))
    picture = tmp_path / "new.jpg"
    picture.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(2000) + b"\xff\xd9")
    page.goto(demo.url + TEAM + "/")
    page.locator("tr.link-row", has_text="image 2 is not loading").first.get_by_role("link").first.click()
    held = page.get_by_label("The images, one in each line, in order").input_value().splitlines()
    page.get_by_role("tab", name="Images").click()
    page.get_by_role("button", name="Start from the 4 images as they are").click()
    rows = page.locator("[data-files] > li")
    expect(rows).to_have_count(4)
    rows.nth(1).get_by_role("button", name="Remove").click()
    page.locator("#file-input").set_input_files(picture)
    expect(rows).to_have_count(4)
    for _ in range(2):
        page.locator("[data-files] > li", has_text="new.jpg").get_by_role("button", name="Move up").click()
    expect(rows.nth(1)).to_contain_text("new.jpg")
    fits(page)
    page.get_by_role("button", name="Upload and send the fix").click()
    expect(page.get_by_text("Fixed and verified.")).to_be_visible(timeout=30_000)
    sent = control.ledger("fix")[before:][-1]["body"]["carousel_images"]
    assert [sent[0], *sent[2:]] == [held[0], *held[2:]]
    assert sent[1].endswith("new.jpg")


def test_a_video_goes_up_with_progress(page, demo, tmp_path):
    clip = b.write_clip(tmp_path / "final.mp4", 60_000_000)
    page.goto(demo.url + TEAM + "/")
    page.locator("tr.link-row", has_text=re.compile(r"www\.dropbox\.com|vimeo\.com|1drv\.ms")).first.get_by_role(
        "link"
    ).first.click()
    page.get_by_role("tab", name="File").click()
    page.locator("#file-input").set_input_files(clip)
    page.get_by_role("button", name="Upload and send the fix").click()
    expect(page.locator("[data-status]")).to_contain_text("of 60.0 MB")
    expect(page.get_by_text("Fixed and verified.")).to_be_visible(timeout=40_000)
