"""What a file is before a byte of it goes out: the name and the browser's word are only claims.

TokPortal does not document which formats it takes. So what is certainly wrong is refused, what is doubtful gets a
warning, and bytes that we do not know are taken at their name's word.
"""

import mimetypes
from dataclasses import dataclass
from typing import IO

from django.utils.translation import gettext as _

from issues.enums import MediaKind
from issues.media.examiner import Media, ReadAt, examine, name_of
from issues.problems import Refusal
from issues.wording import in_words

SHORTEST = 1.0  # seconds


def read_at_of(file: IO[bytes]) -> ReadAt:
    """`examine` reads a file on this machine."""

    def read_at(offset: int, count: int) -> bytes:
        file.seek(offset)
        return file.read(count)

    return read_at


def pieces_of(file: IO[bytes]) -> list[tuple[int, bytes]]:
    """What `examine` reads of a file on this machine, for the facts that go with its announcement."""
    read_at, pieces = read_at_of(file), []

    def remember(offset: int, count: int) -> bytes:
        content = read_at(offset, count)
        pieces.append((offset, content))
        return content

    size = file.seek(0, 2)
    examine(remember, size)
    return pieces


@dataclass(frozen=True, slots=True)
class FileLook:
    """`warning`: a sentence about what will most likely not work, empty where nothing is wrong."""

    content_type: str
    warning: str = ""


def look_at_file(
    *,
    filename: str,
    size: int,
    kind: MediaKind,
    max_bytes: int,
    read_at: ReadAt,
) -> FileLook:
    """Look at a file through `read_at`, which may reach parts of it alone.

    Raises Refusal for what is certainly wrong.
    """
    name = f"“{filename}”"
    if size <= 0:
        raise Refusal(_("{name} is empty.").format(name=name), code="FILE_EMPTY")
    if size > max_bytes:
        raise Refusal(
            _("{name} is larger than {size:.0f} GB.").format(name=name, size=max_bytes / 1024**3),
            code="FILE_TOO_LARGE",
        )
    media = examine(read_at, size)
    group = f"{kind.value}/"
    guessed = media.kind or mimetypes.guess_type(filename)[0] or ""
    if not guessed.startswith(group):
        what = in_words(name_of(media.kind)) if media.kind else _("not a file that we know")
        sentence = _("{name} is {what}; this slot takes images.")
        if kind == MediaKind.VIDEO:
            sentence = _("{name} is {what}; this slot takes a video.")
        raise Refusal(sentence.format(name=name, what=what), code="FILE_WRONG_KIND")
    return FileLook(guessed, f"{name} {_doubt(media, size)}" if _doubt(media, size) else "")


def _doubt(media: Media, size: int) -> str:
    """What is wrong with a video inside: nobody could post it, but that is for a person to decide."""
    if not media.is_video:
        return ""
    if media.expected and media.expected > size + 8:
        return _("is cut off: only {share} of it is there.").format(share=f"{100 * size // media.expected} %")
    if media.has_index is False:
        return _("is incomplete: its export was not finished.")
    if media.has_video is False:
        return _("has sound but no picture.") if media.has_sound else _("has no picture.")
    if media.seconds is not None and media.seconds < SHORTEST:
        return _("is only {seconds:.1f} s long.").format(seconds=media.seconds)
    return ""
