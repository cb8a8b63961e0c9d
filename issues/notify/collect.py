"""What a channel is to be told: read off the history, and off what time itself brings (late, behind, still open)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from issues.audit import Verb
from issues.enums import UNRESOLVED, NoticeKind, Pace
from issues.models import AuditEvent, Channel, Issue, Mention, Notice, SyncGauge

# So long what comes together is gathered into one message, and so long a channel then rests.
GATHER = timedelta(seconds=30)
REST = timedelta(minutes=5)
DIGEST_HOUR = 8
REMIND_HOUR = 9
BEHIND_AFTER = timedelta(minutes=15)
JUST = timedelta(days=1)  # what was late before is in the reminders

_KIND_OF = {
    Verb.ISSUE_OPENED.value: NoticeKind.NEW,
    Verb.FIX_REJECTED.value: NoticeKind.FAILED,
    Verb.FIX_NEEDS_HUMAN.value: NoticeKind.FAILED,
    Verb.WORKSPACE_KEY_REFUSED.value: NoticeKind.KEY_REFUSED,
    Verb.WORKSPACE_KEY_EXPIRES.value: NoticeKind.KEY_EXPIRES,
    Verb.WORKSPACE_LOW_CREDITS.value: NoticeKind.LOW_CREDITS,
    Verb.ISSUE_ASSIGNED.value: NoticeKind.ASSIGNED,
}


def collect_events(team_id: int, events: Sequence[AuditEvent]) -> int:
    """What these events of a team mean for its channels. Doing it twice changes nothing."""
    wanted = [event for event in events if event.verb in _KIND_OF]
    channels = _channels(team_id) if wanted else []
    if not channels:
        return 0
    found = Issue.objects.filter(pk__in={event.issue_id for event in wanted if event.issue_id})
    assignees = dict(found.values_list("pk", "assignee"))
    rows = []
    for event in wanted:
        kind = _KIND_OF[event.verb]
        for channel in channels:
            if kind not in channel.notices or event.at < channel.created_at:
                continue
            user = channel.owner.user_id if channel.owner else None
            if event.actor_id is not None and event.actor_id == user:
                continue  # what one did oneself is no news
            if event.issue_id:
                if event.issue_id not in assignees:
                    continue
                whose = assignees[event.issue_id]
                if kind == NoticeKind.ASSIGNED and (user is None or whose != user):
                    continue
                if channel.only_mine and whose not in {None, user}:
                    continue
            rows.append(
                Notice(
                    channel=channel,
                    kind=kind,
                    key=f"{kind}:{event.seq}",
                    issue_id=event.issue_id,
                    workspace_id=None if event.issue_id else event.workspace_id,
                )
            )
    return _add(rows)


def collect_due() -> int:
    """What time brings: calls in notes, issues that have become late, checks that are behind, reminders."""
    now = timezone.now()
    return sum(
        _called(channel) + _overdue(channel, now) + _behind(channel, now) + _reminder(channel, now)
        for channel in _channels()
    )


def _channels(team_id: int | None = None) -> list[Channel]:
    somebody = Q(owner=None) | Q(owner__user__is_active=True)
    found = Channel.objects.filter(somebody, is_active=True).select_related("owner__user")
    return list(found.filter(team=team_id) if team_id else found)


def _add(rows: Sequence[Notice]) -> int:
    """Keep those that are new, and set when their channels are due."""
    if not rows:
        return 0
    about = {"channel__in": {row.channel_id for row in rows}, "key__in": {row.key for row in rows}}
    known = set(Notice.objects.filter(**about).values_list("channel", "key"))
    fresh = [row for row in rows if (row.channel_id, row.key) not in known]
    Notice.objects.bulk_create(fresh, batch_size=500, ignore_conflicts=True)
    for channel in {row.channel for row in fresh}:
        Channel.objects.filter(pk=channel.pk, due_at=None).update(due_at=due_of(channel, timezone.now()))
    return len(fresh)


def due_of(channel: Channel, now: datetime) -> datetime:
    """When what waits becomes a message: soon, with the next full hour, or in the morning; never in quiet hours."""
    local = now.astimezone(zone_of(channel))
    if channel.pace == Pace.HOURLY:
        due = local.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    elif channel.pace == Pace.DAILY:
        due = local.replace(hour=DIGEST_HOUR, minute=0, second=0, microsecond=0)
        due += timedelta(days=1) if due <= local else timedelta(0)
    else:
        due = local + GATHER
        if channel.last_message_at:
            due = max(due, channel.last_message_at.astimezone(due.tzinfo) + REST)
    return after_quiet(channel, due)


def after_quiet(channel: Channel, moment: datetime) -> datetime:
    """The moment itself, or the end of the quiet hours that it lies in."""
    start, end = channel.quiet_from, channel.quiet_until
    if start is None or end is None or start == end:
        return moment
    local = moment.astimezone(zone_of(channel))
    here = local.time()
    is_quiet = start <= here < end if start < end else here >= start or here < end
    if not is_quiet:
        return moment
    over = local.replace(hour=end.hour, minute=end.minute, second=0, microsecond=0)
    return over if over > local else over + timedelta(days=1)


def zone_of(channel: Channel) -> ZoneInfo:
    """The channel's time zone: its own, its owner's, else UTC."""
    return ZoneInfo(channel.time_zone or (channel.owner.user.time_zone if channel.owner else "") or "UTC")


def language_of(channel: Channel) -> str:
    """The channel's language: its own, its owner's, else English."""
    return channel.language or (channel.owner.user.language if channel.owner else "") or settings.LANGUAGE_CODE


def visible_issues(channel: Channel) -> Q:
    """The team's unresolved issues that this channel is about, without those that sleep."""
    now = timezone.now()
    found = Q(team=channel.team_id, state__in=UNRESOLVED) & (Q(snoozed_until=None) | Q(snoozed_until__lte=now))
    if channel.only_mine and channel.owner:
        found &= Q(assignee=None) | Q(assignee=channel.owner.user_id)
    return found


def _called(channel: Channel) -> int:
    if NoticeKind.CALLED not in channel.notices or channel.owner is None:
        return 0
    calls = Mention.objects.filter(
        user=channel.owner.user_id, issue__team=channel.team_id, created_at__gte=channel.created_at
    ).select_related("by")
    return _add(
        [
            Notice(
                channel=channel,
                kind=NoticeKind.CALLED,
                key=f"called:{call.pk}",
                issue_id=call.issue_id,
                detail=f"by {call.by.get_full_name()}" if call.by else "",
            )
            for call in calls.order_by("-pk")[:200]
        ]
    )


def _overdue(channel: Channel, now: datetime) -> int:
    if NoticeKind.OVERDUE not in channel.notices:
        return 0
    since = max(now - JUST, channel.created_at)
    known = Notice.objects.filter(channel=channel, kind=NoticeKind.OVERDUE, issue__isnull=False).values("issue")
    late = Issue.objects.filter(visible_issues(channel), deadline__lte=now, deadline__gt=since).exclude(pk__in=known)
    rows = [
        Notice(channel=channel, kind=NoticeKind.OVERDUE, key=f"overdue:{pk}", issue_id=pk)
        for pk in late.order_by("deadline", "pk").values_list("pk", flat=True)[:500]
    ]
    return _add(rows)


def _behind(channel: Channel, now: datetime) -> int:
    if NoticeKind.BEHIND not in channel.notices:
        return 0
    gauges = SyncGauge.objects.filter(workspace__team=channel.team_id, workspace__state="active").annotate(
        bound=F("workspace__max_age_minutes")
    )
    rows = []
    for gauge in gauges:
        failing = gauge.trouble_since and now - gauge.trouble_since > BEHIND_AFTER
        late = gauge.oldest_look_at and now - gauge.oldest_look_at > timedelta(minutes=2 * gauge.bound) + BEHIND_AFTER
        since = gauge.trouble_since if failing else gauge.oldest_look_at
        if (failing or late) and since:
            key = f"behind:{gauge.workspace_id}:{since:%Y%m%d%H}"
            rows.append(Notice(channel=channel, kind=NoticeKind.BEHIND, key=key, workspace_id=gauge.workspace_id))
    return _add(rows)


def _reminder(channel: Channel, now: datetime) -> int:
    """Once a day, in the morning: whatever is late and still open, in one notice."""
    local = now.astimezone(zone_of(channel))
    if NoticeKind.REMINDER not in channel.notices or local.hour < REMIND_HOUR or channel.reminded_on == local.date():
        return 0
    Channel.objects.filter(pk=channel.pk).update(reminded_on=local.date())
    if not Issue.objects.filter(visible_issues(channel), deadline__lte=now - JUST).exists():
        return 0
    return _add([Notice(channel=channel, kind=NoticeKind.REMINDER, key=f"reminder:{local:%Y%m%d}")])
