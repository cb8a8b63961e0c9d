"""Look at videos' links by ourselves: new issues at once, videos that are not flagged before they are posted.

A video is due by a column; whoever pushes the column on has claimed it, and a worker that dies leaves it due again.
Hosts are treated kindly: a few links of one host in each batch.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from issues.checks.store import digest_of, keep, media_kind_of, open_media, own_hosts, verdict_of, worst
from issues.enums import UNRESOLVED, VerdictClass
from issues.link_checks.blame import failing_host
from issues.link_checks.catalogue import Verdict
from issues.link_checks.checker import Report
from issues.link_checks.url_rules import judge_links
from issues.link_checks.urls import host_of
from issues.models import Issue, LinkCheck, Team, Video
from issues.sync.described import describe
from issues.tokportal.storage_paths import public_address

AT_A_TIME = 8
BATCH = 40
LINKS_OF_A_HOST = 4  # in a batch
CLAIM = timedelta(minutes=3)
AGAIN = {
    VerdictClass.OK: timedelta(days=1),
    VerdictClass.EXPIRING: timedelta(days=1),
    VerdictClass.UNSURE: timedelta(hours=1),
    VerdictClass.DEAD: timedelta(hours=6),
    VerdictClass.BLOCKED: timedelta(hours=6),
    VerdictClass.WRONG: timedelta(hours=6),
}
MOST_UNSURE = timedelta(hours=12)
# Doubts that time does not settle: the file is what it is, and the host treats programs as it does.
STEADY_DOUBTS = frozenset(
    {"unusual_video", "unusual_image", "unknown_bytes", "needs_browser", "needs_cookie", "packed_body", "odd_port"}
)
SOON = timedelta(minutes=15)  # until we ask again for a file that was not ready


def due_videos(limit: int = BATCH) -> list[Video]:
    """Claim videos whose links are due: flagged ones first, then those that are posted soonest."""
    now = timezone.now()
    found = (
        Video.objects.filter(link_due_at__lte=now)
        .select_related("bundle__workspace__team")
        .order_by("-download_issue", F("deadline").asc(nulls_last=True), "pk")
    )
    claimed = []
    for video in found[:limit]:
        mine = Video.objects.filter(pk=video.pk, link_due_at=video.link_due_at).update(link_due_at=now + CLAIM)
        if mine:
            video.link_due_at = now + CLAIM
            claimed.append(video)
    return claimed


def check_due_videos() -> int:
    """Look at one batch; returns how many videos were claimed."""
    videos = due_videos()
    if not videos:
        return 0
    hosts: Counter[str] = Counter()
    now_ones, later_ones = [], []
    for video in videos:
        prefix = video.bundle.workspace.storage_prefix
        needed = Counter(host for link in video.links if (host := host_of(public_address(link, prefix) or link)))
        # A carousel of one host is one slot: it waits for its turn as a whole, and is never too large for it.
        if all(hosts[host] == 0 or hosts[host] + count <= LINKS_OF_A_HOST for host, count in needed.items()):
            hosts += needed
            now_ones.append(video)
        else:
            later_ones.append(video.pk)
    Video.objects.filter(pk__in=later_ones).update(link_due_at=timezone.now())
    _check(now_ones)
    return len(videos)


def _check(videos: Sequence[Video]) -> None:
    teams = {video.bundle.workspace.team_id: video.bundle.workspace.team for video in videos}
    own = {key: own_hosts(team) for key, team in teams.items()}

    def look(job: tuple[Video, str]) -> Report:
        video, link = job
        return open_media(
            link,
            prefix=video.bundle.workspace.storage_prefix,
            expects=media_kind_of(video),
            needed_until=video.deadline,
            own_hosts=own[video.bundle.workspace.team_id],
        )

    jobs = [(video, link) for video in videos for link in dict.fromkeys(video.links)]
    with ThreadPoolExecutor(AT_A_TIME) as pool:  # no database in these threads
        reports = list(pool.map(look, jobs))
    seen: dict[int, dict[str, Report]] = {}
    for (video, link), report in zip(jobs, reports, strict=True):
        seen.setdefault(video.pk, {})[link] = report
    for video in videos:
        note_looks(video, seen.get(video.pk, {}))


def note_looks(video: Video, reports: dict[str, Report]) -> None:
    """Write down what was seen, on the video and on its open issue, and when to look again."""
    team: Team = video.bundle.workspace.team
    with transaction.atomic():
        # In one order for everybody: two slots may have links in common.
        looks = {link: keep(team.pk, link, reports[link]) for link in sorted(reports, key=digest_of)}
        current = Video.objects.select_for_update().filter(pk=video.pk).first()
        if current is None:
            return
        if current.links != video.links or current.deadline != video.deadline:
            # It changed while we looked: look again.
            Video.objects.filter(pk=video.pk).update(link_due_at=timezone.now())
            return
        verdict, host = _verdict(current, looks)
        now = timezone.now()
        former = current.link_checked_at
        current.link_verdict, current.link_class = verdict.code, verdict.cls.value
        current.link_checked_at = now
        current.link_due_at = _next_look(current, verdict, former, now, ended=video.bundle.has_ended)
        current.save(update_fields=["link_verdict", "link_class", "link_checked_at", "link_due_at"])
        issues = Issue.objects.filter(video=current, state__in=UNRESOLVED, links=current.links)
        issues.update(verdict=verdict.code, verdict_class=verdict.cls.value)
        if issues.exclude(host=host).update(host=host):
            describe(Q(video=current, state__in=UNRESOLVED))  # people search for hosts, too


def _verdict(video: Video, looks: dict[str, LinkCheck]) -> tuple[Verdict, str]:
    """What is wrong with the slot, and the host that is to blame for it."""
    seen = [verdict_of(link, looks.get(link), needed_until=video.deadline) for link in video.links]
    host = failing_host(video.links, seen)
    if video.media_type == "story" or not video.links:
        by_address = judge_links(
            video.links, video_type=video.media_type, needed_until=video.deadline, now=timezone.now()
        )
        return by_address, host
    return worst(seen), host


def _next_look(
    video: Video, verdict: Verdict, former: datetime | None, now: datetime, *, ended: bool
) -> datetime | None:
    """Until it is posted, more often while time may settle a doubt; never for a bundle that has ended."""
    if ended or not video.links or video.media_type == "story":
        return None
    if not video.download_issue and (video.deadline is None or video.deadline < now):
        return None
    if verdict.code in STEADY_DOUBTS:
        return now + AGAIN[VerdictClass.OK]
    pause = SOON if verdict.code == "not_ready" else AGAIN[verdict.cls]
    if verdict.cls is VerdictClass.UNSURE and former:
        pause = min(max(pause, (now - former) * 2), MOST_UNSURE)
    return now + pause
