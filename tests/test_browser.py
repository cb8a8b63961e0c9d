"""A real browser against the running demo: the main job, from log-in to the history."""

import base64
import struct
import time
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import expect

from issues.sandbox.control import SandboxControl
from issues.sandbox.media import heic
from tests import browser as b

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not Path(b.CHROMIUM).exists(), reason="no chromium on this machine"),
]

TEAM = "/t/brightside-agency"
GOOD = "https://cdn.example.com/ok.mp4"
FLAGGED = 30
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////"
    "////////////wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAA//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AN//Z"
)


@pytest.fixture
def page(chromium, demo):
    opened = b.open_page(chromium)
    b.log_in(opened, demo.url)
    b.wait_for_issues(opened, 20)
    yield opened
    assert [text for text in opened.complaints if "409" not in text and "422" not in text] == []
    opened.context.close()


@pytest.fixture
def control(demo):
    return SandboxControl(demo.sandbox_origin)


def open_video_issue(page, demo) -> str:
    """The page of the most urgent issue that takes a link; returns the video's name."""
    page.goto(demo.url + TEAM + "/")
    for row in page.locator("a.row-title").all():
        href = row.get_attribute("href")
        name = row.inner_text()
        page.goto(demo.url + href)
        if page.get_by_role("tab", name="Link", exact=True).count():
            return name
        page.goto(demo.url + TEAM + "/")
    raise AssertionError("no video issue is left")


def run_axe(page):
    """What axe finds. A list that renews itself can take an element away under axe, which then raises: look again."""
    for tries_left in (2, 1, 0):
        try:
            return Axe().run(page)
        except PlaywrightError as error:
            if not tries_left or "reading 'documentElement'" not in str(error):
                raise
            page.wait_for_timeout(300)
    raise AssertionError("unreachable")


def open_carousel_issue(page, demo, control) -> None:
    found = control.videos(download_issue=True, video_type="carousel")
    page.goto(demo.url + TEAM + "/")
    page.locator("tr", has_text="image 2 is not loading").get_by_role("link").first.click()
    expect(page.get_by_role("tab", name="Images")).to_be_visible()
    assert found


def test_log_in_refuses_a_wrong_password_with_a_sentence(chromium, demo):
    page = b.open_page(chromium)
    page.goto(f"{demo.url}/accounts/login/")
    page.get_by_label("E-mail").fill(b.OWNER)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text("not correct")
    expect(page.get_by_label("E-mail")).to_have_value(b.OWNER)
    page.context.close()


def test_fix_by_url_until_it_is_verified_and_in_the_history(page, demo, control):
    before = len(control.ledger("fix"))
    name = open_video_issue(page, demo)

    page.get_by_label("A link that downloads the video").fill(GOOD)
    page.get_by_role("button", name="Send the fix").click()

    expect(page.locator("#fix-panel").get_by_text("Anna Keller").first).to_be_visible()
    expect(page.get_by_text("Fixed and verified.")).to_be_visible(timeout=20_000)
    assert len(control.ledger("fix")) == before + 1
    page.get_by_role("link", name="History", exact=True).first.click()
    expect(page.locator(".event", has_text=f"gave a new link: {GOOD}").first).to_contain_text(name)
    expect(page.locator(".event", has_text="the flag is gone").first).to_be_visible()


def test_fix_by_upload_shows_progress_and_ends_in_the_history(page, demo, control, tmp_path):
    open_video_issue(page, demo)
    clip = b.write_clip(tmp_path / "holiday.mp4")
    page.get_by_role("tab", name="File").click()
    page.locator("#file-input").set_input_files(clip)
    expect(page.locator(".files .name")).to_have_text("holiday.mp4")
    # Slow enough to be seen.
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 15_000_000},
    )
    seen = []

    page.get_by_role("button", name="Upload and send the fix").click()
    # Both read at one moment: the panel is another one as soon as the file is there.
    progress = """() => document.querySelector("[data-status]")?.textContent.includes("Uploading")
      ? document.querySelector("[data-upload] progress").value : null"""
    until = time.monotonic() + 20
    while time.monotonic() < until and not page.get_by_text("Fixed and verified.").count():
        if (value := page.evaluate(progress)) is not None:
            seen.append(value)
        page.wait_for_timeout(60)

    expect(page.get_by_text("Fixed and verified.")).to_be_visible(timeout=20_000)
    assert any(0.05 < value < 0.95 for value in seen), seen
    assert seen == sorted(seen)
    assert control.ledger("put")[-1]["size"] == 30_000_000
    page.goto(demo.url + TEAM + "/history/?verb=fix.uploaded")
    expect(page.locator(".event").first).to_contain_text("uploaded holiday.mp4")


def test_upload_goes_through_us_where_the_store_refuses_the_browser(page, demo, control, tmp_path):
    open_video_issue(page, demo)
    control.fault("cors_refused", times=-1)
    page.get_by_role("tab", name="File").click()
    page.locator("#file-input").set_input_files(b.write_clip(tmp_path / "clip.mp4", 3_000_000))

    page.get_by_role("button", name="Upload and send the fix").click()

    expect(page.get_by_text("Fixed and verified.")).to_be_visible(timeout=20_000)
    control.clear_faults()
    assert control.ledger("put")[-1]["size"] == 3_000_000
    page.complaints[:] = [text for text in page.complaints if "CORS" not in text and "ERR_FAILED" not in text]


def test_upload_can_be_cancelled_and_starts_again(page, demo, tmp_path):
    open_video_issue(page, demo)
    address = page.url
    page.get_by_role("tab", name="File").click()
    page.locator("#file-input").set_input_files(b.write_clip(tmp_path / "clip.mp4"))
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2_000_000},
    )
    page.get_by_role("button", name="Upload and send the fix").click()
    expect(page.locator("[data-status]")).to_contain_text("Uploading")
    page.wait_for_timeout(600)

    page.get_by_role("button", name="Cancel the upload").click()

    expect(page.locator("[data-error]")).to_have_text("The upload was cancelled.")
    expect(page.locator(".files .name")).to_have_text("clip.mp4")
    page.goto(address)
    expect(page.get_by_role("alert").filter(has_text="cancelled before anything was sent")).to_be_visible()
    expect(page.get_by_role("button", name="Send the fix")).to_be_visible()


def test_a_wrong_file_is_refused_in_words(page, demo, tmp_path):
    open_video_issue(page, demo)
    wrong = tmp_path / "page.mp4"
    wrong.write_text("<!DOCTYPE html><html>log in</html>")
    page.get_by_role("tab", name="File").click()
    page.locator("#file-input").set_input_files(wrong)

    page.get_by_role("button", name="Upload and send the fix").click()

    expect(page.locator("[data-error]")).to_contain_text("“page.mp4” is a web page")


def test_a_chosen_file_is_judged_by_the_pieces_that_the_browser_sends(page, demo, control, tmp_path):
    """The same verdicts as for the whole file: at the first press, and without its bytes leaving the browser."""
    open_video_issue(page, demo)
    page.get_by_role("tab", name="File").click()
    trials = Path(__file__).parent / "trials" / "files"
    whole = (trials / "h264_moov_end.mp4").read_bytes()
    index = whole[whole.index(b"moov") - 4 :]
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[:32] + struct.pack(">I", 3_000_008) + b"mdat" + bytes(2_000_000))
    long = tmp_path / "long.mp4"
    long.write_bytes(whole[:32] + struct.pack(">I", 3_000_008) + b"mdat" + bytes(3_000_000) + index)
    puts = len(control.ledger("put"))

    for path, said, can_insist in (
        (trials / "whatsapp_voice.ogg", "a voice message or audio file (OGG)", False),
        (trials / "anim.gif", "a GIF image", False),
        (trials / "prores.mov", "an Apple ProRes video", True),
        (trials / "old.wmv", "a Windows Media video (WMV)", True),
        (trials / "truncated_faststart.mp4", "cut off: only 54 %", True),
        (cut, "cut off: only 66 %", True),
    ):
        page.locator("#file-input").set_input_files(path)
        page.get_by_role("button", name="Upload and send the fix").click()
        expect(page.locator("[data-error]")).to_contain_text(said)
        expect(page.locator("button[data-anyway]")).to_be_visible(visible=can_insist)
    assert len(control.ledger("put")) == puts

    page.locator("#file-input").set_input_files(long)
    page.get_by_role("button", name="Upload and send the fix").click()
    expect(page.get_by_text("Fixed and verified.")).to_be_visible(timeout=20_000)


def test_a_carousel_takes_images_in_the_order_that_is_chosen(page, demo, control, tmp_path):
    open_carousel_issue(page, demo, control)
    files = []
    for name in ("first.jpg", "second.jpg"):
        path = tmp_path / name
        path.write_bytes(JPEG)
        files.append(path)
    page.get_by_role("tab", name="Images").click()
    page.locator("#file-input").set_input_files(files)
    page.get_by_role("button", name="Move down first.jpg").click()
    expect(page.locator(".files .name")).to_have_text(["second.jpg", "first.jpg"])

    page.get_by_role("button", name="Upload and send the fix").click()
    expect(page.locator("[data-error]")).to_contain_text("4 → 2 images")
    page.get_by_role("button", name="Yes, send fewer images: 4 → 2").click()

    expect(page.get_by_text("Fixed and verified.")).to_be_visible(timeout=20_000)
    sent = control.ledger("fix")[-1]["body"]["carousel_images"]
    assert [path.rsplit("-", 1)[1] for path in sent] == ["second.jpg", "first.jpg"]


def test_a_heic_photo_goes_through_us_and_the_form_asks_before_images_are_lost(page, demo, control, tmp_path):
    open_carousel_issue(page, demo, control)
    photo = tmp_path / "IMG_1.heic"
    photo.write_bytes(heic(900).part(0, 900))
    images = page.get_by_label("The images, one in each line, in order")
    lines = images.input_value().splitlines()
    images.fill("\n".join(lines[2:]))
    expect(page.locator("#link-check")).to_contain_text("4 → 2 images")
    page.get_by_role("button", name="Send the fix").click()
    expect(page.get_by_label("Yes, send fewer images: 4 → 2 images")).not_to_be_checked()
    expect(images).to_have_value("\n".join(lines[2:]))

    page.get_by_role("tab", name="Images").click()
    page.get_by_role("button", name="Start from the 4 images as they are").click()
    page.get_by_role("button", name="Remove Image 2").click()
    page.locator("#file-input").set_input_files([photo])
    page.get_by_role("button", name="Upload and send the fix").click()

    expect(page.get_by_text("Fixed and verified.")).to_be_visible(timeout=20_000)
    sent = control.ledger("fix")[-1]["body"]["carousel_images"]
    assert sent[:3] == [lines[0], lines[2], lines[3]]
    assert sent[3].endswith("IMG1.heic.jpg") or sent[3].endswith("IMG1.jpg")
    assert control.ledger("direct")[-1]["content_type"] == "image/heic"


def test_a_bad_link_is_said_while_it_is_typed_and_when_it_is_sent(page, demo):
    open_video_issue(page, demo)
    field = page.get_by_label("A link that downloads the video")

    field.fill("https://drive.google.com/file/d/abc/view")
    expect(page.locator("#link-check")).to_contain_text("Google Drive")
    page.get_by_role("button", name="Use https://drive.google.com/uc").click(timeout=20_000)
    expect(field).to_have_value("https://drive.google.com/uc?export=download&id=abc")

    field.fill("https://broken.invalid/clip.mp4")
    page.get_by_role("button", name="Send the fix").click()
    expect(page.get_by_role("alert").filter(has_text="There is no such site")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Send it anyway").click()
    expect(page.get_by_role("alert").filter(has_text="could not download or store this replacement")).to_be_visible(
        timeout=20_000
    )
    expect(field).to_have_value("https://broken.invalid/clip.mp4")


def test_the_queue_refreshes_by_itself_and_keeps_the_place(page, demo, control):
    page.goto(demo.url + TEAM + "/")
    page.get_by_label("Search this list").fill("half typed")
    page.mouse.wheel(0, 400)
    other = b.open_page(page.context.browser)
    b.log_in(other, demo.url)
    open_video_issue(other, demo)
    other.get_by_label("A link that downloads the video").fill(GOOD)
    before = int(page.locator(".tabs [aria-current] .count").inner_text())
    other.get_by_role("button", name="Send the fix").click()
    expect(other.get_by_text("Fixed and verified.")).to_be_visible(timeout=20_000)
    other.context.close()

    expect(page.locator(".tabs [aria-current] .count")).to_have_text(str(before - 1), timeout=12_000)
    expect(page.get_by_label("Search this list")).to_have_value("half typed")
    assert page.evaluate("window.scrollY") > 0


def test_viewers_only_look(chromium, demo):
    page = b.open_page(chromium)
    b.log_in(page, demo.url, b.VIEWER)
    page.locator("a.row-title").first.click()

    expect(page.get_by_text("Your role is viewer")).to_be_visible()
    assert page.get_by_role("button", name="Send the fix").count() == 0
    page.context.close()


def test_an_owner_invites_a_member_and_pauses_a_workspace(page, demo):
    page.goto(demo.url + TEAM + "/settings/members/")
    page.get_by_label("E-mail").fill("new@demo.example")
    page.get_by_role("button", name="Invite").click()
    expect(page.get_by_role("status")).to_contain_text("new@demo.example gets an e-mail")

    page.goto(demo.url + TEAM + "/settings/workspaces/")
    page.get_by_role("link", name="Brightside on TokPortal").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_contain_text("Paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status")).to_contain_text("Resumed")
    page.get_by_role("link", name="Keys and name").click()
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_role("status")).to_contain_text("The key works")


def open_workspace(page, demo):
    page.goto(demo.url + TEAM + "/settings/workspaces/")
    page.get_by_role("link", name="Brightside on TokPortal").click()


def test_the_sync_page_measures_itself_anew(page, demo):
    open_workspace(page, demo)
    figures = page.locator(".figures")
    expect(figures).to_contain_text("A new flag is seen within about")
    expect(page.get_by_role("img", name="Requests a minute")).to_be_visible()
    asked = page.locator("dt:text-is('Requests') + dd")
    before = asked.inner_text()

    expect(asked).not_to_have_text(before, timeout=25_000)
    page.get_by_role("button", name="Look at everything now").click()
    expect(page.get_by_role("status")).to_contain_text("Looking at")


def test_webhooks_are_registered_tried_and_removed(page, demo, control):
    page.on("dialog", lambda dialog: dialog.accept())
    open_workspace(page, demo)
    page.get_by_role("link", name="Webhooks").click()
    page.get_by_role("button", name="Register at TokPortal").click()
    expect(page.get_by_role("status")).to_contain_text("delivers its events here now")
    page.get_by_role("button", name="Send a test event").click()
    expect(page.get_by_role("status")).to_contain_text("The test event has arrived")
    expect(page.get_by_role("cell", name="webhook.test")).to_be_visible()
    page.get_by_role("button", name="Change the secret").click()
    expect(page.get_by_role("status")).to_contain_text("The secret was changed")

    flagged = next(bundle for bundle, _ in control.videos(download_issue=True))
    control.change_bundle(flagged["id"], status="in_review")
    control.change_bundle(flagged["id"], status="published")
    delivered = page.get_by_role("cell", name="bundle.published")
    until = time.monotonic() + 15
    while not delivered.count() and time.monotonic() < until:
        page.goto(page.url)
    expect(delivered.first).to_be_visible()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("status")).to_contain_text("no events here any more")


def test_check_now_asks_at_once(page, demo, control):
    open_video_issue(page, demo)
    page.get_by_role("button", name="Check now").click()

    expect(page.get_by_role("status")).to_contain_text("Checked")


def test_the_theme_switch_is_kept(page, demo):
    page.get_by_role("button", name="Switch between light and dark").click()
    page.reload()

    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    assert 'data-theme="dark"' in page.context.request.get(page.url).text()  # from the server: no light flash


PAGES = ["/accounts/login/", f"{TEAM}/", f"{TEAM}/?state=fixed", f"{TEAM}/?q=nothing-like-this", f"{TEAM}/bundles/", f"{TEAM}/history/",
         f"{TEAM}/settings/workspaces/", f"{TEAM}/settings/workspaces/connect/", f"{TEAM}/settings/members/", "/profile/",
         "/accounts/password/change/", "/no/such/page"]  # fmt: skip


def test_every_issue_fits_a_narrow_phone(chromium, demo):
    """Long names of hosts, verdicts and links wrap; none pushes the page sideways (WCAG 1.4.10: 320 px)."""
    page = b.open_page(chromium, width=320, height=640)
    b.log_in(page, demo.url)
    b.wait_for_issues(page, 5)
    page.goto(demo.url + TEAM + "/?state=all")
    addresses = page.locator("a.row-title").evaluate_all("links => links.map(link => link.href)")
    wide = []
    for address in addresses:
        page.goto(address)
        if b.width_of(page) > 320:
            wide.append((address, b.too_wide(page)))
    page.context.close()

    assert len(addresses) >= 20
    assert wide == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_pages_are_accessible_and_fit(chromium, demo, dark, width, height):
    page = b.open_page(chromium, width=width, height=height, dark=dark)
    findings = []

    def look(path: str) -> None:
        results = run_axe(page)
        findings.extend(
            f"{path}: {v['id']} {[n['target'] for n in v['nodes']][:3]}" for v in results.response["violations"]
        )
        if b.width_of(page) > width:
            findings.append(f"{path}: scrolls sideways: {b.too_wide(page)}")

    page.goto(demo.url + PAGES[0])
    look(PAGES[0])
    b.log_in(page, demo.url)
    b.wait_for_issues(page, 5)
    for path in PAGES[1:]:
        page.goto(demo.url + path)
        look(path)
    open_video_issue(page, demo)
    look("issue by link")
    page.get_by_role("tab", name="File").click()
    look("issue by file")
    page.goto(demo.url + TEAM + "/bundles/")
    page.locator("a.row-title").first.click()
    look("bundle")
    page.goto(demo.url + TEAM + "/settings/workspaces/")
    page.locator("a.row-title").first.click()
    page.locator(".figures").wait_for()
    look("workspace")
    for name in ("Keys and name", "Webhooks"):
        page.get_by_role("link", name=name).click()
        look(name)
    page.context.close()

    assert findings == []


def test_the_demo_leaves_nothing_running(tmp_path):
    demo = b.Demo(tmp_path, "--bundles=3", "--videos=6", "--flagged=2")
    assert len(demo.children()) >= 4

    code = demo.stop()

    assert "Nothing is left running" in demo.output
    assert demo.children() == []
    assert code == 0
