"""The mail with the invitation's link. The row says whether it went out."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.urls import reverse
from django.utils import timezone

from issues.enums import InvitationState
from issues.invitations import token_of
from issues.models import Invitation

logger = logging.getLogger(__name__)


def mail_invitations() -> int:
    """Mail each invitation that waits for it; returns how many went out.

    The row is marked before the mail goes out, so two workers never send it twice; where the mail server refuses, the
    mark is taken back and the next tick tries again.
    """
    sent = 0
    waiting = Invitation.objects.filter(state=InvitationState.PENDING, mailed_at=None, expires_at__gt=timezone.now())
    for invitation in waiting.select_related("team", "invited_by"):
        mine = Invitation.objects.filter(pk=invitation.pk, mailed_at=None)
        if not mine.update(mailed_at=timezone.now()):
            continue
        try:
            _mail(invitation)
        except (SMTPException, OSError):
            logger.warning("invitation %s could not be mailed", invitation.pk, exc_info=True)
            Invitation.objects.filter(pk=invitation.pk).update(mailed_at=None)
        else:
            sent += 1
    return sent


def _mail(invitation: Invitation) -> None:
    who = invitation.invited_by.get_full_name() if invitation.invited_by else "The operator"
    page = settings.SITE_URL + reverse("invitation", args=[token_of(invitation)])
    subject = f"{who} invites you to “{invitation.team}” on TokDash".replace("\n", " ").replace("\r", " ")
    send_mail(
        subject,
        f"{who} invites you to the team “{invitation.team}” as {invitation.get_role_display().lower()}.\n\n"
        "TokDash is where the team repairs videos that TokPortal's managers cannot download.\n\n"
        f"Join here: {page}\n\nThe link works once, until {invitation.expires_at:%d %B %Y}. If you do not know the "
        "team, do nothing.\n",
        None,
        [invitation.email],
    )
