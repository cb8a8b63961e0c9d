"""What all members of a team see alike, read once for a few seconds instead of for each of their pages.

Kept in the process's own memory under the number of the team's latest event: whatever people, checks and fixes do is an
event, written in the transaction of what it tells, so a page that knows of it never gets what was read before. What
changes without an event (the verdict of a link, who types just now, how far the looks have come) is shown
`settings.KEPT_SECONDS` late at most.
"""

import hashlib
from collections.abc import Callable
from typing import TypeVar, cast

from django.conf import settings
from django.core.cache import caches

from issues.models import AuditHead, Team

Found = TypeVar("Found")
# For what never changes without an event, and for parts of pages that are kept under all that they show.
TOLD_BY_EVENTS = 60


def latest_event(team: Team) -> int:
    """The number of the team's latest event when its `audit_head` was loaded: with it, or else now, by a query."""
    head: AuditHead | None = getattr(team, "audit_head", None)
    return head.seq if head else 0


def kept(team: Team, what: object, read: Callable[[], Found], *, seconds: float | None = None) -> Found:
    """What `read` gives, or gave a moment ago. `what` tells by its `repr` everything that the answer depends on.

    For `settings.KEPT_SECONDS`, or for `seconds`. The answer is pickled: nobody gets an object of somebody else's page.
    """
    # The number is read before the rest: what is kept under it may be newer than it says, never older.
    return _kept((team.pk, latest_event(team), what), read, seconds or settings.KEPT_SECONDS)


def kept_text(what: object, render: Callable[[], str]) -> str:
    """A part of a page, kept for a minute where anything is: `what` tells all that is seen in it, and its language."""
    return _kept(what, render, TOLD_BY_EVENTS)


def _kept(what: object, read: Callable[[], Found], seconds: float) -> Found:
    if not settings.KEPT_SECONDS:
        return read()
    key = hashlib.sha256(repr(what).encode()).hexdigest()
    ours = caches["own"]
    found = ours.get(key)
    if found is None:
        found = (read(),)
        ours.set(key, found, seconds)
    return cast("tuple[Found]", found)[0]
