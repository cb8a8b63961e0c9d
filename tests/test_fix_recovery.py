"""Fixes whose answer was lost, or that could not be sent: seen by reading back, sent again, never twice."""

import pytest
from django.utils import timezone

from issues.enums import FixState, IssueState
from issues.fixes import lifecycle
from issues.fixes.lifecycle import drive_fix
from issues.fixes.submit import submit_links
from issues.models import Fix, Workspace
from issues.tokportal import constants as c
from tests.driving import GOOD, drive, effects, no_long_waits, verbs  # noqa: F401 - the fixture is used by being here

# --- Outcome unknown ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["reset_after", "reset_during", "timeout_after", "truncated", "html", "huge", "slow_body", "slow_headers"]
)
def test_lost_answer_after_the_effect_is_seen_by_reading_back(video_issue, actor, small_sandbox, kind):
    small_sandbox.control.fault(kind, method="POST", path="fix-download", seconds=3)

    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))

    assert (fix.state, fix.issue.state) == (FixState.SUCCEEDED, IssueState.FIXED)
    assert effects(small_sandbox) == 1
    assert fix.by_observation


@pytest.mark.parametrize(
    "fault",
    [{"kind": "reset_before"}, {"kind": "timeout_before", "seconds": 3}, *({"kind": "status", "status": s} for s in (500, 502, 503, 504))],
)  # fmt: skip
def test_lost_before_the_effect_is_sent_again_under_the_same_key(video_issue, actor, small_sandbox, fault):
    small_sandbox.control.fault(method="POST", path="fix-download", **fault)

    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))

    assert (fix.state, fix.tries) == (FixState.SUCCEEDED, 2)
    [entry] = small_sandbox.control.ledger("fix")
    assert entry["idempotency_key"] == fix.idempotency_key


def test_the_same_500_for_ever_ends_with_a_person(video_issue, actor, small_sandbox):
    small_sandbox.control.fault("status", method="POST", path="fix-download", status=500, sticky=True)

    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))

    assert (fix.state, fix.code, fix.tries) == (FixState.NEEDS_HUMAN, "OUTCOME_UNKNOWN", lifecycle.MAX_SENDS)
    assert fix.issue.state == IssueState.OPEN
    assert effects(small_sandbox) == 0


def test_409_after_a_lost_answer_is_our_own_success(video_issue, actor, small_sandbox, monkeypatch):
    small_sandbox.control.fault("reset_after", method="POST", path="fix-download")
    fix = submit_links(issue=video_issue, links=[GOOD], actor=actor)
    drive_fix(fix.pk)
    # The read-back meets an older state once, so the same bytes go out again; TokPortal forgot the key meanwhile.
    bundle, position = video_issue.video.bundle.tokportal_id, video_issue.video.position
    small_sandbox.world.replays.clear()
    original = lifecycle._Driver._must_send_again
    monkeypatch.setattr(lifecycle._Driver, "_must_send_again", lambda self, client: True)
    Fix.objects.update(next_try_at=timezone.now())

    drive_fix(fix.pk)

    monkeypatch.setattr(lifecycle._Driver, "_must_send_again", original)
    fix = drive(Fix.objects.get(pk=fix.pk))
    assert (fix.state, fix.by_observation) == (FixState.SUCCEEDED, True)
    assert effects(small_sandbox) == 1
    assert not small_sandbox.world.video(small_sandbox.world.bundles[bundle], position).download_issue


def test_a_first_send_that_is_still_worked_on_is_waited_for(video_issue, actor, small_sandbox, settings):
    settings.TOKPORTAL_FIX_DEADLINE = 0.5  # we lose patience long before TokPortal has the file
    small_sandbox.control.settings(fix_seconds=2.5)
    fix = submit_links(issue=video_issue, links=[GOOD], actor=actor)
    import time

    drive_fix(fix.pk)
    for _ in range(8):
        Fix.objects.filter(next_try_at__isnull=False).update(next_try_at=timezone.now())
        drive_fix(fix.pk)
    fix.refresh_from_db()
    assert (fix.state, fix.tries) == (FixState.SENDING, 1)
    time.sleep(2.5)

    fix = drive(fix)

    assert (fix.state, fix.by_observation) == (FixState.SUCCEEDED, True)
    assert effects(small_sandbox) == 1


def test_accepted_but_still_flagged_asks_a_person(video_issue, actor, small_sandbox, monkeypatch):
    small_sandbox.control.fault("flag_stays", method="POST", path="fix-download")

    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor), rounds=20)

    assert (fix.state, fix.code) == (FixState.NEEDS_HUMAN, "FLAG_STILL_SET")
    assert fix.issue.state == IssueState.OPEN
    assert effects(small_sandbox) == 1


def test_a_read_back_without_the_flag_proves_nothing(video_issue, actor, small_sandbox, monkeypatch):
    original = small_sandbox.world.video

    def without_flag(*args):
        found = original(*args)
        monkeypatch.setattr(
            type(found), "to_json", lambda self: {k: v for k, v in self.__dict__.items() if k != "download_issue"}
        )
        return found

    monkeypatch.setattr(small_sandbox.world, "video", without_flag)

    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor), rounds=20)

    assert (fix.state, fix.code, fix.issue.state) == (FixState.NEEDS_HUMAN, "NOT_READ_BACK", IssueState.OPEN)
    assert effects(small_sandbox) == 1


def test_a_read_back_that_fails_is_repeated(video_issue, actor, small_sandbox):
    small_sandbox.control.fault("status", method="GET", path=r"/videos/\d+$", status=503, times=4)

    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))

    assert fix.state == FixState.SUCCEEDED


# --- Nothing sent ------------------------------------------------------------------------------------------


def test_429_waits_and_is_not_counted(video_issue, actor, small_sandbox):
    small_sandbox.control.fault(
        "status",
        method="POST",
        path="fix-download",
        status=429,
        code=c.RATE_LIMIT_EXCEEDED,
        headers={"Retry-After": "1"},
        times=3,
    )

    fix = submit_links(issue=video_issue, links=[GOOD], actor=actor)
    drive_fix(fix.pk)
    fix.refresh_from_db()

    assert (fix.state, fix.tries) == (FixState.QUEUED, 0)
    assert fix.next_try_at > timezone.now()
    fix = drive(fix)
    assert (fix.state, fix.tries) == (FixState.SUCCEEDED, 1)
    assert effects(small_sandbox) == 1


def test_unreachable_tokportal_waits_and_then_asks_a_person(video_issue, actor, small_sandbox):
    Workspace.objects.update(base_url="http://127.0.0.1:9/api/ext")

    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor), rounds=20)

    assert (fix.state, fix.code, fix.tries) == (FixState.NEEDS_HUMAN, "NOT_SENT", 0)
    assert fix.issue.state == IssueState.OPEN


def test_unreachable_tokportal_that_comes_back(video_issue, actor, small_sandbox):
    good = small_sandbox.base_url
    Workspace.objects.update(base_url="http://127.0.0.1:9/api/ext")
    fix = submit_links(issue=video_issue, links=[GOOD], actor=actor)
    drive_fix(fix.pk)
    fix.refresh_from_db()
    assert (fix.state, fix.waits) == (FixState.QUEUED, 1)

    Workspace.objects.update(base_url=good)

    assert drive(fix).state == FixState.SUCCEEDED


def test_backoff_grows_with_full_jitter():
    import importlib

    fresh = importlib.reload(lifecycle).backoff_seconds
    samples = [[fresh(attempt) for _ in range(200)] for attempt in (1, 4, 30)]

    assert max(samples[0]) <= 4 < max(samples[1]) <= 32
    assert max(samples[2]) <= 3600
    assert min(min(row) for row in samples) >= 1
