"""Celery's entry points. The database is the queue: each finds its work there and may run any number of times."""

import threading
import time
from typing import Any

from celery import current_app, shared_task
from celery.signals import worker_shutting_down
from django.conf import settings

from issues import pulse, retention
from issues.audit import Actor, keeping, watch
from issues.checks import background
from issues.enums import Origin
from issues.fixes import bulk, claims, lifecycle, prepared, uploads
from issues.models import Workspace
from issues.notify import collect, compose, invitations, keys, post, warnings
from issues.nudge import nudge
from issues.outgoing import announce, deliver
from issues.problems import Refusal
from issues.sync import care, described, shifts
from issues.sync import claims as sync_claims

# One batch of link checks at a time in a process: it has threads of its own.
_link_checks = threading.BoundedSemaphore(1)
LINK_CHECK_SECONDS = 30.0
_care = threading.BoundedSemaphore(1)
CARE_SECONDS = 30.0
# Shifts last; in a process with several threads some of them stay free for what people wait for.
_shifts = threading.BoundedSemaphore(settings.TOKDASH_SHIFTS)


@shared_task(name="issues.run_fix")
def run_fix(fix_id: str) -> None:
    """Bring one fix as far as it goes now."""
    lifecycle.drive_fix(fix_id)


@shared_task(name="issues.send_plans")
def send_plans() -> None:
    """Make fixes of the rows that were chosen in bulk; each is due when its countdown ends."""
    while bulk.send_chosen():
        pass


@shared_task(name="issues.check_plans")
def check_plans() -> None:
    """Look at the links of bulk plans, batch after batch."""
    until = time.monotonic() + LINK_CHECK_SECONDS
    while time.monotonic() < until and bulk.check_rows():
        pass


@shared_task(name="issues.resume_fixes")
def resume_fixes() -> None:
    """Every few seconds: wake a worker for each fix that is due and held by nobody; end abandoned uploads."""
    uploads.cancel_abandoned()
    prepared.send_prepared()
    bulk.cancel_undone()
    send_plans()
    for fix_id in claims.due_fixes():
        nudge("issues.run_fix", str(fix_id))


@shared_task(name="issues.sync_due_workspaces")
def sync_due_workspaces() -> None:
    """Every few seconds: wake a worker for each workspace that wants a runner and has none."""
    for workspace in sync_claims.due_workspaces():
        nudge("issues.sync_workspace", str(workspace.pk))


@shared_task(name="issues.care_for_workspaces")
def care_for_workspaces() -> None:
    """Every few seconds: send the requests that are due outside the sync (credits, Coverage, bans, webhooks)."""
    if not _care.acquire(blocking=False):
        return
    try:
        until = time.monotonic() + CARE_SECONDS
        for workspace in care.due_for_care():
            if time.monotonic() > until or shifts.is_stopping():
                return  # the next tick goes on
            care.care_for(workspace, actor=Actor.system(Origin.SYNC))
    finally:
        _care.release()


# Acknowledged at once: a shift that died is followed by the next tick, not by a repetition of its message.
@shared_task(name="issues.sync_workspace", acks_late=False)
def sync_workspace(workspace_id: str) -> None:
    """One shift for a workspace, unless somebody works on it or nothing is to be done yet; then ask for the next."""
    workspace = Workspace.objects.filter(pk=workspace_id).first()
    if workspace is None or shifts.is_stopping() or workspace not in sync_claims.due_workspaces():
        return
    if not _shifts.acquire(blocking=False):
        return  # this process has its hands full: another one, or the next tick
    try:
        shifts.run_shift(workspace, actor=Actor.system(Origin.SYNC))
    except Refusal:
        return  # paused, refused or taken by another worker meanwhile
    finally:
        _shifts.release()
    if workspace in sync_claims.due_workspaces():
        nudge("issues.sync_workspace", workspace_id)


@worker_shutting_down.connect
def hand_over(**_: Any) -> None:
    """SIGTERM: shifts give their leases back, so that another worker goes on at once."""
    shifts.stop_shifts()


@shared_task(name="issues.check_links")
def check_links() -> None:
    """Every few seconds: look at the links of videos that are due, batch after batch for a while."""
    if not _link_checks.acquire(blocking=False):
        return
    try:
        until = time.monotonic() + LINK_CHECK_SECONDS
        while time.monotonic() < until and not shifts.is_stopping() and background.check_due_videos():
            pass
    finally:
        _link_checks.release()


@shared_task(name="issues.send_heartbeats")
def send_heartbeats() -> None:
    """Every few seconds: a message through each queue."""
    for queue in pulse.QUEUES:
        current_app.send_task("issues.beat", args=[queue], queue=queue, expires=30, retry=False)


@shared_task(name="issues.beat")
def beat(queue: str) -> None:
    """Taken from `queue`: a worker is alive there."""
    pulse.beat(queue)


@shared_task(name="issues.tell_owners")
def tell_owners() -> None:
    """Tell owners whose key TokPortal has refused or expires soon, and who have few credits left."""
    keys.tell_owners_of_refused_keys()
    warnings.warn_owners()


@shared_task(name="issues.deliver_hooks")
def deliver_hooks() -> None:
    """Every few seconds: what is new in the histories becomes deliveries, and what is due is delivered."""
    announce.announce_all()
    until = time.monotonic() + LINK_CHECK_SECONDS
    while time.monotonic() < until and deliver.deliver_due():
        pass


@shared_task(name="issues.notify")
def notify() -> None:
    """Every few seconds: what waits for a channel becomes a message, and messages that are due go out."""
    collect.collect_due()
    compose.compose_due()
    until = time.monotonic() + LINK_CHECK_SECONDS
    while time.monotonic() < until and post.send_due():
        pass


@shared_task(name="issues.mail_invitations")
def mail_invitations() -> None:
    """Mail the invitations that wait for it."""
    invitations.mail_invitations()


@shared_task(name="issues.watch_history")
def watch_history() -> None:
    """Every minute: verify and sign what is new in every team's history, walk over a slice of the old."""
    watch.watch_all()


@shared_task(name="issues.keep_history")
def keep_history() -> None:
    """Every hour: let go of events that are older than their team keeps them."""
    keeping.keep_all()


@shared_task(name="issues.tidy")
def tidy() -> None:
    """Every hour: let go of what is too old to be of use, in small batches."""
    retention.tidy()
    described.describe_missing()
