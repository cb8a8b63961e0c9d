"""The continuous sync: shifts, so that any number of workspaces share any number of workers."""

import threading
import time
from datetime import timedelta

from django.db import DatabaseError
from django.utils import timezone

from issues.audit import Actor
from issues.models import SyncRun, Workspace
from issues.sync import claims
from issues.sync.runner import Terms
from issues.sync.sweeps import run_claimed

SHIFT_SECONDS = 30.0
SHORT_SHIFT_SECONDS = 5.0  # where other workspaces wait for a runner; what was not used meanwhile is in the bucket
SHIFT_PATIENCE = 3.0
_stopping = threading.Event()


def stop_shifts() -> None:
    """This process is about to end: shifts finish what is on its way and give their leases back."""
    _stopping.set()


def is_stopping() -> bool:
    return _stopping.is_set()


def run_shift(workspace: Workspace, *, actor: Actor, seconds: float = SHIFT_SECONDS) -> SyncRun:
    """Ask on and on for a while, then give the workspace back so that every one gets its turn.

    Raises Refusal as sweep_workspace does.
    """
    started = time.monotonic()
    asked_others = [started]

    def should_stop() -> bool:
        now = time.monotonic()
        if _stopping.is_set() or now - started > seconds:
            return True
        if now - asked_others[0] > 1.0:
            asked_others[0] = now
            patient = 2 if now - started > SHORT_SHIFT_SECONDS else 3600
            try:
                return claims.must_yield(workspace, others_since=timezone.now() - timedelta(seconds=patient))
            except DatabaseError:
                return True
        return False

    terms = Terms(once=False, patience=SHIFT_PATIENCE, should_stop=should_stop)
    return run_claimed(workspace, actor=actor, terms=terms, resume=True, on_progress=None)
