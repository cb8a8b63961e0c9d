"""Erasing a person: names, addresses and notes go; what was done, and the proof of it, stays."""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from issues.audit import Actor, Event, Verb, record
from issues.audit.personal import ERASED
from issues.models import BulkFix, Fix, Invitation, Membership, PersonalValue, PreparedFix, Team, User
from issues.problems import Refusal


def erase_from_team(*, team: Team, user_id: int, actor: Actor) -> int:
    """Erase what a team's record knows of a former member; returns how many values went. Idempotent.

    The chain holds: it has digests alone, and without salt and value they tell nothing. Raises Refusal for a member.
    """
    with transaction.atomic():
        if Membership.objects.filter(team=team, user_id=user_id).exists():
            raise Refusal(_("This person is still in the team: remove him first."), code="STILL_MEMBER")
        about = PersonalValue.objects.filter(team=team, user_id=user_id, erased_at=None)
        user = User.objects.filter(pk=user_id).first()
        if user is not None:
            Invitation.objects.filter(team=team, email__iexact=user.email).delete()
            # From before he had an account.
            about |= PersonalValue.objects.filter(team=team, user_id=None, value__iexact=user.email, erased_at=None)
        gone = about.update(value="", salt="", erased_at=timezone.now())
        Fix.objects.filter(team=team, actor_id=user_id).update(actor_name=ERASED)
        BulkFix.objects.filter(team=team, actor_id=user_id).update(actor_name=ERASED)
        PreparedFix.objects.filter(video__bundle__workspace__team=team, actor_id=user_id).update(actor_name=ERASED)
        if gone:
            event = Event(Verb.MEMBER_ERASED, label=f"user {user_id}", changes={"values": [gone, 0]})
            record(team.pk, actor, [event])
    return gone


def erase_account(*, user: User, actor: Actor) -> int:
    """Erase a person who is in no team any more: from every team's record, and the account itself."""
    if Membership.objects.filter(user=user).exists():
        raise Refusal(_("This person is still in a team."), code="STILL_MEMBER")
    teams = Team.objects.filter(personal_values__user_id=user.pk).distinct().order_by("pk")
    gone = sum(erase_from_team(team=team, user_id=user.pk, actor=actor) for team in teams)
    with transaction.atomic():
        for session in UserSession.objects.filter(user=user):
            session.end()
        for model in (EmailAddress, Authenticator, SocialAccount):
            model.objects.filter(user=user).delete()
        user.email, user.name, user.time_zone = f"erased-{user.pk}@erased.invalid", "", ""
        user.is_active = False
        user.set_unusable_password()
        user.save()
    return gone
