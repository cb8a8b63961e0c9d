"""The read side of the bundles pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from issues.enums import UNRESOLVED, VerdictClass
from issues.link_checks.catalogue import CATALOGUE, Verdict
from issues.link_checks.url_rules import judge_links
from issues.models import Bundle, Issue, Team, Video
from issues.queries.pages import Page, decode_cursor, encode_cursor
from issues.tokportal import constants as c

PAGE_ROWS = 50

SHOWN = {"active": gettext_noop("With a manager"), "ended": gettext_noop("Ended"), "all": gettext_noop("All")}


@dataclass(frozen=True, slots=True)
class BundleFilters:
    show: str = "active"
    text: str = ""
    workspace: str = ""

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "BundleFilters":
        show = query.get("show", "active")
        return cls(
            show=show if show in SHOWN else "active",
            text=query.get("q", "").strip()[:100].replace("\x00", ""),
            workspace=query.get("workspace", "").strip()[:80].replace("\x00", ""),
        )


def list_bundles(team: Team, filters: BundleFilters, *, after: str = "") -> Page[Bundle]:
    """Bundles by title, each with `videos_count`, `open_count` and `open_deadline`."""
    bundles: QuerySet[Bundle] = Bundle.objects.filter(workspace__team=team).select_related("workspace")
    if filters.show == "active":
        bundles = bundles.filter(gone_at=None).exclude(status__in=c.NOT_FLAGGABLE_STATUSES)
    elif filters.show == "ended":
        bundles = bundles.filter(Q(gone_at__isnull=False) | Q(status__in=c.ENDED_STATUSES))
    if filters.workspace:
        bundles = bundles.filter(workspace__name=filters.workspace)
    for word in filters.text.split()[:6]:
        bundles = bundles.filter(
            Q(title__icontains=word)
            | Q(external_ref__icontains=word)
            | Q(tokportal_id__istartswith=word)
            | Q(country__iexact=word)
        )
    bundles = bundles.order_by("title", "pk")
    cursor = decode_cursor(after, 2) if after else None
    if cursor and isinstance(cursor[0], str) and isinstance(cursor[1], int):
        bundles = bundles.filter(Q(title__gt=cursor[0]) | Q(title=cursor[0], pk__gt=cursor[1]))
    rows = list(bundles[: PAGE_ROWS + 1])
    more = len(rows) > PAGE_ROWS
    rows = rows[:PAGE_ROWS]
    _count(rows)
    return Page(rows, encode_cursor(rows[-1].title, rows[-1].pk) if more else "")


def _count(rows: Sequence[Bundle]) -> None:
    """Counts for the rows of the page alone, in two queries."""
    keys = [row.pk for row in rows]
    videos = dict(
        Video.objects.filter(bundle__in=keys)
        .order_by()
        .values_list("bundle")
        .annotate(n=Count("pk"))
        .values_list("bundle", "n")
    )
    issues = {
        row["video__bundle"]: row
        for row in Issue.objects.filter(video__bundle__in=keys, state__in=UNRESOLVED)
        .values("video__bundle")
        .annotate(n=Count("pk"), soonest=Min("deadline"))
    }
    for row in rows:
        row.videos_count = videos.get(row.pk, 0)  # type: ignore[attr-defined]
        found = issues.get(row.pk)
        row.open_count = found["n"] if found else 0  # type: ignore[attr-defined]
        row.open_deadline = found["soonest"] if found else None  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Tile:
    """A slot with its open issue, where it has one, and what its link's address says."""

    video: Video
    issue: Issue | None
    verdict: Verdict

    @property
    def is_risky(self) -> bool:
        """Nobody has flagged it, it is still to be posted, and its link is bad or ends too soon."""
        video = self.video
        coming = video.deadline is not None and video.deadline >= timezone.now()
        bad = self.verdict.is_bad or self.verdict.cls is VerdictClass.EXPIRING
        return coming and bad and not video.download_issue and video.bundle.can_be_flagged


@dataclass(frozen=True, slots=True)
class Standing:
    """How a bundle stands, in four figures. `next`: the slot that is posted next."""

    slots: int
    open: int
    risky: int
    next: Video | None

    @classmethod
    def of(cls, tiles: Sequence[Tile]) -> "Standing":
        now = timezone.now()
        coming = [tile.video for tile in tiles if tile.video.deadline and tile.video.deadline >= now]
        return cls(
            slots=len(tiles),
            open=sum(bool(tile.issue and tile.issue.is_unresolved) for tile in tiles),
            risky=sum(tile.is_risky for tile in tiles),
            next=min(coming, key=lambda video: (video.deadline or now, video.position), default=None),
        )


def _verdict(video: Video, now: datetime) -> Verdict:
    """By its address, since time passes; else what the last look at its links showed."""
    by_address = judge_links(video.links, video_type=video.media_type, needed_until=video.deadline, now=now)
    may_be_known = by_address.needs_request or by_address.code in {"tokportal_file", "private_address"}
    if may_be_known and video.link_verdict in CATALOGUE:
        opened = video.link_class == VerdictClass.OK and CATALOGUE[video.link_verdict].cls is not VerdictClass.OK
        return Verdict(video.link_verdict, opened=opened)
    return by_address


def tiles_of(bundle: Bundle) -> list[Tile]:
    """All slots of a bundle by position, in two queries."""
    now = timezone.now()
    issues = {issue.video_id: issue for issue in Issue.objects.filter(video__bundle=bundle).order_by("opened_at", "pk")}
    videos = list(Video.objects.filter(bundle=bundle).order_by("position"))
    for video in videos:
        video.bundle = bundle  # loaded already
    return [
        Tile(
            video,
            issues.get(video.pk),
            _verdict(video, now),
        )
        for video in videos
    ]
