"""Files of text: never media, but often what stands in its place. A web page, an error, a shortcut, a playlist."""

import re

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_LOOKED_AT = 1024  # characters


def kind_of_text(head: bytes) -> str:
    """The media type of a text that begins with `head`, else an empty string."""
    if head.startswith(b"bplist00"):
        return "application/x-webarchive" if b"WebMainResource" in head else "application/x-plist"
    text = _decoded(head)
    if not text:
        return ""
    start = text.lstrip()[:_LOOKED_AT]
    return _markup(start.lower()) or _by_its_first_words(start)


def _decoded(head: bytes) -> str:
    """The text; an empty string unless the bytes are UTF-8, UTF-16 or plain ASCII."""
    head = head[: _LOOKED_AT * 4]
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            body = head[len(mark) :]
            if encoding != "utf-8":
                text = body[: len(body) // 2 * 2].decode(encoding, "ignore")
                return text if _is_readable(text) else ""
            head = body
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            # A page in an old encoding: only if it is markup, since any bytes are a text in Latin-1.
            text = head.decode("latin-1").lstrip()
            return text if text.startswith("<") and _markup(text[:_LOOKED_AT].lower()) and _is_readable(text) else ""
        text = head[: error.start].decode("utf-8")
    return text if _is_readable(text) else ""


def _is_readable(text: str) -> bool:
    return bool(text.strip()) and all(ch in "\t\r\n\f\x1b" or ch >= " " for ch in text)


_PAGE_STARTS = (
    "<!doctype html",
    "<html",
    "<head",
    "<body",
    "<script",
    "<title",
    "<meta",
    "<div",
    "<iframe",
    "<p>",
    "<h1",
    "<br",
)


def _markup(low: str) -> str:
    """What a text in angle brackets is."""
    if not low.startswith("<"):
        return ""
    while found := re.match(r"<!--.*?(?:-->|$)\s*|<\?xml[^>]*(?:>|$)\s*", low, re.DOTALL):
        if not low[found.end() :]:
            break
        low = low[found.end() :]
    if low.startswith(_PAGE_STARTS) or "<html" in low:
        return "text/html"
    if low.startswith(("<svg", "<!doctype svg")) or re.match(r"<\w+:svg\b", low):
        return "text/svg"
    if low.startswith(("<mpd", "<smoothstreamingmedia")):
        return "application/dash+xml"
    if low.startswith(("<plist", "<!doctype plist")):
        return "application/x-shortcut" if "<key>url</key>" in low else "application/x-plist"
    if low.startswith(("<xmeml", "<fcpxml", "<!doctype xmeml", "<!doctype fcpxml")):
        return "application/x-project"
    return "text/html" if low.startswith("<!--") else "text/xml"


_FIRST_WORDS: tuple[tuple[str, str], ...] = (
    (r"#EXTM3U", "application/vnd.apple.mpegurl"),
    (r"\[playlist\]", "application/vnd.apple.mpegurl"),
    (r"\[(?:InternetShortcut|Desktop Entry)\]", "application/x-shortcut"),
    (r"URL=https?://\S+\s*$", "application/x-shortcut"),
    (r"WEBVTT\b|\[Script Info\]|\d+\s*\r?\n\d\d:\d\d:\d\d[,.]\d{3} --> ", "text/x-subtitles"),
    (r"(?:From: <Saved by|MIME-Version: 1\.0\s[\s\S]*multipart/related)", "application/x-webarchive"),
    (r"d\d+:(?:announce|created by|info)", "application/x-bittorrent"),
    (r"#!\s*/|@echo off", "application/x-executable"),
)


def _by_its_first_words(start: str) -> str:
    for pattern, kind in _FIRST_WORDS:
        if re.match(pattern, start, re.IGNORECASE):
            return kind
    return "application/json" if start.startswith(("{", "[")) else "text/plain"
