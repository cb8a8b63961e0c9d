"""Storage paths: what one is, where it can be opened, and how TokPortal's answers hold them."""

import json

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from issues.fixes.uploads import FileFacts, begin_upload, presign
from issues.link_checks.url_rules import judge_links
from issues.models import Video
from issues.sandbox.media import heic
from issues.sync.workspaces import learn_storage_prefix
from issues.tokportal.payloads import VideoPayload
from issues.tokportal.storage_paths import is_given_path, is_storage_path, public_address, storage_prefix
from tests import factories

PATH = "carousel-images/org_x/bundle-id/photo-123456.jpg"
PREFIX = "https://abc.supabase.co/storage/v1/object/public/"


@pytest.mark.parametrize(
    "text",
    [
        PATH,
        "carousel-images/photo.jpg",
        "story-images/org_x/1.jpeg",
        "carousel-images/org_x/b/no-ending",
        "carousel-images/org_x/b/été (2).jpg".replace(" ", "_"),
        "carousel-images/org_x/b/photo%201.jpg",
        "carousel-images/o/b/a+b@2x,c=1.jpg",
        "images/v1.2/photo.final.jpg",
        "carousel-images/" + "x" * 1000,
    ],
)
def test_what_a_path_is(text):
    assert is_storage_path(text)
    assert judge_links([text], video_type="carousel", needed_until=None, now=None).code == "tokportal_file"


@pytest.mark.parametrize(
    "text",
    [
        "", "photo.jpg", "carousel-images", "carousel-images/", "/carousel-images/a.jpg", "//host/a.jpg",
        "https://abc.supabase.co/storage/v1/object/public/carousel-images/a.jpg", "HTTP://x/y", "ftp://x/y", "file:///a/b",
        "cdn.example.com/photo.jpg", "www.dropbox.com/s/x/y.jpg", "localhost/a.jpg", "localhost:3000/a.jpg", "10.0.0.1/a.jpg",
        "C:/photos/a.jpg", "C:\\photos\\a.jpg", "carousel-images\\a.jpg", "~/photos/a.jpg", "./a/b.jpg", "../a/b.jpg",
        "carousel-images/../keys/a.jpg", "carousel-images/%2e%2e/a.jpg", "carousel-images/%252e%252E/a.jpg",
        "carousel-images/a%2fb/%2e%2e", "carousel-images//a.jpg", "carousel-images/./a.jpg", "carousel-images/a/",
        "carousel-images/my photo.jpg", "carousel-images/a.jpg\n", "carousel-images/a\tb.jpg", "carousel-images/a\x00.jpg",
        "carousel-images/a\u200b.jpg", "carousel-images/a\u202e.jpg", "carousel-images/a.jpg?token=1", "carousel-images/a.jpg#1",
        "data:image/png;base64,iVBORw0K", "javascript:alert(1)/x", "mailto:a@b.example/x", "“carousel-images/a.jpg”",
        "carousel-images/<a>.jpg", "carousel-images/" + "x" * 1100, "-rf/a", "_x/a",
    ],
)  # fmt: skip
def test_what_no_path_is(text):
    assert not is_storage_path(text)


@given(st.text(max_size=60))
def test_any_text_gets_an_answer_and_a_path_stays_below_its_prefix(text):
    if is_storage_path(text):
        address = public_address(text, PREFIX)
        parts = requests.Request("GET", address).prepare().url
        assert address.startswith(PREFIX)
        assert parts.startswith(PREFIX)


def test_what_a_person_may_give():
    assert is_given_path(PATH)
    assert not is_given_path("photos/summer.jpg")
    assert is_given_path("photos/summer.jpg", held=["photos/summer.jpg"])
    assert not is_given_path("https://a.example/1.jpg", held=["https://a.example/1.jpg"])


@pytest.mark.parametrize("path", [PATH, "carousel-images/o/b/été.jpg", "carousel-images/o/b/a%20b.jpg", "a/b+c.jpg"])
def test_the_prefix_is_the_public_address_without_the_path(path):
    address = public_address(path, PREFIX)
    assert storage_prefix(address, path) == PREFIX
    assert storage_prefix(address + "?t=2026", path) == PREFIX


@pytest.mark.parametrize(
    ("address", "path"),
    [
        (PREFIX + "other.jpg", PATH),
        (f"https://abc.supabase.co/x{PATH}", PATH),
        (f"/{PATH}", PATH),
        (f"ftp://host/{PATH}", PATH),
        (f"https://user:pass@host.example/{PATH}", PATH),
        ("https://[broken/" + PATH, PATH),
        ("", PATH),
        (PREFIX + "photo.jpg", "photo.jpg"),
        (PREFIX + "x/../y.jpg", "x/../y.jpg"),
    ],
)
def test_no_prefix_from_what_does_not_belong_together(address, path):
    assert storage_prefix(address, path) == ""


def test_without_a_prefix_there_is_no_address():
    assert public_address(PATH, "") == ""
    assert public_address("https://a.example/1.jpg", PREFIX) == ""


# --- Answers ---------------------------------------------------------------------------------------------------


def test_images_may_be_objects():
    images = [
        PATH, "https://a.example/2.jpg", {"url": "https://a.example/3.jpg"}, {"path": "a/4.jpg", "order": 4},
        {"storage_path": "a/5.jpg", "public_url": "https://s.example/a/5.jpg"}, {"public_url": "https://s.example/6.jpg"},
        {"url": None, "image_url": " https://a.example/7.jpg "}, {"size": 3}, None,
    ]  # fmt: skip
    video = VideoPayload.parse({"position": 1, "carousel_images": images})
    assert video.carousel_images == (
        PATH, "https://a.example/2.jpg", "https://a.example/3.jpg", "a/4.jpg", "a/5.jpg", "https://s.example/6.jpg",
        "https://a.example/7.jpg", "", "",
    )  # fmt: skip


def test_a_workspace_learns_its_prefix_from_an_upload(carousel_issue, actor, workspace, client_for, small_sandbox):
    fix = begin_upload(issue=carousel_issue, files=[FileFacts("a.jpg", 209, [(0, factories.JPEG)])] * 4, actor=actor)
    presign(fix.media.all()[0], client_for(small_sandbox))
    workspace.refresh_from_db()
    assert workspace.storage_prefix == f"{small_sandbox.images.origin}/storage/v1/object/public/"


def test_what_could_not_be_opened_is_checked_once_the_prefix_is_known(carousel_issue, workspace):
    Video.objects.filter(pk=carousel_issue.video_id).update(
        link_verdict="tokportal_file", link_due_at="2099-01-01T00:00Z"
    )
    learn_storage_prefix(workspace, public_url=PREFIX + PATH, storage_path=PATH)
    assert Video.objects.get(pk=carousel_issue.video_id).link_due_at.year < 2099


# --- The sandbox -------------------------------------------------------------------------------------------------


def carousel_of(sandbox):
    bundle, video = factories.slot(sandbox, "carousel")
    return bundle["id"], video["position"], video["carousel_images"]


def fix_body(client, bundle_id, position, images):
    body = json.dumps({"carousel_images": images}).encode()
    return client.fix_download(bundle_id, position, body, idempotency_key=f"k-{len(images)}-{images[0]}")


def test_the_sandbox_tells_paths_urls_and_both(sandbox):
    told = [video["carousel_images"] for _bundle, video in sandbox.control.videos(video_type="carousel")]
    kinds = {frozenset("path" if is_storage_path(image) else "url" for image in images) for images in told}
    assert kinds == {frozenset({"path"}), frozenset({"url"}), frozenset({"path", "url"})}


def test_images_of_the_sandbox_lie_on_a_host_of_their_own(sandbox):
    path = next(
        image for _, video in sandbox.control.videos(video_type="carousel", download_issue=False)
        for image in video["carousel_images"] if is_storage_path(image)
    )  # fmt: skip
    assert sandbox.images.origin != sandbox.store.origin
    answer = requests.get(sandbox.images.public_url(path), timeout=5)
    assert (answer.status_code, answer.headers["Content-Type"], answer.content[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert requests.get(sandbox.store.public_url(path), timeout=5).status_code == 404


@pytest.mark.parametrize("form", ["paths", "urls", "mixed"])
def test_a_fixed_carousel_is_told_in_each_form(sandbox, client_for, form):
    bundle_id, position, images = carousel_of(sandbox)
    sandbox.control.settings(carousel_form=form)
    sandbox.control.flag(bundle_id, position)
    paths = [image for image in images if is_storage_path(image)]
    answer = fix_body(
        client_for(sandbox),
        bundle_id,
        position,
        [*paths, "https://cdn.example.com/1.jpg", "https://cdn.example.com/2.jpg"],
    )
    after = answer.video.carousel_images
    kinds = {"path" if is_storage_path(image) else "url" for image in after}
    assert len(after) == len(paths) + 2
    assert kinds == {"paths": {"path"}, "urls": {"url"}, "mixed": {"path", "url"}}[form]
    if form == "paths":
        assert list(after[: len(paths)]) == paths  # TokPortal's own files stay


def test_a_path_without_a_file_cannot_be_sent(sandbox, client_for):
    bundle_id, position, _ = carousel_of(sandbox)
    sandbox.control.flag(bundle_id, position)
    with pytest.raises(Exception, match="download or store"):
        fix_body(client_for(sandbox), bundle_id, position, ["carousel-images/org_x/never.jpg"])


def test_more_than_twenty_images_are_refused(sandbox, client_for):
    bundle_id, position, _ = carousel_of(sandbox)
    sandbox.control.flag(bundle_id, position)
    with pytest.raises(Exception, match="1 to 20"):
        fix_body(client_for(sandbox), bundle_id, position, [f"https://cdn.example.com/{n}.jpg" for n in range(21)])


def test_images_told_as_objects_are_mirrored(sandbox, client_for):
    bundle_id, position, images = carousel_of(sandbox)
    sandbox.control.settings(image_objects=True)
    assert list(client_for(sandbox).get_video(bundle_id, position).carousel_images) == images


def test_stories_have_a_video_or_a_picture(sandbox):
    stories = [video for _bundle, video in sandbox.control.videos(video_type="story")]
    assert {(bool(s["video_url"]), bool(s["story_image_url"])) for s in stories} == {(True, False), (False, True)}


@pytest.mark.parametrize("takes", [True, False])
def test_a_switch_says_whether_stories_take_a_video(sandbox, client_for, takes):
    bundle, video = factories.slot(sandbox, "story")
    sandbox.control.settings(takes_story_videos=takes)
    sandbox.control.flag(
        bundle["id"], video["position"], story_image_url=None, video_url="https://gone.example.com/s.mp4"
    )
    client = client_for(sandbox)

    def send():
        body = json.dumps({"video_url": "https://cdn.example.com/s.mp4"}).encode()
        return client.fix_download(bundle["id"], video["position"], body, idempotency_key="k")

    if takes:
        assert send().video.download_issue is False
    else:
        with pytest.raises(Exception, match="video_url is for videos"):
            send()


def test_heic_becomes_jpeg_on_the_direct_way(sandbox, client_for, tmp_path):
    bundle_id, _, _ = carousel_of(sandbox)
    picture = tmp_path / "IMG_1.HEIC"
    picture.write_bytes(heic(500).part(0, 500))
    with picture.open("rb") as file:
        answer = client_for(sandbox).upload_image_direct(
            file, filename=picture.name, bundle_id=bundle_id, content_type="image/heic", idempotency_key="k"
        )
    stored = requests.get(sandbox.images.public_url(answer.storage_path), timeout=5)
    assert is_storage_path(answer.storage_path)
    assert (stored.headers["Content-Type"], stored.content[:2], len(stored.content)) == (
        "image/jpeg",
        b"\xff\xd8",
        answer.size_bytes,
    )
    assert answer.size_bytes != 500
