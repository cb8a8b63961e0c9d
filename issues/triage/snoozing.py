"""Out of sight for a while: a snoozed issue comes back by itself, and at once when the manager says something new."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issues.audit import Actor, Event, Verb, record
from issues.models import Issue, Team
from issues.problems import Refusal
from issues.triage.assigning import limit, lock_unresolved

# Nobody loses sight of an issue whose deadline comes near: it is back by then.
BEFORE_DEADLINE = timedelta(hours=2)
LONGEST = timedelta(days=30)

# What the pages offer: a name and its words, to be translated where they are shown.
CHOICES = {
    "1h": _("for an hour"),
    "4h": _("for four hours"),
    "tomorrow": _("until tomorrow, 9:00"),
    "monday": _("until Monday, 9:00"),
}


def moment_of(choice: str) -> datetime:
    """When a choice of the page ends, in the person's time zone. Raises Refusal for an unknown one."""
    now = timezone.localtime()
    morning = now.replace(hour=9, minute=0, second=0, microsecond=0)
    if choice == "1h":
        return now + timedelta(hours=1)
    if choice == "4h":
        return now + timedelta(hours=4)
    if choice == "tomorrow":
        return morning + timedelta(days=1)
    if choice == "monday":
        return morning + timedelta(days=7 - morning.weekday())
    raise Refusal(gettext("Say for how long."), code="SNOOZE_UNKNOWN")


def snooze(*, team: Team, keys: Sequence[int], until: datetime, actor: Actor) -> int:
    """Take these unresolved issues out of the queue until then; returns how many.

    An issue comes back two hours before its deadline at the latest; one whose deadline is nearer stays where it is.
    Raises Refusal where none of them can sleep, or where `until` is in the past or too far away.
    """
    now = timezone.now()
    if not now < until <= now + LONGEST:
        raise Refusal(
            gettext("Choose a moment within the next {days} days.").format(days=LONGEST.days),
            code="SNOOZE_OUT_OF_RANGE",
        )
    limit(keys)
    with transaction.atomic():
        asleep, events = [], []
        for issue in lock_unresolved(team, keys):
            end = min(until, issue.deadline - BEFORE_DEADLINE) if issue.deadline else until
            if end <= now:
                continue
            before = issue.snoozed_until.isoformat() if issue.snoozed_until else None
            changes = {"snoozed_until": [before, end.isoformat(timespec="seconds")]}
            events.append(Event.about_issue(Verb.ISSUE_SNOOZED, issue, changes))
            issue.snoozed_until = end
            asleep.append(issue)
        if not asleep:
            raise Refusal(
                gettext("These are due within two hours or late already: they stay in the queue."), code="DUE_SOON"
            )
        Issue.objects.bulk_update(asleep, ["snoozed_until"], batch_size=200)
        record(team.pk, actor, events)
    return len(asleep)


def wake(*, team: Team, keys: Sequence[int], actor: Actor) -> int:
    """Bring snoozed issues back at once; returns how many. Idempotent."""
    now = timezone.now()
    limit(keys)
    with transaction.atomic():
        asleep = [issue for issue in lock_unresolved(team, keys) if issue.snoozed_until and issue.snoozed_until > now]
        events = [
            Event.about_issue(
                Verb.ISSUE_WOKEN,
                issue,
                {"snoozed_until": [issue.snoozed_until.isoformat() if issue.snoozed_until else None, None]},
            )
            for issue in asleep
        ]
        Issue.objects.filter(pk__in=[issue.pk for issue in asleep]).update(snoozed_until=None)
        record(team.pk, actor, events)
    return len(asleep)
