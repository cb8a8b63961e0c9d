"""The read side of the issues pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from issues.checks.store import known_looks, verdict_of, worst
from issues.enums import UNRESOLVED, FixState, IssueState, VerdictClass
from issues.links.catalogue import Verdict
from issues.links.verdicts import is_about_content, judge_links
from issues.models import AuditEvent, Fix, Issue, LinkCheck, Membership, Team, Video
from issues.queries.history_lines import Line, read_events
from issues.queries.pages import Page, decode_cursor, encode_cursor

PAGE_ROWS = 50
MAX_TEXT = 100

TABS: dict[str, tuple[str, frozenset[IssueState]]] = {
    "open": ("Open", UNRESOLVED),
    "fixed": ("Fixed", frozenset({IssueState.FIXED})),
    "ended": ("Ended otherwise", frozenset({IssueState.CLEARED, IssueState.MOOT})),
    "all": ("All", frozenset(IssueState)),
}


@dataclass(frozen=True, slots=True)
class IssueFilters:
    """What the page's address says; unknown values fall back to "any"."""

    tab: str = "open"
    workspace: str = ""
    platform: str = ""
    country: str = ""
    verdict: str = ""
    due: str = ""  # "late", "today" or any
    text: str = ""

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "IssueFilters":
        def of(name: str) -> str:
            return query.get(name, "").strip()[:MAX_TEXT].replace("\x00", "")

        return cls(
            tab=of("state") if of("state") in TABS else "open",
            workspace=of("workspace"),
            platform=of("platform"),
            country=of("country"),
            verdict=of("verdict") if of("verdict") in VerdictClass.values else "",
            due=of("due") if of("due") in {"late", "today"} else "",
            text=of("q"),
        )

    @property
    def query(self) -> list[tuple[str, str]]:
        """The filters as the page's address has them, without the tab."""
        pairs = [("workspace", self.workspace), ("platform", self.platform), ("country", self.country)]
        pairs += [("verdict", self.verdict), ("due", self.due), ("q", self.text)]
        return [(name, value) for name, value in pairs if value]

    @property
    def narrowed(self) -> bool:
        """Whether anything but the tab narrows the list."""
        return bool(self.workspace or self.platform or self.country or self.verdict or self.due or self.text)


@dataclass(frozen=True, slots=True)
class Tab:
    name: str
    label: str
    count: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class IssueList:
    """A page of the queue with what stands around it."""

    page: Page[Issue]
    tabs: Sequence[Tab]
    total: int  # in this tab, with the filters
    unfiltered: int  # in this tab, without them


def _narrow(issues: QuerySet[Issue], filters: IssueFilters, now: datetime) -> QuerySet[Issue]:
    if filters.workspace:
        issues = issues.filter(workspace__name=filters.workspace)
    if filters.platform:
        issues = issues.filter(video__bundle__platform=filters.platform)
    if filters.country:
        issues = issues.filter(video__bundle__country=filters.country)
    if filters.verdict:
        issues = issues.filter(verdict_class=filters.verdict)
    if filters.due == "late":
        issues = issues.filter(deadline__lt=now)
    elif filters.due == "today":
        end = timezone.localtime(now).replace(hour=23, minute=59, second=59, microsecond=999999)
        issues = issues.filter(deadline__lte=end)
    for word in filters.text.split()[:6]:
        issues = issues.filter(
            Q(video__name__icontains=word)
            | Q(video__external_ref__icontains=word)
            | Q(video__bundle__title__icontains=word)
            | Q(video__bundle__external_ref__icontains=word)
            | Q(video__bundle__tokportal_id__istartswith=word)
            | Q(comment__icontains=word)
        )
    return issues


def list_issues(team: Team, filters: IssueFilters, *, after: str = "") -> IssueList:
    """The queue: unresolved ones by deadline, the most urgent first; others by when they ended."""
    now = timezone.now()
    base = Issue.objects.filter(team=team)
    counts = {row["state"]: row["n"] for row in _narrow(base, filters, now).values("state").annotate(n=Count("pk"))}
    tabs = [
        Tab(name, label, sum(counts.get(state, 0) for state in states), name == filters.tab)
        for name, (label, states) in TABS.items()
    ]
    states = TABS[filters.tab][1]
    total = sum(counts.get(state, 0) for state in states)
    unfiltered = base.filter(state__in=states).count() if filters.narrowed else total
    found = _narrow(base.filter(state__in=states), filters, now).select_related(
        "video__bundle", "workspace", "claimed_by"
    )
    page = _urgent_first(found, after) if filters.tab == "open" else _latest_first(found, after)
    return IssueList(page, tabs, total, unfiltered)


def matching_issues(team: Team, filters: IssueFilters) -> QuerySet[Issue]:
    """All open issues that the filters name, most urgent first: what "all that match" means."""
    found = _narrow(Issue.objects.filter(team=team, state=IssueState.OPEN), filters, timezone.now())
    return found.select_related("video__bundle", "workspace").order_by(F("deadline").asc(nulls_last=True), "pk")


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _urgent_first(found: QuerySet[Issue], after: str) -> Page[Issue]:
    """By deadline, those without one last; then by id."""
    found = found.order_by(F("deadline").asc(nulls_last=True), "pk")
    cursor = decode_cursor(after, 2) if after else None
    if cursor and isinstance(cursor[1], int):
        last = _moment(cursor[0])
        if last is None:
            found = found.filter(deadline=None, pk__gt=cursor[1])
        else:
            found = found.filter(Q(deadline__gt=last) | Q(deadline=last, pk__gt=cursor[1]) | Q(deadline=None))
    rows = list(found[: PAGE_ROWS + 1])
    if len(rows) <= PAGE_ROWS:
        return Page(rows)
    last_row = rows[PAGE_ROWS - 1]
    text = last_row.deadline.isoformat() if last_row.deadline else None
    return Page(rows[:PAGE_ROWS], encode_cursor(text, last_row.pk))


def _latest_first(found: QuerySet[Issue], after: str) -> Page[Issue]:
    """Those that ended last first; unresolved ones before all others."""
    found = found.order_by(F("closed_at").desc(nulls_first=True), "-pk")
    cursor = decode_cursor(after, 2) if after else None
    if cursor and isinstance(cursor[1], int):
        last = _moment(cursor[0])
        behind = Q(closed_at=None, pk__lt=cursor[1]) | Q(closed_at__isnull=False)
        if last is not None:
            behind = Q(closed_at__lt=last) | Q(closed_at=last, pk__lt=cursor[1])
        found = found.filter(behind)
    rows = list(found[: PAGE_ROWS + 1])
    if len(rows) <= PAGE_ROWS:
        return Page(rows)
    last_row = rows[PAGE_ROWS - 1]
    return Page(
        rows[:PAGE_ROWS],
        encode_cursor(last_row.closed_at.isoformat() if last_row.closed_at else None, last_row.pk),
    )


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters offer: only what occurs among the team's issues."""

    workspaces: Sequence[str]
    platforms: Sequence[str]
    countries: Sequence[str]
    verdicts: Sequence[tuple[str, str]] = field(default_factory=lambda: VerdictClass.choices)


def filter_choices(team: Team) -> Choices:
    pairs = set(
        Issue.objects.filter(team=team)
        .values_list("workspace__name", "video__bundle__platform", "video__bundle__country")
        .distinct()
    )
    used = set(Issue.objects.filter(team=team).values_list("verdict_class", flat=True).distinct())
    return Choices(
        workspaces=sorted({pair[0] for pair in pairs}),
        platforms=sorted({pair[1] for pair in pairs if pair[1]}),
        countries=sorted({pair[2] for pair in pairs if pair[2]}),
        verdicts=[(value, label) for value, label in VerdictClass.choices if value in used],
    )


@dataclass(frozen=True, slots=True)
class SlotLink:
    """A link of the slot, what we think of it, and the look that this rests on."""

    url: str
    verdict: Verdict
    look: LinkCheck | None


@dataclass(frozen=True, slots=True)
class IssueStory:
    """All that the issue's page says."""

    issue: Issue
    video: Video
    links: Sequence[SlotLink]  # in order
    verdict: Verdict
    looked_at: datetime | None  # when the hosts of its links were asked last
    looking: bool  # a look is due or under way
    about_content: bool  # the manager complains about what is in the video
    fix: Fix | None  # the latest attempt
    story: Sequence[Line]
    next_issue: Issue | None


def read_issue(membership: Membership, issue: Issue) -> IssueStory:
    """The issue with both voices, its latest fix, and the story of its video, oldest first."""
    video = issue.video
    looks = known_looks(issue.team_id, issue.links)
    links = [
        SlotLink(link, verdict_of(link, looks.get(link), needed_until=issue.deadline), looks.get(link))
        for link in issue.links
    ]
    if video.video_type == "story" or not links:
        verdict = judge_links(issue.links, video_type=video.video_type, needed_until=issue.deadline, now=timezone.now())
    else:
        verdict = worst([entry.verdict for entry in links])
    events = AuditEvent.objects.filter(
        team=membership.team,
        workspace_id=issue.workspace_id,
        bundle_id=video.bundle.tokportal_id,
        position=video.position,
    ).order_by("seq")
    following = (
        Issue.objects.filter(team=membership.team, state=IssueState.OPEN)
        .exclude(pk=issue.pk)
        .select_related("video__bundle")
        .order_by(F("deadline").asc(nulls_last=True), "pk")
        .first()
    )
    return IssueStory(
        issue=issue,
        video=video,
        links=links,
        verdict=verdict,
        looked_at=max((e.look.checked_at for e in links if e.look and e.look.evidence.get("asked")), default=None),
        looking=bool(video.link_due_at and video.link_due_at <= timezone.now() + timedelta(minutes=3))
        and issue.is_unresolved,
        about_content=is_about_content(issue.comment),
        fix=issue.fixes.order_by("-created_at").first(),
        story=read_events(list(events[:200])),
        next_issue=following,
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a fix's way: done, now, or still to come."""

    label: str
    is_done: bool
    is_now: bool


def steps_of(fix: Fix) -> list[Step]:
    """Queued (or uploading) → sending → accepted → verified."""
    first = {"video_file": "Uploading", "image_files": "Uploading", "rehost": "Copying"}.get(fix.kind, "Queued")
    labels = [first, "Sending", "Checking", "Verified"]
    order = {
        FixState.QUEUED: 0, FixState.UPLOADING: 0, FixState.FETCHING: 0, FixState.UPLOADED: 1, FixState.SENDING: 1,
        FixState.VERIFYING: 2, FixState.SUCCEEDED: 4,
    }  # fmt: skip
    now = order.get(FixState(fix.state), 0)
    return [Step(label, number < now, number == now) for number, label in enumerate(labels)]


def open_issues_for(team: Team) -> QuerySet[Issue]:
    """The unresolved issues of a team, most urgent first, for commands."""
    return (
        Issue.objects.filter(team=team)
        .select_related("video__bundle", "workspace")
        .order_by(F("deadline").asc(nulls_last=True), "pk")
    )
