"""What the name of a column says about what stands in it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from issues.fixes.tables import header_words as known

_PARTS = re.compile(r"#|[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
_FORMATS = re.compile(r"\b(?:mp[34]|m4v|h\.?26[45]|s3|r2|\d+p|[48]k)\b", re.I)
_BRANDS = re.compile(r"Tik[ -]?Tok|You[ -]?Tube|Tok[ -]?Portal")  # not words of their own inside
_NUMERO = re.compile(r"\bn\s*[°ºo]\.?(?=\s|$)|№", re.I)


class Role(StrEnum):
    """What a column is for."""

    BUNDLE = "bundle"
    POSITION = "position"
    REFERENCE = "reference"
    ORDER = "order"  # the number of an image in its carousel
    LINK = "link"
    MEDIA = "media"  # a link if links stand in it: “Video”, “Download”
    ELSEWHERE = "elsewhere"  # links to posts, covers, profiles
    OTHER = "other"
    UNKNOWN = "unknown"
    UNNAMED = "unnamed"


class Age(StrEnum):
    """Whether a link column holds the replacements, or what stands at TokPortal now."""

    NEW = "new"
    UNSAID = "unsaid"
    UNCLEAR = "unclear"  # “original”: either
    OLD = "old"


@dataclass(frozen=True, slots=True)
class Heading:
    """A column's name, understood."""

    index: int
    name: str
    role: Role
    age: Age = Age.UNSAID
    family: frozenset[str] = frozenset()  # the words without number: “image 1” and “image 2” are one family
    number: int | None = None
    is_clear: bool = True  # “position” is clear; “#” may count the rows
    media: str = ""  # "video", "image"

    @property
    def letter(self) -> str:
        text, left = "", self.index + 1
        while left:
            left, digit = divmod(left - 1, 26)
            text = chr(ord("A") + digit) + text
        return text

    @property
    def shown(self) -> str:
        return self.name or self.letter


def understand(index: int, name: str) -> Heading:
    """The heading of a column. Case, accents, spaces, hyphens and underscores make no difference."""
    name = " ".join(name.split())
    words, number = words_of(name)
    if not words:
        return Heading(index, name, Role.UNNAMED if number is None else Role.UNKNOWN)
    media = "video" if words & known.VIDEO else "image" if words & known.IMAGE else ""
    role, is_clear = _role(words, number)
    return Heading(index, name, role, _age(words), words, number, is_clear, media)


def _age(words: frozenset[str]) -> Age:
    if words & known.REPLACE:
        return Age.NEW if words & known.BY else Age.OLD if words & known.TO else Age.UNCLEAR
    is_new, is_old = bool(words & known.NEW) or words == {"to"}, bool(words & known.OLD)
    if words & known.UNCLEAR or (is_new and is_old):
        return Age.UNCLEAR if not is_old or is_new else Age.OLD
    return Age.NEW if is_new else Age.OLD if is_old else Age.UNSAID


def _role(words: frozenset[str], number: int | None) -> tuple[Role, bool]:
    is_link = bool(words & known.LINK)
    is_media = bool(words & (known.MEDIA | known.VIDEO | known.IMAGE))
    if words & known.OTHER:
        return Role.OTHER, True
    if words & known.BUNDLE and not words & (known.REFERENCE | known.EXTERNAL | known.POSITION | known.NUMBER):
        return Role.BUNDLE, bool(words & known.ID) or "bundleid" in words
    if is_link and words & (known.ELSEWHERE | known.REFERENCE | known.BUNDLE):
        return Role.ELSEWHERE, True
    if words & known.REFERENCE or (words & known.EXTERNAL and words & known.ID):
        return (Role.OTHER if words & known.BUNDLE else Role.REFERENCE), True
    if is_link:
        return Role.LINK, True
    if words & known.POSITION:
        return (Role.ORDER if words & known.IMAGE else Role.POSITION), True
    if words & known.ORDER:
        return Role.ORDER, True
    if words & known.BUNDLE and not words & known.REFERENCE:  # “bundle no.”
        return Role.BUNDLE, False
    if words & known.NUMBER and number is None:
        return (Role.ORDER if words & known.IMAGE else Role.POSITION), bool(words & known.VIDEO)
    if words & known.ELSEWHERE:
        return Role.OTHER, True
    if is_media or words <= known.NEW | known.OLD | known.UNCLEAR | {"to"}:
        return Role.MEDIA, False
    if words & known.ID and words <= known.ID:
        return Role.BUNDLE, False
    return Role.UNKNOWN, False


@lru_cache(4096)
def words_of(name: str) -> tuple[frozenset[str], int | None]:
    """The words of a column's name, and the number in it: “New-URL_2” gives {new, url} and 2."""
    name = _BRANDS.sub(lambda found: re.sub("[ -]", "", found[0]).lower(), name)
    text = known.plain(_NUMERO.sub(" # ", _CAMEL.sub(" ", _FORMATS.sub(" ", name))))
    words: list[str] = []
    numbers: list[int] = []
    for part in _PARTS.findall(text):
        if part.isdecimal():
            numbers.append(int(part) if len(part) < 5 else 9999)
        else:
            words += _segments(part)
    kept = [word for word in words if not (numbers and word in known.ORDINALS)]
    if numbers and "#" in kept and len(kept) > 1:
        kept.remove("#")  # “image #2”
    return frozenset(kept), numbers[0] if numbers else None


@lru_cache(4096)
def _segments(word: str) -> tuple[str, ...]:
    """A word made of known words, in its parts: “videolink”, “bundleid”, “neuerlink”. Else the word itself."""
    if word in known.KNOWN or len(word) > 40:
        return (word,)
    for size in range(len(word) - 2, 1, -1):
        if word[:size] in known.KNOWN:
            rest = _segments(word[size:])
            if all(part in known.KNOWN for part in rest):
                return (word[:size], *rest)
    return (word,)
