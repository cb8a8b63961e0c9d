"""Values of a stranger's headers: numbers, ranges and waits, read within bounds. Anything else is `None`."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_NUMBER = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"bytes\s+([0-9]{1,18})\s*-\s*([0-9]{1,18})\s*/\s*([0-9]{1,18}|\*)", re.IGNORECASE)
MAX_WAIT = 366 * 24 * 3600  # seconds


def whole_number(text: object) -> int | None:
    """A number in plain digits, at most eighteen of them."""
    found = _NUMBER.fullmatch(str(text or "").strip())
    return int(found[0]) if found else None


def content_range(text: object) -> tuple[int, int, int | None] | None:
    """(first, last, size of the whole file) of a `Content-Range`; the size is `None` if the host does not tell it."""
    found = _RANGE.fullmatch(str(text or "").strip())
    if not found or int(found[2]) < int(found[1]):
        return None
    return int(found[1]), int(found[2]), whole_number(found[3])


def seconds_to_wait(text: object, now: datetime) -> int | None:
    """Seconds of a `Retry-After`, which is a number of them or a date."""
    number = whole_number(text)
    if number is None:
        try:
            moment = parsedate_to_datetime(str(text or "").strip())
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            number = int((moment - now).total_seconds())
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return number if 0 < number <= MAX_WAIT else None


def plain(text: object, most: int = 100) -> str:
    """A stranger's text for the evidence: printable characters of one line."""
    return "".join(ch for ch in str(text or "")[: most * 2] if ch.isprintable())[:most]
