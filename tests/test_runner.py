"""Sweeps and shifts: whole, exclusive, resumable, and honest when TokPortal misbehaves."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from issues import tasks
from issues.audit import Actor
from issues.enums import Origin, SyncState
from issues.models import AuditEvent, Bundle, Issue, SyncGauge, SyncMinute, SyncRun, Workspace
from issues.models.bundles import NEVER
from issues.sandbox.server import Sandbox
from issues.sync import claims, fetcher, runner, shifts
from issues.sync.claims import SweepRunningError, due_workspaces
from issues.sync.planner import MIN_AGE_SECONDS
from issues.sync.sweeps import sweep_workspace
from issues.sync.workspaces import pause_workspace, want_everything_now
from issues.tokportal import constants as c
from tests import factories

SYNC = Actor.system(Origin.SYNC)


def sweep(workspace):
    return sweep_workspace(workspace, actor=SYNC)


def shift(workspace, seconds=1.0):
    return shifts.run_shift(workspace, actor=SYNC, seconds=seconds)


def flaggable():
    return Bundle.objects.filter(heat__isnull=False)


def long_ago(minutes=20):
    """As if every bundle had been asked so long ago."""
    Bundle.objects.update(asked_at=timezone.now() - timedelta(minutes=minutes))


# --- A sweep -------------------------------------------------------------------------------------------------


def test_a_sweep_lists_all_and_reads_only_what_can_be_flagged(swept, small_sandbox):
    expected = Bundle.objects.exclude(status__in=c.NOT_FLAGGABLE_STATUSES).count()

    assert swept.state == SyncState.DONE
    assert swept.bundles == Bundle.objects.count() == 12
    assert swept.requests == 1 + expected
    assert swept.looks == swept.bundles_to_read == expected == flaggable().count()
    assert swept.issues_opened == Issue.objects.count() > 0
    assert swept.errors == swept.throttled == 0


def test_a_sweep_measures_where_it_stands(swept, workspace):
    gauge = SyncGauge.objects.get()

    assert gauge.flaggable == flaggable().count()
    assert (gauge.never_looked, gauge.overdue, gauge.silent, gauge.trouble_code) == (0, 0, 0, "")
    assert swept.started_at <= gauge.oldest_look_at <= timezone.now()
    assert gauge.limit_per_minute == 60_000
    assert gauge.best_delay == MIN_AGE_SECONDS / 2  # nobody is asked more often
    assert 0 <= gauge.expected_delay < 60
    assert sum(SyncMinute.objects.values_list("requests", flat=True)) == swept.requests


def test_two_runners_never_work_at_once(workspace):
    claimed = claims.claim_workspace(workspace)

    with pytest.raises(SweepRunningError):
        sweep(workspace)
    assert due_workspaces() == []
    assert claimed.sync_fence == 1


def test_a_dead_runner_is_followed_and_its_round_marked(workspace):
    dead = claims.claim_workspace(workspace)
    SyncRun.objects.create(workspace=dead, fence=1, origin="sync", started_at=timezone.now())
    Workspace.objects.update(sync_lease_until=timezone.now() - timedelta(seconds=1))

    run = sweep(workspace)

    assert run.state == SyncState.DONE
    assert list(SyncRun.objects.order_by("pk").values_list("state", flat=True)) == ["interrupted", "done"]


def test_a_runner_that_lost_its_lease_writes_nothing_more(workspace):
    mine = claims.claim_workspace(workspace)
    run = claims.begin_round(mine, "sync", resume=False)
    Workspace.objects.update(sync_fence=mine.sync_fence + 1)

    assert not claims.renew_claim(mine)
    assert not claims.release_claim(mine, run, next_sync_at=timezone.now())


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


def test_a_bundle_that_the_listing_loses_but_that_answers_is_kept(swept, workspace, small_sandbox):
    issue = Issue.objects.select_related("video__bundle").first()
    lost = issue.video.bundle.tokportal_id
    small_sandbox.world.bundles[lost].owner, owner = "nobody", small_sandbox.world.bundles[lost].owner
    for _ in range(3):
        Bundle.objects.update(last_listed_at=timezone.now() - timedelta(minutes=1))
        Bundle.objects.exclude(tokportal_id=lost).update(last_listed_at=timezone.now())
        runner.mirror.note_missing(workspace, listed_since=timezone.now() - timedelta(seconds=30), actor=SYNC)
    small_sandbox.world.bundles[lost].owner = owner

    sweep(workspace)

    issue.refresh_from_db()
    assert issue.state == "open"
    assert Bundle.objects.get(tokportal_id=lost).gone_at is None


def test_a_vanished_bundle_is_confirmed_and_then_let_go(swept, workspace, small_sandbox):
    issue = Issue.objects.select_related("video__bundle").first()
    small_sandbox.control.remove_bundle(issue.video.bundle.tokportal_id)

    sweep(workspace)

    issue.refresh_from_db()
    assert issue.state == "moot"
    assert Bundle.objects.get(pk=issue.video.bundle_id).gone_at is not None


def test_a_shifting_listing_drops_no_bundle(workspace, small_sandbox, monkeypatch):
    monkeypatch.setattr(fetcher, "PAGE_ROWS", 5)
    small_sandbox.control.fault("shift_listing", path="^/bundles$", times=-1, by=1)

    for _ in range(3):
        sweep(workspace)

    assert Bundle.objects.filter(gone_at=None).count() == 12


def test_the_hottest_bundles_are_read_first(workspace, small_sandbox, monkeypatch):
    asked = []
    original = runner.Runner._send
    monkeypatch.setattr(runner.Runner, "_send", lambda self, f, ask: (asked.append(ask), original(self, f, ask)))

    sweep(workspace)

    heats = [ask.bundle.heat for ask in asked if ask.bundle]
    assert heats == sorted(heats, reverse=True)


def test_a_sweep_takes_no_429_from_a_real_bucket(team):
    with Sandbox(rate=240, bundles=60, videos=60, flagged=3) as sandbox:
        workspace = factories.connect(team, sandbox)
        run = sweep(workspace)

        assert run.state == SyncState.DONE
        assert sandbox.control.ledger("throttled") == []


def test_the_command_is_let_in_by_a_shift(workspace):
    claimed = claims.claim_workspace(workspace)
    claims.reserve_workspace(workspace)

    assert claims.must_yield(claimed, others_since=timezone.now() - timedelta(hours=1))
    Workspace.objects.update(sync_lease_until=None)
    assert due_workspaces() == []
    assert sweep(workspace).state == SyncState.DONE


# --- Shifts --------------------------------------------------------------------------------------------------


def test_a_shift_does_what_a_sweep_does_and_goes_on(workspace, small_sandbox):
    run = shift(workspace)

    flagged = sum(
        bundle["status"] not in c.NOT_FLAGGABLE_STATUSES
        for bundle, _ in small_sandbox.control.videos(download_issue=True)
    )
    assert run.state == SyncState.RUNNING
    assert Issue.objects.filter(state="open").count() == flagged
    assert not flaggable().filter(asked_at=NEVER).exists()

    bundle, video = factories.slot(small_sandbox, "video")
    small_sandbox.control.flag(bundle["id"], video["position"], "broken now")
    long_ago()
    again = shift(workspace)

    assert again.pk == run.pk
    assert Issue.objects.filter(comment="broken now").count() == 1
    assert SyncGauge.objects.get().oldest_look_at > timezone.now() - timedelta(minutes=1)


def test_nobody_is_asked_again_within_ten_seconds(workspace, small_sandbox):
    shift(workspace)
    before = SyncRun.objects.get().requests

    shift(workspace)

    assert SyncRun.objects.get().requests == before
    workspace.refresh_from_db()
    assert timezone.now() < workspace.next_sync_at < timezone.now() + timedelta(seconds=10)


def test_unchanged_answers_are_not_read_again(workspace, small_sandbox, monkeypatch):
    shift(workspace)
    long_ago()
    read = []
    original = runner.mirror.mirror_videos
    monkeypatch.setattr(
        runner.mirror, "mirror_videos", lambda bundle, *a, **k: (read.append(bundle.pk), original(bundle, *a, **k))[1]
    )

    shift(workspace)

    assert read == []
    assert not flaggable().filter(asked_at__lt=timezone.now() - timedelta(minutes=5)).exists()


def test_a_hurried_bundle_is_asked_at_once(swept, workspace, small_sandbox):
    bundle, video = factories.slot(small_sandbox, "video")
    small_sandbox.control.flag(bundle["id"], video["position"], "urgent")
    Bundle.objects.filter(tokportal_id=bundle["id"]).update(hurry_at=timezone.now())

    shift(workspace)

    assert Issue.objects.filter(comment="urgent").exists()
    assert not Bundle.objects.filter(hurry_at__isnull=False).exists()


def test_a_hurried_bundle_that_was_published_meanwhile_can_be_flagged(swept, workspace, small_sandbox):
    draft = Bundle.objects.get(tokportal_id=Bundle.objects.filter(heat=None)[0].tokportal_id)
    small_sandbox.control.change_bundle(draft.tokportal_id, status="accepted")
    Bundle.objects.filter(pk=draft.pk).update(hurry_at=timezone.now(), hurry_whole=True)

    shift(workspace)

    draft.refresh_from_db()
    assert (draft.status, draft.hurry_at, draft.hurry_whole) == ("accepted", None, False)
    assert draft.heat is not None
    assert draft.last_checked_at is not None


def test_a_webhook_about_a_bundle_that_is_gone_asks_once(swept, workspace, small_sandbox):
    gone = Bundle.objects.filter(heat__isnull=False)[0]
    small_sandbox.control.remove_bundle(gone.tokportal_id)
    runner.mirror.note_gone(gone, actor=SYNC)
    Bundle.objects.filter(pk=gone.pk).update(hurry_at=timezone.now(), hurry_whole=True)
    before = SyncRun.objects.latest("pk").requests if SyncRun.objects.filter(state="running") else 0

    run = shift(workspace, seconds=2)

    assert run.requests - before < 20
    assert Bundle.objects.get(pk=gone.pk).hurry_at is None


def test_an_answer_that_cannot_be_stored_stops_nobody_else(workspace, small_sandbox, monkeypatch):
    original = runner.mirror.mirror_videos
    first = []

    def refuse_the_first(bundle, *args, **kwargs):
        first[:] = first or [bundle.pk]
        if bundle.pk == first[0]:
            raise IntegrityError("no room")
        return original(bundle, *args, **kwargs)

    monkeypatch.setattr(runner.mirror, "mirror_videos", refuse_the_first)

    run = sweep(workspace)

    assert (run.state, run.errors, run.code) == (SyncState.DONE, 1, "NOT_STORABLE")
    assert run.looks == flaggable().count() - 1


def test_want_everything_now_asks_each_bundle_once(swept, workspace):
    want_everything_now(workspace=workspace, actor=Actor.system())

    run = shift(workspace, seconds=3)

    assert run.looks == flaggable().count()
    assert not Bundle.objects.filter(hurry_at__isnull=False).exists()


def test_a_listing_goes_on_where_the_former_shift_stopped(workspace, monkeypatch):
    monkeypatch.setattr(fetcher, "PAGE_ROWS", 5)
    claimed = claims.claim_workspace(workspace)
    half = claims.begin_round(claimed, "sync", resume=True)
    half.next_page, half.bundles = 3, 10
    half.save()
    Workspace.objects.update(sync_lease_until=None)

    run = shift(workspace)

    assert run.pk == half.pk
    assert (run.bundles, run.listed_at is not None) == (12, True)


def test_a_shift_ends_when_others_wait_and_the_waiting_is_served_first(team, workspace, small_sandbox):
    other = factories.connect(team, small_sandbox, name="Other")
    Workspace.objects.filter(pk=other.pk).update(next_sync_at=timezone.now() - timedelta(seconds=60))

    assert [w.name for w in due_workspaces()] == ["Other", "TokPortal"]
    assert claims.must_yield(workspace, others_since=timezone.now() - timedelta(seconds=2))


def test_a_stopping_process_gives_its_lease_back(workspace, monkeypatch):
    stopping = threading.Event()
    stopping.set()
    monkeypatch.setattr(shifts, "_stopping", stopping)
    started = time.monotonic()

    shift(workspace, seconds=30)

    workspace.refresh_from_db()
    assert time.monotonic() - started < 5
    assert workspace.sync_lease_until is None
    assert due_workspaces() == [workspace]
    tasks.sync_workspace(str(workspace.pk))
    assert SyncRun.objects.count() == 1


def test_paused_workspaces_are_left_alone(workspace, small_sandbox):
    pause_workspace(workspace=workspace, paused=True, actor=SYNC)

    assert due_workspaces() == []
    tasks.sync_workspace(str(workspace.pk))
    assert not SyncRun.objects.exists()


def test_pausing_ends_the_shift_that_runs(workspace):
    claimed = claims.claim_workspace(workspace)
    assert claims.renew_claim(claimed)

    pause_workspace(workspace=workspace, paused=True, actor=SYNC)

    assert not claims.renew_claim(claimed)


def test_the_task_runs_a_shift_where_one_is_due_and_only_so_many_at_a_time(workspace, monkeypatch):
    monkeypatch.setattr(shifts, "SHIFT_SECONDS", 1.0)
    full = threading.BoundedSemaphore(1)
    full.acquire()
    monkeypatch.setattr(tasks, "_shifts", full)
    tasks.sync_workspace(str(workspace.pk))
    assert not SyncRun.objects.exists()

    full.release()
    tasks.sync_workspace(str(workspace.pk))
    tasks.sync_workspace(str(workspace.pk))
    assert SyncRun.objects.count() == 1
