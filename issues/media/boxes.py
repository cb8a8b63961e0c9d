"""MP4, MOV, 3GP, M4A, HEIC and AVIF: files made of boxes (ISO/IEC 14496-12, and Apple's QuickTime format)."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from issues.media.facts import Media
from issues.media.names import group_of
from issues.media.reading import OutOfReachError, Reader

MAX_BOXES = 3000  # at one level


@dataclass(frozen=True, slots=True)
class Box:
    """`end` may lie behind the end of the file; `None` for a box that reaches up to it."""

    kind: bytes
    place: int  # of its header
    start: int  # of its content
    end: int | None


@dataclass(slots=True)
class _Track:
    handler: bytes = b""
    codec: str = ""
    width: int | None = None
    height: int | None = None
    last_chunk: int | None = None  # where the last samples lie in the file


@dataclass(slots=True)
class _Index:
    """What `moov` says."""

    seconds: float | None = None
    tracks: list[_Track] = field(default_factory=list)
    is_fragmented: bool = False
    is_whole: bool = False  # all of it was at hand

    def handlers(self) -> set[bytes]:
        return {track.handler for track in self.tracks}


def examine_boxes(reader: Reader, kind: str) -> Media:
    """What the boxes of a file tell."""
    index: _Index | None = None
    expected, promised, seconds = 0, 0, 0.0
    reached_end = open_end = has_data = False
    try:
        for box in _boxes(reader, 0, reader.size):
            expected = max(expected, box.start if box.end is None else box.end)
            open_end = open_end or box.end is None
            has_data = has_data or box.kind in {b"mdat", b"moof"}
            if box.kind == b"moov":
                index = _read_index(reader, box)
                reader.is_satisfied = True  # what follows is not worth a request
            elif box.kind == b"sidx":
                end, length = _read_segments(reader, box)
                promised, seconds = max(promised, end), max(seconds, length)
        reached_end = reader.size is not None and (open_end or expected >= reader.size)
    except OutOfReachError:
        pass
    if index and index.is_fragmented:
        expected = max(expected, promised)
        index.seconds = index.seconds or seconds or None
    return _media(reader, kind, index, expected, reached_end=reached_end, is_closed=has_data and not open_end)


def _media(
    reader: Reader, kind: str, index: _Index | None, expected: int, *, reached_end: bool, is_closed: bool
) -> Media:
    size = reader.size
    is_cut: bool | None = None
    chunks = [track.last_chunk for track in index.tracks if track.last_chunk is not None] if index else []
    if size is not None and (expected > size or any(chunk > size for chunk in chunks)):
        is_cut = True
        expected = max(expected, *(chunk + 1 for chunk in chunks), 0)
    elif size is not None and expected == size and is_closed and reached_end:
        is_cut = False
    has_index: bool | None = True if index else None
    if index is None and group_of(kind) != "image" and reached_end:
        has_index = False
    if index is None or group_of(kind) == "image":
        return Media(kind, has_index=has_index, expected=expected or None, is_cut=is_cut)
    handlers = index.handlers()
    picture = next((track for track in index.tracks if track.handler == b"vide"), _Track())
    unless_seen = False if index.is_whole and handlers else None
    return Media(
        kind,
        has_index=has_index,
        has_video=True if b"vide" in handlers else unless_seen,
        has_sound=True if b"soun" in handlers else unless_seen,
        seconds=index.seconds,
        expected=expected or None,
        is_cut=is_cut,
        codec=picture.codec,
        width=picture.width,
        height=picture.height,
        is_fragmented=index.is_fragmented,
    )


def _boxes(reader: Reader, start: int, end: int | None) -> Iterator[Box]:
    """The boxes between two offsets. Ends quietly at anything else; raises OutOfReachError."""
    position = start
    for _ in range(MAX_BOXES):
        if end is not None and position + 8 > end:
            return
        head = reader.at(position, 16 if end is None else min(16, end - position))
        if len(head) < 8:
            return
        size, kind, content = struct.unpack(">I", head[:4])[0], head[4:8], position + 8
        if size == 1:
            if len(head) < 16:
                return
            size, content = struct.unpack(">Q", head[8:16])[0], position + 16
        if size and position + size < content:
            return
        if not all(32 <= byte < 127 or byte == 0xA9 for byte in kind):
            return  # not a box
        if not size:
            yield Box(kind, position, content, None)
            return
        yield Box(kind, position, content, position + size)
        position += size
    raise OutOfReachError


def _inner(reader: Reader, box: Box) -> Iterator[Box]:
    for inner in _boxes(reader, box.start, box.end):
        if inner.end is None or (box.end is not None and inner.end > box.end):
            yield Box(inner.kind, inner.place, inner.start, box.end)
            return
        yield inner


def _read_index(reader: Reader, moov: Box) -> _Index:
    index = _Index()
    try:
        for box in _inner(reader, moov):
            if box.kind == b"mvhd":
                index.seconds = _duration(reader.at(box.start, 32))
            elif box.kind == b"trak":
                track = _Track()
                index.tracks.append(track)
                _read_track(reader, box, track)
            elif box.kind == b"mvex":
                index.is_fragmented = True
                index.seconds = index.seconds or None  # 0: it was not known when the header was written
                for inner in _inner(reader, box):
                    if inner.kind == b"mehd":
                        index.seconds = _fragments_duration(reader, moov, inner) or index.seconds
            elif box.kind == b"cmov":
                return index  # a compressed index, as QuickTime wrote long ago: we cannot read its tracks
        index.is_whole = moov.end is not None and (reader.size is None or moov.end <= reader.size)
    except OutOfReachError:
        pass
    return index


def _read_track(reader: Reader, trak: Box, track: _Track) -> None:
    for box in _inner(reader, trak):
        if box.kind != b"mdia":
            continue
        for leaf in _inner(reader, box):
            if leaf.kind == b"hdlr" and not track.handler:
                track.handler = reader.at(leaf.start, 12)[8:12]
            elif leaf.kind == b"minf":
                for part in _inner(reader, leaf):
                    if part.kind == b"stbl":
                        _read_samples(reader, part, track)


def _read_samples(reader: Reader, stbl: Box, track: _Track) -> None:
    for box in _inner(reader, stbl):
        if box.kind == b"stsd":
            _read_codec(reader, box, track)
        elif box.kind in {b"stco", b"co64"}:
            width = 4 if box.kind == b"stco" else 8
            count = int.from_bytes(reader.exactly(box.start, 8)[4:8], "big")
            place = box.start + 8 + width * (count - 1)
            if count and box.end is not None and place + width <= box.end:
                try:
                    last = reader.exactly(place, width, is_optional=True)
                except OutOfReachError:
                    continue
                track.last_chunk = max(int.from_bytes(last, "big"), track.last_chunk or 0)


def _read_codec(reader: Reader, stsd: Box, track: _Track) -> None:
    """The first entry: its code, and for pictures their size. A protected one names the codec that it hides."""
    entry = reader.at(stsd.start + 8, 36)
    if len(entry) < 8 or track.handler == b"soun":
        return
    track.codec = entry[4:8].decode("latin-1")
    if track.codec == "mp4v":
        track.codec = _codec_of_descriptor(reader.at(stsd.start + 94, 200)) or track.codec
    if len(entry) == 36 and track.handler == b"vide":
        track.width, track.height = struct.unpack(">HH", entry[32:36])


_DESCRIPTOR = re.compile(rb"esds.{4}\x03[\x80-\xff]{0,3}[\x00-\x7f]..\x00\x04[\x80-\xff]{0,3}[\x00-\x7f](.)", re.DOTALL)


def _codec_of_descriptor(content: bytes) -> str:
    """`mp4v` stands for several codecs (ISO 14496-1, object types): MPEG-2 and MPEG-1, single pictures, MPEG-4."""
    found = _DESCRIPTOR.search(content)
    kind = found[1][0] if found else 0
    return "m2v1" if 0x60 <= kind <= 0x65 or kind == 0x6A else "jpeg" if kind == 0x6C else ""


def _duration(content: bytes) -> float | None:
    """Seconds, off a `mvhd`."""
    try:
        if content[0] == 1:
            scale, length = struct.unpack(">IQ", content[20:32])
        else:
            scale, length = struct.unpack(">II", content[12:20])
    except (struct.error, IndexError):
        return None
    return length / scale if scale and length not in {0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF} else None


def _fragments_duration(reader: Reader, moov: Box, mehd: Box) -> float | None:
    header = next((box for box in _inner(reader, moov) if box.kind == b"mvhd"), None)
    content = reader.at(header.start, 32) if header else b""
    wide = reader.at(mehd.start, 12)
    if len(content) < 24 or len(wide) < 8:
        return None
    scale = int.from_bytes(content[20:24] if content[0] == 1 else content[12:16], "big")
    length = int.from_bytes(wide[4:12] if wide[0] == 1 else wide[4:8], "big")
    return length / scale if scale else None


def _read_segments(reader: Reader, sidx: Box) -> tuple[int, float]:
    """Where the segments that a `sidx` lists end, and how many seconds they take. Not at hand: nothing."""
    try:
        content = reader.exactly(sidx.start, min((sidx.end or 0) - sidx.start, 32 + 12 * 5000), is_optional=True)
        is_long = content[0] == 1
        scale = int.from_bytes(content[8:12], "big")
        offset = int.from_bytes(content[20:28] if is_long else content[16:20], "big")
        place = 28 if is_long else 20
        count = int.from_bytes(content[place + 2 : place + 4], "big")
        end, length = (sidx.end or 0) + offset, 0
        for number in range(count):
            entry = content[place + 4 + 12 * number : place + 16 + 12 * number]
            size, duration = struct.unpack(">II", entry[:8])
            if size >> 31:
                return 0, 0.0  # an index of indexes
            end, length = end + size, length + duration
        return end, length / scale if scale else 0.0
    except (OutOfReachError, struct.error, IndexError):
        return 0, 0.0
