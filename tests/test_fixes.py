"""The life of a fix against the sandbox: each way it can end, and no way in which it has two effects."""

import itertools
from datetime import timedelta

import pytest
from django.utils import timezone

from issues.audit import Actor
from issues.enums import NOT_SENT_YET, FixState, IssueState, Origin
from issues.fixes import lifecycle
from issues.fixes.claims import LEASE_SECONDS, claim_fix, due_fixes
from issues.fixes.lifecycle import drive_fix
from issues.fixes.moves import MOVES, MoveError, move
from issues.fixes.outcomes import OUTCOMES
from issues.fixes.submit import FixUnderwayError, submit_links
from issues.fixes.uploads import cancel_fix
from issues.models import AuditEvent, Fix, Issue, Workspace
from issues.problems import LeaseLostError, Refusal
from issues.tokportal import constants as c
from tests import factories
from tests.driving import GOOD, drive, effects, no_long_waits, verbs  # noqa: F401 - the fixture is used by being here

# --- The good way ------------------------------------------------------------------------------------------


def test_fix_by_url_is_sent_verified_and_written_down(video_issue, actor, small_sandbox):
    before = video_issue.video.target_publish_date

    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))

    assert (fix.state, fix.issue.state) == (FixState.SUCCEEDED, IssueState.FIXED)
    assert effects(small_sandbox) == 1
    assert fix.date_before == before
    tomorrow = timezone.now().date() + timedelta(days=1)
    assert fix.target_publish_date == f"{tomorrow}T00:00:00Z"  # as TokPortal writes it
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
    links = [f"https://cdn.example.com/{n}.jpg" for n in (3, 1, 2, 4)]

    fix = drive(submit_links(issue=carousel_issue, links=links, actor=actor))

    assert fix.state == FixState.SUCCEEDED
    assert small_sandbox.control.ledger("fix")[0]["body"] == {"carousel_images": links}


def test_story_is_refused_with_a_sentence(swept, workspace, small_sandbox, actor):
    issue = factories.open_issue("video")
    issue.video.video_type, issue.video.video_url, issue.video.story_image_url = "story", "", "https://a.example/1.jpg"

    with pytest.raises(Refusal) as caught:
        submit_links(issue=issue, links=[GOOD], actor=actor)

    assert caught.value.code == "STORY_NOT_REPAIRABLE"


@pytest.mark.parametrize(
    "links",
    [[], ["  "], ["not a link"], ["file:///x.mp4"], ["https://a.example/a https://b.example/b"], ["https://u:p@a.example/x"],
     [GOOD, GOOD], ["https://a.example/ahttps://b.example/b"], ["javascript:alert(1)"], ["http://10.0.0.1/a.mp4"]],
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
    fix = drive(submit_links(issue=video_issue, links=["https://broken.invalid/x.mp4"], actor=actor, unchecked=True))

    assert (fix.state, fix.code) == (FixState.REJECTED, c.UPLOAD_FAILED)
    assert fix.tries == 1


def test_after_a_refusal_another_fix_has_another_key(video_issue, actor):
    first = drive(submit_links(issue=video_issue, links=["https://broken.invalid/x.mp4"], actor=actor, unchecked=True))
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
    assert LEASE_SECONDS + 5 + 5 < 40


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


@pytest.mark.parametrize("state", sorted(set(FixState) - NOT_SENT_YET))
def test_what_is_on_its_way_cannot_be_cancelled(video_issue, actor, state):
    fix = submit_links(issue=video_issue, links=[GOOD], actor=actor)
    Fix.objects.update(state=state, finished_at=None if MOVES[state] else timezone.now())

    with pytest.raises(Refusal, match="cannot be taken back"):
        cancel_fix(fix=fix, actor=actor)

    assert Fix.objects.get().state == state
    assert Issue.objects.get(pk=video_issue.pk).state == IssueState.FIXING


def test_a_worker_sends_nothing_of_a_fix_that_was_cancelled_in_its_hands(
    video_issue, actor, small_sandbox, monkeypatch
):
    fix = submit_links(issue=video_issue, links=[GOOD], actor=actor)

    def cancel_meanwhile(fix):
        cancel_fix(fix=fix, actor=actor)

    monkeypatch.setattr(lifecycle, "look_before_sending", cancel_meanwhile)
    drive_fix(fix.pk)

    assert (Fix.objects.get().state, effects(small_sandbox)) == (FixState.CANCELLED, 0)
    assert Issue.objects.get(pk=video_issue.pk).state == IssueState.OPEN


def test_cancel_after_sending_is_refused(video_issue, actor):
    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor))

    with pytest.raises(Refusal, match="cannot be taken back"):
        cancel_fix(fix=fix, actor=actor)
