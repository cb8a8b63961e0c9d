"""Celery's entry points. The database is the queue: each finds its work there and may run any number of times."""

from celery import shared_task

from issues.audit import Actor
from issues.enums import Origin
from issues.fixes import lifecycle, uploads
from issues.models import Workspace
from issues.nudge import nudge
from issues.problems import Refusal
from issues.sync import runner


@shared_task(name="issues.run_fix")
def run_fix(fix_id: str) -> None:
    """Bring one fix as far as it goes now."""
    lifecycle.drive_fix(fix_id)


@shared_task(name="issues.resume_fixes")
def resume_fixes() -> None:
    """Every few seconds: wake a worker for each fix that is due and held by nobody; end abandoned uploads."""
    uploads.cancel_abandoned()
    for fix_id in lifecycle.due_fixes():
        nudge("issues.run_fix", str(fix_id))


@shared_task(name="issues.sweep_due_workspaces")
def sweep_due_workspaces() -> None:
    """Every few seconds: wake a worker for each workspace whose sweep is due."""
    for workspace in runner.due_workspaces():
        nudge("issues.sweep_workspace", str(workspace.pk))


@shared_task(name="issues.sweep_workspace")
def sweep_workspace(workspace_id: str) -> None:
    """Sweep one workspace, unless it is being swept or is not due any more."""
    workspace = Workspace.objects.filter(pk=workspace_id).first()
    if workspace is None or workspace not in runner.due_workspaces():
        return
    try:
        runner.sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    except Refusal:
        return  # paused, refused or taken by another worker meanwhile
