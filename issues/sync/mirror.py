"""Answers → rows: bundles and videos upserted, issues opened, updated and closed, with their history.

One transaction a bundle. Running it twice with the same answer changes nothing the second time. An answer to a request
that was sent before our last change of a video tells an older state and is ignored for it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from issues.audit import Actor, Changes, Event, Verb, record
from issues.enums import UNRESOLVED, IssueState
from issues.links.urls import shown_url
from issues.links.verdicts import judge_links
from issues.models import Bundle, Issue, Video, Workspace
from issues.tokportal import constants as c
from issues.tokportal.payloads import BundlePayload, VideoList, VideoPayload

_BUNDLE_FIELDS = (
    "title", "external_ref", "bundle_type", "platform", "country", "status", "videos_quantity", "extra",
)  # fmt: skip
_VIDEO_FIELDS = (
    "status", "video_type", "name", "description", "external_ref", "video_url", "carousel_images", "story_image_url",
    "platform_url", "target_publish_date", "target_publish_end_date", "deadline", "download_issue",
    "download_issue_comment", "extra",
)  # fmt: skip
# A bundle or slot that is missing from one answer is not gone yet: pages shift while they are read.
MISSES_UNTIL_GONE = 2


@dataclass(slots=True)
class Tally:
    """What a step of the mirror did."""

    videos: int = 0
    opened: int = 0
    closed: int = 0


# --- The listing -------------------------------------------------------------------------------------------


def mirror_listing(
    workspace: Workspace, payloads: Sequence[BundlePayload], *, seen_at: datetime, actor: Actor
) -> Tally:
    """Upsert the bundles of one page; issues of bundles that have ended become moot."""
    with transaction.atomic():
        known = {
            bundle.tokportal_id: bundle
            for bundle in Bundle.objects.select_for_update().filter(
                workspace=workspace, tokportal_id__in=[payload.id for payload in payloads]
            )
        }
        new: list[Bundle] = []
        changed: list[Bundle] = []
        for payload in payloads:
            bundle = known.get(payload.id)
            if bundle is None:
                new.append(
                    Bundle(
                        workspace=workspace,
                        tokportal_id=payload.id,
                        last_listed_at=seen_at,
                        **{name: getattr(payload, name) for name in _BUNDLE_FIELDS},
                    )
                )
            elif _copy(payload, bundle, _BUNDLE_FIELDS):
                changed.append(bundle)
        Bundle.objects.bulk_create(new)
        Bundle.objects.bulk_update(changed, _BUNDLE_FIELDS, batch_size=200)
        Bundle.objects.filter(pk__in=[bundle.pk for bundle in known.values()]).update(
            last_listed_at=seen_at, missed_listings=0, gone_at=None
        )
        ended = [bundle for bundle in known.values() if bundle.status in c.ENDED_STATUSES]
        return _close_as_moot(workspace, ended, "status", actor)


def note_missing(workspace: Workspace, *, listed_since: datetime, actor: Actor) -> Tally:
    """After a complete listing: count a miss for each bundle that was not in it, and let go of those twice missed."""
    with transaction.atomic():
        missing = Bundle.objects.filter(workspace=workspace, gone_at=None, last_listed_at__lt=listed_since)
        missing.update(missed_listings=F("missed_listings") + 1)
        gone = list(
            Bundle.objects.select_for_update().filter(
                workspace=workspace,
                gone_at=None,
                missed_listings__gte=MISSES_UNTIL_GONE,
                last_listed_at__lt=listed_since,
            )
        )
        return _mark_gone(workspace, gone, actor)


def note_gone(bundle: Bundle, *, actor: Actor) -> Tally:
    """TokPortal answered 404 for the bundle itself."""
    with transaction.atomic():
        current = Bundle.objects.select_for_update().select_related("workspace").get(pk=bundle.pk)
        return _mark_gone(current.workspace, [current] if current.gone_at is None else [], actor)


def _mark_gone(workspace: Workspace, bundles: Sequence[Bundle], actor: Actor) -> Tally:
    Bundle.objects.filter(pk__in=[bundle.pk for bundle in bundles]).update(gone_at=timezone.now())
    return _close_as_moot(workspace, bundles, "gone", actor)


def _close_as_moot(workspace: Workspace, bundles: Sequence[Bundle], why: str, actor: Actor) -> Tally:
    """Close the open issues of bundles that have ended. One that is being fixed is left to its fix."""
    if not bundles:
        return Tally()
    issues = _open_issues_of(Q(video__bundle__in=bundles))
    status = {bundle.pk: "gone" if why == "gone" else bundle.status for bundle in bundles}
    record(
        workspace.team_id,
        actor,
        _end_as_moot(issues, lambda issue: {"bundle": [None, status[issue.video.bundle_id]]}),
    )
    return Tally(closed=len(issues))


def _open_issues_of(which: Q) -> list[Issue]:
    """Open issues, locked, with what their events need."""
    found = Issue.objects.select_for_update(of=("self",)).select_related("video__bundle")
    return list(found.filter(which, state=IssueState.OPEN).order_by("pk"))


def _end_as_moot(issues: Sequence[Issue], because: Callable[[Issue], Changes]) -> list[Event]:
    """Close issues that nothing is left to fix for; their events, in order."""
    for issue in issues:
        issue.state, issue.closed_at = IssueState.MOOT, timezone.now()
    Issue.objects.bulk_update(issues, ["state", "closed_at"], batch_size=200)
    moved: Changes = {"state": [IssueState.OPEN.value, IssueState.MOOT.value]}
    return [Event.about_issue(Verb.ISSUE_MOOT, issue, {**moved, **because(issue)}) for issue in issues]


# --- The videos of a bundle --------------------------------------------------------------------------------


def mirror_videos(bundle: Bundle, answer: VideoList, *, asked_at: datetime, actor: Actor) -> Tally:
    """Bring the bundle's slots and issues to what the answer says. `asked_at`: when the request was sent."""
    with transaction.atomic():
        bundle = Bundle.objects.select_for_update(of=("self",)).select_related("workspace").get(pk=bundle.pk)
        videos = {video.position: video for video in Video.objects.filter(bundle=bundle)}
        new, changed, current = _upsert(bundle, videos, answer.videos, asked_at)
        known = [video.pk for video in current if video.pk is not None]
        Video.objects.bulk_create(new)
        Video.objects.bulk_update(changed, _VIDEO_FIELDS, batch_size=200)
        Video.objects.filter(pk__in=known).update(last_checked_at=asked_at, missed_answers=0)
        # It answers, so it is not gone, whatever the listings say.
        Bundle.objects.filter(pk=bundle.pk).update(last_checked_at=asked_at, missed_listings=0)
        events, tally = _reconcile(bundle, current, asked_at)
        if not answer.unreadable:
            answered = {payload.position for payload in answer.videos}
            events += _miss_slots([video for video in videos.values() if video.position not in answered], tally)
        record(bundle.workspace.team_id, actor, events)
        tally.videos = len(answer.videos)
        return tally


def mirror_video(video: Video, payload: VideoPayload, *, asked_at: datetime) -> list[str]:
    """Copy one video's answer into its row (a read-back after a fix); returns the fields that changed.

    Issues are not touched: whoever fixes decides about his. Part of the caller's transaction.
    """
    changed = _copy(payload, video, _VIDEO_FIELDS)
    video.last_checked_at = asked_at
    video.save(update_fields=[*changed, "last_checked_at"])
    return changed


def _copy(payload: BundlePayload | VideoPayload, row: Bundle | Video, fields: Iterable[str]) -> list[str]:
    """Set what the answer tells and what differs on the row; returns the names."""
    changed = []
    for name in fields:
        if name not in payload.told:
            continue
        value = getattr(payload, name)
        value = list(value) if isinstance(value, tuple) else value
        if getattr(row, name) != value:
            setattr(row, name, value)
            changed.append(name)
    return changed


def _upsert(
    bundle: Bundle, known: dict[int, Video], payloads: Sequence[VideoPayload], asked_at: datetime
) -> tuple[list[Video], list[Video], list[Video]]:
    """(new, changed, all that the answer may speak for)"""
    new: list[Video] = []
    changed: list[Video] = []
    current: list[Video] = []
    for payload in payloads:
        video = known.get(payload.position)
        if video is None:
            video = Video(bundle=bundle, position=payload.position, last_checked_at=asked_at)
            _copy(payload, video, _VIDEO_FIELDS)
            video.tokportal_id = payload.id
            new.append(video)
        elif video.changed_here_at and asked_at <= video.changed_here_at:
            continue
        elif _copy(payload, video, _VIDEO_FIELDS):
            changed.append(video)
        video.bundle = bundle
        current.append(video)
    return new, changed, current


def _reconcile(bundle: Bundle, videos: Sequence[Video], asked_at: datetime) -> tuple[list[Event], Tally]:
    """Open, update and close issues so that they agree with the flags."""
    unresolved = {
        issue.video_id: issue
        for issue in Issue.objects.select_for_update(of=("self",)).filter(video__bundle=bundle, state__in=UNRESOLVED)
    }
    events: list[Event] = []
    tally = Tally()
    flagged_anew = [video for video in videos if video.download_issue and video.pk not in unresolved]
    if flagged_anew and not bundle.has_ended:
        opened = _open_issues(bundle, flagged_anew, asked_at)
        events += opened
        tally.opened = len(opened)
    touched: list[Issue] = []
    for video in videos:
        issue = unresolved.get(video.pk)
        if issue is None:
            continue
        issue.video = video
        if video.download_issue:
            event = _update_issue(issue, video, asked_at)
            events += [event] if event else []
            touched.append(issue)
        elif issue.state == IssueState.OPEN:
            changes: Changes = {"state": [issue.state, IssueState.CLEARED.value]}
            issue.state, issue.closed_at = IssueState.CLEARED, timezone.now()
            events.append(Event.about_issue(Verb.ISSUE_CLEARED, issue, changes))
            touched.append(issue)
            tally.closed += 1
        # An issue that is being fixed is closed by its fix, which knows why the flag went away.
    fields = ["state", "closed_at", "comment", "links", "deadline", "verdict", "verdict_class", "last_seen_at"]
    Issue.objects.bulk_update(touched, fields, batch_size=200)
    return events, tally


def _open_issues(bundle: Bundle, videos: Sequence[Video], asked_at: datetime) -> list[Event]:
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
            last_seen_at=asked_at,
        )
        _judge(issue, video, asked_at)
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


def _judge(issue: Issue, video: Video, now: datetime) -> None:
    verdict = judge_links(issue.links, video_type=video.video_type, needed_until=issue.deadline, now=now)
    issue.verdict, issue.verdict_class = verdict.code, verdict.cls.value


def _update_issue(issue: Issue, video: Video, asked_at: datetime) -> Event | None:
    """Follow what changed while the flag stands; the event, where something did."""
    changes: Changes = {}
    if issue.comment != video.download_issue_comment:
        changes["comment"] = [issue.comment, video.download_issue_comment]
        issue.comment = video.download_issue_comment
    if issue.links != video.links:
        changes["links"] = [[shown_url(link) for link in issue.links], [shown_url(link) for link in video.links]]
        issue.links = video.links
    if issue.deadline != video.deadline:
        changes["deadline"] = [
            issue.deadline.isoformat() if issue.deadline else None,
            video.deadline.isoformat() if video.deadline else None,
        ]
        issue.deadline = video.deadline
    _judge(issue, video, asked_at)
    issue.last_seen_at = asked_at
    return Event.about_issue(Verb.ISSUE_UPDATED, issue, changes) if changes else None


def _miss_slots(videos: Sequence[Video], tally: Tally) -> list[Event]:
    """Slots that complete answers do not have any more: their open issues are moot after the second miss."""
    if not videos:
        return []
    keys = [video.pk for video in videos]
    Video.objects.filter(pk__in=keys, missed_answers__lt=MISSES_UNTIL_GONE).update(
        missed_answers=F("missed_answers") + 1
    )
    gone = [video.pk for video in videos if video.missed_answers + 1 >= MISSES_UNTIL_GONE]
    issues = _open_issues_of(Q(video__in=gone))
    tally.closed += len(issues)
    return _end_as_moot(issues, lambda issue: {"slot": [None, "gone"]})
