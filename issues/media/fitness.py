"""Whether a slot can take a file: the same answer for a link and for a file that somebody chose."""

from dataclasses import dataclass
from enum import StrEnum

from issues.enums import MediaKind
from issues.media.facts import Media
from issues.media.names import AUDIO_ONLY, NO_PICTURES, name_of, unusual_format


class Fitness(StrEnum):
    GOOD = "good"
    UNKNOWN = "unknown"  # bytes that we do not know
    PAGE = "page"  # a text that somebody reads, in place of the file
    WRONG = "wrong"  # another kind of file
    CUT = "cut"  # its end is missing
    UNFINISHED = "unfinished"  # a video whose export was not finished
    UNUSUAL = "unusual"  # TokPortal does not say whether it takes this format


@dataclass(frozen=True, slots=True)
class Finding:
    """`fact`: what the file is, in words, or which share of it is there."""

    fitness: Fitness
    fact: str = ""


def judge(media: Media, *, size: int | None, expects: MediaKind | None) -> Finding:
    """What is wrong with a file, the worst first. `expects`: what the slot takes, `None` for either."""
    group = media.group
    if not group:
        return Finding(Fitness.UNKNOWN)
    if group == "page":
        return Finding(Fitness.PAGE, name_of(media.kind))
    fits = group == expects.value if expects else group in {"video", "image"}
    if not fits:
        is_audio_only = group == "audio" and media.kind.startswith("video/")
        return Finding(Fitness.WRONG, AUDIO_ONLY if is_audio_only else name_of(media.kind))
    if media.is_cut:
        return Finding(Fitness.CUT, share_of(size, media.expected))
    if media.has_index is False:
        return Finding(Fitness.UNFINISHED)
    if media.is_video and media.has_video is False:
        return Finding(Fitness.WRONG, NO_PICTURES)
    if unusual := unusual_format(media.kind, media.codec):
        return Finding(Fitness.UNUSUAL, unusual)
    return Finding(Fitness.GOOD)


def share_of(part: int | None, whole: int | None) -> str:
    """`55 %`; an empty string if it is not known."""
    return f"{max(0, min(99, 100 * part // whole))} %" if part is not None and whole else ""
