"""How far the mirror can be trusted now: when was last looked, when comes the next look, what is in the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from issues.enums import SyncState, WorkspaceState
from issues.models import SyncRun, Team, Video, Workspace

GRACE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class WorkspaceFreshness:
    """One workspace: `status` is fresh, running, never, behind, failing, paused or key_refused."""

    workspace: Workspace
    status: str
    run: SyncRun | None

    @property
    def is_trouble(self) -> bool:
        return self.status in {"behind", "failing", "key_refused"}


@dataclass(frozen=True, slots=True)
class Freshness:
    """The team's workspaces together."""

    workspaces: Sequence[WorkspaceFreshness]

    @property
    def oldest_look(self) -> datetime | None:
        """When the workspace that was looked at longest ago was; `None` where one never was."""
        looks = [entry.workspace.last_swept_at for entry in self.workspaces]
        return min((look for look in looks if look), default=None) if all(looks) else None

    @property
    def next_look(self) -> datetime | None:
        return min(
            (entry.workspace.next_sweep_at for entry in self.workspaces if entry.workspace.next_sweep_at), default=None
        )

    @property
    def status(self) -> str:
        """The worst of them; `none` where no workspace is connected."""
        order = ("key_refused", "failing", "behind", "never", "running", "paused", "fresh")
        found = {entry.status for entry in self.workspaces}
        return next((name for name in order if name in found), "none")

    @property
    def troubles(self) -> list[WorkspaceFreshness]:
        return [entry for entry in self.workspaces if entry.is_trouble]

    @property
    def running(self) -> WorkspaceFreshness | None:
        return next((entry for entry in self.workspaces if entry.status in {"running", "never"} and entry.run), None)


def freshness_of(team: Team) -> Freshness:
    """Two queries, whatever the number of workspaces."""
    latest = SyncRun.objects.filter(workspace=OuterRef("pk")).order_by("-started_at").values("pk")[:1]
    workspaces = list(Workspace.objects.filter(team=team).annotate(run_id=Subquery(latest)).order_by("name"))
    runs = SyncRun.objects.in_bulk([workspace.run_id for workspace in workspaces if workspace.run_id])
    return Freshness([_judge(workspace, runs.get(workspace.run_id)) for workspace in workspaces])


def _judge(workspace: Workspace, run: SyncRun | None) -> WorkspaceFreshness:
    now = timezone.now()
    if workspace.state == WorkspaceState.KEY_REFUSED:
        status = "key_refused"
    elif workspace.state == WorkspaceState.PAUSED:
        status = "paused"
    elif workspace.last_swept_at is None:
        status = "failing" if run and run.state == SyncState.FAILED else "never"
    elif run and run.state == SyncState.FAILED:
        status = "failing"
    elif now > workspace.last_swept_at + 2 * workspace.sweep_interval + GRACE:
        status = "behind"
    elif run and run.state == SyncState.RUNNING:
        status = "running"
    else:
        status = "fresh"
    return WorkspaceFreshness(workspace, status, run)


def videos_checked(team: Team) -> int:
    return Video.objects.filter(bundle__workspace__team=team, last_checked_at__isnull=False).count()
