"""Channels: added, changed, tried, removed. A member's own are his affair, the team's are its owners'."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from zoneinfo import available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from issues.audit import Actor, Changes, Event, Personal, Verb, record
from issues.enums import ChannelKind, NoticeKind, Pace
from issues.link_checks.resolver import current_network
from issues.link_checks.urls import host_of
from issues.models import AuditHead, Channel, Membership, Message, OutgoingCursor, Team
from issues.notify.collect import language_of
from issues.nudge import nudge
from issues.problems import Refusal

MAX_CHANNELS = 10  # of a member, and of the team
# Apprise posts to whatever host a target names, so each kind has its provider's hosts and no other.
HOSTS = {
    ChannelKind.SLACK: ("hooks.slack.com",),
    ChannelKind.DISCORD: ("discord.com", "discordapp.com"),
    ChannelKind.TEAMS: (".webhook.office.com", ".logic.azure.com", ".api.powerplatform.com"),
}
# What a new member is told of, by e-mail, until he says otherwise.
USUAL = (
    NoticeKind.NEW, NoticeKind.OVERDUE, NoticeKind.FAILED, NoticeKind.ASSIGNED, NoticeKind.CALLED, NoticeKind.REMINDER,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a channel is to be. `target`: an address of its kind; an e-mail channel of one's own has none."""

    kind: ChannelKind
    name: str
    target: str
    notices: Sequence[str]
    only_mine: bool = False
    pace: Pace = Pace.SOON
    quiet_from: time | None = None
    quiet_until: time | None = None
    time_zone: str = ""
    language: str = ""


def add_channel(*, team: Team, owner: Membership | None, wishes: Wishes, actor: Actor) -> Channel:
    """A new channel of a member, or of the team. Raises Refusal for a target that is none, or too many channels."""
    wishes = _checked(wishes, owner)
    with transaction.atomic():
        Team.objects.select_for_update(no_key=True).get(pk=team.pk)
        if Channel.objects.filter(team=team, owner=owner).count() >= MAX_CHANNELS:
            raise Refusal(
                _("There are {count} channels already: remove one first.").format(count=MAX_CHANNELS),
                code="TOO_MANY_CHANNELS",
            )
        channel = _new(team, owner, wishes)
        changes: Changes = {"kind": [None, wishes.kind.value], "tells": [None, list(wishes.notices)]}
        record(team.pk, actor, [Event(Verb.CHANNEL_ADDED, label=_label(channel), changes=changes)])
    return channel


def first_channel(membership: Membership) -> None:
    """A new member hears by e-mail of what concerns him. Part of the caller's transaction and event."""
    _new(membership.team, membership, Wishes(ChannelKind.EMAIL, _("E-mail"), "", USUAL, only_mine=True))


def _new(team: Team, owner: Membership | None, wishes: Wishes) -> Channel:
    head = AuditHead.objects.get(team=team)
    OutgoingCursor.objects.get_or_create(team=team, defaults={"seq": head.seq})
    channel = Channel(team=team, owner=owner, kind=wishes.kind)
    _apply(channel, wishes)
    channel.save()
    return channel


def _apply(channel: Channel, wishes: Wishes) -> None:
    for name in ("name", "only_mine", "pace", "quiet_from", "quiet_until", "time_zone", "language"):
        setattr(channel, name, getattr(wishes, name))
    channel.notices = [kind for kind in NoticeKind.values if kind in wishes.notices]
    if wishes.target:
        channel.target = wishes.target


def _label(channel: Channel) -> str | Personal:
    """The team's by its name; a member's own belongs to his person."""
    if channel.owner is None:
        return channel.name
    return Personal(channel.name, channel.owner.user_id)


def _checked(wishes: Wishes, owner: Membership | None, *, has_target: bool = False) -> Wishes:
    name = " ".join(wishes.name.split())[:80]
    if not name:
        raise Refusal(_("A channel needs a name."), code="NAME_MISSING")
    if not wishes.notices:
        raise Refusal(_("Choose at least one thing to be told of."), code="NOTICES_MISSING")
    if (wishes.quiet_from is None) != (wishes.quiet_until is None):
        raise Refusal(_("Quiet hours need a beginning and an end."), code="QUIET_HOURS")
    if wishes.time_zone and wishes.time_zone not in available_timezones():
        raise Refusal(_("This time zone is not known."), code="TIME_ZONE")
    if wishes.language and wishes.language not in dict(settings.LANGUAGES):
        raise Refusal(_("This language is not known."), code="LANGUAGE")
    target = wishes.target.strip()
    if target or not has_target:
        _check_target(wishes.kind, target, owner)
    return Wishes(
        wishes.kind, name, target, wishes.notices, wishes.only_mine and owner is not None, wishes.pace,
        wishes.quiet_from, wishes.quiet_until, wishes.time_zone, wishes.language,
    )  # fmt: skip


def _check_target(kind: ChannelKind, target: str, owner: Membership | None) -> None:
    if kind == ChannelKind.EMAIL:
        if owner is not None:
            if target and target.lower() != owner.user.email.lower():
                raise Refusal(_("Your own channel goes to your own address."), code="TARGET")
            return
        try:
            validate_email(target)
        except ValidationError as error:
            raise Refusal(_("This is no e-mail address."), code="TARGET") from error
        return
    if not target.lower().startswith("https://") or len(target) > 1000:
        raise Refusal(_("Give an address that starts with https://."), code="TARGET")
    try:
        current_network().parse(target)
    except ValueError as error:
        raise Refusal(_("This address cannot be reached from the internet."), code="TARGET") from error
    host = host_of(target)
    wanted = HOSTS.get(kind)
    if wanted and not any(host == name or (name.startswith(".") and host.endswith(name)) for name in wanted):
        raise Refusal(_("This is no webhook address of {kind}.").format(kind=kind.label), code="TARGET")
    if wanted and not _is_complete(target):
        raise Refusal(_("This is no complete webhook address of {kind}.").format(kind=kind.label), code="TARGET")


def _is_complete(target: str) -> bool:
    # Slow to import, and rarely needed.
    from apprise import Apprise

    return Apprise.instantiate(target) is not None


def change_channel(*, channel: Channel, wishes: Wishes, is_active: bool, actor: Actor) -> None:
    """How it is from now on; an empty target keeps the one that is there. Raises Refusal like `add_channel`."""
    with transaction.atomic():
        current = Channel.objects.select_for_update(of=("self",)).select_related("owner__user").get(pk=channel.pk)
        wishes = _checked(wishes, current.owner, has_target=bool(current.target) or current.owner is not None)
        before = _told(current)
        _apply(current, wishes)
        current.is_active = is_active
        after = _told(current)
        changes: Changes = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
        if wishes.target:
            changes["target"] = ["set", "changed"]
        if not changes:
            return
        current.save()
        record(current.team_id, actor, [Event(Verb.CHANNEL_CHANGED, label=_label(current), changes=changes)])


def _told(channel: Channel) -> dict[str, object]:
    return {
        "tells": channel.notices,
        "only_mine": channel.only_mine,
        "pace": str(channel.pace),
        "quiet": f"{channel.quiet_from:%H:%M} – {channel.quiet_until:%H:%M}"
        if channel.quiet_from and channel.quiet_until
        else None,
        "time_zone": channel.time_zone,
        "language": channel.language,
        "active": channel.is_active,
    }


def remove_channel(*, channel: Channel, actor: Actor) -> None:
    """Let go of it, with what waits and its log. Idempotent."""
    with transaction.atomic():
        current = Channel.objects.select_for_update(of=("self",)).select_related("owner").filter(pk=channel.pk).first()
        if current is None:
            return
        team_id, label = current.team_id, _label(current)
        current.delete()
        record(team_id, actor, [Event(Verb.CHANNEL_REMOVED, label=label)])


def try_channel(*, channel: Channel, actor: Actor) -> Message:
    """Send a test message at once, whatever the hour."""
    with transaction.atomic():
        with override(language_of(channel)):
            subject = _("A test from TokDash for {team}").format(team=channel.team.name)
            body = _("This is how TokDash will tell you what needs somebody. Nothing is to be done now.") + "\n"
        message = Message.objects.create(
            channel=channel,
            subject=subject,
            body=body,
            next_try_at=timezone.now(),
        )
        record(channel.team_id, actor, [Event(Verb.CHANNEL_TRIED, label=_label(channel))])
    nudge("issues.notify")
    return message
