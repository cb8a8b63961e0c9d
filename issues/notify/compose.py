"""What waits for a channel becomes one message, grouped by cause; what is no longer worth telling is let go of."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext, ngettext, override

from issues.enums import UNRESOLVED, NoticeKind
from issues.fixes.outcomes import outcome_of_fix
from issues.link_checks.catalogue import CATALOGUE
from issues.link_checks.masking import mask_secrets
from issues.models import Channel, Fix, Issue, Message, Notice
from issues.notify.collect import after_quiet, language_of, visible_issues, zone_of
from issues.wording import posting_texts

MOST = 2000  # notices in one message; the rest is in the next
ROWS = 8  # of a group; the rest is behind a link
# These are only worth telling while the issue is still to be repaired.
_OPEN_ONLY = {NoticeKind.NEW, NoticeKind.OVERDUE, NoticeKind.FAILED, NoticeKind.ASSIGNED}
_ORDER = (
    NoticeKind.KEY_REFUSED, NoticeKind.KEY_EXPIRES, NoticeKind.LOW_CREDITS,
    NoticeKind.BEHIND, NoticeKind.FAILED, NoticeKind.OVERDUE, NoticeKind.CALLED,
    NoticeKind.ASSIGNED, NoticeKind.NEW, NoticeKind.REMINDER,
)  # fmt: skip


def _said(kind: NoticeKind, count: int) -> str:
    """`3 new issues`: a part of the subject."""
    pattern = {
        NoticeKind.KEY_REFUSED: ngettext("{count} refused key", "{count} refused keys", count),
        NoticeKind.KEY_EXPIRES: ngettext("{count} key expires", "{count} keys expire", count),
        NoticeKind.LOW_CREDITS: ngettext(
            "{count} workspace has few credits", "{count} workspaces have few credits", count
        ),
        NoticeKind.BEHIND: ngettext("{count} workspace behind", "{count} workspaces behind", count),
        NoticeKind.FAILED: ngettext("{count} failed fix", "{count} failed fixes", count),
        NoticeKind.OVERDUE: ngettext("{count} late", "{count} late", count),
        NoticeKind.CALLED: ngettext("{count} note for you", "{count} notes for you", count),
        NoticeKind.ASSIGNED: ngettext("{count} given to you", "{count} given to you", count),
        NoticeKind.NEW: ngettext("{count} new issue", "{count} new issues", count),
        NoticeKind.REMINDER: ngettext(
            "{count} still open after the deadline", "{count} still open after the deadline", count
        ),
    }[kind]
    return pattern.format(count=count)


def compose_due() -> int:
    """A message for each channel that is due; returns how many were made. Any number of workers may do it at once."""
    now = timezone.now()
    due = Channel.objects.filter(due_at__lte=now, is_active=True).values_list("pk", flat=True)
    return sum(_compose(key) for key in due)


def _compose(key: UUID) -> int:
    now = timezone.now()
    with transaction.atomic():
        locked = Channel.objects.select_for_update(of=("self",)).select_related("team", "owner__user")
        channel = locked.filter(pk=key, due_at__lte=now, is_active=True).first()
        if channel is None:
            return 0
        later = after_quiet(channel, now)
        if later > now:
            Channel.objects.filter(pk=channel.pk).update(due_at=later)
            return 0
        waiting = list(
            Notice.objects.filter(channel=channel, settled_at=None)
            .select_related("issue__video__bundle", "workspace")
            .order_by("pk")[:MOST]
        )
        told = [notice for notice in waiting if _is_worth_telling(notice)]
        with override(language_of(channel)):
            message = _message(channel, told) if told else None
        Notice.objects.filter(pk__in=[notice.pk for notice in waiting]).update(settled_at=now)
        if message:
            message.save()
            Notice.objects.filter(pk__in=[notice.pk for notice in told]).update(message=message)
        rest = Notice.objects.filter(channel=channel, settled_at=None).exists()
        Channel.objects.filter(pk=channel.pk).update(
            due_at=now if rest else None, last_message_at=now if message else F("last_message_at")
        )
    return 1 if message else 0


def _is_worth_telling(notice: Notice) -> bool:
    if notice.issue is None:
        return True
    asleep = notice.issue.is_snoozed and notice.kind != NoticeKind.CALLED
    return not asleep and (notice.kind not in _OPEN_ONLY or notice.issue.state in UNRESOLVED)


def _message(channel: Channel, notices: Sequence[Notice]) -> Message | None:
    by_kind: dict[str, list[Notice]] = {}
    for notice in notices:
        same = by_kind.setdefault(notice.kind, [])
        if not any(notice.issue_id and notice.issue_id == other.issue_id for other in same):
            same.append(notice)
    parts, heads, count = [], [], 0
    for kind in _ORDER:
        found = by_kind.get(kind, [])
        if not found:
            continue
        if kind == NoticeKind.REMINDER:
            late = list(_still_late(channel))
            if not late:
                continue
            heads.append(_said(kind, len(late)))
            parts.append(_section(gettext("Still open after the deadline"), _groups(channel, late)))
            count += len(late)
            continue
        heads.append(_said(kind, len(found)))
        count += len(found)
        issues = [notice.issue for notice in found if notice.issue]
        why = _why_failed(issues) if kind == NoticeKind.FAILED else {}
        lines = _groups(channel, issues, why) if issues else [_about_workspace(channel, notice) for notice in found]
        parts.append(_section(str(kind.label), lines))
    if not parts:
        return None
    parts.append(
        gettext("What you are told, and when: {url}").format(url=_url("notifications", channel.team.slug)) + "\n"
    )
    return Message(
        channel=channel,
        subject=f"{', '.join(heads)} · {channel.team.name}".replace("\n", " ").replace("\r", " ")[:200],
        body="\n".join(parts),
        count=count,
        next_try_at=timezone.now(),
    )


def _still_late(channel: Channel) -> list[Issue]:
    now = timezone.now()
    late = Issue.objects.filter(visible_issues(channel), deadline__lte=now)
    return list(late.select_related("video__bundle").order_by("deadline", "pk")[:MOST])


def _section(title: str, lines: Sequence[str]) -> str:
    return f"{title}\n" + "\n".join(lines) + "\n"


def _why_failed(issues: Sequence[Issue]) -> dict[int, str]:
    """What became of the latest fix of each issue, in one sentence. One query."""
    latest: dict[int, Fix] = {}
    for fix in Fix.objects.filter(issue__in=[issue.pk for issue in issues]).order_by("created_at").exclude(code=""):
        latest[fix.issue_id] = fix
    return {pk: outcome_of_fix(fix.code, fix.code_details).say for pk, fix in latest.items()}


def _groups(channel: Channel, issues: Sequence[Issue], why: Mapping[int, str] = MappingProxyType({})) -> list[str]:
    """One group for each cause: the host with what is wrong there; the largest first."""
    causes: dict[tuple[str, str], list[Issue]] = {}
    for issue in issues:
        causes.setdefault((issue.host, issue.verdict), []).append(issue)
    lines: list[str] = []
    for (host, verdict), same in sorted(causes.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        rule = CATALOGUE.get(verdict)
        what = rule.say if rule else gettext("Not looked at yet.")
        lines.append(f"  {host or gettext('No link')}: {what}" + (f" ({len(same)})" if len(same) > 1 else ""))
        same.sort(key=lambda issue: (issue.deadline is None, issue.deadline or issue.opened_at, issue.pk))
        lines += [_line(channel, issue, why.get(issue.pk, "")) for issue in same[:ROWS]]
        if len(same) > ROWS:
            query = urlencode({"host": host, "cause": verdict})
            more = gettext("and {count} more: {url}").format(
                count=len(same) - ROWS, url=f"{_url('issues', channel.team.slug)}?{query}"
            )
            lines.append(f"    {more}")
    return lines


def _line(channel: Channel, issue: Issue, why: str = "") -> str:
    due = ", ".join(text for text in posting_texts(issue.window, timezone.now(), zone_of(channel)) if text)
    url = _url("issue", channel.team.slug, issue.pk)
    what = mask_secrets(f"{issue.video} #{issue.video.position} · {issue.video.bundle}")
    failed = f"      {why}\n" if why else ""
    return f"    {what} · {due}\n{failed}      {url}"


def _about_workspace(channel: Channel, notice: Notice) -> str:
    if notice.workspace is None:
        return f"  {mask_secrets(notice.detail)}"
    page = "workspace" if notice.kind == NoticeKind.BEHIND else "workspace_keys"
    what = {
        NoticeKind.KEY_REFUSED: gettext("TokPortal refuses its key"),
        NoticeKind.KEY_EXPIRES: gettext("its key expires soon"),
        NoticeKind.LOW_CREDITS: gettext("it has few credits left"),
    }.get(NoticeKind(notice.kind), gettext("its checks are behind"))
    return f"  {notice.workspace.name}: {what}.\n    {_url(page, channel.team.slug, notice.workspace_id)}"


def _url(name: str, *args: object) -> str:
    return f"{settings.SITE_URL}{reverse(name, args=args)}"
