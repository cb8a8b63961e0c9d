"""How far the mirror can be trusted now: since when it is known, how soon a flag is seen, what is in the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone

from issues import pulse
from issues.enums import WorkspaceState
from issues.models import Bundle, SyncGauge, Team, Video, Workspace
from issues.queries.counting import bounded_count

GRACE = timedelta(minutes=2)
# A runner measures every ten seconds; what was measured so long ago says nothing about now.
STALE = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class WorkspaceFreshness:
    """One workspace: `status` is fresh, never, behind, failing, paused or key_refused."""

    workspace: Workspace
    status: str
    gauge: SyncGauge | None

    @property
    def is_trouble(self) -> bool:
        return self.status in {"behind", "failing", "key_refused"}

    @property
    def oldest_look_at(self) -> datetime | None:
        """Every bundle that can be flagged was looked at since; `None` before the first look is complete."""
        return self.gauge.oldest_look_at if self.gauge else None

    @property
    def expected_delay(self) -> float | None:
        """Seconds that a flag which appears now will wait to be seen; `None` where nobody is looking."""
        gauge = self.gauge
        return gauge.expected_delay if gauge and timezone.now() - gauge.measured_at < STALE else None

    @property
    def looked(self) -> int:
        """How many bundles of `gauge.flaggable` were looked at, for the first look's progress."""
        return self.gauge.flaggable - self.gauge.never_looked if self.gauge else 0

    @property
    def is_stretched(self) -> bool:
        """Whether the rate limit does not allow the bound that the team asks for."""
        gauge = self.gauge
        return bool(gauge and gauge.limit_per_minute * self.workspace.max_age_minutes < gauge.flaggable)


@dataclass(frozen=True, slots=True)
class Freshness:
    """The team's workspaces together."""

    workspaces: Sequence[WorkspaceFreshness]
    paused_since: datetime | None  # since when background work stands still

    @property
    def oldest_look(self) -> datetime | None:
        """Everything was looked at since; `None` where a workspace never was."""
        looks = [entry.oldest_look_at for entry in self.workspaces]
        return min((look for look in looks if look), default=None) if all(looks) else None

    @property
    def expected_delay(self) -> float | None:
        """Seconds that a flag which appears now will wait to be seen, in the slowest workspace."""
        return max((entry.expected_delay for entry in self.workspaces if entry.expected_delay), default=None)

    @property
    def status(self) -> str:
        """The worst of them; `none` where no workspace is connected."""
        order = ("key_refused", "failing", "behind", "never", "paused", "fresh")
        found = {entry.status for entry in self.workspaces}
        return next((name for name in order if name in found), "none")

    @property
    def troubles(self) -> list[WorkspaceFreshness]:
        return [entry for entry in self.workspaces if entry.is_trouble]

    @property
    def first_look(self) -> WorkspaceFreshness | None:
        """A workspace whose first look is under way."""
        return next((entry for entry in self.workspaces if entry.status == "never" and entry.gauge), None)


def freshness_of(team: Team) -> Freshness:
    """One query, whatever the number of workspaces; two where there is none."""
    workspaces = Workspace.objects.filter(team=team).select_related("gauge").order_by("name")
    found = list(workspaces.annotate(oldest_beat=pulse.oldest_beat()))
    paused_since = pulse.if_quiet(found[0].oldest_beat) if found else pulse.paused_since()
    return Freshness([freshness_of_workspace(workspace) for workspace in found], paused_since)


def freshness_of_workspace(workspace: Workspace) -> WorkspaceFreshness:
    """Judge what the row and its gauge say."""
    gauge: SyncGauge | None = getattr(workspace, "gauge", None)
    return WorkspaceFreshness(workspace, _status(workspace, gauge), gauge)


def _status(workspace: Workspace, gauge: SyncGauge | None) -> str:
    now = timezone.now()
    if workspace.state == WorkspaceState.KEY_REFUSED:
        return "key_refused"
    if workspace.state == WorkspaceState.PAUSED:
        return "paused"
    if gauge and gauge.trouble_code:
        return "failing"
    if gauge is None or gauge.oldest_look_at is None:
        return "never"
    if now - gauge.oldest_look_at > 2 * workspace.max_age + GRACE:
        return "behind"
    return "fresh"


def videos_checked(team: Team) -> int:
    """How many videos are known from an answer of TokPortal's, up to a bound (`queries.counting`)."""
    looked = Bundle.objects.filter(pk=OuterRef("bundle"), workspace__team=team, last_checked_at__isnull=False)
    return bounded_count(Video.objects.filter(Exists(looked)))
