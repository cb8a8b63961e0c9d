"""WebM and Matroska: nested elements with lengths of their own (RFC 8794, RFC 9559)."""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from issues.media.facts import Media
from issues.media.reading import OutOfReachError, Reader

_SEGMENT, _INFO, _TRACKS, _TRACK, _CLUSTER = 0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0x1F43B675
_TYPE, _CODEC, _VIDEO, _WIDTH, _HEIGHT = 0x83, 0x86, 0xE0, 0xB0, 0xBA
_SCALE, _DURATION = 0x2AD7B1, 0x4489
MAX_ELEMENTS = 500


@dataclass(frozen=True, slots=True)
class _Element:
    name: int
    start: int
    end: int | None  # `None`: written while it was recorded, the length was not known


def examine_ebml(reader: Reader, kind: str) -> Media:
    """What the elements up to the first cluster tell, and whether the file ends where its segment does."""
    expected: int | None = None
    is_cut: bool | None = None
    tracks: list[dict[int, bytes]] | None = None
    sizes: dict[int, int] = {}
    seconds: float | None = None
    try:
        for element in _elements(reader, 0, reader.size):
            if element.name != _SEGMENT:
                continue
            expected = element.end
            if expected is not None and reader.size is not None:
                is_cut = expected > reader.size
            for part in _elements(reader, element.start, element.end):
                if part.name == _INFO:
                    seconds = _seconds(reader, part)
                elif part.name == _TRACKS:
                    tracks, sizes = _read_tracks(reader, part)
                elif part.name == _CLUSTER:
                    break
            break
    except OutOfReachError:
        pass
    if tracks is None:
        return Media(kind, seconds=seconds, expected=expected, is_cut=is_cut)
    types = {int.from_bytes(track.get(_TYPE, b""), "big") for track in tracks}
    picture = next((track for track in tracks if track.get(_TYPE, b"")[-1:] == b"\x01"), {})
    return Media(
        kind,
        has_video=1 in types if types else None,
        has_sound=2 in types if types else None,
        seconds=seconds,
        expected=expected,
        is_cut=is_cut,
        codec=picture.get(_CODEC, b"").decode("latin-1").strip("\x00"),
        width=sizes.get(_WIDTH),
        height=sizes.get(_HEIGHT),
    )


def _number(content: bytes, *, keep_mark: bool) -> tuple[int, int] | None:
    """(value, length) of a number of variable length; -1 for "not known"."""
    if not content or not content[0]:
        return None
    length = 9 - content[0].bit_length()
    if len(content) < length:
        return None
    value = int.from_bytes(content[:length], "big")
    if keep_mark:
        return value, length
    value &= (1 << (7 * length)) - 1
    return (-1 if value == (1 << (7 * length)) - 1 else value), length


def _elements(reader: Reader, start: int, end: int | None) -> Iterator[_Element]:
    position = start
    for _ in range(MAX_ELEMENTS):
        if end is not None and position >= end:
            return
        head = reader.at(position, 12)
        name = _number(head[:4], keep_mark=True)
        size = _number(head[name[1] :], keep_mark=False) if name else None
        if name is None or size is None:
            return
        content = position + name[1] + size[1]
        if size[0] < 0:
            yield _Element(name[0], content, None)
            return
        yield _Element(name[0], content, content + size[0])
        position = content + size[0]


def _read_tracks(reader: Reader, tracks: _Element) -> tuple[list[dict[int, bytes]], dict[int, int]]:
    found: list[dict[int, bytes]] = []
    sizes: dict[int, int] = {}
    for entry in _elements(reader, tracks.start, tracks.end):
        if entry.name != _TRACK:
            continue
        track: dict[int, bytes] = {}
        for part in _elements(reader, entry.start, entry.end):
            if part.name in {_TYPE, _CODEC} and part.end is not None:
                track[part.name] = reader.at(part.start, min(part.end - part.start, 64))
            elif part.name == _VIDEO:
                for leaf in _elements(reader, part.start, part.end):
                    if leaf.name in {_WIDTH, _HEIGHT} and leaf.end is not None:
                        sizes.setdefault(
                            leaf.name, int.from_bytes(reader.at(leaf.start, min(leaf.end - leaf.start, 8)), "big")
                        )
        found.append(track)
    return found, sizes


def _seconds(reader: Reader, info: _Element) -> float | None:
    scale, duration = 1_000_000, 0.0
    for part in _elements(reader, info.start, info.end):
        if part.end is None:
            break
        content = reader.at(part.start, min(part.end - part.start, 8))
        if part.name == _SCALE and content:
            scale = int.from_bytes(content, "big")
        elif part.name == _DURATION and len(content) in {4, 8}:
            duration = struct.unpack(">f" if len(content) == 4 else ">d", content)[0]
    seconds = duration * scale / 1e9
    return seconds if math.isfinite(seconds) and 0 < seconds < 1e7 else None
