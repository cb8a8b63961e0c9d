"""One runner a workspace at a time: the lease, and how it is given back."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from issues.enums import SyncState, WorkspaceState
from issues.models import SyncRun, Workspace
from issues.problems import Refusal

LEASE_SECONDS = 30
RESERVE_SECONDS = 15


class SweepRunningError(Refusal):
    """Another runner works on this workspace."""

    code = "SWEEP_RUNNING"


def _free(now: datetime) -> Q:
    """Nobody works on it, and no command waits for it."""
    unheld = Q(sync_lease_until=None) | Q(sync_lease_until__lt=now)
    return unheld & (Q(reserved_until=None) | Q(reserved_until__lt=now)) & Q(state=WorkspaceState.ACTIVE)


def due_workspaces() -> list[Workspace]:
    """Active workspaces for which a runner is wanted and that nobody works on now, the longest waiting first."""
    now = timezone.now()
    return list(Workspace.objects.filter(_free(now), next_sync_at__lte=now).order_by("next_sync_at"))


def must_yield(workspace: Workspace, *, others_since: datetime) -> bool:
    """Whether a shift should end: a command waits for this workspace, or another one for a runner since then."""
    now = timezone.now()
    return (
        Workspace.objects.filter(pk=workspace.pk, reserved_until__gt=now).exists()
        or Workspace.objects.filter(_free(now), next_sync_at__lte=others_since).exists()
    )


def reserve_workspace(workspace: Workspace) -> None:
    """Keep shifts away for a while: whoever works on it now ends soon."""
    until = timezone.now() + timedelta(seconds=RESERVE_SECONDS)
    Workspace.objects.filter(pk=workspace.pk).update(reserved_until=until)


def claim_workspace(workspace: Workspace) -> Workspace:
    """Take the lease, or raise Refusal. The fence grows, so a runner that lost its lease cannot go on writing."""
    now = timezone.now()
    with transaction.atomic():
        free = Q(sync_lease_until=None) | Q(sync_lease_until__lt=now)
        claimed = Workspace.objects.filter(free, pk=workspace.pk, state=WorkspaceState.ACTIVE).update(
            sync_fence=F("sync_fence") + 1, sync_lease_until=now + timedelta(seconds=LEASE_SECONDS)
        )
        current = Workspace.objects.select_related("team").get(pk=workspace.pk)
        if not claimed:
            if current.state == WorkspaceState.PAUSED:
                raise Refusal(_("The workspace “{name}” is paused.").format(name=current.name), code="PAUSED")
            if current.state == WorkspaceState.KEY_REFUSED:
                raise Refusal(
                    _("TokPortal refuses the key of “{name}”: replace it.").format(name=current.name),
                    code="KEY_REFUSED",
                )
            raise SweepRunningError(_("“{name}” is being looked at already.").format(name=current.name))
    return current


def renew_claim(workspace: Workspace) -> bool:
    """Extend the lease; False where it is another's, or the workspace was paused or its key refused meanwhile."""
    until = timezone.now() + timedelta(seconds=LEASE_SECONDS)
    mine = Workspace.objects.filter(pk=workspace.pk, sync_fence=workspace.sync_fence, state=WorkspaceState.ACTIVE)
    return mine.update(sync_lease_until=until) == 1


def release_claim(workspace: Workspace, run: SyncRun, *, next_sync_at: datetime) -> bool:
    """Write the round's state and give the lease back, both only while it is ours."""
    with transaction.atomic():
        mine = Workspace.objects.select_for_update().filter(pk=workspace.pk, sync_fence=workspace.sync_fence)
        if not mine:
            return False
        run.save()
        Workspace.objects.filter(pk=workspace.pk).update(sync_lease_until=None, next_sync_at=next_sync_at)
    return True


def begin_round(
    workspace: Workspace, origin: str, *, resume: bool, statuses: Callable[[], list[str] | None] = lambda: None
) -> SyncRun:
    """The round that is under way, if it can be continued; else a new one, which lists `statuses` (`None`: all)."""
    now = timezone.now()
    with transaction.atomic():
        running = SyncRun.objects.filter(workspace=workspace, state=SyncState.RUNNING).first()
        if running and resume:
            running.fence = workspace.sync_fence
            running.save(update_fields=["fence"])
            return running
        if running:
            running.state, running.finished_at = SyncState.INTERRUPTED, now
            running.save(update_fields=["state", "finished_at"])
        return SyncRun.objects.create(
            workspace=workspace, fence=workspace.sync_fence, origin=origin, started_at=now, statuses=statuses()
        )
