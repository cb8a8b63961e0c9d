"""The read side of the notification settings."""

from dataclasses import dataclass

from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issues.link_checks.urls import host_of
from issues.models import Channel, Membership, Message
from issues.queries.pages import Page, latest_first
from issues.sealed import SealError

SHOWN = 30


@dataclass(frozen=True, slots=True)
class ChannelEntry:
    """A channel with where it leads, as far as may be shown, and its last message."""

    channel: Channel
    where: str
    last: Message | None


def channels_of(membership: Membership, *, of_team: bool) -> list[ChannelEntry]:
    """One's own, or the team's. Two queries."""
    owner = None if of_team else membership
    latest = Message.objects.filter(channel=OuterRef("pk")).order_by("-created_at").values("pk")[:1]
    found = Channel.objects.filter(team=membership.team, owner=owner).annotate(last_key=Subquery(latest))
    channels = list(found.select_related("owner__user"))
    messages = Message.objects.defer("body").in_bulk([channel.last_key for channel in channels if channel.last_key])
    return [ChannelEntry(channel, where_of(channel), messages.get(channel.last_key)) for channel in channels]


def where_of(channel: Channel) -> str:
    """An address of an e-mail channel, else the host alone: whoever knows the whole address can post there."""
    try:
        target = channel.target.reveal() if channel.target else ""
    except SealError:
        return gettext("unreadable: give it anew")
    if channel.kind == "email":
        return target or (channel.owner.user.email if channel.owner else "")
    return host_of(target)


def messages_of(channel: Channel, after: str = "") -> Page[Message]:
    """The latest first."""
    return latest_first(Message.objects.filter(channel=channel), "created_at", after, SHOWN)


_CODES = {
    "mail_refused": _("the mail server did not take it"),
    "provider_refused": _("the provider did not take it"),
    "target_unreadable": _("its address cannot be read: give it anew"),
    "private_address": _("its address is not public"),
    "timeout": _("it did not answer in time"),
    "connection_failed": _("it cannot be reached"),
    "dns_missing": _("there is no such host"),
    "tls_bad": _("its certificate is not in order"),
}


def trouble_of(message: Message) -> str:
    """Why the last try failed, in words."""
    if message.code.startswith("answered_"):
        return gettext("it answered {status}").format(status=message.code.removeprefix("answered_"))
    return _CODES.get(message.code, message.code)
