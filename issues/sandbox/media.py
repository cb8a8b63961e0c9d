"""Small media files that look right from outside: real boxes and magic numbers around empty content."""

import struct
from dataclasses import dataclass


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def _track(handler: bytes) -> bytes:
    hdlr = _box(b"hdlr", b"\x00" * 8 + handler + b"\x00" * 12 + b"sandbox\x00")
    return _box(b"trak", _box(b"tkhd", b"\x00" * 84) + _box(b"mdia", _box(b"mdhd", b"\x00" * 24) + hdlr))


def _index(seconds: float, handlers: tuple[bytes, ...]) -> bytes:
    mvhd = _box(b"mvhd", b"\x00" * 12 + struct.pack(">II", 1000, int(seconds * 1000)) + b"\x00" * 80)
    return _box(b"moov", mvhd + b"".join(map(_track, handlers)))


@dataclass(frozen=True, slots=True)
class Content:
    """A file of `size` bytes: what it begins with, zeros, what it ends with."""

    media_type: str
    head: bytes
    size: int
    tail: bytes = b""

    def part(self, start: int, end: int) -> bytes:
        """Bytes `start` up to, not including, `end`."""
        end = min(end, self.size)
        tail_at = self.size - len(self.tail)
        pieces = [self.head[start:end]]
        first, last = max(start, len(self.head)), min(end, tail_at)
        pieces.append(bytes(max(last - first, 0)))
        if end > tail_at:
            pieces.append(self.tail[max(start - tail_at, 0) : end - tail_at])
        return b"".join(pieces)


FTYP = _box(b"ftyp", b"mp42\x00\x00\x00\x00mp42isom")


def mp4(
    size: int = 3_000_000,
    *,
    seconds: float = 31.0,
    handlers: tuple[bytes, ...] = (b"vide", b"soun"),
    index: str = "first",
) -> Content:
    """An MP4 with its index `first`, `last` or `missing`."""
    found = _index(seconds, handlers)
    head = FTYP + (found if index == "first" else b"")
    tail = found if index == "last" else b""
    mdat = struct.pack(">I", size - len(head) - len(tail)) + b"mdat"
    return Content("video/mp4", head + mdat, size, tail)


def jpeg(size: int = 180_000) -> Content:
    return Content("image/jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01", size, b"\xff\xd9")


def heic(size: int = 90_000) -> Content:
    """A photo as iPhones take them."""
    return Content("image/heic", _box(b"ftyp", b"heic\x00\x00\x00\x00mif1heic"), size)


def is_heic(head: bytes) -> bool:
    """Whether a file that begins so is HEIC or HEIF."""
    return head[4:8] == b"ftyp" and head[8:12] in {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"}


def text(media_type: str, content: str) -> Content:
    encoded = content.encode()
    return Content(media_type, encoded, len(encoded))


def blob(media_type: str, head: bytes, size: int) -> Content:
    return Content(media_type, head, size)
