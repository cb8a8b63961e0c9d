"""JPEG, PNG and GIF: they announce no length, but each has a mark at its end."""

import re

from issues.media.facts import Media
from issues.media.reading import OutOfReachError, Reader

MAX_WALKED = 2 * 1024 * 1024  # bytes of an image that are read through; a link's first MiB is always at hand
_PNG_END = b"IEND\xaeB`\x82"
# What may follow 0xFF inside a JPEG's picture: a stuffed zero, a restart, a further table, scan or comment.
_NOT_IN_A_SCAN = re.compile(rb"\xff(?![\x00\xff\xd0-\xd7\xc4\xda\xdb\xdd\xdc\xfe]|$)")


def examine_jpeg(reader: Reader) -> Media:
    """Size, and whether the end of the picture is there."""
    width = height = None
    scan: int | None = None
    try:
        position = 2
        for _ in range(200):
            marker = reader.at(position, 9)
            if len(marker) < 4:
                return Media("image/jpeg", is_cut=True if reader.size is not None else None)
            if marker[0] != 0xFF:
                return Media("image/jpeg", width=width, height=height)  # not built as a JPEG: we cannot judge it
            if marker[1] in {0xFF, 0x01} or 0xD0 <= marker[1] <= 0xD7:
                position += 1 if marker[1] == 0xFF else 2
                continue
            length = int.from_bytes(marker[2:4], "big")
            if 0xC0 <= marker[1] <= 0xCF and marker[1] not in {0xC4, 0xC8, 0xCC} and len(marker) == 9:
                height, width = int.from_bytes(marker[5:7], "big"), int.from_bytes(marker[7:9], "big")
            position += 2 + length
            if reader.size is not None and position > reader.size:
                return Media("image/jpeg", expected=position, is_cut=True, width=width, height=height)
            if marker[1] == 0xDA:
                scan = position
                break
    except OutOfReachError:
        pass
    return Media("image/jpeg", is_cut=_jpeg_is_cut(reader, scan), width=width, height=height)


def _jpeg_is_cut(reader: Reader, scan: int | None) -> bool | None:
    """Inside a picture, 0xFF is always followed by one of a few bytes: its end mark cannot be there by chance."""
    try:
        start, tail = reader.tail()
    except OutOfReachError:
        return None
    if scan is not None and scan > start:
        tail = tail[scan - start :]
    if tail.rstrip(b"\x00\xff\r\n").endswith(b"\xff\xd9") or tail.endswith(b"\xff\xd9"):
        return False
    whole = _whole(reader)
    if whole is not None and scan is not None:
        return b"\xff\xd9" not in whole[scan:]
    if b"\xff\xd9" not in tail and tail.strip(b"\x00") and not _NOT_IN_A_SCAN.search(tail):
        return True
    return None  # something else follows the picture, or may: a video in a motion photo, a second picture, zeros


def _whole(reader: Reader) -> bytes | None:
    if not reader.size or reader.size > MAX_WALKED:
        return None
    try:
        return reader.exactly(0, reader.size, is_optional=True)
    except OutOfReachError:
        return None


def examine_png(reader: Reader) -> Media:
    """Size, and whether the last chunk is there."""
    head = reader.head()
    is_image = head[12:16] == b"IHDR" and len(head) >= 24
    width = int.from_bytes(head[16:20], "big") if is_image else None
    height = int.from_bytes(head[20:24], "big") if is_image else None
    is_cut: bool | None = None
    expected: int | None = None
    try:
        _, tail = reader.tail()
        is_cut = _PNG_END not in tail if tail.strip(b"\x00") else None
        if is_cut:
            expected = _png_length(reader)
    except OutOfReachError:
        pass
    return Media("image/png", expected=expected, is_cut=is_cut, width=width, height=height)


def _png_length(reader: Reader) -> int | None:
    """Up to where the chunks reach that are at hand."""
    position = 8
    try:
        for _ in range(3000):
            chunk = reader.at(position, 8, is_optional=True)
            if len(chunk) < 8:
                return position
            position += 12 + int.from_bytes(chunk[:4], "big")
    except OutOfReachError:
        pass
    return None


def examine_gif(reader: Reader) -> Media:
    """Size, and whether its trailer is there. Bytes after the trailer do not matter."""
    head = reader.head()
    width = int.from_bytes(head[6:8], "little") if len(head) >= 10 else None
    height = int.from_bytes(head[8:10], "little") if len(head) >= 10 else None
    is_cut: bool | None = None
    whole = _whole(reader)
    if whole is not None:
        is_cut = _gif_is_cut(whole)
    else:
        try:
            _, tail = reader.tail()
            is_cut = False if tail.rstrip(b"\x00\r\n").endswith(b"\x3b") else True if b"\x00\x3b" not in tail else None
        except OutOfReachError:
            pass
    return Media("image/gif", is_cut=is_cut, width=width, height=height)


def _gif_is_cut(content: bytes) -> bool | None:
    """Walk its blocks: each announces its length. `None` for anything else."""
    if len(content) < 13:
        return True
    position = 13 + (3 << ((content[10] & 7) + 1) if content[10] & 0x80 else 0)
    while position < len(content):
        kind = content[position]
        if kind == 0x3B:
            return False
        if kind == 0x21:
            position += 2
        elif kind == 0x2C:
            if position + 10 > len(content):
                return True
            flags = content[position + 9]
            position += 11 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
        else:
            return None
        while position < len(content) and content[position]:
            position += 1 + content[position]
        position += 1
    return True


def examine_bmp(reader: Reader) -> Media:
    """Its header announces its length; some programs leave that empty."""
    head = reader.head()
    expected = int.from_bytes(head[2:6], "little") or None
    is_cut = None if expected is None or reader.size is None else expected > reader.size
    return Media("image/bmp", expected=expected, is_cut=is_cut)
