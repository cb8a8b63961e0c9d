"""What a file is, by its bytes."""

import struct
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from issues.enums import MediaKind
from issues.media.examiner import HEAD_BYTES, OutOfReachError, Pieces, examine, kind_of
from issues.media.fitness import Fitness, judge
from issues.media.names import unusual_format
from issues.sandbox import media as clips

FILES = {path.name: path.read_bytes() for path in sorted((Path(__file__).parent / "trials" / "files").iterdir())}


def whole(content):
    return Pieces([(0, content.part(0, content.size))])


def look(content, size=None):
    return examine(lambda at, count: content[at : at + count], len(content) if size is None else size)


def verdict(content, expects=MediaKind.VIDEO):
    finding = judge(look(content), size=len(content), expects=expects)
    return finding.fitness.value, finding.fact


def box(kind, content=b""):
    return struct.pack(">I", 8 + len(content)) + kind + content


def ftyp(brand, *others):
    return box(b"ftyp", brand + bytes(4) + b"".join(others))


def test_every_trial_file_is_what_it_is():
    found = {name: verdict(content, MediaKind.IMAGE if "photo" in name or name[-4:] in {"HEIC", ".gif"} else MediaKind.VIDEO)
             for name, content in FILES.items()}  # fmt: skip

    assert found == {
        "IMG_0042.HEIC": ("unusual", "a HEIC photo"),
        "anim.gif": ("unusual", "a GIF image"),
        "cam.ts": ("unusual", "a transport stream (TS)"),
        "fragmented_empty_moov.mp4": ("good", ""),
        "fragmented_sidx.mp4": ("good", ""),
        "h264_faststart.mp4": ("good", ""),
        "h264_moov_end.mp4": ("good", ""),
        "hls.m3u8": ("wrong", "a streaming playlist"),
        "html_saved.mp4": ("page", "a web page"),
        "iphone_hevc_hvc1.mov": ("good", ""),
        "mdat_no_moov.mp4": ("unfinished", ""),
        "mdat_placeholder.mp4": ("unfinished", ""),
        "mdat_size_0.mp4": ("unfinished", ""),
        "mp4_named_jpg.jpg": ("good", ""),
        "no_sound.mp4": ("good", ""),
        "obs.mkv": ("unusual", "a Matroska video (MKV)"),
        "old.avi": ("unusual", "an AVI video"),
        "old.flv": ("unusual", "a Flash video (FLV)"),
        "old.wmv": ("unusual", "a Windows Media video (WMV)"),
        "phone.3gp": ("good", ""),
        "photo.avif": ("unusual", "an AVIF image"),
        "photo.bmp": ("unusual", "a BMP image"),
        "photo.jpg": ("good", ""),
        "photo.jxl": ("unusual", "a JPEG XL image"),
        "photo.svg": ("wrong", "an SVG drawing"),
        "photo.tiff": ("unusual", "a TIFF image"),
        "prores.mov": ("unusual", "an Apple ProRes video"),
        "rotated.mp4": ("good", ""),
        "truncated_faststart.mp4": ("cut", "54 %"),
        "truncated_moov_end.mp4": ("cut", "60 %"),
        "vp9.webm": ("good", ""),
        "whatsapp_voice.ogg": ("wrong", "a voice message or audio file (OGG)"),
        "zero.mp4": ("unknown", ""),
    }


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
    assert (found.expected, found.is_cut) == (5000, True)


def test_bytes_that_are_not_at_hand_accuse_nobody():
    found = examine(Pieces([(0, clips.mp4(5000, index="last").part(0, HEAD_BYTES))]), 5000)
    assert (found.has_index, found.has_video) == (None, None)


def test_the_size_and_the_codec_are_told_where_a_header_has_them():
    seen = {name: (look(FILES[name]).codec, look(FILES[name]).width, look(FILES[name]).height)
            for name in ("h264_faststart.mp4", "iphone_hevc_hvc1.mov", "vp9.webm", "photo.jpg", "anim.gif")}  # fmt: skip
    assert seen == {
        "h264_faststart.mp4": ("avc1", 180, 320),
        "iphone_hevc_hvc1.mov": ("hvc1", 180, 320),
        "vp9.webm": ("V_VP9", 180, 320),
        "photo.jpg": ("", 320, 400),
        "anim.gif": ("", 64, 64),
    }


def test_the_duration_of_a_fragmented_file_is_unknown_or_that_of_its_segments():
    assert look(FILES["fragmented_empty_moov.mp4"]).seconds is None
    assert look(FILES["fragmented_sidx.mp4"]).seconds == 3.0


def test_a_fragmented_file_that_lists_its_segments_is_known_to_be_cut_from_its_beginning_alone():
    content = FILES["fragmented_sidx.mp4"]
    found = examine(Pieces([(0, content[:3000])]), 20_000)
    assert (found.is_cut, found.expected) == (True, 40_948)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"), (b"\x00\x00\x00\x18ftypheic", "image/heic"), (b"\x00\x00\x00\x18ftypM4A ", "audio/mp4"),
        (b"\x1a\x45\xdf\xa3\x01webm", "video/webm"), (b"PK\x03\x04", "application/zip"), (b"<!DOCTYPE html>", "text/html"),
        (b"  <HTML>", "text/html"), (b"<?xml version", "text/xml"), (b'{"a": 1}', "application/json"), (b"hello there", "text/plain"),
        (b"#EXTM3U\n", "application/vnd.apple.mpegurl"), (b"\x9d\x01\xfe\xee\x00\x13", ""), (b"", ""),
        (ftyp(b"mif1", b"mif1", b"avif"), "image/avif"), (ftyp(b"hevc"), "image/heic"), (ftyp(b"3g2a"), "video/3gpp"),
        (ftyp(b"M4V "), "video/mp4"), (ftyp(b"crx "), "image/x-raw"), (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "image/jxl"),
        (b"GIF89a" + bytes(200), "image/gif"), (b"G" + bytes(187) + b"G" + bytes(187) + b"G", "video/mp2t"),
        (bytes(4) + b"G" + bytes(191) + b"G" + bytes(191) + b"G", "video/mp2t"), (b"G" + bytes(300), ""), (b"Gone fishing", "text/plain"),
        (b"#!AMR\n\x3c", "audio/amr"), (b"#!AMR-WB\n", "audio/amr"), (b"fLaC", "audio/flac"), (b"ID3\x03", "audio/mpeg"),
        (b"\xff\xfb\x90\x64" + bytes(413) + b"\xff\xfb\x90\x64", "audio/mpeg"), (b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(9) + b"\xff\xf1", "audio/aac"),
        (b"\xff\xfb\x90\x64" + bytes(600), ""), (b"caff\x00\x01", "audio/x-caf"), (b"FORM\x00\x00\x00\x00AIFF", "audio/aiff"),
        (b"\xff\xfe<\x00h\x00t\x00m\x00l\x00>\x00", "text/html"), (b"\xfe\xff\x00{\x00}", "application/json"), (b"\xef\xbb\xbf<!doctype html>", "text/html"),
        (b"<!-- saved --><html>", "text/html"), (b"<?xml version='1.0'?><html xmlns='x'>", "text/html"), (b"<h1>Gone</h1>", "text/html"),
        (b"<!doctype html><title>\xe9t\xe9 \xe0 Paris, un long texte</title>" + b"x" * 80, "text/html"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", "text/svg"), (b"<?xml version='1.0'?>\n<!-- Generator -->\n<svg>", "text/svg"),
        (b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash'>", "application/dash+xml"),
        (b"[InternetShortcut]\r\nURL=https://example.com/", "application/x-shortcut"), (b"[Desktop Entry]\nType=Link", "application/x-shortcut"),
        (b'<?xml version="1.0"?><!DOCTYPE plist PUBLIC "x"><plist><dict><key>URL</key>', "application/x-shortcut"),
        (b"bplist00\xd1\x01\x02_\x10\x0fWebMainResource", "application/x-webarchive"), (b"bplist00\xd1", "application/x-plist"),
        (b"L\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46", "application/x-ms-shortcut"),
        (b"WEBVTT\n\n00:01", "text/x-subtitles"), (b"1\r\n00:00:01,000 --> 00:00:02,000\r\nHi", "text/x-subtitles"),
        (b"{\\rtf1\\ansi", "application/rtf"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-office"),
        (b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml", "application/x-office"), (b"%PDF-1.7", "application/pdf"),
        (b"MIME-Version: 1.0\r\nContent-Type: multipart/related", "application/x-webarchive"), (b"BM is my car", "text/plain"),
        (b"\x00\x00\x00\x01\x67\x64\x00\x1f", "video/x-raw"), (b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "video/x-mxf"),
    ],
)  # fmt: skip
def test_magic_bytes(head, kind):
    assert kind_of(head) == kind


# --- Codecs and tracks -----------------------------------------------------------------------------------------


def movie(*codecs, handler=b"vide", brand=b"isom", fragmented=False):
    """A whole MP4 with one track for each codec."""
    tracks = b""
    for codec in codecs:
        codec, more = codec[:4], codec[4:]
        entry = struct.pack(">I", 86) + codec + bytes(24) + struct.pack(">HH", 1080, 1920) + bytes(50) + more
        stbl = box(b"stbl", box(b"stsd", bytes(4) + struct.pack(">I", 1) + entry))
        tracks += box(b"trak", box(b"mdia", box(b"hdlr", bytes(8) + handler + bytes(13)) + box(b"minf", stbl)))
    mvhd = box(b"mvhd", bytes(12) + struct.pack(">II", 1000, 5000) + bytes(80))
    return ftyp(brand) + box(b"moov", mvhd + tracks + (box(b"mvex") if fragmented else b"")) + box(b"mdat", bytes(100))


def mp4v(object_type, *, length=b"\x22"):
    """An `mp4v` entry whose descriptor names one of the codecs behind that code."""
    descriptor = b"\x03" + length + b"\x00\x01\x00" + b"\x04" + length + bytes([object_type]) + b"\x11" + bytes(11)
    return b"mp4v" + box(b"esds", bytes(4) + descriptor)


@pytest.mark.parametrize(
    ("codec", "expected"),
    [
        (mp4v(0x20), ("good", "")), (mp4v(0x20, length=b"\x80\x80\x80\x22"), ("good", "")),
        (mp4v(0x61), ("unusual", "a broadcast video (MPEG)")), (mp4v(0x6A), ("unusual", "a broadcast video (MPEG)")),
        (mp4v(0x60, length=b"\x80\x80\x80\x22"), ("unusual", "a broadcast video (MPEG)")),
        (mp4v(0x6C), ("unusual", "a Motion JPEG video")),
        (b"avc1", ("good", "")), (b"hev1", ("good", "")), (b"av01", ("good", "")), (b"vp09", ("good", "")), (b"mp4v", ("good", "")),
        (b"apch", ("unusual", "an Apple ProRes video")), (b"ap4x", ("unusual", "an Apple ProRes video")),
        (b"aprn", ("unusual", "an Apple ProRes RAW video")), (b"AVdn", ("unusual", "an Avid DNxHD video")),
        (b"AVdh", ("unusual", "an Avid DNxHD video")), (b"CFHD", ("unusual", "a CineForm video")),
        (b"rle ", ("unusual", "an animation with a lossless codec")), (b"jpeg", ("unusual", "a Motion JPEG video")),
        (b"dvcp", ("unusual", "a DV video")), (b"xdvc", ("unusual", "a broadcast video (MPEG)")),
        (b"Hap1", ("unusual", "a Hap video")), (b"encv", ("unusual", "a copy-protected video")),
        (b"zzzz", ("unusual", "a video with an unusual codec")),
    ],
)  # fmt: skip
def test_codecs_that_tokportal_may_not_take_are_named(codec, expected):
    assert verdict(movie(codec, brand=b"qt  ")) == expected
    assert look(movie(codec)).width == 1080


def test_sound_in_a_container_for_videos_is_sound():
    assert verdict(movie(b"mp4a", handler=b"soun")) == ("wrong", "an audio file in a video container")
    assert look(movie(b"mp4a", handler=b"soun")).group == "audio"
    opus = FILES["vp9.webm"].replace(b"\x83\x81\x01", b"\x83\x81\x02")  # its picture's track becomes one of sound
    assert verdict(opus) == ("wrong", "an audio file in a video container")


# --- Files whose end is missing -------------------------------------------------------------------------------


def png():
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 7, 9, 8, 2, 0, 0, 0)),
        (b"IDAT", bytes(range(256)) * 200),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + (b"\xaeB`\x82" if kind == b"IEND" else bytes(4))
        for kind, data in chunks
    )


ANNOUNCED = {
    **{name: FILES[name] for name in FILES if name.startswith(("h264", "no_sound", "rotated", "iphone", "vp9", "obs", "phone"))},
    "photo.jpg": FILES["photo.jpg"], "anim.gif": FILES["anim.gif"], "photo.png": png(), "old.avi": FILES["old.avi"],
    "photo.bmp": FILES["photo.bmp"], "IMG_0042.HEIC": FILES["IMG_0042.HEIC"], "photo.avif": FILES["photo.avif"],
    "fragmented_sidx.mp4": FILES["fragmented_sidx.mp4"][:-110],  # without the index at its end, which nobody needs
}  # fmt: skip


@pytest.mark.parametrize("name", ANNOUNCED)
def test_a_file_that_was_cut_anywhere_is_never_called_complete(name):
    content = ANNOUNCED[name]
    assert look(content).is_cut is False
    places = {
        *range(0, min(900, len(content)), 3),
        *range(len(content) - 40, len(content)),
        *range(0, len(content), 997),
    }
    for place in sorted(places - {len(content)}):
        found = look(content[:place])
        assert found.is_cut is not False or found.has_index is False, place
    for share in (0.3, 0.55, 0.9, 0.999):
        cut = look(content[: int(len(content) * share)])
        assert cut.is_cut is True, share


@pytest.mark.parametrize("name", ANNOUNCED)
def test_the_pieces_that_a_browser_sends_show_it_too(name):
    content = ANNOUNCED[name] if len(ANNOUNCED[name]) > 60_000 else ANNOUNCED[name] + b""
    for size in (len(content), int(len(content) * 0.6)):
        part = content[:size]
        pieces = [(0, part[:8192]), (max(size - 16384, 0), part[max(size - 16384, 0) :])]
        place = 0
        while content[4:8] == b"ftyp" and place + 8 <= size:
            length, kind = struct.unpack(">I4s", part[place : place + 8])
            pieces.append((place, part[place : place + (length if kind == b"moov" else 16)]))
            place += length or size
        found = examine(Pieces(pieces), size)
        assert found.is_cut is (size < len(content))


def test_what_follows_a_picture_is_no_matter():
    jpeg = FILES["photo.jpg"]
    motion_photo = jpeg + FILES["h264_faststart.mp4"]
    assert look(motion_photo).is_cut is False
    assert look(jpeg + bytes(500)).is_cut is False
    assert look(jpeg + bytes(50_000)).is_cut is False
    padded = [(0, jpeg[:8192]), (len(jpeg) + 50_000 - 16384, bytes(16384))]
    assert examine(Pieces(padded), len(jpeg) + 50_000).is_cut is None
    assert look(png() + bytes(50_000)).is_cut is None
    assert look(png() + b"made with love").is_cut is False
    assert look(FILES["anim.gif"] + b"\x00\r\n").is_cut is False


def test_a_recording_without_announced_lengths_is_not_called_cut():
    live = FILES["vp9.webm"].replace(b"\x18\x53\x80\x67" + FILES["vp9.webm"][FILES["vp9.webm"].index(b"\x18\x53\x80\x67") + 4 :][:8], b"\x18\x53\x80\x67\x01" + b"\xff" * 7)  # fmt: skip
    assert look(live).is_cut is None
    assert look(live[:20_000]).is_cut is None
    assert look(b"RIFF\xff\xff\xff\xffWAVEfmt " + bytes(100)).is_cut is None


# --- Any bytes give an answer ----------------------------------------------------------------------------------


def timed(content, size=None):
    started = time.process_time()
    found = look(content, size)
    finding = judge(found, size=len(content) if size is None else size, expects=MediaKind.VIDEO)
    assert finding.fitness in Fitness
    unusual_format(found.kind, found.codec)
    return time.process_time() - started


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(sorted(name for name in FILES if FILES[name])),
    st.lists(st.tuples(st.integers(0, 100_000), st.binary(min_size=1, max_size=8)), max_size=6),
    st.integers(0, 100_000),
)
def test_mutated_files_never_raise(name, changes, cut):
    content = bytearray(FILES[name])
    for place, new in changes:
        # Most containers decide in their first bytes, so that is where most changes go.
        place = place % len(content) if place % 3 == 0 else place % min(len(content), 600)
        content[place : place + len(new)] = new
    content = bytes(content[: cut + 1] if cut % 2 else content)
    assert timed(content) < 1.0  # a loaded machine; on a free one a few milliseconds


@settings(max_examples=120, deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from(
        [
            b"",
            b"RIFF",
            ftyp(b"isom"),
            b"\x1aE\xdf\xa3",
            b"\xff\xd8\xff",
            b"GIF89a",
            b"OggS\x00",
            b"<",
            b"\xff\xfb",
            b"FORM",
            bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
        ]
    ),
)
@example(b"\x00\x00\x00\x08free" * 40, ftyp(b"isom"))
@example(b"\x00\x00\x00\x01mdat" + b"\xff" * 8, ftyp(b"isom"))
def test_any_bytes_give_an_answer(noise, start):
    timed(start + noise)
    timed(start + noise, 10**15)


def test_no_arrangement_of_boxes_keeps_us_busy():
    many = ftyp(b"isom") + box(b"moov", box(b"trak", box(b"mdia", box(b"free") * 60_000)) * 2) + box(b"free") * 100_000
    deep = b""
    for _ in range(3000):
        deep = box(b"mdia", deep)
    ebml = FILES["vp9.webm"][:48] + b"\xec\x80" * 400_000
    for content in (many, ftyp(b"isom") + box(b"moov", box(b"trak", deep)), ebml):
        assert min(timed(content) for _ in range(3)) < 0.05


def test_a_reader_that_gives_nothing_is_an_answer_too():
    def nothing(at, count):
        raise OutOfReachError

    assert examine(nothing, 100).kind == ""
    assert examine(lambda at, count: b"", 100).kind == ""
