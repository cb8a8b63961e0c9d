"""Who may see and do what. Loading an object is the permission check: outsiders get 404, too low a role 403."""

from functools import cache
from uuid import UUID

from allauth.mfa.utils import is_mfa_enabled
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import Http404
from django.shortcuts import get_object_or_404

from issues.audit.checkpoints import base_of
from issues.models import (
    AuditEvent,
    BulkFix,
    Bundle,
    Channel,
    Fix,
    Hook,
    HookDelivery,
    Invitation,
    Issue,
    MediaFile,
    Membership,
    Mention,
    SavedView,
    Team,
    User,
    Video,
    Workspace,
)


class SecondFactorMissing(PermissionDenied):
    """The team asks a second factor of everybody, and this person has none."""


def load_membership(user: object, slug: str) -> Membership:
    """The user's membership in the team. Raises Http404 for everybody else: other teams do not exist."""
    if not isinstance(user, User) or not user.is_active:
        raise Http404
    membership = get_object_or_404(_memberships(), team__slug=slug, user=user)
    membership.user = user
    if membership.team.requires_two_factor and not is_mfa_enabled(user):
        raise SecondFactorMissing(membership.team.name)
    return membership


@cache
def _memberships() -> QuerySet[Membership]:
    """With what every page needs: in how many issues of the team notes call the person, and how many teams he has (most
    have one, and then there is nothing to switch to). Made once, since every page asks it."""
    mentions = Mention.objects.filter(user=OuterRef("user"), issue__team=OuterRef("team")).order_by().values("user")
    teams = Membership.objects.filter(user=OuterRef("user")).order_by().values("user")
    return Membership.objects.select_related("team__audit_watch", "team__audit_head").annotate(
        called_count=Subquery(mentions.values(count=Count("issue", distinct=True))),
        team_count=Subquery(teams.values(count=Count("pk"))),
    )


def load_editor(user: object, slug: str) -> Membership:
    """Likewise, for changing things: viewers get 403."""
    membership = load_membership(user, slug)
    if not membership.can_edit:
        raise PermissionDenied
    return membership


def load_owner(user: object, slug: str) -> Membership:
    """Likewise, for people and keys: only owners."""
    membership = load_membership(user, slug)
    if not membership.is_owner:
        raise PermissionDenied
    return membership


def issues_of(team: Team) -> QuerySet[Issue]:
    return Issue.objects.filter(team=team)


def events_of(team: Team) -> QuerySet[AuditEvent]:
    """The team's history, without what lies behind a cut."""
    return AuditEvent.objects.filter(team=team, seq__gt=base_of(team.pk).seq)


def load_issue(membership: Membership, pk: int) -> Issue:
    """An issue of the team with its video, bundle and workspace."""
    found = issues_of(membership.team).select_related("video__bundle", "workspace", "claimed_by", "assignee", "team")
    return get_object_or_404(found, pk=pk)


def load_bundle(membership: Membership, pk: int) -> Bundle:
    bundles = Bundle.objects.filter(workspace__team=membership.team).select_related("workspace")
    return get_object_or_404(bundles, pk=pk)


def load_fix(membership: Membership, pk: UUID) -> Fix:
    fixes = Fix.objects.filter(team=membership.team).select_related("issue__video__bundle", "issue__workspace")
    return get_object_or_404(fixes, pk=pk)


def load_media(membership: Membership, pk: UUID) -> MediaFile:
    media = MediaFile.objects.filter(fix__team=membership.team)
    return get_object_or_404(media.select_related("fix__issue__video__bundle", "fix__issue__workspace"), pk=pk)


def load_video(membership: Membership, pk: int) -> Video:
    videos = Video.objects.filter(bundle__workspace__team=membership.team).select_related("bundle__workspace")
    return get_object_or_404(videos, pk=pk)


def load_bulk(membership: Membership, pk: UUID) -> BulkFix:
    return get_object_or_404(BulkFix.objects.select_related("actor"), pk=pk, team=membership.team)


def load_workspace(membership: Membership, pk: UUID) -> Workspace:
    return get_object_or_404(Workspace.objects.select_related("gauge"), pk=pk, team=membership.team)


def load_member(membership: Membership, pk: int) -> Membership:
    return get_object_or_404(Membership.objects.select_related("user", "team"), pk=pk, team=membership.team)


def load_person(membership: Membership, user_id: int) -> User:
    """A user of the team."""
    return get_object_or_404(User, pk=user_id, memberships__team=membership.team)


def load_view(membership: Membership, pk: int) -> SavedView:
    """A saved view of one's own, or of the team."""
    mine = Q(owner=membership.pk) | Q(owner=None)
    return get_object_or_404(SavedView, mine, pk=pk, team=membership.team)


def load_channel(membership: Membership, pk: UUID) -> Channel:
    """A notification channel of one's own, or of the team."""
    mine = Q(owner=membership.pk) | Q(owner=None)
    return get_object_or_404(Channel.objects.select_related("team", "owner__user"), mine, pk=pk, team=membership.team)


def load_hook(membership: Membership, pk: UUID) -> Hook:
    return get_object_or_404(Hook.objects.select_related("team"), pk=pk, team=membership.team)


def load_delivery(membership: Membership, pk: UUID) -> HookDelivery:
    return get_object_or_404(HookDelivery.objects.select_related("hook"), pk=pk, hook__team=membership.team)


def load_invitation(membership: Membership, pk: UUID) -> Invitation:
    return get_object_or_404(Invitation, pk=pk, team=membership.team)


def teams_of(user: User) -> QuerySet[Membership]:
    return Membership.objects.filter(user=user).select_related("team").order_by("team__name")
