"""Who is on an issue: said openly, so that two people do not work on the same one. It binds nobody."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from issues.audit import Actor, Event, Verb, record
from issues.enums import UNRESOLVED
from issues.models import Issue, User

HOLDS = timedelta(minutes=10)


def claim(*, issue: Issue, actor: Actor) -> None:
    """ "I am on it": shown to everybody for ten minutes, or until it is let go. Takes over from whoever had it."""
    with transaction.atomic():
        current = (
            Issue.objects.select_for_update(of=("self",)).select_related("video__bundle", "claimed_by").get(pk=issue.pk)
        )
        former = holder_of(current)
        current.claimed_by, current.claimed_at = actor.user, timezone.now()
        current.save(update_fields=["claimed_by", "claimed_at"])
        if former != actor.user:
            changes = {"who": [former.email if former else None, actor.user.email if actor.user else None]}
            record(current.team_id, actor, [Event.about_issue(Verb.ISSUE_CLAIMED, current, changes)])


def release(*, issue: Issue, actor: Actor) -> None:
    """Let go of it."""
    with transaction.atomic():
        current = (
            Issue.objects.select_for_update(of=("self",)).select_related("video__bundle", "claimed_by").get(pk=issue.pk)
        )
        former = holder_of(current)
        current.claimed_by = current.claimed_at = None
        current.save(update_fields=["claimed_by", "claimed_at"])
        if former:
            record(
                current.team_id, actor, [Event.about_issue(Verb.ISSUE_RELEASED, current, {"who": [former.email, None]})]
            )


def note_presence(*, issue: Issue, user: User) -> None:
    """Somebody types in the form: as good as a claim where nobody else has it. Not an event; it passes by itself."""
    now = timezone.now()
    free = Q(claimed_by=None) | Q(claimed_by=user) | Q(claimed_at__lt=now - HOLDS)
    Issue.objects.filter(free, pk=issue.pk, state__in=UNRESOLVED).update(claimed_by=user, claimed_at=now)


def holder_of(issue: Issue) -> User | None:
    """Who is on it now."""
    if issue.claimed_by is None or issue.claimed_at is None or issue.claimed_at < timezone.now() - HOLDS:
        return None
    return issue.claimed_by
