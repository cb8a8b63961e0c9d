"""Files: announced, presigned, put, and only then sent as a fix."""

import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from issues.enums import FixState, IssueState, MediaState
from issues.fixes.lifecycle import drive_fix
from issues.fixes.uploads import FileFacts, begin_upload, cancel_abandoned, cancel_fix, keep_alive, note_uploaded, relay
from issues.models import AuditEvent, Fix, Issue, MediaFile
from issues.problems import Refusal
from tests import factories

MP4 = FileFacts("clip.mp4", len(factories.MP4), [(0, factories.MP4[:64])])
JPEG = FileFacts("a.jpg", len(factories.JPEG), [(0, factories.JPEG[:64])])


def test_a_video_goes_up_and_is_fixed(video_issue, actor, small_sandbox):
    fix = begin_upload(issue=video_issue, files=[MP4], actor=actor)
    media = fix.media.get()

    relay(media, io.BytesIO(factories.MP4))
    media.refresh_from_db()
    note_uploaded(media=media, actor=actor)
    drive_fix(fix.pk)

    fix.refresh_from_db()
    assert fix.state == FixState.SUCCEEDED
    [entry] = small_sandbox.control.ledger("fix")
    assert entry["body"] == {"video_url": media.public_url}
    assert small_sandbox.control.ledger("put")[0]["size"] == len(factories.MP4)


def test_carousel_images_go_up_in_order_by_storage_path(carousel_issue, actor, small_sandbox):
    files = [FileFacts(f"{n}.jpg", len(factories.JPEG), [(0, factories.JPEG[:64])]) for n in range(3)]
    fix = begin_upload(issue=carousel_issue, files=[*files, "https://cdn.example.com/4.jpg"], actor=actor)

    for media in reversed(list(fix.media.all()[:3])):
        relay(media, io.BytesIO(factories.JPEG))
        media.refresh_from_db()
        note_uploaded(media=media, actor=actor)
    drive_fix(fix.pk)

    sent = small_sandbox.control.ledger("fix")[0]["body"]["carousel_images"]
    paths = list(fix.media.values_list("storage_path", flat=True))[:3]
    assert sent == [*paths, "https://cdn.example.com/4.jpg"]
    assert all(path.startswith("carousel-images/") for path in paths)


def test_the_upload_url_is_nowhere_in_the_database(video_issue, actor):
    fix = begin_upload(issue=video_issue, files=[MP4], actor=actor)
    media = fix.media.get()
    relay(media, io.BytesIO(factories.MP4))
    media.refresh_from_db()
    note_uploaded(media=media, actor=actor)

    stored = json.dumps([*Fix.objects.values(), *MediaFile.objects.values(), *AuditEvent.objects.values()], default=str)
    assert "signature=" not in stored


@pytest.mark.parametrize(
    ("name", "head", "size", "code"),
    [
        ("a.mp4", b"", 0, "FILE_EMPTY"),
        ("a.mp4", factories.MP4[:64], 5 * 1024**3, "FILE_TOO_LARGE"),
        ("a.mp4", b"<!DOCTYPE html><html>", 500, "FILE_WRONG_KIND"),
        ("a.mp4", b"PK\x03\x04" + b"\x00" * 30, 500, "FILE_WRONG_KIND"),
        ("a.mp4", factories.JPEG[:64], 500, "FILE_WRONG_KIND"),
        ("a.xyz", b"\x01\x02\x03\x04" * 16, 500, "FILE_WRONG_KIND"),
        ("a.mp4", b"just some words, no video at all", 32, "FILE_WRONG_KIND"),
    ],
)
def test_wrong_files_are_refused_before_a_byte_moves(video_issue, actor, small_sandbox, name, head, size, code):
    with pytest.raises(Refusal) as caught:
        begin_upload(issue=video_issue, files=[FileFacts(name, size, [(0, head)])], actor=actor)

    assert caught.value.code == code
    assert name in caught.value.sentence
    assert Issue.objects.get(pk=video_issue.pk).state == IssueState.OPEN
    assert not Fix.objects.exists()


def test_bytes_that_we_do_not_know_are_taken_by_their_name(video_issue, actor):
    fix = begin_upload(issue=video_issue, files=[FileFacts("a.mov", 500, [(0, b"\x9d\x01\xfe\xee" * 16)])], actor=actor)

    assert fix.media.get().content_type == "video/quicktime"


def test_an_unusual_name_warns_where_the_bytes_say_nothing(video_issue, actor):
    file = FileFacts("a.wmv", 500, [(0, b"\x9d\x01\xfe\xee" * 16)])

    with pytest.raises(Refusal, match="Windows Media"):
        begin_upload(issue=video_issue, files=[file], actor=actor)


TRIALS = Path(__file__).parent / "trials" / "files"


def facts_of(name):
    content = (TRIALS / name).read_bytes()
    return FileFacts(name, len(content), [(0, content)])


@pytest.mark.parametrize(
    "name", ["old.wmv", "old.flv", "old.avi", "obs.mkv", "cam.ts", "prores.mov", "truncated_faststart.mp4"]
)
def test_a_doubtful_video_is_held_until_the_person_insists(video_issue, actor, name):
    with pytest.raises(Refusal) as caught:
        begin_upload(issue=video_issue, files=[facts_of(name)], actor=actor)
    assert caught.value.code == "FILE_DOUBTFUL"

    assert begin_upload(issue=video_issue, files=[facts_of(name)], actor=actor, insist=True).state == "uploading"


@pytest.mark.parametrize(
    "name",
    [
        "h264_moov_end.mp4",
        "fragmented_empty_moov.mp4",
        "fragmented_sidx.mp4",
        "iphone_hevc_hvc1.mov",
        "vp9.webm",
        "phone.3gp",
    ],
)
def test_a_usual_video_uploads_at_the_first_press(video_issue, actor, name):
    assert begin_upload(issue=video_issue, files=[facts_of(name)], actor=actor).state == "uploading"


@pytest.mark.parametrize("name", ["whatsapp_voice.ogg", "anim.gif", "photo.svg", "hls.m3u8", "html_saved.mp4"])
def test_what_is_no_video_is_refused_for_a_video(video_issue, actor, name):
    with pytest.raises(Refusal) as caught:
        begin_upload(issue=video_issue, files=[facts_of(name)], actor=actor, insist=True)
    assert caught.value.code == "FILE_WRONG_KIND"


@pytest.mark.parametrize(
    ("name", "code"),
    [("photo.avif", "FILE_DOUBTFUL"), ("photo.tiff", "FILE_DOUBTFUL"), ("photo.bmp", "FILE_DOUBTFUL"),
     ("photo.jxl", "FILE_DOUBTFUL"), ("mp4_named_jpg.jpg", "FILE_WRONG_KIND"), ("photo.svg", "FILE_WRONG_KIND"),
     ("photo.jpg", ""), ("anim.gif", ""), ("IMG_0042.HEIC", "")],
)  # fmt: skip
def test_images_of_a_carousel_by_their_format(carousel_issue, actor, name, code):
    found = ""
    try:
        begin_upload(issue=carousel_issue, files=[facts_of(name)], actor=actor, fewer_than=len(carousel_issue.links))
    except Refusal as refusal:
        found = refusal.code
    assert found == code


@pytest.mark.parametrize("files", [[], [MP4, MP4]])
def test_a_video_slot_takes_one_file(video_issue, actor, files):
    with pytest.raises(Refusal):
        begin_upload(issue=video_issue, files=files, actor=actor)


def test_an_expired_place_fails_and_a_fresh_one_works(video_issue, actor, small_sandbox):
    fix = begin_upload(issue=video_issue, files=[MP4], actor=actor)
    media = fix.media.get()
    small_sandbox.control.fault("presign_expired")

    with pytest.raises(Refusal, match="fresh place"):
        relay(media, io.BytesIO(factories.MP4))
    relay(media, io.BytesIO(factories.MP4))

    media.refresh_from_db()
    assert note_uploaded(media=media, actor=actor).state == FixState.UPLOADED


def test_a_file_without_a_place_cannot_be_called_uploaded(video_issue, actor):
    fix = begin_upload(issue=video_issue, files=[MP4], actor=actor)

    with pytest.raises(Refusal):
        note_uploaded(media=fix.media.get(), actor=actor)
    assert MediaFile.objects.get().state == MediaState.WAITING


def test_an_abandoned_upload_ends_and_the_issue_is_open_again(video_issue, actor):
    fix = begin_upload(issue=video_issue, files=[MP4], actor=actor)
    assert cancel_abandoned() == 0
    assert keep_alive(fix)
    Fix.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    assert cancel_abandoned() == 1

    fix.refresh_from_db()
    assert (fix.state, fix.code) == (FixState.CANCELLED, "UPLOAD_ABANDONED")
    assert Issue.objects.get(pk=video_issue.pk).state == IssueState.OPEN
    assert not keep_alive(fix)


def test_an_upload_that_was_cancelled_goes_no_further(video_issue, actor):
    fix = begin_upload(issue=video_issue, files=[MP4], actor=actor)
    cancel_fix(fix=fix, actor=actor)
    media = MediaFile.objects.select_related("fix__issue__video__bundle", "fix__issue__workspace").get()

    with pytest.raises(Refusal, match="cancelled or has ended"):
        relay(media, io.BytesIO(factories.MP4))
    assert note_uploaded(media=media, actor=actor).state == FixState.CANCELLED


def test_saying_uploaded_twice_is_harmless(video_issue, actor):
    fix = begin_upload(issue=video_issue, files=[MP4], actor=actor)
    media = fix.media.get()
    relay(media, io.BytesIO(factories.MP4))
    media.refresh_from_db()

    assert note_uploaded(media=media, actor=actor).state == FixState.UPLOADED
    assert note_uploaded(media=media, actor=actor).state == FixState.UPLOADED
    assert AuditEvent.objects.filter(verb="fix.uploaded").count() == 1


def test_images_are_no_video(carousel_issue, actor):
    with pytest.raises(Refusal, match="takes images"):
        begin_upload(issue=carousel_issue, files=[MP4], actor=actor)
    assert begin_upload(issue=carousel_issue, files=[JPEG] * 4, actor=actor).state == FixState.UPLOADING


def test_the_command_warns_of_a_doubtful_file_and_sends_it(video_issue, bob, capsys):
    video = video_issue.video

    call_command(
        "fix",
        video.bundle.tokportal_id,
        str(video.position),
        file=str(TRIALS / "prores.mov"),
        email=bob.email,
        json=True,
    )

    printed = capsys.readouterr()
    assert json.loads(printed.out)["state"] == "succeeded"
    assert "Apple ProRes" in json.loads(printed.out)["warnings"][0]
    assert "Apple ProRes" in printed.err
