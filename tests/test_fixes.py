"""The life of a fix against the sandbox: each way it can end, and no way in which it has two effects."""

import itertools
from datetime import timedelta

import pytest
from django.utils import timezone

from issues.audit import Actor
from issues.enums import FixState, IssueState, Origin
from issues.fixes import lifecycle
from issues.fixes.lifecycle import claim_fix, drive_fix, due_fixes
from issues.fixes.moves import MOVES, MoveError, move
from issues.fixes.outcomes import OUTCOMES
from issues.fixes.submit import FixUnderwayError, submit_links
from issues.fixes.uploads import cancel_fix
from issues.models import AuditEvent, Fix, Issue, Workspace
from issues.problems import LeaseLostError, Refusal
from issues.tokportal import constants as c
from tests import factories

GOOD = "https://cdn.example.com/ok.mp4"


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch, settings):
    """Backoff is tested by its numbers; here each retry is due at once."""
    monkeypatch.setattr(lifecycle, "backoff_seconds", lambda attempt, **_: 0.0)
    settings.TOKPORTAL_FIX_DEADLINE = 2.0
    settings.TOKPORTAL_READ_TIMEOUT = 2.0


def drive(fix: Fix, rounds: int = 12) -> Fix:
    """Be the workers: drive until the fix has ended."""
    for _ in range(rounds):
        Fix.objects.filter(pk=fix.pk, next_try_at__isnull=False).update(next_try_at=timezone.now())
        drive_fix(fix.pk)
        fix.refresh_from_db()
        if not fix.is_unfinished:
            break
    fix.issue.refresh_from_db()
    return fix


def effects(sandbox) -> int:
    return len(sandbox.control.ledger("fix"))


def verbs(fix: Fix) -> list[str]:
    return list(AuditEvent.objects.filter(fix_id=fix.pk).order_by("seq").values_list("verb", flat=True))


# --- The good way ------------------------------------------------------------------------------------------


def test_fix_by_url_is_sent_verified_and_written_down(video_issue, actor, small_sandbox):
    before = video_issue.video.target_publish_date

    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))

    assert (fix.state, fix.issue.state) == (FixState.SUCCEEDED, IssueState.FIXED)
    assert effects(small_sandbox) == 1
    assert fix.target_publish_date > before == fix.date_before
    assert fix.video_url.startswith(small_sandbox.store.origin)
    assert fix.tokportal_request_id
    video_issue.video.refresh_from_db()
    assert video_issue.video.target_publish_date == fix.target_publish_date
    assert not video_issue.video.download_issue
    assert verbs(fix) == [
        "fix.submitted", "fix.sent", "fix.accepted", "fix.succeeded", "issue.fixed",
    ]  # fmt: skip


def test_row_and_body_are_there_before_anything_is_sent(video_issue, actor, small_sandbox):
    fix = submit_links(issue=video_issue, links=[f"  {GOOD} "], actor=actor)

    assert effects(small_sandbox) == 0
    assert fix.request_body == f'{{"video_url": "{GOOD}"}}'
    assert fix.idempotency_key.startswith("tokdash-fix-")
    assert Issue.objects.get(pk=video_issue.pk).state == IssueState.FIXING
    assert due_fixes() == [fix.pk]


def test_carousel_is_sent_whole_and_in_order(carousel_issue, actor, small_sandbox):
    links = [f"https://cdn.example.com/{n}.jpg" for n in (3, 1, 2)]

    fix = drive(submit_links(issue=carousel_issue, links=links, actor=actor))

    assert fix.state == FixState.SUCCEEDED
    assert small_sandbox.control.ledger("fix")[0]["body"] == {"carousel_images": links}


def test_story_is_refused_with_a_sentence(swept, workspace, small_sandbox, actor):
    issue = factories.open_issue("video")
    issue.video.video_type = "story"

    with pytest.raises(Refusal) as caught:
        submit_links(issue=issue, links=[GOOD], actor=actor)

    assert caught.value.code == "STORY_NOT_REPAIRABLE"


@pytest.mark.parametrize(
    "links",
    [[], ["  "], ["not a link"], ["file:///x.mp4"], ["https://a.example/a b.mp4"], ["https://u:p@a.example/x"], [GOOD, GOOD],
     ["https://a.example/ahttps://b.example/b"], ["“https://a.example/a”"], ["javascript:alert(1)"]],
)  # fmt: skip
def test_bad_links_are_refused_before_anything_happens(video_issue, actor, links):
    with pytest.raises(Refusal):
        submit_links(issue=video_issue, links=links, actor=actor)

    assert not Fix.objects.exists()
    assert Issue.objects.get(pk=video_issue.pk).state == IssueState.OPEN


# --- TokPortal says no -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "state", "issue_state"),
    [
        (c.BUNDLE_NOT_FOUND, 404, FixState.REJECTED, IssueState.OPEN),
        (c.BUNDLE_NOT_OWNED, 403, FixState.REJECTED, IssueState.OPEN),
        (c.VIDEO_NOT_FOUND, 404, FixState.REJECTED, IssueState.OPEN),
        (c.VIDEO_POSITION_OUT_OF_RANGE, 400, FixState.REJECTED, IssueState.OPEN),
        (c.UPLOAD_FAILED, 500, FixState.REJECTED, IssueState.OPEN),
        (c.VALIDATION_ERROR, 400, FixState.REJECTED, IssueState.OPEN),
        (c.INSUFFICIENT_CREDITS, 402, FixState.REJECTED, IssueState.OPEN),
        (c.MANAGED_ACCOUNT_TASK_BLOCKED, 409, FixState.REJECTED, IssueState.OPEN),
        (c.VIDEOS_PER_DAY_EXCEEDED, 409, FixState.REJECTED, IssueState.OPEN),
        (c.BUNDLE_INVALID_STATUS, 409, FixState.REJECTED, IssueState.OPEN),
        ("SOMETHING_NEW", 422, FixState.REJECTED, IssueState.OPEN),
    ],
)
def test_refusals_end_the_fix_and_reopen_the_issue(video_issue, actor, small_sandbox, code, status, state, issue_state):
    small_sandbox.control.fault("status", method="POST", path="fix-download", status=status, code=code)

    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))

    assert (fix.state, fix.code, fix.issue.state) == (state, code, issue_state)
    assert fix.typed == [GOOD]
    assert fix.tokportal_request_id
    assert effects(small_sandbox) == 0


@pytest.mark.parametrize(
    "code",
    [c.BUNDLE_NOT_FOUND, c.BUNDLE_NOT_OWNED, c.VIDEO_NOT_FOUND, c.VIDEO_POSITION_OUT_OF_RANGE, c.VIDEO_NO_DOWNLOAD_ISSUE, c.UPLOAD_FAILED],
)  # fmt: skip
def test_each_error_of_the_contract_has_its_own_sentence_and_next_step(code):
    own = OUTCOMES[code]

    assert own.say.endswith(".")
    assert own.next_step.endswith(".")
    assert [outcome.say for outcome in OUTCOMES.values()].count(own.say) == 1


def test_a_link_that_tokportal_cannot_fetch(video_issue, actor):
    fix = drive(submit_links(issue=video_issue, links=["https://broken.invalid/x.mp4"], actor=actor))

    assert (fix.state, fix.code) == (FixState.REJECTED, c.UPLOAD_FAILED)
    assert fix.tries == 1


def test_after_a_refusal_another_fix_has_another_key(video_issue, actor):
    first = drive(submit_links(issue=video_issue, links=["https://broken.invalid/x.mp4"], actor=actor))
    second = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))

    assert second.state == FixState.SUCCEEDED
    assert first.idempotency_key != second.idempotency_key


def test_revoked_key_stops_the_workspace(video_issue, actor, small_sandbox):
    small_sandbox.control.fault("key_revoked", method="POST", path="fix-download")

    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))

    assert (fix.state, fix.code) == (FixState.REJECTED, c.AUTH_REVOKED_KEY)
    assert Workspace.objects.get().state == "key_refused"
    assert AuditEvent.objects.filter(verb="workspace.key_refused").count() == 1


def test_somebody_else_was_faster(video_issue, actor, small_sandbox):
    small_sandbox.control.fault("fixed_meanwhile", method="POST", path="fix-download")

    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))

    assert (fix.state, fix.code) == (FixState.SUPERSEDED, c.VIDEO_NO_DOWNLOAD_ISSUE)
    assert fix.issue.state == IssueState.CLEARED
    assert effects(small_sandbox) == 0


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


# --- Two people, two workers -------------------------------------------------------------------------------


def test_second_fix_hears_who_was_faster(video_issue, actor, alice):
    submit_links(issue=video_issue, links=[GOOD], actor=actor)

    with pytest.raises(FixUnderwayError, match="Bob Editor has sent a fix"):
        submit_links(issue=video_issue, links=[GOOD], actor=Actor.person(alice, Origin.PAGE))

    assert Fix.objects.count() == 1


def test_only_one_worker_gets_a_fix(video_issue, actor):
    fix = submit_links(issue=video_issue, links=[GOOD], actor=actor)

    first, second = claim_fix(fix.pk), claim_fix(fix.pk)

    assert first is not None
    assert second is None
    assert due_fixes() == []


def test_a_dead_workers_fix_is_free_after_its_lease(video_issue, actor, small_sandbox):
    fix = submit_links(issue=video_issue, links=[GOOD], actor=actor)
    claim = claim_fix(fix.pk)
    move(fix.pk, FixState.SENDING, actor=actor, fence=claim.fence)
    Fix.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    assert due_fixes() == [fix.pk]
    assert drive(fix).state == FixState.SUCCEEDED
    assert effects(small_sandbox) == 1
    with pytest.raises(LeaseLostError):
        move(fix.pk, FixState.REJECTED, actor=actor, fence=claim.fence)


def test_leases_are_short_enough_to_resume_within_40_seconds():
    assert lifecycle.LEASE_SECONDS + 5 + 5 < 40


# --- Moves -------------------------------------------------------------------------------------------------


def test_the_table_names_every_state():
    assert set(MOVES) == set(FixState)
    assert all(
        not MOVES[state]
        for state in FixState
        if state in {"succeeded", "rejected", "superseded", "needs_human", "cancelled"}
    )


def test_each_move_is_allowed_or_refused_as_the_table_says(video_issue, actor):
    fix = submit_links(issue=video_issue, links=[GOOD], actor=actor)
    for start, to in itertools.product(FixState, FixState):
        ended = not MOVES[start]
        Issue.objects.update(state=IssueState.FIXING, closed_at=None)
        Fix.objects.update(state=start, finished_at=timezone.now() if ended else None)

        if to in MOVES[start]:
            assert move(fix.pk, to, actor=actor, fence=None).state == to
            assert (Fix.objects.get().finished_at is not None) == (not MOVES[to])
        else:
            with pytest.raises(MoveError):
                move(fix.pk, to, actor=actor, fence=None)
            assert Fix.objects.get().state == start


def test_cancel_before_sending_reopens_the_issue(video_issue, actor, small_sandbox):
    fix = submit_links(issue=video_issue, links=[GOOD], actor=actor)

    cancel_fix(fix=fix, actor=actor)

    assert Issue.objects.get(pk=video_issue.pk).state == IssueState.OPEN
    assert not drive_fix(fix.pk)
    assert effects(small_sandbox) == 0


def test_cancel_after_sending_is_refused(video_issue, actor):
    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))

    with pytest.raises(Refusal, match="cannot be taken back"):
        cancel_fix(fix=fix, actor=actor)
