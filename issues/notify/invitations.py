"""The mail with the invitation's link. The row says whether it went out."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, override

from issues.enums import InvitationState
from issues.invitations import token_of
from issues.models import Invitation
from issues.wording import in_words, long_date_text

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
    """In the language of whoever invites: that of the person who is invited is not known yet."""
    host = invitation.invited_by
    with override((host.language if host else "") or settings.LANGUAGE_CODE):
        names = {
            "who": host.get_full_name() if host else gettext("The operator"),
            "team": invitation.team,
            "role": in_words(invitation.role),
            "url": settings.SITE_URL + reverse("invitation", args=[token_of(invitation)]),
            "day": long_date_text(invitation.expires_at),
        }
        subject = gettext("{who} invites you to “{team}” on TokDash")
        parts = [
            gettext("{who} invites you to the team “{team}” as {role}."),
            gettext("TokDash is where the team repairs videos that TokPortal's managers cannot download."),
            gettext("Join here: {url}"),
            gettext("The link works once, until {day}. If you do not know the team, do nothing."),
        ]
    subject = " ".join(subject.format(**names).splitlines())
    send_mail(subject, "\n\n".join(part.format(**names) for part in parts) + "\n", None, [invitation.email])
