"""What the history says of a fix's publish dates."""

from typing import Any

from django.utils.translation import gettext_noop as _

from issues.fixes.date_outcomes import dates_problem
from issues.queries.history_fields import DATE_FIELDS, after_of
from issues.tokportal.days import PublishWindow
from issues.wording import window_text


def _windows(changes: dict[str, Any]) -> tuple[str, str]:
    """The days before and after, as a page shows them."""
    pairs = [pair if isinstance(pair := changes.get(name), list) else [None, None] for name in DATE_FIELDS]
    before, after = zip(*pairs, strict=True)
    return tuple(window_text(PublishWindow.parse(*(str(text or "") for text in side))) for side in (before, after))  # type: ignore[return-value]


def of_success(changes: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The fix was verified: on which days the video is posted, and whether those are the planned ones."""
    _planned, days = _windows(changes)
    if after_of(changes, "dates_kept"):
        return _("read the video back: the flag is gone, it is posted {days} as planned"), {"days": days}
    if code := after_of(changes, "dates_code"):
        details = {"earliest_allowed": after_of(changes, "dates_earliest"), "reason": after_of(changes, "dates_reason")}
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
