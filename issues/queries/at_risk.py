"""The read side of the at-risk page: videos that nobody has flagged yet, and that will be."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from issues.checks.store import known_looks, verdict_of
from issues.enums import VerdictClass
from issues.fixes.dates import days_earlier
from issues.fixes.prepared import waiting, waiting_for
from issues.link_checks.blame import failing_host
from issues.models import PreparedFix, Team, Video
from issues.queries.pages import Page, decode_cursor, encode_cursor
from issues.tokportal import constants as c

PAGE_ROWS = 50
AT_RISK = (VerdictClass.DEAD, VerdictClass.BLOCKED, VerdictClass.WRONG, VerdictClass.EXPIRING)


@dataclass(frozen=True, slots=True)
class RiskyVideo:
    """A video with the replacement that waits for its flag, where there is one."""

    video: Video
    prepared: PreparedFix | None
    host: str = ""  # the one that fails; known if its links were opened

    @property
    def earlier(self) -> int:
        """How many days earlier than planned a fix of today would post it."""
        return days_earlier(self.video)


@dataclass(frozen=True, slots=True)
class AtRisk:
    page: Page[RiskyVideo]
    total: int
    checked: int  # videos that are posted later and whose links were looked at
    waiting: int  # and those that were not yet
    spare: list[RiskyVideo]  # on the first page: no longer at risk, but a replacement waits for their flag


def _coming(team: Team) -> QuerySet[Video]:
    """Videos that are with a manager, not flagged, and whose posting is not over."""
    return Video.objects.filter(
        bundle__workspace__team=team, bundle__gone_at=None, download_issue=False, deadline__gte=timezone.now()
    ).exclude(bundle__status__in=c.NOT_FLAGGABLE_STATUSES)


def list_at_risk(team: Team, *, after: str = "") -> AtRisk:
    """Soonest first."""
    coming = _coming(team)
    risky = coming.filter(link_class__in=AT_RISK)
    total = risky.count()
    rows = risky.select_related("bundle__workspace").order_by("deadline", "pk")
    cursor = decode_cursor(after, 2) if after else None
    if cursor and isinstance(cursor[0], str) and isinstance(cursor[1], int):
        try:
            moment = datetime.fromisoformat(cursor[0])
        except ValueError:
            moment = None
        if moment:
            rows = rows.filter(Q(deadline__gt=moment) | Q(deadline=moment, pk__gt=cursor[1]))
    videos = list(rows[: PAGE_ROWS + 1])
    more = len(videos) > PAGE_ROWS
    videos = videos[:PAGE_ROWS]
    prepared = {entry.video_id: entry for entry in waiting_for(videos)}
    last = videos[-1] if more else None
    hosts = _failing_hosts(team, videos)
    page = Page(
        [RiskyVideo(video, prepared.get(video.pk), hosts.get(video.pk, "")) for video in videos],
        encode_cursor(last.deadline.isoformat() if last.deadline else "", last.pk) if last else "",
    )
    return AtRisk(
        page,
        total,
        checked=coming.filter(link_checked_at__isnull=False).count(),
        waiting=coming.filter(link_checked_at=None, link_due_at__isnull=False).count(),
        spare=[] if after else _spare(team, risky),
    )


def _failing_hosts(team: Team, videos: Sequence[Video]) -> dict[int, str]:
    """For carousels, the host of the image that fails. One query at most."""
    several = [video for video in videos if len(video.links) > 1]
    looks = known_looks(team.pk, {link for video in several for link in video.links})
    return {
        video.pk: failing_host(
            video.links,
            [verdict_of(link, looks.get(link), needed_until=video.deadline) for link in video.links],
        )
        for video in several
    }


def _spare(team: Team, risky: QuerySet[Video]) -> list[RiskyVideo]:
    """A link may come back to life, or be changed at TokPortal; what was prepared stays where it can be withdrawn."""
    prepared = waiting().filter(~Exists(risky.filter(pk=OuterRef("video"))), team=team)
    alive = prepared.filter(video__download_issue=False, video__bundle__gone_at=None)
    alive = alive.exclude(video__bundle__status__in=c.ENDED_STATUSES)
    rows = alive.select_related("video__bundle__workspace").order_by("-created_at")
    return [RiskyVideo(row.video, row) for row in rows]
