"""Send the messages that wait: e-mail by Django, Slack, Discord and Teams by Apprise, webhooks under guard."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from smtplib import SMTPException

from django.core.mail import EmailMessage, get_connection

from issues.delivery import claim_due, settle
from issues.enums import ChannelKind
from issues.link_checks.http_fetch import Clock, FetchError, post
from issues.link_checks.resolver import current_network
from issues.models import Message
from issues.sealed import SealError

logger = logging.getLogger(__name__)

WAITS = (30, 120, 600, 3600, 3 * 3600)  # seconds until the next try
CLAIM = timedelta(seconds=90)
AT_A_TIME = 8
POST_SECONDS = 10.0
LONGEST = {ChannelKind.SLACK: 2900, ChannelKind.DISCORD: 1900, ChannelKind.TEAMS: 6000}  # characters


def send_due() -> int:
    """One batch of what is due; returns how many were tried."""
    keys = claim_due(Message.objects.all(), hold=CLAIM)
    messages = list(Message.objects.filter(pk__in=keys).select_related("channel__team", "channel__owner__user"))
    with ThreadPoolExecutor(AT_A_TIME) as pool:  # no database in these threads
        for message, code in zip(messages, list(pool.map(_send, messages)), strict=True):
            settle(message, is_taken=not code, waits=WAITS, code=code[:60])
    return len(messages)


def _send(message: Message) -> str:
    """An empty string, or a code of why it did not go out."""
    channel = message.channel
    try:
        if channel.kind == ChannelKind.EMAIL:
            return _mail(message)
        target = channel.target.reveal()
        if channel.kind == ChannelKind.WEBHOOK:
            return _webhook(message, target)
        return _by_apprise(message, target)
    except SealError:
        return "target_unreadable"


def _mail(message: Message) -> str:
    channel = message.channel
    target = channel.target.reveal() if channel.target else channel.owner.user.email if channel.owner else ""
    try:
        EmailMessage(message.subject, message.body, None, [target], connection=get_connection()).send()
    except (SMTPException, OSError):
        logger.warning("message %s could not be mailed", message.pk, exc_info=True)
        return "mail_refused"
    return ""


def _webhook(message: Message, target: str) -> str:
    body = json.dumps(
        {
            "id": str(message.pk),
            "type": "notification",
            "team": message.channel.team.slug,
            "subject": message.subject,
            "text": message.body,
            "count": message.count,
        },
        ensure_ascii=False,
    )
    headers = {"Content-Type": "application/json", "User-Agent": "TokDash notifications"}
    try:
        answer = post(target, current_network(), Clock(POST_SECONDS), body=body.encode(), headers=headers)
    except FetchError as error:
        return error.code
    return "" if 200 <= answer.status < 300 else f"answered_{answer.status}"


def _by_apprise(message: Message, target: str) -> str:
    # Slow to import, and only workers need it.
    from apprise import Apprise, NotifyFormat

    plugin = Apprise.instantiate(target)
    if plugin is None:
        return "target_unreadable"
    most = LONGEST[ChannelKind(message.channel.kind)]
    body = message.body if len(message.body) <= most else f"{message.body[: most - 1].rsplit(chr(10), 1)[0]}\n…"
    # A name like "@everyone" must not call a whole server; Apprise escapes what Slack would take for a call.
    body = body.replace("@", "@\u200b") if message.channel.kind == ChannelKind.DISCORD else body
    is_sent = plugin.notify(body=body, title=message.subject, body_format=NotifyFormat.TEXT)
    return "" if is_sent else "provider_refused"
