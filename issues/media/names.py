"""What people call kinds of files and codecs. English here; `wording.STORED` marks each text for translation."""

# Text that somebody reads instead of the file: web pages above all, and what programs answer.
PAGES = {
    "text/html": "a web page",
    "text/xml": "an XML text",
    "application/json": "a JSON text",
    "text/plain": "a text",
}
_OTHERS = {
    "application/zip": "a ZIP archive",
    "application/x-rar": "an archive",
    "application/x-7z-compressed": "an archive",
    "application/gzip": "a compressed archive",
    "application/x-bzip2": "a compressed archive",
    "application/x-xz": "a compressed archive",
    "application/zstd": "a compressed archive",
    "application/x-tar": "an archive",
    "application/pdf": "a PDF document",
    "application/rtf": "a text document",
    "application/x-office": "an Office document",
    "application/postscript": "a drawing for print",
    "application/x-msdownload": "a program",
    "application/x-executable": "a program",
    "application/vnd.apple.mpegurl": "a streaming playlist",
    "application/dash+xml": "a streaming playlist",
    "application/x-shortcut": "a shortcut to a web page, not the file itself",
    "application/x-ms-shortcut": "a Windows shortcut, not the file itself",
    "application/x-webarchive": "a saved web page",
    "application/x-plist": "a settings file",
    "application/x-bittorrent": "a torrent, not the file itself",
    "application/x-project": "a project of an editing program, not the exported video",
    "application/x-zeros": "a file full of zeros, as a broken download leaves it",
    "text/x-subtitles": "a file of subtitles",
    "text/svg": "an SVG drawing",
}
# Videos that TokPortal may not take. MP4, MOV, WebM and 3GP are the usual ones.
_UNUSUAL_VIDEOS = {
    "video/x-ms-wmv": "a Windows Media video (WMV)",
    "video/x-flv": "a Flash video (FLV)",
    "video/x-msvideo": "an AVI video",
    "video/x-matroska": "a Matroska video (MKV)",
    "video/mp2t": "a transport stream (TS)",
    "video/mpeg": "an MPEG video (MPG)",
    "video/ogg": "an Ogg video",
    "video/x-mxf": "a broadcast video (MXF)",
    "video/x-realmedia": "a RealMedia video",
    "video/x-dv": "a DV video",
    "video/x-raw": "a raw video stream without a container",
}
# Images that TokPortal may not take. JPEG, PNG and WebP are the usual ones.
_UNUSUAL_IMAGES = {
    "image/gif": "a GIF image",
    "image/heic": "a HEIC photo",
    "image/avif": "an AVIF image",
    "image/tiff": "a TIFF image",
    "image/bmp": "a BMP image",
    "image/jxl": "a JPEG XL image",
    "image/jp2": "an image in an old JPEG variant",
    "image/x-icon": "an icon",
    "image/vnd.adobe.photoshop": "a Photoshop file",
    "image/x-raw": "a raw photo of a camera",
}
_AUDIO = {
    "audio/mpeg": "an audio file",
    "audio/aac": "an AAC audio file",
    "audio/mp4": "an audio file",
    "audio/ogg": "a voice message or audio file (OGG)",
    "audio/amr": "a voice message (AMR)",
    "audio/flac": "a FLAC audio file",
    "audio/wav": "a WAV audio file",
    "audio/aiff": "an AIFF audio file",
    "audio/x-caf": "an audio file (CAF)",
    "audio/x-ms-wma": "a Windows Media audio file (WMA)",
    "audio/midi": "a MIDI file",
}
_GROUP_NAMES = {"image": "an image", "audio": "an audio file", "video": "a video"}

# Codecs by their name in the container. What plays everywhere has no name here and gives no doubt.
USUAL_CODECS = frozenset(
    {
        "avc1", "avc2", "avc3", "avc4", "hvc1", "hev1", "dvh1", "dvhe", "dvav", "dva1", "vp08", "vp09", "av01", "mp4v",
        "s263", "h263", "H263",
        "V_VP8", "V_VP9", "V_AV1", "V_MPEG4/ISO/AVC", "V_MPEGH/ISO/HEVC",
    }
)  # fmt: skip
_CODEC_NAMES = (
    (("apch", "apcn", "apcs", "apco", "ap4h", "ap4x"), "an Apple ProRes video"),
    (("aprn", "aprh"), "an Apple ProRes RAW video"),
    (("AVdn", "AVdh"), "an Avid DNxHD video"),
    (("CFHD",), "a CineForm video"),
    (("rle ", "png ", "tga "), "an animation with a lossless codec"),
    (("jpeg", "mjpa", "mjpb", "mjpg", "MJPG", "AVDJ", "V_MJPEG"), "a Motion JPEG video"),
    (("raw ", "2vuy", "yuv2", "yuvs", "v210", "v308", "v408", "v410", "b64a", "R10k", "r210", "V_UNCOMPRESSED"),
     "an uncompressed video"),
    (("dvc ", "dvcp", "dvpp", "dvp ", "dv5n", "dv5p", "dvh2", "dvh3", "dvh5", "dvh6", "dvhp", "dvhq"), "a DV video"),
    (("SVQ1", "SVQ3"), "a Sorenson video"),
    (("cvid",), "a Cinepak video"),
    (("Hap1", "Hap5", "HapY", "HapM", "HapA", "HapH"), "a Hap video"),
    (("vc-1", "ovc1", "WVC1"), "a Windows Media video (WMV)"),
    (("encv", "drmi"), "a copy-protected video"),
    (("V_THEORA",), "an Ogg video"),
)  # fmt: skip
_CODECS = {code: name for codes, name in _CODEC_NAMES for code in codes}
_MPEG2 = ("hdv", "xdv", "xd5", "mx3", "mx4", "mx5", "m2v")
UNKNOWN_CODEC = "a video with an unusual codec"
NO_PICTURES = "a video file without pictures"
AUDIO_ONLY = "an audio file in a video container"

NAMES = {**PAGES, **_OTHERS, **_UNUSUAL_VIDEOS, **_UNUSUAL_IMAGES, **_AUDIO}
# Every text that may be stored as a fact of the evidence.
ALL_NAMES = frozenset(
    {*NAMES.values(), *_GROUP_NAMES.values(), *_CODECS.values(), "a broadcast video (MPEG)", "another file",
     UNKNOWN_CODEC, NO_PICTURES, AUDIO_ONLY}
)  # fmt: skip
_SHORT = {
    "video/quicktime": "MOV", "video/3gpp": "3GP", "video/x-ms-wmv": "WMV", "video/x-flv": "FLV",
    "video/x-msvideo": "AVI", "video/x-matroska": "MKV", "video/mp2t": "TS", "video/mpeg": "MPG",
}  # fmt: skip


def group_of(kind: str) -> str:
    """`video`, `image`, `audio`, `page`, `other`, or an empty string for bytes that we do not know."""
    if kind in PAGES:
        return "page"
    if kind in _OTHERS:
        return "other"
    group = kind.split("/")[0]
    return group if group in _GROUP_NAMES else "other" if kind else ""


def name_of(kind: str) -> str:
    """`a ZIP archive`, `an image`, `an audio file`: for "this is …"."""
    return NAMES.get(kind) or _GROUP_NAMES.get(kind.split("/")[0], "another file")


def short_name_of(kind: str) -> str:
    """`MP4`, `MOV`: for "24 MB MP4"."""
    return _SHORT.get(kind) or kind.split("/")[-1].removeprefix("x-").removeprefix("vnd.")[:20].upper()


def unusual_format(kind: str, codec: str) -> str:
    """The name of a video or image that TokPortal may not take; an empty string for what is usual or unknown."""
    if kind in _UNUSUAL_VIDEOS or kind in _UNUSUAL_IMAGES:
        return NAMES[kind]
    if group_of(kind) != "video" or not codec or codec in USUAL_CODECS:
        return ""
    if codec in _CODECS:
        return _CODECS[codec]
    return "a broadcast video (MPEG)" if codec.startswith(_MPEG2) else UNKNOWN_CODEC
