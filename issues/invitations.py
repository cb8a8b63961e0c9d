"""Invitations: the way into a team. A link by e-mail, signed, valid for some days, and once."""

from datetime import timedelta
from uuid import UUID

from django.core import signing
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from issues.audit import Actor, Changes, Event, Personal, Verb, record
from issues.enums import InvitationState, PersonalKind, Role
from issues.members import lock_people
from issues.models import Invitation, Membership, Team, User
from issues.notify.channels import first_channel
from issues.problems import Refusal

VALID_FOR = timedelta(days=7)
SALT = "tokdash.invitation"
_OVER = gettext_noop("This invitation has been used, withdrawn, or has expired. Ask for a new one.")


def _mail(email: str) -> Personal:
    user = User.objects.filter(email__iexact=email).first()
    return Personal(email, user.pk if user else None, PersonalKind.MAIL)


def invite(*, team: Team, email: str, role: Role, actor: Actor) -> Invitation:
    """Invite an address. A former invitation of the same address ends; the mail goes out in the background.

    Raises Refusal where the person is in the team already.
    """
    email = email.strip().lower()
    try:
        with transaction.atomic():
            lock_people(team.pk)
            if Membership.objects.filter(team=team, user__email__iexact=email).exists():
                raise Refusal(_("{email} is already in this team.").format(email=email), code="ALREADY_MEMBER")
            former = Invitation.objects.filter(team=team, email__iexact=email, state=InvitationState.PENDING)
            events = [Event(Verb.MEMBER_INVITATION_REVOKED, _mail(email))] * former.update(
                state=InvitationState.REVOKED
            )
            invitation = Invitation.objects.create(
                team=team, email=email, role=role, invited_by=actor.user, expires_at=timezone.now() + VALID_FOR
            )
            record(team.pk, actor, [*events, Event(Verb.MEMBER_INVITED, _mail(email), {"role": [None, role.value]})])
    except IntegrityError as error:
        raise Refusal(_("Somebody else has just invited this address."), code="ALREADY_INVITED") from error
    return invitation


def revoke(*, invitation: Invitation, actor: Actor) -> None:
    """Withdraw an invitation: its link works no more. Idempotent."""
    with transaction.atomic():
        pending = Invitation.objects.filter(pk=invitation.pk, state=InvitationState.PENDING)
        if pending.update(state=InvitationState.REVOKED):
            record(invitation.team_id, actor, [Event(Verb.MEMBER_INVITATION_REVOKED, _mail(invitation.email))])


def token_of(invitation: Invitation) -> str:
    """What the link carries: the invitation's id, signed."""
    return signing.dumps(invitation.pk.hex, salt=SALT)


def open_invitation(token: str) -> Invitation:
    """The invitation that a link names, while it can be used. Raises Refusal, with one sentence for every reason."""
    try:
        pk = UUID(signing.loads(token, salt=SALT, max_age=VALID_FOR))
    except (signing.BadSignature, ValueError, TypeError, AttributeError) as error:
        raise Refusal(_(_OVER), code="INVITATION_OVER") from error
    found = Invitation.objects.select_related("team", "invited_by").filter(pk=pk).first()
    if found is None or found.state != InvitationState.PENDING or found.expires_at <= timezone.now():
        raise Refusal(_(_OVER), code="INVITATION_OVER")
    return found


def accept(*, invitation: Invitation, user: User, actor: Actor) -> Membership:
    """Join the team. Raises Refusal for another person's invitation, and for one that cannot be used any more."""
    if user.email.lower() != invitation.email.lower():
        raise Refusal(_("This invitation is for {email}.").format(email=invitation.email), code="NOT_YOURS")
    with transaction.atomic():
        lock_people(invitation.team_id)
        pending = Invitation.objects.filter(
            pk=invitation.pk, state=InvitationState.PENDING, expires_at__gt=timezone.now()
        )
        if not pending.update(state=InvitationState.ACCEPTED):
            raise Refusal(_(_OVER), code="INVITATION_OVER")
        membership, is_new = Membership.objects.get_or_create(
            team_id=invitation.team_id, user=user, defaults={"role": invitation.role}
        )
        if is_new:
            first_channel(membership)
            inviter = Personal.of(invitation.invited_by) if invitation.invited_by else None
            changes: Changes = {"role": [None, invitation.role], "invited_by": [None, inviter]}
            record(invitation.team_id, actor, [Event(Verb.MEMBER_ADDED, Personal.of(user), changes)])
    return membership
