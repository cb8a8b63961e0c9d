"""Who is in a team, who is invited, and who was."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Max
from django.utils import timezone

from issues.enums import InvitationState, PersonalKind
from issues.models import Invitation, Membership, PersonalValue, Team


def members_of(team: Team) -> Sequence[Membership]:
    """The team's people, by address."""
    return list(Membership.objects.filter(team=team).select_related("user", "team").order_by("user__email"))


def invitations_of(team: Team) -> Sequence[Invitation]:
    """Invitations that can still be used."""
    pending = Invitation.objects.filter(team=team, state=InvitationState.PENDING, expires_at__gt=timezone.now())
    return list(pending.select_related("invited_by").order_by("email"))


@dataclass(frozen=True, slots=True)
class FormerMember:
    """Somebody whom the record names and who is not in the team."""

    user_id: int
    name: str


def former_members(team: Team) -> Sequence[FormerMember]:
    """Whom the record names by values that were not erased, by the latest name."""
    now_in = Membership.objects.filter(team=team).values("user_id")
    rows = PersonalValue.objects.filter(team=team, kind=PersonalKind.PERSON, erased_at=None).exclude(user_id=None)
    latest = rows.exclude(user_id__in=now_in).values("user_id").annotate(last=Max("pk")).values("last")
    named = PersonalValue.objects.filter(pk__in=latest).order_by("value").values_list("user_id", "value")[:200]
    return [FormerMember(int(user_id or 0), value) for user_id, value in named]
