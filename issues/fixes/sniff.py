"""What a file is, by its first bytes: the name and the browser's word are only claims."""

import mimetypes

from issues.enums import MediaKind
from issues.problems import Refusal

HEAD_BYTES = 64


def content_type_of(head: bytes) -> str:
    """The media type of a file that begins with `head` (at least 16 bytes), an empty string for anything unknown."""
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand == b"qt  ":
            return "video/quicktime"
        return "image/heic" if brand in {b"heic", b"heix", b"mif1", b"msf1"} else "video/mp4"
    if head[4:8] in {b"moov", b"mdat", b"wide", b"free", b"skip"}:
        return "video/quicktime"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return ""


_WRONG = {
    b"PK\x03\x04": "a ZIP archive",
    b"%PDF": "a PDF document",
    b"ID3": "an audio file",
    b"Rar!": "an archive",
}


def _is_text(head: bytes) -> bool:
    """Whether a file begins like text (a saved web page, most often)."""
    return bool(head) and all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in head)


def check_file(*, filename: str, head: bytes, size: int, kind: MediaKind, max_bytes: int) -> str:
    """The content type of an acceptable file. Raises Refusal with a sentence for any other.

    TokPortal does not document which formats it takes. So what is certainly wrong is refused, and bytes that we do not
    know are taken at their name's word.
    """
    name = f"“{filename}”"
    if size <= 0:
        raise Refusal(f"{name} is empty.", code="FILE_EMPTY")
    if size > max_bytes:
        raise Refusal(f"{name} is larger than {max_bytes / 1024**3:.0f} GB.", code="FILE_TOO_LARGE")
    group = f"{kind.value}/"
    wanted = "a video" if kind == MediaKind.VIDEO else "images"
    found = content_type_of(head)
    if found:
        if found.startswith(group):
            return found
        is_what = "an image" if found.startswith("image/") else "a video"
        raise Refusal(f"{name} is {is_what}; this slot takes {wanted}.", code="FILE_WRONG_KIND")
    what = next((text for start, text in _WRONG.items() if head.startswith(start)), "")
    if not what and _is_text(head):
        what = "a text or a web page"
    guessed = mimetypes.guess_type(filename)[0] or ""
    if what or not guessed.startswith(group):
        what = what or "not a file that we know"
        raise Refusal(f"{name} is {what}; this slot takes {wanted}.", code="FILE_WRONG_KIND")
    return guessed
