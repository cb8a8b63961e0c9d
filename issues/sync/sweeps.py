"""A runner under its lease, from the claim until it is given back; and the sweep, which looks at everything once."""

from datetime import timedelta

from django.utils import timezone

from issues.audit import Actor
from issues.enums import SyncState
from issues.leases import LeaseKeeper
from issues.models import SyncRun, Workspace
from issues.problems import LeaseLostError, Refusal
from issues.sync import claims
from issues.sync.claims import LEASE_SECONDS
from issues.sync.listings import statuses_to_list
from issues.sync.runner import GaveUpError, Progress, Runner, Terms
from issues.sync.workspaces import refuse_key
from issues.tokportal.errors import ForbiddenError, KeyRefusedError

RETRY_AFTER_FAILURE = timedelta(seconds=60)


def run_claimed(
    workspace: Workspace, *, actor: Actor, terms: Terms, resume: bool, on_progress: Progress | None
) -> SyncRun:
    """Work under the lease, and give it back whatever happens. Returns the round."""
    claimed = claims.claim_workspace(workspace)
    statuses = (lambda: None) if terms.once else (lambda: statuses_to_list(claimed, timezone.now()))
    run = claims.begin_round(claimed, actor.origin.value, resume=resume, statuses=statuses)
    runner = Runner(claimed, run, actor, terms, on_progress)
    with LeaseKeeper(lambda: claims.renew_claim(claimed), every=LEASE_SECONDS / 4) as lease:
        runner.lease = lease
        try:
            runner.work()
        except (KeyRefusedError, ForbiddenError) as error:
            refuse_key(workspace=claimed, code=error.code, actor=actor)
            return _end(runner, SyncState.FAILED, error.code)
        except (GaveUpError, Refusal) as error:
            return _end(runner, SyncState.FAILED, error.code)
        except LeaseLostError:
            runner.run.state, runner.run.code = SyncState.INTERRUPTED, "LEASE_LOST"
            return runner.run
        except BaseException:
            # A bug, or Ctrl-C: the lease is given back so that the next runner need not wait for it.
            _end(runner, SyncState.INTERRUPTED, "INTERRUPTED")
            raise
        return _end(runner, SyncState.DONE if terms.once else SyncState.RUNNING, "")


def _end(runner: Runner, state: SyncState, code: str) -> SyncRun:
    run, now = runner.run, timezone.now()
    run.state, run.code = state, (code or run.code)[:80]
    if state != SyncState.RUNNING:
        run.finished_at = now
    next_sync_at = runner.resume_at or now
    if state in {SyncState.FAILED, SyncState.INTERRUPTED}:
        next_sync_at = max(next_sync_at, now + RETRY_AFTER_FAILURE) if state == SyncState.FAILED else now
    if not claims.release_claim(runner.workspace, run, next_sync_at=next_sync_at):
        run.state, run.code = SyncState.INTERRUPTED, "LEASE_LOST"
    return run


def sweep_workspace(workspace: Workspace, *, actor: Actor, on_progress: Progress | None = None) -> SyncRun:
    """List everything and look at each bundle that can be flagged once. Returns the round, done or failed.

    Raises SweepRunningError where a runner works on it already, Refusal where the workspace is paused or its key
    refused.
    """
    terms = Terms(once=True, patience=900.0)
    return run_claimed(workspace, actor=actor, terms=terms, resume=False, on_progress=on_progress)
