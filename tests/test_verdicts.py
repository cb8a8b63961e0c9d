"""What a link's address tells."""

from datetime import UTC, datetime, timedelta

import pytest

from issues.link_checks.catalogue import CATALOGUE
from issues.link_checks.url_rules import is_about_content, judge_link, judge_links, link_end
from issues.link_checks.urls import is_web_link, shown_url

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AWS = "https://b.s3.amazonaws.com/a.mp4?X-Amz-Date=20261123T000000Z&X-Amz-Expires={}&X-Amz-Signature=x"


def code(url, needed_until=None):
    return judge_link(url, needed_until=needed_until, now=NOW).code


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", "no_link"),
        ("clip.mp4", "malformed"),
        ("https://a.example/a https://b.example/b", "malformed"),
        ("“https://a.example/a.mp4”", "malformed"),
        ("file:///x.mp4", "malformed"),
        ("C:\\x.mp4", "malformed"),
        ("http://127.0.0.1/a", "private_address"),
        ("http://localhost:8000/a", "private_address"),
        ("http://10.1.2.3/a", "private_address"),
        ("http://192.168.0.1/a", "private_address"),
        ("http://169.254.169.254/latest", "private_address"),
        ("http://100.64.1.1/a", "private_address"),
        ("http://224.0.0.1/a", "private_address"),
        ("http://2130706433/a", "private_address"),
        ("http://0x7f.1/a", "private_address"),
        ("http://0177.0.0.1/a", "private_address"),
        ("http://[::1]/a", "private_address"),
        ("http://[::ffff:10.0.0.1]/a", "private_address"),
        ("http://nas.local/a", "private_address"),
        ("http://fileserver/a", "private_address"),
        ("https://drive.google.com/file/d/abc123/view?usp=sharing", "drive_view_page"),
        ("https://drive.google.com/open?id=abc123", "drive_view_page"),
        ("https://drive.google.com/uc?export=download&id=abc", "not_checked"),
        ("https://drive.google.com/drive/folders/abc", "folder_link"),
        ("https://docs.google.com/document/d/abc/edit", "document_link"),
        ("https://www.dropbox.com/scl/fi/a/b.mp4?rlkey=x&dl=0", "dropbox_preview"),
        ("https://www.dropbox.com/scl/fi/a/b.mp4?rlkey=x", "dropbox_preview"),
        ("https://www.dropbox.com/scl/fi/a/b.mp4?rlkey=x&dl=1", "not_checked"),
        ("https://www.dropbox.com/scl/fi/a/b.mp4?dl=1", "dropbox_incomplete"),
        ("https://www.dropbox.com/scl/fo/a/b?rlkey=x", "folder_link"),
        ("https://1drv.ms/v/s!abc", "onedrive_page"),
        ("https://x.sharepoint.com/:v:/s/a", "sharepoint_login"),
        ("https://x.sharepoint.com/:f:/s/a", "folder_link"),
        ("https://we.tl/t-abc", "transfer_page"),
        ("https://vimeo.com/1", "transfer_page"),
        ("https://www.tiktok.com/@x/video/1", "social_post_page"),
        ("https://x.com/a/status/1", "social_post_page"),
        ("https://netflix.com/a.mp4", "not_checked"),
        ("https://cdn.example.com/a.mp4", "not_checked"),
        (AWS.format(3600), "signature_expired"),
        (AWS.format(86400 * 5), "not_checked"),
        ("https://cdn.discordapp.com/a.mp4?ex=65f0aa00&is=1&hm=2", "signature_expired"),
        ("https://d.cloudfront.net/a.mp4?Expires=1700000000&Signature=x", "signature_expired"),
        ("https://x.blob.core.windows.net/a?se=2026-11-01T00%3A00%3A00Z&sig=x", "signature_expired"),
        ("https://storage.googleapis.com/a?X-Goog-Date=20261101T000000Z&X-Goog-Expires=60", "signature_expired"),
        ("https://a.example/a?X-Amz-Date=broken&X-Amz-Expires=9", "not_checked"),
        ("https://a.example/a?Expires=99999999999999999999", "not_checked"),
    ],
)
def test_codes(url, expected):
    assert code(url) == expected


def test_a_link_that_ends_before_posting_is_expiring():
    assert code(AWS.format(86400 * 2), NOW + timedelta(days=1)) == "signature_expires_soon"
    assert code(AWS.format(86400 * 5), NOW + timedelta(days=1)) == "not_checked"


@pytest.mark.parametrize(
    ("url", "repaired"),
    [
        # A direct form is offered once it was opened.
        ("https://drive.google.com/file/d/abc/view", ""),
        ("https://www.dropbox.com/scl/fi/a/b.mp4?rlkey=x&dl=0", ""),
        ("www.example.com/a.mp4", "https://www.example.com/a.mp4"),
        ("“https://a.example/a.mp4”", "https://a.example/a.mp4"),
        ("https://a.example/my clip.mp4", "https://a.example/my%20clip.mp4"),
        ("https://a.example/my #1.mp4", "https://a.example/my%20%231.mp4"),
        ("file:///x.mp4", ""),
    ],
)
def test_repaired_forms(url, repaired):
    verdict = judge_link(url, needed_until=None, now=NOW)

    assert verdict.repaired == repaired
    assert not repaired or is_web_link(repaired)


def test_a_carousel_is_as_its_worst_image():
    links = ["https://a.example/1.jpg", "https://drive.google.com/file/d/x/view", "http://10.0.0.1/3.jpg"]

    verdict = judge_links(links, video_type="carousel", needed_until=None, now=NOW)

    assert (verdict.code, verdict.index, verdict.count) == ("private_address", 3, 3)
    assert verdict.sentence.startswith("Image 3 of 3:")


def test_a_story_is_said_to_be_one():
    assert (
        judge_links(["https://a.example/1.jpg"], video_type="story", needed_until=None, now=NOW).code
        == "story_not_repairable"
    )


def test_every_verdict_has_words():
    assert all(rule.say.endswith((".", "?")) and rule.advice.endswith(".") for rule in CATALOGUE.values())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/x.mp4?X-Amz-Signature=geheim", "https://a.example/x.mp4?…"),
        ("https://user:geheim@a.example/x", "https://a.example/x"),
        ("https://a.example/x#geheim", "https://a.example/x?…"),
        ("not a link?token=geheim", "not a link"),
        ("https://[broken/x?geheim", "https://[broken/x"),
    ],
)
def test_secrets_of_a_link_are_not_shown(url, shown):
    assert shown_url(url) == shown


def test_long_links_are_cut():
    assert len(shown_url("https://a.example/" + "x" * 5000)) <= 203


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("no sound", True),
        ("sem som, o vídeo está mudo", True),
        ("wrong video!!", True),
        ("link expired", False),
        (None, False),
    ],
)
def test_complaints_about_content_are_told_apart(comment, expected):
    assert is_about_content(comment) is expected


def test_an_end_needs_its_own_parameters():
    assert link_end("https://a.example/a.mp4?ex=abc") is None
    assert link_end("https://[broken") is None
