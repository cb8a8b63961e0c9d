"""Whose an issue is: said by a person, until it is said otherwise or the issue has ended."""

from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from issues.audit import Actor, Event, Personal, Verb, record
from issues.enums import CAN_EDIT, UNRESOLVED
from issues.models import Issue, Membership, Team, User
from issues.problems import Refusal

MAX_AT_ONCE = 1000


def assign(*, team: Team, keys: Sequence[int], to: User | None, actor: Actor) -> int:
    """Make these unresolved issues `to`'s, or nobody's; returns how many changed hands. Idempotent.

    Raises Refusal where `to` may not change anything in this team, or for more than `MAX_AT_ONCE` issues.
    """
    limit(keys)
    with transaction.atomic():
        if to and not Membership.objects.filter(team=team, user=to, role__in=CAN_EDIT).exists():
            raise Refusal(
                _("Only owners and editors of the team can repair: choose one of them."), code="NOT_AN_EDITOR"
            )
        changed = [issue for issue in lock_unresolved(team, keys) if issue.assignee_id != (to.pk if to else None)]
        events = [
            Event.about_issue(
                Verb.ISSUE_ASSIGNED,
                issue,
                {"assignee": [Personal.of(person) if person else None for person in (issue.assignee, to)]},
            )
            for issue in changed
        ]
        Issue.objects.filter(pk__in=[issue.pk for issue in changed]).update(assignee=to)
        record(team.pk, actor, events)
    return len(changed)


def lock_unresolved(team: Team, keys: Sequence[int]) -> list[Issue]:
    """Those of the issues that are still to be repaired, locked in one order, with what their events need."""
    locked = Issue.objects.select_for_update(of=("self",)).select_related("video__bundle", "assignee")
    return list(locked.filter(team=team, pk__in=keys, state__in=UNRESOLVED).order_by("pk"))


def limit(keys: Sequence[int]) -> None:
    if len(keys) > MAX_AT_ONCE:
        raise Refusal(_("At most {count} issues change in one go.").format(count=MAX_AT_ONCE), code="TOO_MANY_ISSUES")
