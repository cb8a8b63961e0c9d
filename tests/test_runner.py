"""Sweeps: whole, exclusive, resumable, and honest when TokPortal misbehaves."""

from datetime import timedelta

import pytest
from django.utils import timezone

from issues import tasks
from issues.audit import Actor
from issues.enums import Origin, SyncState, WorkspaceState
from issues.models import AuditEvent, Bundle, Issue, SyncRun, Workspace
from issues.problems import Refusal
from issues.sync import runner
from issues.sync.runner import SweepRunningError, due_workspaces, sweep_workspace
from issues.sync.workspaces import pause_workspace
from issues.tokportal import constants as c
from tests import factories

SYNC = Actor.system(Origin.SYNC)


def sweep(workspace):
    return sweep_workspace(workspace, actor=SYNC)


def test_a_sweep_lists_all_and_reads_only_what_can_be_flagged(swept, small_sandbox):
    flaggable = Bundle.objects.exclude(status__in=c.NOT_FLAGGABLE_STATUSES).count()

    assert swept.state == SyncState.DONE
    assert swept.bundles == Bundle.objects.count() == 12
    assert swept.requests == 1 + flaggable
    assert swept.issues_opened == Issue.objects.count() > 0
    assert swept.errors == swept.throttled == 0


def test_the_next_sweep_is_due_after_the_interval(swept, workspace):
    workspace.refresh_from_db()

    assert workspace.next_sweep_at == swept.started_at + timedelta(minutes=30)
    assert due_workspaces() == []
    Workspace.objects.update(next_sweep_at=timezone.now())
    assert due_workspaces() == [workspace]


def test_two_sweeps_never_run_at_once(workspace):
    claimed = runner._claim(workspace)

    with pytest.raises(SweepRunningError):
        sweep(workspace)
    assert due_workspaces() == []
    assert claimed.sweep_fence == 1


def test_a_dead_sweep_is_taken_over_and_its_run_marked(workspace):
    dead = runner._claim(workspace)
    SyncRun.objects.create(workspace=dead, fence=1, origin="sync", started_at=timezone.now())
    Workspace.objects.update(sweep_lease_until=timezone.now() - timedelta(seconds=1))

    run = sweep(workspace)

    assert run.state == SyncState.DONE
    assert list(SyncRun.objects.order_by("pk").values_list("state", flat=True)) == ["interrupted", "done"]


def test_a_crash_half_way_loses_nothing_and_doubles_nothing(workspace, small_sandbox, monkeypatch):
    original = runner.mirror.mirror_videos
    calls = []

    def crash_at_the_third(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("power cut")
        return original(*args, **kwargs)

    monkeypatch.setattr(runner.mirror, "mirror_videos", crash_at_the_third)
    with pytest.raises(RuntimeError):
        sweep(workspace)
    found_before = set(Issue.objects.values_list("pk", flat=True))
    monkeypatch.undo()

    run = sweep(workspace)

    flagged = len(Issue.objects.all())
    assert run.state == SyncState.DONE
    assert found_before <= set(Issue.objects.values_list("pk", flat=True))
    assert AuditEvent.objects.filter(verb="issue.opened").count() == flagged
    assert SyncRun.objects.filter(state="interrupted").count() == 1


def test_a_failing_bundle_does_not_stop_the_others(workspace, small_sandbox):
    bundle, _ = factories.slot(small_sandbox, "video", flagged=True)
    small_sandbox.control.fault("malformed", path=f"/bundles/{bundle['id']}/videos$", times=-1)

    run = sweep(workspace)

    assert (run.state, run.errors) == (SyncState.DONE, 1)
    assert run.issues_opened > 0
    assert not Issue.objects.filter(video__bundle__tokportal_id=bundle["id"]).exists()


def test_a_bundle_that_answers_404_is_gone_and_its_issue_moot(swept, workspace, small_sandbox):
    issue = Issue.objects.select_related("video__bundle").first()
    small_sandbox.control.fault(
        "status", path=f"/{issue.video.bundle.tokportal_id}/videos$", status=404, code=c.BUNDLE_NOT_FOUND
    )

    sweep(workspace)

    issue.refresh_from_db()
    assert issue.state == "moot"


def test_revoked_key_stops_the_workspace_and_keeps_what_is_known(swept, workspace, small_sandbox):
    known = Issue.objects.filter(state="open").count()
    small_sandbox.control.fault("key_revoked", path="^/bundles$")

    run = sweep(workspace)

    workspace.refresh_from_db()
    assert (run.state, run.code) == (SyncState.FAILED, c.AUTH_REVOKED_KEY)
    assert workspace.state == WorkspaceState.KEY_REFUSED
    assert Issue.objects.filter(state="open").count() == known
    assert due_workspaces() == []
    with pytest.raises(Refusal):
        sweep(workspace)


@pytest.mark.parametrize("kind", ["html", "malformed", "truncated", "reset_before"])
def test_an_unusable_listing_fails_the_sweep_and_changes_nothing(swept, workspace, small_sandbox, kind):
    known = list(Issue.objects.order_by("pk").values_list("pk", "state"))
    small_sandbox.control.fault(kind, path="^/bundles$", times=-1)

    run = sweep(workspace)

    workspace.refresh_from_db()
    assert run.state == SyncState.FAILED
    assert list(Issue.objects.order_by("pk").values_list("pk", "state")) == known
    assert timedelta(0) < workspace.next_sweep_at - timezone.now() <= runner.RETRY_AFTER_FAILURE
    assert not Bundle.objects.filter(gone_at__isnull=False).exists()


@pytest.mark.parametrize(
    "kind", ["missing_fields", "null_fields", "wrong_types", "unknown_enums", "new_fields", "duplicate_ids"]
)
def test_odd_answers_neither_close_nor_double_anything(swept, workspace, small_sandbox, kind):
    known = list(Issue.objects.order_by("pk").values_list("pk", "state", "links"))
    names = dict(Bundle.objects.values_list("tokportal_id", "title"))
    small_sandbox.control.fault(kind, times=-1)

    run = sweep(workspace)

    assert run.state == SyncState.DONE
    assert list(Issue.objects.order_by("pk").values_list("pk", "state", "links")) == known
    assert dict(Bundle.objects.values_list("tokportal_id", "title")) == names


def test_an_unreachable_tokportal_fails_soon(swept, workspace, settings):
    settings.TOKPORTAL_CONNECT_TIMEOUT = 1
    Workspace.objects.update(base_url="http://127.0.0.1:9/api/ext")
    workspace.refresh_from_db()

    assert sweep(workspace).state == SyncState.FAILED


def test_a_shifting_listing_drops_no_bundle(workspace, small_sandbox, monkeypatch):
    monkeypatch.setattr(runner, "PAGE_ROWS", 5)
    small_sandbox.control.fault("shift_listing", path="^/bundles$", times=-1, by=1)

    for _ in range(3):
        sweep(workspace)

    assert Bundle.objects.filter(gone_at=None).count() == 12


def test_a_bundle_that_the_listing_loses_but_that_answers_is_kept(swept, workspace, small_sandbox):
    issue = Issue.objects.select_related("video__bundle").order_by("pk")[0]
    lost = issue.video.bundle.tokportal_id
    from issues.sandbox import calls

    listed = calls.list_bundles

    def without(handler, app, call):
        status, body = listed(handler, app, call)
        body["data"] = [entry for entry in body["data"] if entry["id"] != lost]
        return status, body

    calls.ROUTES = tuple((m, p, without if f is listed else f) for m, p, f in calls.ROUTES)
    try:
        for _ in range(3):
            sweep(workspace)
    finally:
        calls.ROUTES = tuple((m, p, listed if f is without else f) for m, p, f in calls.ROUTES)

    issue.refresh_from_db()
    assert issue.state == "open"
    assert Bundle.objects.get(tokportal_id=lost).gone_at is None


def test_429_inside_a_sweep_is_waited_for(workspace, small_sandbox):
    small_sandbox.control.fault(
        "status", path="/videos$", status=429, code=c.RATE_LIMIT_EXCEEDED, headers={"Retry-After": "1"}, times=1
    )

    run = sweep(workspace)

    assert (run.state, run.throttled, run.errors) == (SyncState.DONE, 1, 0)


def test_paused_workspaces_are_left_alone(workspace, small_sandbox):
    pause_workspace(workspace=workspace, paused=True, actor=SYNC)

    assert due_workspaces() == []
    tasks.sweep_workspace(str(workspace.pk))
    assert not SyncRun.objects.exists()


def test_the_task_sweeps_what_is_due_and_nothing_twice(workspace):
    tasks.sweep_workspace(str(workspace.pk))
    tasks.sweep_workspace(str(workspace.pk))

    assert SyncRun.objects.count() == 1


def test_the_most_urgent_bundles_are_read_first(swept, workspace, small_sandbox):
    sweep_order = [
        bundle.pk for bundle in runner._Sweep(runner._claim(workspace), SYNC, lambda run: None)._bundles_to_read()
    ]
    first = Issue.objects.filter(state="open").order_by("deadline", "pk")[0]

    assert sweep_order[0] in set(
        Issue.objects.filter(deadline=first.deadline).values_list("video__bundle_id", flat=True)
    )


def test_a_sweep_takes_no_429_from_a_real_bucket(team):
    from issues.sandbox.server import Sandbox

    with Sandbox(rate=240, bundles=60, videos=60, flagged=3) as sandbox:
        workspace = factories.connect(team, sandbox)
        run = sweep(workspace)

        assert run.state == SyncState.DONE
        assert sandbox.control.ledger("throttled") == []
