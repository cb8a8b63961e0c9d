"""Why the planned dates do not hold after a fix, as the end of “TokPortal refused to keep the dates: …”."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issues.enums import FixState
from issues.fixes.dates import DATES_UNKNOWN
from issues.models import Fix
from issues.tokportal import constants as c
from issues.tokportal.blocked import BlockedBy, blocked_by
from issues.wording import publish_text, window_text

_KEY = _("the workspace's key does not allow it")
_WHY = {
    c.INVALID_DATE: _("the day is too near"),
    c.VIDEOS_PER_DAY_EXCEEDED: _("three videos of this bundle are planned for that day already"),
    c.BUNDLE_INVALID_STATUS: _("the bundle's status does not allow it"),
    c.INVALID_STATUS_TRANSITION: _("the video's status does not allow it"),
    c.INSUFFICIENT_CREDITS: _("the TokPortal account has too few credits"),
    c.AUTH_MISSING_KEY: _KEY,
    c.AUTH_INVALID_KEY: _KEY,
    c.AUTH_REVOKED_KEY: _KEY,
    c.INSUFFICIENT_SCOPE: _KEY,
}
_BLOCKED = {
    BlockedBy.LAPSED: _("the account's Coverage has lapsed"),
    BlockedBy.PAUSED: _("the account's Coverage was paused or cancelled"),
    BlockedBy.BANNED: _("the platform has banned the account"),
    BlockedBy.APPEAL: _("the platform has locked the account, and an appeal is pending"),
    BlockedBy.DETACHED: _("TokPortal no longer manages the account"),
    BlockedBy.ENDED: _("TokPortal's work on the account has ended"),
    BlockedBy.UNKNOWN: _("TokPortal blocks work on the account"),
}


def why_not_kept(code: str, details: Mapping[str, Any] | None = None) -> str:
    """The rest of the sentence, in the reader's language. `details`: TokPortal's details of the error."""
    details = details or {}
    if code == c.INVALID_DATE and details.get("earliest_allowed"):
        return gettext("the earliest day that it allows is {day}").format(
            day=publish_text(str(details["earliest_allowed"]))
        )
    if code == c.MANAGED_ACCOUNT_TASK_BLOCKED:
        return gettext(_BLOCKED[blocked_by(details.get("reason"))])
    return gettext(_WHY[code]) if code in _WHY else gettext("its answer was {code}").format(code=code)


def dates_problem(code: str, details: Mapping[str, Any] | None = None) -> str:
    """A whole sentence without its end; empty if there is no problem."""
    if not code:
        return ""
    if code == DATES_UNKNOWN:
        return gettext("TokPortal gave no clear answer about keeping the dates")
    return gettext("TokPortal refused to keep the dates: {why}").format(why=why_not_kept(code, details))


def dates_problem_of(fix: Fix) -> str:
    """The same for a fix."""
    return dates_problem(fix.dates_code, fix.dates_details)


def dates_result(fix: Fix) -> str:
    """Which days hold after a fix that succeeded: `Posts Fri 4 – Sat 5 Dec as planned`. Empty if nobody asked."""
    if fix.state != FixState.SUCCEEDED or not fix.keep_dates:
        return ""
    days = window_text(fix.window)
    if fix.dates_kept:
        return gettext("Posts {days} as planned.").format(days=days)
    posts = gettext("Posts {days}.").format(days=days)
    problem = dates_problem_of(fix)
    return f"{problem}. {posts}" if problem else posts
