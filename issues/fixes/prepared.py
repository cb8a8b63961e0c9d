"""Replacements for videos that are not flagged yet: kept, and sent as soon as the flag is seen."""

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from issues.audit import Actor, Changes, Event, Verb, record
from issues.enums import CAROUSEL_KINDS, IssueState, Origin
from issues.fixes.carousels import ImageCount, refuse_fewer_images
from issues.fixes.dates import keeps_dates
from issues.fixes.link_gate import refuse_bad_links
from issues.fixes.submit import body_of, check_links, create_fix, link_kind
from issues.link_checks.masking import shown_url
from issues.models import Issue, PreparedFix, Video
from issues.problems import Refusal


def prepare(
    *,
    video: Video,
    links: Sequence[str],
    actor: Actor,
    unchecked: bool = False,
    fewer_than: int | None = None,
    keep_dates: bool | None = None,
) -> PreparedFix:
    """Keep links for a video that may be flagged; a former one that waits is replaced.

    Whether a carousel may lose images (`fewer_than`) is asked now. The replacement is for the media that the slot holds
    now: if the slot holds other media when the flag comes, the replacement is withdrawn, and a person decides.

    `keep_dates`: the planned dates come back if the fix posts earlier; `None`: as the team does it then.

    Raises Refusal for links that cannot be sent, BadLinkError for bad ones, FewerImagesError, and Refusal where the
    video is flagged now.
    """
    kind = link_kind(video)
    cleaned = check_links(kind, links, held=video.links, unchecked=unchecked)
    if kind in CAROUSEL_KINDS:
        refuse_fewer_images(ImageCount(len(video.links), len(cleaned)), fewer_than)
    refuse_bad_links(video, cleaned, unchecked=unchecked)
    team_id = video.bundle.workspace.team_id
    with transaction.atomic():
        current = Video.objects.select_for_update().get(pk=video.pk)
        if current.download_issue:
            raise Refusal(_("This video is flagged already: fix it now."), code="ALREADY_FLAGGED")
        waiting_for([current]).update(withdrawn_at=timezone.now())
        row = PreparedFix.objects.create(
            team_id=team_id, video=current, links=cleaned, before=current.links, actor=actor.user,
            actor_name=actor.name, request_id=actor.request_id, unchecked=unchecked, fewer_than=fewer_than,
            keep_dates=keep_dates,
        )  # fmt: skip
        changes: Changes = {"links": [[shown_url(link) for link in video.links], [shown_url(link) for link in cleaned]]}
        if keep_dates is not None:
            changes["keep_dates"] = [None, keep_dates]
        record(team_id, actor, [Event.about_video(Verb.FIX_PREPARED, video, changes)])
    return row


def waiting() -> QuerySet[PreparedFix]:
    """Prepared replacements that wait for a flag."""
    return PreparedFix.objects.filter(used_at=None, withdrawn_at=None)


def waiting_for(videos: Sequence[Video]) -> QuerySet[PreparedFix]:
    """Those of these videos."""
    return waiting().filter(video__in=videos)


def withdraw(*, video: Video, actor: Actor) -> None:
    """Take a prepared replacement back. Nothing happens where none waits."""
    with transaction.atomic():
        if waiting_for([video]).update(withdrawn_at=timezone.now()):
            record(video.bundle.workspace.team_id, actor, [Event.about_video(Verb.FIX_WITHDRAWN, video)])


def send_prepared(limit: int = 50) -> int:
    """Send what was prepared for videos that are flagged now; returns how many."""
    found = waiting().filter(video__issues__state=IssueState.OPEN).select_related("actor")
    return sum(_send(row) for row in found.distinct()[:limit])


def _send(row: PreparedFix) -> bool:
    issue = (
        Issue.objects.filter(video=row.video_id, state=IssueState.OPEN)
        .select_related("video__bundle", "workspace", "team")
        .first()
    )
    if issue is None:
        return False
    if row.before is not None and row.before != issue.video.links:
        _withdraw_outdated(row, issue)
        return False
    actor = Actor(name=row.actor_name, origin=Origin.TASK, user=row.actor, request_id=row.request_id)
    try:
        with transaction.atomic():
            mine = PreparedFix.objects.filter(pk=row.pk, used_at=None, withdrawn_at=None).update(used_at=timezone.now())
            if not mine:
                return False
            kind = link_kind(issue.video)
            create_fix(
                issue=issue,
                kind=kind,
                actor=actor,
                body=body_of(kind, row.links),
                typed=row.links,
                prepared=row,
                fewer_than=row.fewer_than,
                unchecked=row.unchecked,
                keep_dates=keeps_dates(issue.video, issue.team, row.keep_dates),
            )
    except (Refusal, IntegrityError):
        return False  # somebody's own fix was faster: the replacement waits on
    return True


def _withdraw_outdated(row: PreparedFix, issue: Issue) -> None:
    """Somebody gave the slot other media after the replacement was prepared: a person decides which one is meant."""
    with transaction.atomic():
        if PreparedFix.objects.filter(pk=row.pk, used_at=None, withdrawn_at=None).update(withdrawn_at=timezone.now()):
            changes: Changes = {
                "links": [[shown_url(link) for link in links] for links in (row.before or [], issue.video.links)]
            }
            record(row.team_id, Actor.system(), [Event.about_video(Verb.FIX_WITHDRAWN, issue.video, changes)])
