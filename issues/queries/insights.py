"""Are we getting better: how many flags, how soon seen, how soon fixed, what breaks most, who carries it.

Everything is counted from the issues themselves, so that each figure agrees with what the queue shows.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, Min, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from issues.audit.export import safe_cell
from issues.enums import UNRESOLVED, FixState, IssueState
from issues.models import Fix, Issue, Membership, Team, Workspace

PERIODS = {
    7: gettext_noop("Last 7 days"),
    30: gettext_noop("Last 30 days"),
    90: gettext_noop("Last 90 days"),
    365: gettext_noop("Last 12 months"),
}
USUAL = 30
TOP = 10
# Upper ends of the classes of "how long fixes took", in seconds; the last class is open.
CLASSES = (
    (gettext_noop("under 15 min"), 15 * 60),
    (gettext_noop("15 min – 1 h"), 3600),
    (gettext_noop("1 – 4 h"), 4 * 3600),
    (gettext_noop("4 – 24 h"), 24 * 3600),
    (gettext_noop("1 – 3 d"), 3 * 24 * 3600),
    (gettext_noop("longer"), None),
)


@dataclass(frozen=True, slots=True)
class InsightFilters:
    days: int = USUAL
    workspace: str = ""

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "InsightFilters":
        text = query.get("days", "")
        days = int(text) if text.isdecimal() and len(text) < 5 else USUAL
        return cls(
            days=days if days in PERIODS else USUAL,
            workspace=query.get("workspace", "").strip()[:80].replace("\x00", ""),
        )

    @property
    def since(self) -> datetime:
        """The beginning of the first day, in the person's zone; today is the last day."""
        today = timezone.localdate()
        return timezone.make_aware(datetime.combine(today - timedelta(days=self.days - 1), time()))


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    seen: int
    fixed: int
    ended: int  # otherwise: cleared elsewhere, or moot
    open: int  # at the end of the day
    is_watched: bool  # before TokDash looked for the first time nothing is known


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 90th percentile by nearest rank, in seconds; `None` without values."""

    count: int
    median: float | None
    p90: float | None


@dataclass(frozen=True, slots=True)
class Breaks:
    """A host or a campaign, with how many flags it had, how many of them again, and how many are open now."""

    name: str
    count: int
    again: int
    open: int


@dataclass(frozen=True, slots=True)
class Load:
    """What a member carries and has done."""

    name: str
    assigned: int  # unresolved and his, now
    late: int  # of those
    fixed: int  # fixes of his that were verified in the period
    mean_fix: float | None  # seconds from giving the fix until it was verified


@dataclass(frozen=True, slots=True)
class Insights:
    filters: InsightFilters
    since: datetime
    days: Sequence[Day]
    seen: int
    fixed: int
    open_now: int
    late_now: int
    fixed_late: int
    again: int
    to_detect: Spread
    to_fix: Spread
    classes: Sequence[tuple[str, int]]
    hosts: Sequence[Breaks]
    campaigns: Sequence[Breaks]
    people: Sequence[Load]

    @property
    def watched(self) -> Sequence[Day]:
        """The days of which something is known."""
        return [day for day in self.days if day.is_watched]

    @property
    def watched_since(self) -> date | None:
        """Since when TokDash looks, where that is within the period."""
        return self.watched[0].day if self.watched and not self.days[0].is_watched else None

    @property
    def on_time(self) -> float | None:
        """The share of what was fixed in the period that was fixed before its deadline, in percent."""
        return 100 * (self.fixed - self.fixed_late) / self.fixed if self.fixed else None


_TOOK = ExpressionWrapper(F("closed_at") - F("opened_at"), output_field=DurationField())


def read_insights(team: Team, filters: InsightFilters) -> Insights:
    """All figures of the page; a fixed number of queries."""
    now, since = timezone.now(), filters.since
    issues = Issue.objects.filter(team=team)
    if filters.workspace:
        issues = issues.filter(workspace__name=filters.workspace)
    seen = issues.filter(opened_at__gte=since)
    fixed = issues.filter(state=IssueState.FIXED, closed_at__gte=since)
    counts = issues.aggregate(
        seen=Count("pk", filter=Q(opened_at__gte=since)),
        again=Count("pk", filter=Q(opened_at__gte=since, episode__gt=1)),
        open_now=Count("pk", filter=Q(state__in=UNRESOLVED)),
        late_now=Count("pk", filter=Q(state__in=UNRESOLVED, deadline__lt=now)),
        fixed=Count("pk", filter=Q(state=IssueState.FIXED, closed_at__gte=since)),
        fixed_late=Count("pk", filter=Q(state=IssueState.FIXED, closed_at__gte=since, closed_at__gt=F("deadline"))),
        first=Min("opened_at"),
        open_before=Count("pk", filter=Q(opened_at__lt=since) & (Q(closed_at=None) | Q(closed_at__gte=since))),
    )
    open_before, first = counts.pop("open_before"), counts.pop("first")
    workspaces = Workspace.objects.filter(team=team, **({"name": filters.workspace} if filters.workspace else {}))
    connected = workspaces.aggregate(first=Min("created_at"))["first"]
    begin = timezone.localdate(min(first or now, connected or now))
    return Insights(
        filters=filters,
        since=since,
        days=_days(issues, since, filters.days, open_before, begin),
        to_detect=_spread(seen.exclude(seen_within=None), "seen_within"),
        to_fix=_spread(fixed.annotate(took=_TOOK), "took"),
        classes=_classes(fixed),
        hosts=_breaks(seen.exclude(host=""), "host"),
        campaigns=_breaks(seen, "video__bundle__title"),
        people=_people(team, filters, since, now),
        **counts,
    )


def _days(issues: QuerySet[Issue], since: datetime, count: int, open_before: int, begin: date) -> list[Day]:
    zone = timezone.get_current_timezone()

    def by_day(rows: QuerySet[Issue], field: str) -> dict[date, int]:
        named = rows.annotate(day=TruncDate(field, tzinfo=zone)).order_by().values("day").annotate(n=Count("pk"))
        return {row["day"]: row["n"] for row in named}

    closed = issues.filter(closed_at__gte=since)
    seen = by_day(issues.filter(opened_at__gte=since), "opened_at")
    fixed = by_day(closed.filter(state=IssueState.FIXED), "closed_at")
    ended = by_day(closed.exclude(state=IssueState.FIXED), "closed_at")
    days, standing = [], open_before
    for number in range(count):
        day = timezone.localdate(since) + timedelta(days=number)
        row = seen.get(day, 0), fixed.get(day, 0), ended.get(day, 0)
        standing += row[0] - row[1] - row[2]
        days.append(Day(day, *row, open=standing, is_watched=day >= begin))
    return days


def _spread(rows: QuerySet[Issue], field: str) -> Spread:
    """Nearest rank, which both databases can do: the sorted value at the place."""
    count = rows.count()
    if not count:
        return Spread(0, None, None)
    ordered = rows.order_by(field, "pk").values_list(field, flat=True)

    def at(share: float) -> float:
        value: timedelta | float = ordered[max(math.ceil(share * count) - 1, 0)]
        return value.total_seconds() if isinstance(value, timedelta) else value

    return Spread(count, at(0.5), at(0.9))


def _classes(fixed: QuerySet[Issue]) -> list[tuple[str, int]]:
    wanted, lower = {}, timedelta(0)
    for number, (_label, end) in enumerate(CLASSES):
        condition = Q(took__gte=lower)
        if end is not None:
            lower = timedelta(seconds=end)
            condition &= Q(took__lt=lower)
        wanted[f"class_{number}"] = Count("pk", filter=condition)
    counts = fixed.annotate(took=_TOOK).aggregate(**wanted)
    return [(gettext(label), counts[f"class_{number}"]) for number, (label, _end) in enumerate(CLASSES)]


def _breaks(seen: QuerySet[Issue], by: str) -> list[Breaks]:
    rows = (
        seen.order_by()
        .values(by)
        .annotate(
            count=Count("pk"),
            again=Count("pk", filter=Q(episode__gt=1)),
            open=Count("pk", filter=Q(state__in=UNRESOLVED)),
        )
        .order_by("-count", by)[:TOP]
    )
    return [Breaks(row[by] or gettext("(no title)"), row["count"], row["again"], row["open"]) for row in rows]


def _people(team: Team, filters: InsightFilters, since: datetime, now: datetime) -> list[Load]:
    """Everybody who can repair, and former members who did in the period."""
    mine = Q(state__in=UNRESOLVED) & Q(assignee__isnull=False)
    issues = Issue.objects.filter(mine, team=team)
    fixes = Fix.objects.filter(team=team, state=FixState.SUCCEEDED, finished_at__gte=since)
    if filters.workspace:
        issues = issues.filter(workspace__name=filters.workspace)
        fixes = fixes.filter(issue__workspace__name=filters.workspace)
    carried = {
        row["assignee"]: row
        for row in issues.order_by()
        .values("assignee")
        .annotate(n=Count("pk"), late=Count("pk", filter=Q(deadline__lt=now)))
    }
    span = ExpressionWrapper(F("finished_at") - F("created_at"), output_field=DurationField())
    done = {row["actor"]: row for row in fixes.order_by().values("actor").annotate(n=Count("pk"), mean=Avg(span))}
    members = Membership.objects.filter(team=team).select_related("user").order_by("user__name", "user__email")
    found, known = [], set()
    for member in members:
        known.add(member.user_id)
        carries, did = carried.get(member.user_id), done.get(member.user_id)
        if not member.can_edit and not carries and not did:
            continue
        found.append(
            Load(
                member.user.get_full_name(),
                carries["n"] if carries else 0,
                carries["late"] if carries else 0,
                did["n"] if did else 0,
                did["mean"].total_seconds() if did and did["mean"] else None,
            )
        )
    rest = sum(row["n"] for key, row in done.items() if key not in known)
    if rest:
        found.append(Load(gettext("Former members and TokDash itself"), 0, 0, rest, None))
    return found


def workspaces_of(team: Team) -> list[str]:
    return list(Workspace.objects.filter(team=team).order_by("name").values_list("name", flat=True))


# --- As tables ----------------------------------------------------------------------------------------------

TABLES = ("days", "durations", "hosts", "campaigns", "people")


def table_of(insights: Insights, name: str) -> list[list[str]]:
    """One of the page's tables with its header, as cells that no spreadsheet takes for formulas."""
    rows: list[Sequence[object]]
    if name == "days":
        rows = [("day", "seen", "fixed", "ended_otherwise", "open_at_the_end")]
        rows += [(day.day.isoformat(), day.seen, day.fixed, day.ended, day.open) for day in insights.watched]
    elif name == "durations":
        rows = [("time_to_fix", "issues"), *insights.classes]
    elif name in {"hosts", "campaigns"}:
        found = insights.hosts if name == "hosts" else insights.campaigns
        rows = [(name[:-1], "flags", "flagged_again", "open_now")]
        rows += [(entry.name, entry.count, entry.again, entry.open) for entry in found]
    else:
        rows = [("member", "assigned_now", "late_now", "fixed", "mean_seconds_to_verified")]
        rows += [
            (load.name, load.assigned, load.late, load.fixed, "" if load.mean_fix is None else round(load.mean_fix))
            for load in insights.people
        ]
    return [[safe_cell(cell) for cell in row] for row in rows]
