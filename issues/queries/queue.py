"""The read side of the queue: its rows, tabs, views and clusters, each with a count that agrees with what it shows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, F, Min, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from issues.enums import CAN_EDIT, UNRESOLVED, IssueState, VerdictClass
from issues.links.verdicts import link_end
from issues.models import Bundle, Issue, Membership, SavedView, Team, User, Workspace
from issues.queries.counting import BOUND, bounded_count, bounded_counts
from issues.queries.filters import ENDED_TABS, TABS, UNRESOLVED_TABS, IssueFilters, tab_condition
from issues.queries.pages import Page
from issues.queries.queue_rows import Row, page_of_rows

# Fewer that fail alike are no pattern yet.
CLUSTER_FROM = 3
CLUSTERS = 3
_WITH_EXPIRY = {"signature_expired", "signature_expires_soon"}


@dataclass(frozen=True, slots=True)
class Tab:
    label: str
    address: str  # the query string
    count: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class View:
    """A way to look at the queue with how many it shows: built in (no `saved`), one's own, or the team's."""

    name: str
    address: str  # the query string
    count: int
    is_current: bool
    is_default: bool = False
    saved: SavedView | None = None

    @property
    def is_team(self) -> bool:
        return self.saved is not None and self.saved.owner_id is None


@dataclass(frozen=True, slots=True)
class IssueList:
    """A page of the queue with what stands around it."""

    page: Page[Row]
    tabs: Sequence[Tab]
    views: Sequence[View]
    total: int  # in this tab, with the filters
    unfiltered: int  # in this tab, without them
    snoozed: int  # out of sight now, whatever the filters

    @property
    def tab_label(self) -> str:
        return next((tab.label for tab in self.tabs if tab.is_current), "")


BUILT_IN = (
    (gettext_noop("Everything open"), IssueFilters()),
    (gettext_noop("Mine"), IssueFilters(who="me")),
    (gettext_noop("Nobody's"), IssueFilters(who="nobody")),
    (gettext_noop("Late"), IssueFilters(due="late")),
)
CALLED = (gettext_noop("Where I am called"), IssueFilters(tab="all", who="called"))


def list_issues(membership: Membership, filters: IssueFilters, *, after: str = "") -> IssueList:
    """The queue: unresolved ones by deadline, the most urgent first; others by when they ended."""
    now = timezone.now()
    base = Issue.objects.filter(team=membership.team)
    narrowed = filters.condition(membership, now)
    saved = saved_views_of(membership)
    offered = [
        *((gettext(name), found, None) for name, found in (*BUILT_IN, CALLED)),
        *((view.name, IssueFilters.read(view.query), view) for view in saved),
    ]
    counts = _counts(membership, filters, narrowed, [found for _, found, _ in offered], now)
    views = [
        View(
            name,
            found.address,
            counts[f"view_{number}"],
            is_current=found == filters,
            is_default=view is not None and view.pk == membership.default_view_id,
            saved=view,
        )
        for number, (name, found, view) in enumerate(offered)
        # Where nobody is called there is nothing to see.
        if found != CALLED[1] or counts[f"view_{number}"] or filters.who == "called"
    ]
    found = base.filter(tab_condition(filters.tab, now), narrowed)
    page = page_of_rows(found, after, urgent_first=filters.tab in UNRESOLVED_TABS)
    tabs = [
        Tab(gettext(label), filters.in_tab(name).address, counts[f"tab_{name}"], name == filters.tab)
        for name, label in TABS.items()
    ]
    return IssueList(page, tabs, views, counts[f"tab_{filters.tab}"], counts["unfiltered"], counts["asleep"])


def _counts(
    membership: Membership,
    filters: IssueFilters,
    narrowed: Q,
    views: Sequence[IssueFilters],
    now: datetime,
) -> dict[str, int]:
    """Of unresolved issues, which are few, all in one query; of those that have ended, each up to a bound."""
    base = Issue.objects.filter(team=membership.team_id)
    whole = {f"view_{number}": view for number, view in enumerate(views)}
    wanted = {f"tab_{name}": tab_condition(name, now) & narrowed for name in UNRESOLVED_TABS}
    wanted |= {name: _whole(view, membership, now) for name, view in whole.items() if view.tab in UNRESOLVED_TABS}
    wanted |= {"asleep": tab_condition("snoozed", now), "unresolved": Q()}
    # Many views are a tab by another name: each condition is counted once.
    alias = {condition: f"n{number}" for number, condition in enumerate(dict.fromkeys(wanted.values()))}
    asked = {name: Count("pk", filter=condition or None) for condition, name in alias.items()}
    found = base.filter(state__in=UNRESOLVED).aggregate(**asked)
    counts = {name: int(found[alias[condition]]) for name, condition in wanted.items()}
    ended = {f"tab_{tab}": base.filter(tab_condition(tab, now), narrowed) for tab in ENDED_TABS}
    others = {name: view for name, view in whole.items() if view.tab not in UNRESOLVED_TABS}
    ended |= {name: base.filter(_whole(view, membership, now)) for name, view in others.items()}
    counts |= bounded_counts(Team.objects.filter(pk=membership.team_id), ended)
    counts["tab_all"] = min(sum(counts[f"tab_{name}"] for name in TABS if name != "all"), BOUND + 1)
    counts["unfiltered"] = counts[f"tab_{filters.tab}"]
    if filters.narrowed and filters.tab in UNRESOLVED_TABS:
        asleep = counts["asleep"]
        counts["unfiltered"] = asleep if filters.tab == "snoozed" else counts["unresolved"] - asleep
    elif filters.narrowed and not counts["unfiltered"]:  # said only where nothing matches
        counts["unfiltered"] = bounded_count(base.filter(tab_condition(filters.tab, now)))
    return counts


def _whole(filters: IssueFilters, membership: Membership, now: datetime) -> Q:
    return tab_condition(filters.tab, now) & filters.condition(membership, now)


def saved_views_of(membership: Membership) -> list[SavedView]:
    """One's own and the team's, by name."""
    mine = Q(owner=membership.pk) | Q(owner=None)
    return list(SavedView.objects.filter(mine, team=membership.team_id).order_by("owner", "name", "pk"))


def matching_issues(membership: Membership, filters: IssueFilters) -> QuerySet[Issue]:
    """All unresolved issues that the filters name, most urgent first: what "all that match" means."""
    tab = filters.tab if filters.tab in UNRESOLVED_TABS else "open"
    condition = _whole(filters.in_tab(tab), membership, timezone.now())
    found = Issue.objects.filter(condition, team=membership.team).select_related("video__bundle", "workspace")
    return found.order_by(F("deadline").asc(nulls_last=True), "pk")


def following_issue(membership: Membership, filters: IssueFilters, issue: Issue) -> Issue | None:
    """The open issue behind this one in the same view, else the first one; `None` where nothing is left."""
    rest = matching_issues(membership, filters.in_tab("open")).filter(state=IssueState.OPEN).exclude(pk=issue.pk)
    if issue.deadline is None:
        behind = rest.filter(deadline=None, pk__gt=issue.pk)
    else:
        behind = rest.filter(
            Q(deadline__gt=issue.deadline) | Q(deadline=issue.deadline, pk__gt=issue.pk) | Q(deadline=None)
        )
    return behind.first() or rest.first()


# --- Clusters ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cluster:
    """Open issues that fail alike: one host, one verdict. `ended`: when the soonest of their links ran out."""

    host: str
    verdict: str
    verdict_class: str
    count: int
    soonest: datetime | None
    ended: datetime | None

    @property
    def is_late(self) -> bool:
        return self.soonest is not None and self.soonest <= timezone.now()

    @property
    def address(self) -> str:
        return IssueFilters(host=self.host, cause=self.verdict).address


def find_clusters(membership: Membership) -> list[Cluster]:
    """The largest groups of open issues whose links are bad in the same way at the same host. Two queries at most."""
    now = timezone.now()
    bad = [VerdictClass.DEAD, VerdictClass.BLOCKED, VerdictClass.WRONG, VerdictClass.EXPIRING]
    open_now = Issue.objects.filter(tab_condition("open", now), team=membership.team, verdict_class__in=bad)
    groups = list(
        open_now.filter(state=IssueState.OPEN)
        .exclude(host="")
        .values("host", "verdict", "verdict_class")
        .annotate(count=Count("pk"), soonest=Min("deadline"), some=Min("pk"))
        .filter(count__gte=CLUSTER_FROM)
        .order_by("-count", "host")[:CLUSTERS]
    )
    timed = [group["some"] for group in groups if group["verdict"] in _WITH_EXPIRY]
    links = dict(Issue.objects.filter(pk__in=timed).values_list("pk", "links")) if timed else {}
    return [
        Cluster(
            group["host"], group["verdict"], group["verdict_class"], group["count"], group["soonest"],
            ended=min((end for link in links.get(group["some"], []) if (end := link_end(link))), default=None),
        )
        for group in groups
    ]  # fmt: skip


# --- What the filters offer ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters offer: only workspaces, platforms and countries that the team has."""

    workspaces: Sequence[str]
    platforms: Sequence[str]
    countries: Sequence[str]
    people: Sequence[User]
    verdicts: Sequence[tuple[str, str]] = field(default_factory=list)


def filter_choices(team: Team, workspaces: Sequence[Workspace]) -> Choices:
    """Two queries, whatever the number of issues: by the team's workspaces and their bundles, which are far fewer."""
    keys = [workspace.pk for workspace in workspaces]
    pairs = set(Bundle.objects.filter(workspace__in=keys).order_by().values_list("platform", "country").distinct())
    return Choices(
        workspaces=sorted(workspace.name for workspace in workspaces),
        platforms=sorted({platform for platform, _ in pairs if platform}),
        countries=sorted({country for _, country in pairs if country}),
        people=editors_of(team),
        verdicts=[(value, str(label)) for value, label in VerdictClass.choices],
    )


def editors_of(team: Team) -> list[User]:
    """Those to whom an issue can be given."""
    people = User.objects.filter(memberships__team=team, memberships__role__in=CAN_EDIT, is_active=True)
    return list(people.only("name", "email").order_by("name", "email"))


def open_issues_for(team: Team) -> QuerySet[Issue]:
    """The issues of a team, most urgent first, for commands."""
    return (
        Issue.objects.filter(team=team)
        .select_related("video__bundle", "workspace")
        .order_by(F("deadline").asc(nulls_last=True), "pk")
    )
