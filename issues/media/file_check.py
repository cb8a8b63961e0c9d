"""What a file is before a byte of it goes out: the name and the browser's word are only claims.

TokPortal does not document which formats it takes. So a file that is certainly wrong is refused, a doubtful one gets a
warning, and for bytes that we do not know the name decides.
"""

import mimetypes
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from django.utils.translation import gettext as _

from issues.enums import MediaKind
from issues.media.examiner import Media, ReadAt, examine
from issues.media.fitness import Finding, Fitness, judge
from issues.media.names import unusual_format
from issues.problems import Refusal
from issues.wording import in_words

SHORTEST = 1.0  # seconds
_TAKEN_AS_FILES = frozenset({"image/heic", "image/gif"})


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
    """`warning`: a sentence about what may not work, empty if nothing is wrong.

    `is_broken`: nobody could post it. Otherwise the file is whole, and only its format is unusual.
    """

    content_type: str
    warning: str = ""
    is_broken: bool = False


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
    finding = judge(media, size=size, expects=kind)
    guessed = media.kind or mimetypes.guess_type(filename)[0] or ""
    is_wrong = finding.fitness in {Fitness.PAGE, Fitness.WRONG}
    if is_wrong or not guessed.startswith(f"{kind.value}/"):
        what = in_words(finding.fact) if is_wrong else _("not a file that we know")
        sentence = _("{name} is {what}; this slot takes images.")
        if kind == MediaKind.VIDEO:
            sentence = _("{name} is {what}; this slot takes a video.")
        raise Refusal(sentence.format(name=name, what=what), code="FILE_WRONG_KIND")
    if finding.fitness is Fitness.UNKNOWN and (unusual := unusual_format(guessed, "")):
        media, finding = replace(media, kind=guessed), Finding(Fitness.UNUSUAL, unusual)
    broken = _broken(media, finding)
    doubt = broken or _unusual(media, finding)
    return FileLook(guessed, f"{name} {doubt}" if doubt else "", is_broken=bool(broken))


def doubt_of_file(path: Path, kind: MediaKind) -> str:
    """The warning about a file on this machine, empty if there is none or if it is refused anyway."""
    with suppress(OSError, Refusal), path.open("rb") as file:
        size = path.stat().st_size
        look = look_at_file(filename=path.name, size=size, kind=kind, max_bytes=size, read_at=read_at_of(file))
        return look.warning
    return ""


def _broken(media: Media, finding: Finding) -> str:
    """What is wrong with a file inside: nobody could post it, but that is for a person to decide."""
    if finding.fitness is Fitness.CUT:
        if finding.fact:
            return _("is cut off: only {share} of it is there.").format(share=finding.fact)
        return _("is cut off: its end is missing.")
    if finding.fitness is Fitness.UNFINISHED:
        return _("is incomplete: its export was not finished.")
    if media.is_video and media.seconds is not None and media.seconds < SHORTEST:
        return _("is only {seconds:.1f} s long.").format(seconds=media.seconds)
    return ""


def _unusual(media: Media, finding: Finding) -> str:
    """A format that TokPortal may not take. A HEIC photo is converted by TokPortal's direct upload, and a GIF opens
    wherever a picture does.
    """
    if finding.fitness is not Fitness.UNUSUAL or media.kind in _TAKEN_AS_FILES:
        return ""
    what = in_words(finding.fact)
    if media.is_image:
        return _("is {what}, which TokPortal may not take. JPEG is the safest format.").format(what=what)
    return _("is {what}, which TokPortal may not take. MP4 (H.264) is the safest format.").format(what=what)
