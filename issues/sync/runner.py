"""Sweep a workspace: list all bundles, read the videos of those that can be flagged, mirror each answer.

A sweep holds a lease on its workspace, so two never run at once, and a sweep that was killed is taken over within
LEASE_SECONDS. Each bundle is one transaction; what a crash leaves is whole, and the next sweep does the rest.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Min, Q
from django.utils import timezone

from issues.audit import Actor
from issues.enums import UNRESOLVED, SyncState, WorkspaceState
from issues.leases import LeaseKeeper
from issues.models import Bundle, SyncRun, Workspace
from issues.problems import LeaseLostError, Refusal
from issues.sync import mirror
from issues.sync.connection import open_client
from issues.sync.workspaces import refuse_key
from issues.tokportal import constants as c
from issues.tokportal.budget import Lane
from issues.tokportal.client import TokPortalClient
from issues.tokportal.errors import KeyRefusedError, NotFoundError, TokPortalError
from issues.tokportal.payloads import BundlePayload

logger = logging.getLogger(__name__)

LEASE_SECONDS = 30
RETRY_AFTER_FAILURE = timedelta(seconds=60)
# So many bundles in a row without an answer: TokPortal is away, and asking on would not help.
FAILURES_IN_A_ROW = 5
PAGE_ROWS = 100

Progress = Callable[[SyncRun], None]


class SweepRunningError(Refusal):
    """Another sweep of this workspace runs."""

    code = "SWEEP_RUNNING"


def due_workspaces() -> list[Workspace]:
    """Active workspaces whose time has come and that nobody sweeps now."""
    now = timezone.now()
    free = Q(sweep_lease_until=None) | Q(sweep_lease_until__lt=now)
    return list(Workspace.objects.filter(free, state=WorkspaceState.ACTIVE, next_sweep_at__lte=now))


def sweep_workspace(workspace: Workspace, *, actor: Actor, on_progress: Progress | None = None) -> SyncRun:
    """One full sweep in the foreground. Returns its run, done or failed.

    Raises SweepRunningError where one runs already, Refusal where the workspace is paused or its key refused.
    """
    sweep = _Sweep(_claim(workspace), actor, on_progress or (lambda run: None))
    with LeaseKeeper(sweep.renew, every=LEASE_SECONDS / 4) as lease:
        sweep.lease = lease
        return sweep.run_to_end()


def _claim(workspace: Workspace) -> Workspace:
    """Take the lease, or raise. The fence grows, so a sweep that lost its lease cannot finish its run."""
    now = timezone.now()
    with transaction.atomic():
        free = Q(sweep_lease_until=None) | Q(sweep_lease_until__lt=now)
        claimed = Workspace.objects.filter(free, pk=workspace.pk, state=WorkspaceState.ACTIVE).update(
            sweep_fence=F("sweep_fence") + 1, sweep_lease_until=now + timedelta(seconds=LEASE_SECONDS)
        )
        current = Workspace.objects.select_related("team").get(pk=workspace.pk)
        if not claimed:
            if current.state == WorkspaceState.PAUSED:
                raise Refusal(f"The workspace “{current.name}” is paused.", code="PAUSED")
            if current.state == WorkspaceState.KEY_REFUSED:
                raise Refusal(f"TokPortal refuses the key of “{current.name}”: replace it.", code="KEY_REFUSED")
            raise SweepRunningError(f"“{current.name}” is being swept already.")
        SyncRun.objects.filter(workspace=current, state=SyncState.RUNNING).update(
            state=SyncState.INTERRUPTED, finished_at=now
        )
    return current


@dataclass
class _Sweep:
    """One sweep from claim to end."""

    workspace: Workspace
    actor: Actor
    on_progress: Progress

    def __post_init__(self) -> None:
        self.fence = self.workspace.sweep_fence
        self.started_at = timezone.now()
        self.lease: LeaseKeeper | None = None
        self.run = SyncRun.objects.create(
            workspace=self.workspace, fence=self.fence, origin=self.actor.origin, started_at=self.started_at
        )

    def renew(self) -> bool:
        until = timezone.now() + timedelta(seconds=LEASE_SECONDS)
        mine = Workspace.objects.filter(pk=self.workspace.pk, sweep_fence=self.fence)
        return mine.update(sweep_lease_until=until) == 1

    def run_to_end(self) -> SyncRun:
        try:
            with open_client(self.workspace, Lane.SYNC) as client:
                try:
                    self._sweep(client)
                finally:
                    self.run.requests, self.run.throttled = client.usage.requests, client.usage.throttled
        except KeyRefusedError as error:
            refuse_key(workspace=self.workspace, code=error.code, actor=self.actor)
            return self._finish(SyncState.FAILED, error.code)
        except TokPortalError as error:
            logger.warning("sweep of %s failed: %s", self.workspace.pk, error.code)
            return self._finish(SyncState.FAILED, error.code)
        except Refusal as error:
            return self._finish(SyncState.FAILED, error.code)
        except LeaseLostError:
            self.run.state, self.run.code = SyncState.INTERRUPTED, "LEASE_LOST"
            return self.run
        except BaseException:
            # A bug, or Ctrl-C: the lease is given back so that the next sweep need not wait for it.
            self._finish(SyncState.INTERRUPTED, "INTERRUPTED")
            raise
        return self._finish(SyncState.DONE, self.run.code)

    def _sweep(self, client: TokPortalClient) -> None:
        page: list[BundlePayload] = []
        for payload in client.iter_bundles(per_page=PAGE_ROWS):
            page.append(payload)
            if len(page) == PAGE_ROWS:
                self._mirror_page(page)
                page = []
        if page:
            self._mirror_page(page)
        bundles = self._bundles_to_read()
        self.run.bundles_to_read = len(bundles)
        in_a_row = 0
        for bundle in bundles:
            self._checked()
            try:
                self._read_bundle(client, bundle)
            except KeyRefusedError:
                raise
            except TokPortalError as error:
                logger.warning("videos of bundle %s: %s", bundle.tokportal_id, error.code)
                self.run.errors += 1
                self.run.code = error.code
                in_a_row += 1
                if in_a_row >= FAILURES_IN_A_ROW:
                    raise
            else:
                in_a_row = 0
            self.run.requests, self.run.throttled = client.usage.requests, client.usage.throttled
            self.on_progress(self.run)
        # Last: a bundle whose videos were read just now is there, even where the listing has lost it.
        self._count(mirror.note_missing(self.workspace, listed_since=self.started_at, actor=self.actor))

    def _mirror_page(self, page: list[BundlePayload]) -> None:
        self._checked()
        self.run.bundles += len(page)
        self._count(mirror.mirror_listing(self.workspace, page, seen_at=timezone.now(), actor=self.actor))
        self.on_progress(self.run)

    def _bundles_to_read(self) -> list[Bundle]:
        """Those that can be flagged, first those with open issues, then by the soonest deadline."""
        can_be_flagged = Bundle.objects.filter(workspace=self.workspace, gone_at=None).exclude(
            status__in=c.NOT_FLAGGABLE_STATUSES
        )
        return list(
            can_be_flagged.annotate(
                open_deadline=Min("videos__issues__deadline", filter=Q(videos__issues__state__in=UNRESOLVED)),
                soonest=Min("videos__deadline", filter=Q(videos__deadline__gte=timezone.now())),
            ).order_by(F("open_deadline").asc(nulls_last=True), F("soonest").asc(nulls_last=True), "pk")
        )

    def _read_bundle(self, client: TokPortalClient, bundle: Bundle) -> None:
        asked_at = timezone.now()
        try:
            answer = client.list_videos(bundle.tokportal_id)
        except NotFoundError:
            self._count(mirror.note_gone(bundle, actor=self.actor))
            return
        self._checked()
        self._count(mirror.mirror_videos(bundle, answer, asked_at=asked_at, actor=self.actor))

    def _count(self, tally: mirror.Tally) -> None:
        self.run.videos += tally.videos
        self.run.issues_opened += tally.opened
        self.run.issues_closed += tally.closed

    def _checked(self) -> None:
        if self.lease is not None:
            self.lease.check()

    def _finish(self, state: SyncState, code: str) -> SyncRun:
        """Write the run's end and give the lease back, both only while it is ours."""
        now = timezone.now()
        run = self.run
        run.state, run.code, run.finished_at = state, code[:80], now
        with transaction.atomic():
            ours = Workspace.objects.select_for_update().filter(pk=self.workspace.pk, sweep_fence=self.fence)
            if not ours:
                run.state, run.code = SyncState.INTERRUPTED, "LEASE_LOST"
            run.save()
            done = state == SyncState.DONE
            pause = self.workspace.sweep_interval if done else min(RETRY_AFTER_FAILURE, self.workspace.sweep_interval)
            changes = {"sweep_lease_until": None, "next_sweep_at": (self.started_at if done else now) + pause}
            if done:
                changes["last_swept_at"] = now
            Workspace.objects.filter(pk=self.workspace.pk, sweep_fence=self.fence).update(**changes)
        return run
