"""Who is on an issue just now: said openly, so that two people do not work on the same one. It binds nobody.

Whose issue it is (`triage.assigning`) lasts; this passes by itself after some minutes.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from issues.audit import Actor, Event, Personal, Verb, record
from issues.enums import UNRESOLVED
from issues.models import Issue, User

HOLDS = timedelta(minutes=10)


def claim(*, issue: Issue, actor: Actor) -> None:
    """ "I am on it": shown to everybody for ten minutes, or until it is let go. Takes over from whoever had it."""
    _hold(issue, actor.user, Verb.ISSUE_CLAIMED, actor=actor)


def release(*, issue: Issue, actor: Actor) -> None:
    """Let go of it."""
    _hold(issue, None, Verb.ISSUE_RELEASED, actor=actor)


def _hold(issue: Issue, holder: User | None, verb: Verb, *, actor: Actor) -> None:
    with transaction.atomic():
        locked = Issue.objects.select_for_update(of=("self",)).select_related("video__bundle", "claimed_by")
        current = locked.get(pk=issue.pk)
        former = holder_of(current)
        current.claimed_by, current.claimed_at = holder, timezone.now() if holder else None
        current.save(update_fields=["claimed_by", "claimed_at"])
        if former != holder:
            who = [Personal.of(person) if person else None for person in (former, holder)]
            record(current.team_id, actor, [Event.about_issue(verb, current, {"who": who})])


def note_presence(*, issue: Issue, user: User) -> None:
    """Somebody types in the form: as good as a claim where nobody else has it. Not an event; it passes by itself."""
    now = timezone.now()
    free = Q(claimed_by=None) | Q(claimed_by=user) | Q(claimed_at__lt=now - HOLDS)
    Issue.objects.filter(free, pk=issue.pk, state__in=UNRESOLVED).update(claimed_by=user, claimed_at=now)


def holder_of(issue: Issue) -> User | None:
    """Who is on it now."""
    return issue.claimed_by if still_holds(issue.claimed_at) else None


def still_holds(claimed_at: datetime | None) -> bool:
    """Whether what somebody said then is still true."""
    return claimed_at is not None and claimed_at >= timezone.now() - HOLDS
