"""The read side of the queue: its rows, tabs, views and clusters, each with a count that agrees with what it shows."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db.models import Count, F, Min, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from issues.enums import CAN_EDIT, UNRESOLVED, IssueState, VerdictClass
from issues.link_checks.url_rules import link_end
from issues.link_checks.urls import host_of
from issues.models import Bundle, Issue, Membership, SavedView, Team, User, Workspace
from issues.queries.counting import BOUND, bounded_count, bounded_counts
from issues.queries.filters import ENDED_TABS, TABS, UNRESOLVED_TABS, IssueFilters, tab_condition
from issues.queries.kept import TOLD_BY_EVENTS, kept
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
    digest: str  # changes with what the rows show
    tabs: Sequence[Tab]
    views: Sequence[View]
    total: int  # in this tab, with the filters
    unfiltered: int  # in this tab, without them
    snoozed: int  # out of sight now, whatever the filters

    @property
    def tab_label(self) -> str:
        return next((tab.label for tab in self.tabs if tab.is_current), "")


MINE = IssueFilters(who="me")
BUILT_IN = (
    (gettext_noop("Everything open"), IssueFilters()),
    (gettext_noop("Mine"), MINE),
    (gettext_noop("Nobody's"), IssueFilters(who="nobody")),
    (gettext_noop("Late"), IssueFilters(due="late")),
)
CALLED = (gettext_noop("Where I am called"), IssueFilters(tab="all", who="called"))


def list_issues(membership: Membership, filters: IssueFilters, *, after: str = "") -> IssueList:
    """The queue: unresolved ones by deadline, the most urgent first; others by when they ended."""
    saved = kept(membership.team, ("views", membership.pk), partial(saved_views_of, membership), seconds=TOLD_BY_EVENTS)
    offered = [
        *((gettext(name), found, None) for name, found in (*BUILT_IN, CALLED)),
        *((view.name, IssueFilters.read(view.query), view) for view in saved),
    ]
    counts = _counts(membership, filters, [(found, view) for _, found, view in offered])
    views = [
        View(
            name,
            found.address,
            counts[found],
            is_current=found == filters,
            is_default=view is not None and view.pk == membership.default_view_id,
            saved=view,
        )
        for name, found, view in offered
        # Where nobody is called there is nothing to see.
        if found != CALLED[1] or counts[found] or filters.who == "called"
    ]
    read = partial(_read_page, membership, filters, after)
    what = ("rows", after, *_seen_by(membership, [filters]))
    page, digest = read() if filters.who == "called" else kept(membership.team, what, read)
    tabs = [
        Tab(gettext(label), filters.in_tab(name).address, counts[filters.in_tab(name)], name == filters.tab)
        for name, label in TABS.items()
    ]
    return IssueList(
        page,
        digest,
        tabs,
        views,
        total=counts[filters],
        unfiltered=_unfiltered(membership, filters, counts),
        snoozed=counts[IssueFilters(tab="snoozed")],
    )


def _read_page(membership: Membership, filters: IssueFilters, after: str) -> tuple[Page[Row], str]:
    page = page_of_rows(_found_by(membership, filters), after, urgent_first=filters.tab in UNRESOLVED_TABS)
    return page, hashlib.sha256(repr(page).encode()).hexdigest()


def _counts(
    membership: Membership, filters: IssueFilters, views: Sequence[tuple[IssueFilters, SavedView | None]]
) -> dict[IssueFilters, int]:
    """How many issues each tab and each view shows: what is the same for the whole team, what is the member's own, and
    where he is called, which is never kept: opening an issue is no event, and takes it from there."""
    tabs = [filters.in_tab(name) for name in (*UNRESOLVED_TABS, *ENDED_TABS)]
    wanted = [*tabs, IssueFilters(), IssueFilters(tab="snoozed"), *(found for found, _ in views)]
    own = {found for found, view in views if view and view.owner_id}
    alike: list[IssueFilters] = []
    his: list[IssueFilters] = []
    called: list[IssueFilters] = []
    for one in dict.fromkeys(wanted):
        kind = called if one.who == "called" else his if one.who == "me" or (one in own and one not in tabs) else alike
        kind.append(one)
    counts: dict[IssueFilters, int] = {}
    if hasattr(membership, "called_count"):  # loaded for a page
        counts[CALLED[1]] = membership.called_count or 0
    if his == [MINE]:  # as for almost everybody: then one answer does for all members
        counts[MINE] = kept(membership.team, "whose", partial(_read_whose, membership.team)).get(membership.user_id, 0)
        his = []
    for some, read in ((alike, _read_counts), (his, _read_each)):
        what = ("counts", *_seen_by(membership, some))
        counts |= kept(membership.team, what, partial(read, membership, some)) if some else {}
    counts |= _read_each(membership, [one for one in called if one not in counts])
    counts[filters.in_tab("all")] = min(sum(counts[tab] for tab in tabs), BOUND + 1)
    return counts


def _seen_by(membership: Membership, wanted: Sequence[IssueFilters]) -> tuple[object, ...]:
    """All that the rows of these filters depend on: "me" is the member, and "today" ends where he is."""
    who = membership.user_id if any(one.who == "me" for one in wanted) else None
    zone = timezone.get_current_timezone_name() if any(one.due == "today" for one in wanted) else ""
    return [one.address for one in wanted], who, zone


def _read_whose(team: Team) -> dict[int, int]:
    """How many open issues each person has."""
    found = Issue.objects.filter(tab_condition("open", timezone.now()), team=team, assignee__isnull=False)
    return dict(found.order_by().values_list("assignee").annotate(count=Count("pk")))


def _read_counts(membership: Membership, wanted: Sequence[IssueFilters]) -> dict[IssueFilters, int]:
    """Of unresolved issues, which are few, all in one query; of those that have ended, each up to a bound."""
    now = timezone.now()
    live = [one for one in wanted if one.tab in UNRESOLVED_TABS]
    asked = {f"n{number}": Count("pk", filter=_whole(one, membership, now)) for number, one in enumerate(live)}
    found = Issue.objects.filter(team=membership.team_id, state__in=UNRESOLVED).aggregate(**asked)
    ended = [one for one in wanted if one.tab not in UNRESOLVED_TABS]
    return {one: int(found[f"n{number}"]) for number, one in enumerate(live)} | _read_each(membership, ended)


def _read_each(membership: Membership, wanted: Sequence[IssueFilters]) -> dict[IssueFilters, int]:
    """Each up to a bound by an index of its own, in one query."""
    asked = {f"n{number}": _found_by(membership, one) for number, one in enumerate(wanted)}
    found = bounded_counts(Team.objects.filter(pk=membership.team_id), asked)
    return {one: found[f"n{number}"] for number, one in enumerate(wanted)}


def _unfiltered(membership: Membership, filters: IssueFilters, counts: Mapping[IssueFilters, int]) -> int:
    """How many the tab has without the filters; of those that have ended only where nothing matches, and it is told."""
    plain = IssueFilters(tab=filters.tab)
    if plain in counts or counts[filters]:
        return counts.get(plain, counts[filters])
    return bounded_count(_found_by(membership, plain))


def _whole(filters: IssueFilters, membership: Membership, now: datetime) -> Q:
    return tab_condition(filters.tab, now) & filters.condition(membership, now)


def _found_by(membership: Membership, filters: IssueFilters) -> QuerySet[Issue]:
    return Issue.objects.filter(_whole(filters, membership, timezone.now()), team=membership.team_id)


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


def clusters_of(team: Team) -> list[Cluster]:
    """The largest groups of open issues whose links are bad in the same way at the same host. Two queries at most."""
    return kept(team, "clusters", partial(_find_clusters, team))


def _find_clusters(team: Team) -> list[Cluster]:
    now = timezone.now()
    bad = [VerdictClass.DEAD, VerdictClass.BLOCKED, VerdictClass.WRONG, VerdictClass.EXPIRING]
    open_now = Issue.objects.filter(tab_condition("open", now), team=team, verdict_class__in=bad)
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
            ended=_first_end(links.get(group["some"], []), group["host"]),
        )
        for group in groups
    ]  # fmt: skip


def _first_end(links: list[str], host: str) -> datetime | None:
    """When the soonest of the links at this host runs out."""
    return min((end for link in links if host_of(link) == host and (end := link_end(link))), default=None)


# --- What the filters offer ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters offer: only workspaces, platforms and countries that the team has."""

    workspaces: Sequence[str]
    platforms: Sequence[str]
    countries: Sequence[str]
    people: Sequence[User]


def choices_of(team: Team, workspaces: Sequence[Workspace]) -> Choices:
    """Two queries, whatever the number of issues: by the team's workspaces and their bundles, which are far fewer."""
    return kept(team, "choices", partial(_read_choices, team, workspaces))


def _read_choices(team: Team, workspaces: Sequence[Workspace]) -> Choices:
    keys = [workspace.pk for workspace in workspaces]
    pairs = set(Bundle.objects.filter(workspace__in=keys).order_by().values_list("platform", "country").distinct())
    return Choices(
        workspaces=sorted(workspace.name for workspace in workspaces),
        platforms=sorted({platform for platform, _ in pairs if platform}),
        countries=sorted({country for _, country in pairs if country}),
        people=editors_of(team),
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
