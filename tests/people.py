"""What tests of people and accounts share."""

import re

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.utils import decrypt
from django.core import mail
from django.urls import reverse

from issues.models import AuditEvent
from issues.notify.invitations import mail_invitations


def url(name, team, *args):
    return reverse(name, args=[team.slug, *args])


def invited(owner, team, email, role="editor"):
    owner.post(url("member_invite", team), {"email": email, "role": role})
    mail_invitations()
    message = mail.outbox[-1]
    assert message.to == [email.lower()]
    return re.search(r"https?://[^/]+(/invitations/\S+)", message.body)[1]


def last_event(team, verb):
    return AuditEvent.objects.filter(team=team, verb=verb).order_by("-seq").first()


def with_totp(user):
    return totp.TOTP.activate(user, totp.generate_totp_secret())


def code_of(user):
    secret = Authenticator.objects.get(user=user, type="totp").wrap()
    return totp.format_hotp_value(totp.hotp_value(secret_of(secret), next(totp.yield_hotp_counters_from_time())))


def secret_of(authenticator):
    return decrypt(authenticator.instance.data["secret"])
