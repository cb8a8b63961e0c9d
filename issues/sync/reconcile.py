"""Flags → issues: opened, followed and closed so that they agree with what TokPortal shows, each with its event.

Everything here is part of the mirror's transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q
from django.utils import timezone

from issues.audit import Changes, Event, Verb
from issues.enums import UNRESOLVED, IssueState
from issues.link_checks.blame import failing_host
from issues.link_checks.masking import shown_url
from issues.link_checks.url_rules import judge_link, judge_links
from issues.models import Bundle, Issue, Video
from issues.sync.described import describe

# A bundle or slot that is missing from one answer is not gone yet: pages shift while they are read.
MISSES_UNTIL_GONE = 2


@dataclass(slots=True)
class Tally:
    """What a step of the mirror did."""

    videos: int = 0
    opened: int = 0
    closed: int = 0
    unresolved: int = 0  # issues of the bundle that are open or being fixed now
    gaps: int = 0  # of the opened, those that a former look did not have
    gap_seconds: float = 0.0  # since that look, summed over them


def reconcile(
    bundle: Bundle, videos: Sequence[Video], asked_at: datetime, *, is_first: bool
) -> tuple[list[Event], Tally]:
    """Open, update and close issues so that they agree with the flags."""
    unresolved: dict[int, Issue] = {}
    if not is_first:
        found = Issue.objects.select_for_update(of=("self",)).filter(video__bundle=bundle, state__in=UNRESOLVED)
        unresolved = {issue.video_id: issue for issue in found}
    events: list[Event] = []
    tally = Tally()
    flagged_anew = [video for video in videos if video.download_issue and video.pk not in unresolved]
    if flagged_anew and not bundle.has_ended:
        opened = _open_issues(bundle, flagged_anew, asked_at, is_first=is_first)
        events += opened
        tally.opened = len(opened)
    touched: list[Issue] = []
    for video in videos:
        issue = unresolved.get(video.pk)
        if issue is None:
            continue
        issue.video = video
        if video.download_issue:
            event, is_changed = _update_issue(issue, video, asked_at)
            events += [event] if event else []
            touched += [issue] if is_changed else []
        elif issue.state == IssueState.OPEN:
            changes: Changes = {"state": [issue.state, IssueState.CLEARED.value]}
            issue.state, issue.closed_at = IssueState.CLEARED, timezone.now()
            events.append(Event.about_issue(Verb.ISSUE_CLEARED, issue, changes))
            touched.append(issue)
            tally.closed += 1
        # An issue that is being fixed is closed by its fix, which knows why the flag went away.
    fields = ["state", "closed_at", "comment", "links", "deadline", "verdict", "verdict_class", "host", "snoozed_until"]
    if touched:
        Issue.objects.bulk_update(touched, fields, batch_size=200)
    told_anew = [*flagged_anew, *(issue.video for issue in touched)]
    if told_anew:
        describe(Q(video__in=told_anew, state__in=UNRESOLVED))
    tally.unresolved = tally.opened + sum(issue.is_unresolved for issue in unresolved.values())
    return events, tally


def _open_issues(bundle: Bundle, videos: Sequence[Video], asked_at: datetime, *, is_first: bool) -> list[Event]:
    looked = None if is_first else bundle.last_checked_at
    former: dict[int, Issue] = {}
    for issue in Issue.objects.filter(video__in=videos).order_by("opened_at", "pk"):
        former[issue.video_id] = issue
    rows = []
    for video in videos:
        before = former.get(video.pk)
        issue = Issue(
            team_id=bundle.workspace.team_id,
            workspace=bundle.workspace,
            video=video,
            former=before,
            episode=before.episode + 1 if before else 1,
            comment=video.download_issue_comment,
            links=video.links,
            deadline=video.deadline,
            opened_at=asked_at,
            seen_within=(asked_at - looked).total_seconds() if looked else None,
        )
        _judge(issue, video, asked_at, is_same=False)
        rows.append(issue)
    Issue.objects.bulk_create(rows)
    return [
        Event.about_issue(
            Verb.ISSUE_OPENED,
            issue,
            {
                "state": [None, IssueState.OPEN.value],
                "comment": [None, issue.comment],
                "links": [None, [shown_url(link) for link in issue.links]],
                "deadline": [None, issue.video.target_publish_end_date or issue.video.target_publish_date or None],
                **({"episode": [issue.episode - 1, issue.episode]} if issue.episode > 1 else {}),
            },
        )
        for issue in rows
    ]


def _judge(issue: Issue, video: Video, now: datetime, *, is_same: bool) -> None:
    """By the address; where the same links were looked at before, that look stands unless the address is worse."""
    verdict = judge_links(issue.links, video_type=video.media_type, needed_until=issue.deadline, now=now)
    # A private address that was opened is the store of a sandbox, or of a TokPortal in our own network.
    if is_same and video.link_checked_at and (not verdict.is_bad or verdict.code == "private_address"):
        issue.verdict, issue.verdict_class = video.link_verdict, video.link_class
        return  # and the host that it blamed
    issue.verdict, issue.verdict_class = verdict.code, verdict.cls.value
    held = issue.links if video.media_type != "video" else []
    found = [judge_link(link, needed_until=issue.deadline, now=now, held=held) for link in issue.links]
    issue.host = failing_host(issue.links, found)


def _update_issue(issue: Issue, video: Video, asked_at: datetime) -> tuple[Event | None, bool]:
    """Follow what changed while the flag stands: the event, where something did, and whether the row differs."""
    changes: Changes = {}
    former_verdict = issue.verdict, issue.verdict_class
    if issue.comment != video.download_issue_comment:
        changes["comment"] = [issue.comment, video.download_issue_comment]
        issue.comment = video.download_issue_comment
    is_same = issue.links == video.links
    if not is_same:
        changes["links"] = [[shown_url(link) for link in issue.links], [shown_url(link) for link in video.links]]
        issue.links = video.links
    if issue.deadline != video.deadline:
        changes["deadline"] = [
            issue.deadline.isoformat() if issue.deadline else None,
            video.deadline.isoformat() if video.deadline else None,
        ]
        issue.deadline = video.deadline
    _judge(issue, video, asked_at, is_same=is_same)
    if changes and issue.snoozed_until and issue.snoozed_until > asked_at:
        # There is news: whoever put it aside wants to know.
        changes["snoozed_until"] = [issue.snoozed_until.isoformat(), None]
        issue.snoozed_until = None
    event = Event.about_issue(Verb.ISSUE_UPDATED, issue, changes) if changes else None
    return event, bool(changes) or former_verdict != (issue.verdict, issue.verdict_class)


def miss_slots(videos: Sequence[Video], tally: Tally, *, known_at: datetime | None) -> list[Event]:
    """Slots that complete answers do not have any more: their open issues are moot after the second miss."""
    if not videos:
        return []
    keys = [video.pk for video in videos]
    # The bundle's answers do not speak for it any more: keep the moment as of which it is known.
    Video.objects.filter(pk__in=keys, missed_answers=0).update(last_checked_at=known_at)
    Video.objects.filter(pk__in=keys, missed_answers__lt=MISSES_UNTIL_GONE).update(
        missed_answers=F("missed_answers") + 1
    )
    gone = [video.pk for video in videos if video.missed_answers + 1 >= MISSES_UNTIL_GONE]
    issues = open_issues_of(Q(video__in=gone))
    tally.closed += len(issues)
    return end_as_moot(issues, lambda issue: {"slot": [None, "gone"]})


def open_issues_of(which: Q) -> list[Issue]:
    """Open issues, locked, with what their events need."""
    found = Issue.objects.select_for_update(of=("self",)).select_related("video__bundle")
    return list(found.filter(which, state=IssueState.OPEN).order_by("pk"))


def end_as_moot(issues: Sequence[Issue], because: Callable[[Issue], Changes]) -> list[Event]:
    """Close issues that nothing is left to fix for; their events, in order."""
    for issue in issues:
        issue.state, issue.closed_at = IssueState.MOOT, timezone.now()
    Issue.objects.bulk_update(issues, ["state", "closed_at"], batch_size=200)
    moved: Changes = {"state": [IssueState.OPEN.value, IssueState.MOOT.value]}
    return [Event.about_issue(Verb.ISSUE_MOOT, issue, {**moved, **because(issue)}) for issue in issues]
