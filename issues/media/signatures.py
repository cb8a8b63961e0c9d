"""What a file is, by its first bytes: long and specific signatures before short ones, text at the end.

A byte or two prove little: a GIF begins with the sync byte of a transport stream, and a text in UTF-16 with that of an
MP3. So whatever has a short signature must show it more than once.
"""

import re

from issues.media.text import kind_of_text

# Five bytes and more, or so odd that nothing else begins with them.
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"\xff\x4f\xff\x51\x00", "image/jp2"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
    (b"IIRO", "image/x-raw"),
    (b"IIU\x00", "image/x-raw"),
    (b"FUJIFILMCCD-RAW", "image/x-raw"),
    (b"8BPS\x00", "image/vnd.adobe.photoshop"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),  # or Matroska: refined by its document type
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c", "video/x-ms-wmv"),
    (b"FLV\x01", "video/x-flv"),
    (b"OggS\x00", "audio/ogg"),  # or Ogg video: refined by its codec
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "video/x-mxf"),
    (b".RMF\x00", "video/x-realmedia"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
    (b"\x00\x00\x01\xb3", "video/mpeg"),
    (b"\x1f\x07\x00", "video/x-dv"),
    (b"DKIF\x00\x00", "video/x-raw"),
    (b"YUV4MPEG2 ", "video/x-raw"),
    (b"fLaC", "audio/flac"),
    (b"#!AMR\n", "audio/amr"),
    (b"#!AMR-WB\n", "audio/amr"),
    (b"caff\x00\x01", "audio/x-caf"),
    (b"MThd\x00\x00\x00\x06", "audio/midi"),
    (b"ID3", "audio/mpeg"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"PK\x07\x08", "application/zip"),
    (b"Rar!\x1a\x07", "application/x-rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"%PDF-", "application/pdf"),
    (b"%!PS", "application/postscript"),
    (b"{\\rtf", "application/rtf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-office"),
    (b"L\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46", "application/x-ms-shortcut"),
    (b"\x7fELF", "application/x-executable"),
    (b"\xcf\xfa\xed\xfe", "application/x-executable"),
    (b"\xca\xfe\xba\xbe", "application/x-executable"),
    (b"RIFX", "application/x-project"),  # After Effects
)
_BRANDS = {
    b"qt  ": "video/quicktime",
    b"heic": "image/heic", b"heix": "image/heic", b"hevc": "image/heic", b"hevx": "image/heic", b"heim": "image/heic",
    b"heis": "image/heic", b"mif1": "image/heic", b"msf1": "image/heic", b"mif2": "image/heic",
    b"avif": "image/avif", b"avis": "image/avif",
    b"M4A ": "audio/mp4", b"M4B ": "audio/mp4", b"M4P ": "audio/mp4",
    b"jxl ": "image/jxl", b"jp2 ": "image/jp2", b"jpx ": "image/jp2", b"crx ": "image/x-raw",
    b"F4V ": "video/x-flv",
}  # fmt: skip
_RIFF = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}
BOXES_AT_THE_START = frozenset(
    {b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"moof", b"sidx"}
)
_OFFICE = re.compile(rb"(?:word|ppt|xl)/|\[Content_Types\]\.xml|mimetypeapplication/(?:vnd\.oasis|epub)")


def kind_of(head: bytes) -> str:
    """The media type of a file that begins with `head`, an empty string for bytes that we do not know."""
    if is_boxes(head):
        return _kind_of_boxes(head)
    if head[:4] in {b"RIFF", b"RF64"}:
        return _RIFF.get(head[8:12], "")
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return "audio/aiff"
    for start, kind in _SIGNATURES:
        if head.startswith(start):
            return _refined(kind, head)
    return kind_of_text(head) or _short_signature(head)


def is_boxes(head: bytes) -> bool:
    """Whether this is the beginning of an MP4, MOV or one of their relatives (ISO/IEC 14496-12)."""
    return head[4:8] in BOXES_AT_THE_START


def _kind_of_boxes(head: bytes) -> str:
    if head[4:8] in {b"styp", b"moof", b"sidx"}:
        return "video/mp4"  # a piece of a stream
    if head[4:8] != b"ftyp":
        return "video/quicktime"
    brand = head[8:12]
    size = int.from_bytes(head[:4], "big")
    others = [head[place : place + 4] for place in range(16, min(size, len(head), 256) - 3, 4)]
    if brand in {b"mif1", b"msf1", b"mif2"} and any(other in {b"avif", b"avis"} for other in others):
        return "image/avif"
    if brand.startswith((b"3gp", b"3g2", b"3gr", b"3gs")):
        return "video/3gpp"
    return _BRANDS.get(brand, "video/mp4")


def _refined(kind: str, head: bytes) -> str:
    """Kinds that share a signature."""
    if kind == "video/webm":
        return "video/x-matroska" if b"matroska" in head[:256] else kind
    if kind == "audio/ogg":
        return "video/ogg" if b"\x80theora" in head or b"\x01video\x00" in head or b"BBCD\x00" in head else kind
    if kind == "application/zip" and _OFFICE.search(head):
        return "application/x-office"
    if kind == "image/tiff" and head[8:10] == b"CR":
        return "image/x-raw"
    if kind == "application/gzip" and (b".prproj" in head[:256] or b".drp" in head[:256]):
        return "application/x-project"
    return kind


def _short_signature(head: bytes) -> str:
    if head.startswith(b"\xff\x0a") and len(head) > 12:
        return "image/jxl"
    if _is_bitmap(head):
        return "image/bmp"
    if head.startswith(b"\x00\x00\x01\x00") and len(head) > 5 and 0 < head[4] < 64 and head[5] == 0:
        return "image/x-icon"
    if _is_transport_stream(head):
        return "video/mp2t"
    if re.match(rb"\x00\x00(?:\x00)?\x01(?:[\x67\x09\x27\x06]|\x40\x01|\x46\x01)", head):
        return "video/x-raw"
    if head.startswith(b"MZ") and len(head) >= 64:
        return "application/x-msdownload"
    if head[257:262] == b"ustar":
        return "application/x-tar"
    if len(head) >= 64 and not head.strip(b"\x00"):
        return "application/x-zeros"
    return _audio_frames(head)


def _is_bitmap(head: bytes) -> bool:
    """`BM` proves nothing: its header's size and the empty fields must fit."""
    return head.startswith(b"BM") and head[6:10] == bytes(4) and head[14:18] in {
        bytes([size, 0, 0, 0]) for size in (12, 40, 52, 56, 64, 108, 124)
    }  # fmt: skip


def _is_transport_stream(head: bytes) -> bool:
    """A sync byte every 188, 192 or 204 bytes; three of them, or all that the bytes at hand can hold."""
    for first, stride in ((0, 188), (4, 192), (0, 204)):
        places = range(first, min(len(head), first + 5 * stride), stride)
        if len(places) >= 2 and all(head[place] == 0x47 for place in places):
            return True
    return False


# Bit rates in kbit/s and sample rates of MPEG audio (ISO/IEC 11172-3), for layers 1 to 3; MPEG-2 has its own.
_RATES_1 = {
    3: (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    1: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_RATES_2 = {
    3: (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    1: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def _audio_frames(head: bytes) -> str:
    """MP3 or AAC without a header of its own: frames that follow each other."""
    for length, kind in ((_mpeg_frame(head), "audio/mpeg"), (_adts_frame(head), "audio/aac")):
        following = head[length : length + 2]
        if length and (len(following) < 2 or (following[0] == 0xFF and following[1] & 0xE0 == 0xE0)):
            return kind
    return ""


def _mpeg_frame(head: bytes) -> int:
    """The length of an MPEG audio frame in bytes, 0 if this is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = (head[1] >> 3) & 3, (head[1] >> 1) & 3
    rate, samples, padding = head[2] >> 4, (head[2] >> 2) & 3, (head[2] >> 1) & 1
    if version == 1 or layer == 0 or rate in {0, 15} or samples == 3:
        return 0
    speed = (_RATES_1 if version == 3 else _RATES_2)[layer][rate - 1] * 1000
    frequency = _SAMPLES[version][samples]
    if layer == 3:
        return (12 * speed // frequency + padding) * 4
    return (144 if version == 3 or layer == 2 else 72) * speed // frequency + padding


def _adts_frame(head: bytes) -> int:
    """The length of an ADTS frame in bytes, 0 if this is none."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or (head[2] >> 2) & 15 > 12:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length > 7 else 0
