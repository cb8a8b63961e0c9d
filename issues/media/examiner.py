"""What a file is, by its bytes: magic numbers first, then the boxes of an MP4 or MOV (ISO/IEC 14496-12).

Only what is certain is said: bytes that we do not have, or do not know, accuse nobody.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

HEAD_BYTES = 64  # enough for every magic number here

ReadAt = Callable[[int, int], bytes]


class OutOfReachError(Exception):
    """These bytes of the file are not at hand."""


_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"%PDF", "application/pdf"),
    (b"Rar!", "application/x-rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x1f\x8b", "application/gzip"),
    (b"MZ", "application/x-msdownload"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf1", "audio/aac"),
    (b"\xff\xf9", "audio/aac"),
    (b"OggS", "video/ogg"),  # or sound alone: not told apart, so not accused
    (b"FLV", "video/x-flv"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
    (b"\x00\x00\x01\xb3", "video/mpeg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-wmv"),
    (b"#EXTM3U", "application/vnd.apple.mpegurl"),
)
_BRANDS = {
    b"qt  ": "video/quicktime",
    b"heic": "image/heic", b"heix": "image/heic", b"mif1": "image/heic", b"msf1": "image/heic", b"heim": "image/heic",
    b"avif": "image/avif", b"avis": "image/avif",
    b"M4A ": "audio/mp4", b"M4B ": "audio/mp4", b"M4P ": "audio/mp4",
}  # fmt: skip
_QUICKTIME_BOXES = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})

# What people call it.
NAMES = {
    "application/zip": "a ZIP archive", "application/pdf": "a PDF document", "application/x-rar": "an archive",
    "application/x-7z-compressed": "an archive", "application/gzip": "a compressed archive",
    "application/x-msdownload": "a program", "text/html": "a web page", "text/xml": "an XML text",
    "application/json": "a JSON text", "text/plain": "a text", "application/vnd.apple.mpegurl": "a streaming playlist",
}  # fmt: skip


def name_of(kind: str) -> str:
    """`a ZIP archive`, `an image`, `an audio file`: for "this is …"."""
    if kind in NAMES:
        return NAMES[kind]
    return {"image": "an image", "audio": "an audio file", "video": "a video"}.get(kind.split("/")[0], "another file")


def kind_of(head: bytes) -> str:
    """The media type of a file that begins with `head`, an empty string for bytes that we do not know."""
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head[4:8] in _QUICKTIME_BOXES:
        return "video/quicktime"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm" if b"webm" in head or b"matroska" not in head else "video/x-matroska"
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}.get(head[8:12], "")
    if head[:1] == b"\x47" and (len(head) < 189 or head[188:189] == b"\x47") and b"\x00" in head:
        return "video/mp2t"
    return next((kind for start, kind in _MAGIC if head.startswith(start)), "") or _text_kind(head)


def _text_kind(head: bytes) -> str:
    """Text is never media: web pages above all, then what programs answer."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    low = start[:512].lower()
    if low.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<!--")):
        return "text/html"
    if low.startswith(b"<"):
        return "text/html" if b"<html" in low else "text/xml"
    if low.startswith((b"{", b"[")) and _is_text(start):
        return "application/json"
    return "text/plain" if _is_text(start) else ""


def _is_text(head: bytes) -> bool:
    try:
        text = head[:HEAD_BYTES].decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head[:HEAD_BYTES]) - 4:
            return False
        text = head[: error.start].decode("utf-8")
    return bool(text.strip()) and all(ch in "\t\r\n" or ch >= " " for ch in text)


@dataclass(frozen=True, slots=True)
class Media:
    """What is known of a file. `None`: it cannot be told from the bytes at hand."""

    kind: str
    has_index: bool | None = None  # `moov`: without it nothing can play an MP4
    has_video: bool | None = None
    has_sound: bool | None = None
    seconds: float | None = None
    expected: int | None = None  # bytes that its boxes announce: a shorter file was cut off

    @property
    def is_video(self) -> bool:
        return self.kind.startswith("video/")

    @property
    def is_image(self) -> bool:
        return self.kind.startswith("image/")


def examine(read_at: ReadAt, size: int | None) -> Media:
    """Look at a file through `read_at(offset, count)`, which raises OutOfReachError for bytes that are not at hand.

    `size` is that of the whole file in bytes, `None` where unknown.
    """
    try:
        head = read_at(0, HEAD_BYTES if size is None else min(HEAD_BYTES, size))
    except OutOfReachError:
        return Media("")
    kind = kind_of(head)
    is_boxes = head[4:8] == b"ftyp" or head[4:8] in _QUICKTIME_BOXES
    if not is_boxes or kind.startswith("image/"):
        return Media(kind)
    return _examine_boxes(read_at, size, kind)


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int  # of its content
    end: int


def _boxes(read_at: ReadAt, start: int, end: int | None) -> Iterator[_Box]:
    """The boxes between two offsets. Ends quietly at what is no box; raises OutOfReachError."""
    position, seen = start, 0
    while (end is None or position + 8 <= end) and seen < 10_000:
        head = read_at(position, 16 if end is None else min(16, end - position))
        if len(head) < 8:
            return
        size, kind, content = struct.unpack(">I", head[:4])[0], head[4:8], position + 8
        if size == 1 and len(head) == 16:
            size, content = struct.unpack(">Q", head[8:16])[0], position + 16
        last = position + size if size else end  # 0: up to the end of the file
        if last is None or last < content:
            return
        yield _Box(kind, content, last)
        position, seen = last, seen + 1


def _examine_boxes(read_at: ReadAt, size: int | None, kind: str) -> Media:
    has_index: bool | None = None
    expected = 0
    tracks: set[bytes] = set()
    seconds: float | None = None
    is_complete = False
    try:
        for box in _boxes(read_at, 0, size):
            expected = max(expected, box.end)
            if box.kind == b"moov":
                has_index = True
                seconds, tracks, is_complete = _read_index(read_at, box)
        if has_index is None and size is not None and expected >= size:
            has_index = False
    except OutOfReachError:
        pass
    return Media(
        kind,
        has_index,
        has_video=True if b"vide" in tracks else False if is_complete else None,
        has_sound=True if b"soun" in tracks else False if is_complete else None,
        seconds=seconds,
        expected=expected or None,
    )


def _read_index(read_at: ReadAt, index: _Box) -> tuple[float | None, set[bytes], bool]:
    """(seconds, kinds of tracks, whether all tracks were seen)"""
    seconds: float | None = None
    tracks: set[bytes] = set()
    try:
        for box in _boxes(read_at, index.start, index.end):
            if box.kind == b"mvhd":
                seconds = _duration(read_at(box.start, min(32, box.end - box.start)))
            elif box.kind == b"trak":
                for inner in _boxes(read_at, box.start, box.end):
                    if inner.kind != b"mdia":
                        continue
                    for leaf in _boxes(read_at, inner.start, inner.end):
                        if leaf.kind == b"hdlr":
                            tracks.add(read_at(leaf.start, 12)[8:12])
                            break
    except OutOfReachError:
        return seconds, tracks, False
    return seconds, tracks, bool(tracks)


def _duration(content: bytes) -> float | None:
    try:
        if content[0] == 1:
            scale, length = struct.unpack(">IQ", content[20:32])
        else:
            scale, length = struct.unpack(">II", content[12:20])
    except (struct.error, IndexError):
        return None
    return length / scale if scale and length not in {0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF} else None


class Pieces:
    """`read_at` over some pieces of a file: (offset, bytes)."""

    def __init__(self, pieces: list[tuple[int, bytes]]) -> None:
        self._pieces = pieces

    def add(self, offset: int, content: bytes) -> None:
        self._pieces.append((offset, content))

    def __call__(self, offset: int, count: int) -> bytes:
        for start, content in self._pieces:
            if start <= offset and offset + count <= start + len(content):
                return content[offset - start : offset - start + count]
            if offset == start == 0 and content:
                return content  # a short head is better than none
        raise OutOfReachError
