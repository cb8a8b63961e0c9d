"""Containers of which a few bytes tell what matters: RIFF (AVI, WAV, WebP), ASF (WMV, WMA), Ogg, FLV."""

from issues.media.facts import Media
from issues.media.reading import OutOfReachError, Reader

_ASF_AUDIO = bytes.fromhex("409e69f84d5bcf11a8fd00805f5c442b")
_ASF_VIDEO = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_OGG_AUDIO = (b"OpusHead", b"\x01vorbis", b"Speex   ", b"\x7fFLAC")


def examine_riff(reader: Reader, kind: str) -> Media:
    """Its first chunk announces its length; recorders that cannot go back leave it empty."""
    head = reader.head()
    length = int.from_bytes(head[4:8], "little")
    is_open = head[:4] == b"RF64" or length in {0, 0xFFFFFFFF} or len(head) < 12
    expected = None if is_open else 8 + length
    is_cut = None if expected is None or reader.size is None else expected > reader.size
    if kind == "image/webp":
        width, height = _webp_size(head)
        return Media(kind, expected=expected, is_cut=is_cut, width=width, height=height)
    if kind == "video/x-msvideo":
        has_video = b"vids" in head or None
        return Media(
            kind, has_video=has_video, has_sound=b"auds" in head or None, expected=expected, is_cut=is_cut,
            codec=_after(head, b"vids", 4),
        )  # fmt: skip
    return Media(kind, expected=expected, is_cut=is_cut)


def _after(head: bytes, mark: bytes, count: int) -> str:
    place = head.find(mark)
    return head[place + len(mark) : place + len(mark) + count].decode("latin-1") if place >= 0 else ""


def _webp_size(head: bytes) -> tuple[int | None, int | None]:
    if head[12:16] == b"VP8X" and len(head) >= 30:
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if head[12:16] == b"VP8 " and len(head) >= 30:
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    if head[12:16] == b"VP8L" and len(head) >= 25:
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return None, None


def examine_asf(reader: Reader) -> Media:
    """WMV or WMA: its header lists the streams, and the length of the file."""
    head = reader.head()
    length = int.from_bytes(head[16:24], "little")
    try:
        if len(head) < length <= 64 * 1024:
            head = reader.exactly(0, length, is_optional=True)
    except OutOfReachError:
        pass
    has_sound = True if _ASF_AUDIO in head else None
    is_seen = len(head) >= length and bool(has_sound)  # the whole list, and it is not empty
    has_video = True if _ASF_VIDEO in head else False if is_seen else None
    place = head.find(_ASF_FILE)
    facts = head[place + 40 : place + 48]
    expected = int.from_bytes(facts, "little") if place >= 0 and len(facts) == 8 else 0
    is_cut = None if not expected or reader.size is None else expected > reader.size
    is_audio = has_video is False and has_sound
    return Media(
        "audio/x-ms-wma" if is_audio else "video/x-ms-wmv",
        has_video=has_video if not is_audio else None,
        has_sound=has_sound,
        expected=expected or None,
        is_cut=is_cut,
    )


def examine_ogg(reader: Reader, kind: str) -> Media:
    """Sound, unless one of its first pages belongs to pictures."""
    head = reader.head()
    has_sound = True if any(mark in head for mark in _OGG_AUDIO) else None
    return Media(kind, has_video=kind == "video/ogg" or None, has_sound=has_sound)


def examine_flv(reader: Reader) -> Media:
    flags = reader.head()[4:5]
    return Media(
        "video/x-flv",
        has_video=True if flags and flags[0] & 1 else None,
        has_sound=True if flags and flags[0] & 4 else None,
    )
