"""What a file is, by its bytes."""

import pytest

from issues.media.examiner import HEAD_BYTES, Pieces, examine, kind_of
from issues.sandbox import media as clips


def whole(content):
    return Pieces([(0, content.part(0, content.size))])


@pytest.mark.parametrize("index", ["first", "last"])
def test_an_mp4_is_read_wherever_its_index_stands(index):
    found = examine(whole(clips.mp4(5000, index=index)), 5000)
    assert (found.kind, found.has_index, found.has_video, found.has_sound, found.seconds) == (
        "video/mp4",
        True,
        True,
        True,
        31.0,
    )


def test_without_its_index_or_its_end_it_is_told():
    assert examine(whole(clips.mp4(5000, index="missing")), 5000).has_index is False
    content = clips.mp4(5000).part(0, 3000)
    found = examine(Pieces([(0, content)]), 3000)
    assert found.expected == 5000


def test_bytes_that_are_not_at_hand_accuse_nobody():
    found = examine(Pieces([(0, clips.mp4(5000, index="last").part(0, HEAD_BYTES))]), 5000)
    assert (found.has_index, found.has_video) == (None, None)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"), (b"\x00\x00\x00\x18ftypheic", "image/heic"), (b"\x00\x00\x00\x18ftypM4A ", "audio/mp4"),
        (b"\x1a\x45\xdf\xa3\x01webm", "video/webm"), (b"PK\x03\x04", "application/zip"), (b"<!DOCTYPE html>", "text/html"),
        (b"  <HTML>", "text/html"), (b"<?xml version", "text/xml"), (b'{"a": 1}', "application/json"), (b"hello there", "text/plain"),
        (b"#EXTM3U\n", "application/vnd.apple.mpegurl"), (b"\x9d\x01\xfe\xee\x00\x13", ""), (b"", ""),
    ],
)  # fmt: skip
def test_magic_bytes(head, kind):
    assert kind_of(head) == kind
