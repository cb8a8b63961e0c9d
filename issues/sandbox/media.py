"""Small media files that look right from outside: real boxes and magic numbers around empty content."""

import struct
from dataclasses import dataclass


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def _track(handler: bytes, codec: bytes = b"") -> bytes:
    hdlr = _box(b"hdlr", b"\x00" * 8 + handler + b"\x00" * 12 + b"sandbox\x00")
    samples = b""
    if codec:
        entry = _box(codec, bytes(24) + struct.pack(">HH", 1080, 1920) + bytes(50))
        samples = _box(b"minf", _box(b"stbl", _box(b"stsd", bytes(7) + b"\x01" + entry)))
    return _box(b"trak", _box(b"tkhd", b"\x00" * 84) + _box(b"mdia", _box(b"mdhd", b"\x00" * 24) + hdlr + samples))


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


def mov(codec: bytes = b"avc1", size: int = 3_000_000) -> Content:
    """A QuickTime film of one track of pictures in this codec."""
    mvhd = _box(b"mvhd", b"\x00" * 12 + struct.pack(">II", 1000, 31_000) + b"\x00" * 80)
    head = _box(b"ftyp", b"qt  \x00\x00\x02\x00qt  ") + _box(b"moov", mvhd + _track(b"vide", codec))
    return Content("video/quicktime", head + struct.pack(">I", size - len(head)) + b"mdat", size)


def voice() -> Content:
    """A voice message as messengers send them: Opus in Ogg."""
    head = b"OggS\x00\x02" + bytes(20) + b"\x01\x13OpusHead\x01\x01" + bytes(10)
    return Content("audio/ogg", head, 12_000)


def gif() -> Content:
    """One still picture of one colour."""
    content = (
        b"GIF89a\x01\x00\x01\x00\x80\x00\x00"
        + bytes(6)
        + b"\x2c"
        + bytes(4)
        + b"\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
    )
    return Content("image/gif", content, len(content))


def png(size: int = 60_000) -> Content:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 1080, 1350, 8, 2, 0, 0, 0) + bytes(4)
    end = struct.pack(">I", 0) + b"IEND\xaeB`\x82"
    return Content("image/png", head + struct.pack(">I", size - len(head) - 12 - len(end)) + b"IDAT", size, end)


def webp(size: int = 60_000) -> Content:
    return Content("image/webp", b"RIFF" + struct.pack("<I", size - 8) + b"WEBPVP8 " + bytes(14), size)


def webm() -> Content:
    """The heads of a WebM: its tracks, then a cluster of nothing."""
    entry = b"\x83\x81\x01\x86\x85V_VP9"
    track = b"\xae" + bytes([0x80 | len(entry)]) + entry
    tracks = b"\x16\x54\xae\x6b" + bytes([0x80 | len(track)]) + track
    size = 50_000
    body = tracks + b"\x1f\x43\xb6\x75\x10" + (size - len(tracks) - 8).to_bytes(3, "big")
    head = b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm" + b"\x18\x53\x80\x67\x10" + size.to_bytes(3, "big")
    return Content("video/webm", head + body, len(head) + size)


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
