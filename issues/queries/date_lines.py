"""What the history says of a fix's publish dates."""

from typing import Any

from django.utils.translation import gettext_noop as _

from issues.fixes.date_outcomes import dates_problem
from issues.tokportal.days import PublishWindow
from issues.wording import window_text

DATE_FIELDS = ("target_publish_date", "target_publish_end_date")


def _windows(changes: dict[str, Any]) -> tuple[str, str]:
    """The days before and after, as a page shows them."""
    pairs = [pair if isinstance(pair := changes.get(name), list) else [None, None] for name in DATE_FIELDS]
    before, after = zip(*pairs, strict=True)
    return tuple(window_text(PublishWindow.parse(*(str(text or "") for text in side))) for side in (before, after))  # type: ignore[return-value]


def _after(changes: dict[str, Any], name: str) -> Any:
    pair = changes.get(name)
    return pair[1] if isinstance(pair, list) and len(pair) == 2 else None


def of_success(changes: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The fix was verified: on which days the video is posted, and whether those are the planned ones."""
    _planned, days = _windows(changes)
    if _after(changes, "dates_kept"):
        return _("read the video back: the flag is gone, it is posted {days} as planned"), {"days": days}
    if code := _after(changes, "dates_code"):
        details = {"earliest_allowed": _after(changes, "dates_earliest"), "reason": _after(changes, "dates_reason")}
        values = {"days": days, "problem": dates_problem(str(code), details)}
        return _("read the video back: the flag is gone, it is posted {days}. {problem}"), values
    return _("read the video back: the flag is gone, it is posted {days}"), {"days": days}


def of_restoring(changes: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The fix had moved the dates, and the planned ones are sent again."""
    moved, planned = _windows(changes)
    return _("began to restore the planned dates, {planned}: the fix had moved them to {moved}"), {
        "planned": planned,
        "moved": moved,
    }
