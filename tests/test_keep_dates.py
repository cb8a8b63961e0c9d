"""Keep the planned dates: restored after the verified fix, whatever happens in between, and never at its cost."""

import json
from datetime import UTC, timedelta

import pytest
from django.utils import timezone

from issues.audit.verify import verify_team
from issues.enums import FixState, IssueState
from issues.fixes import dates, lifecycle
from issues.fixes.lifecycle import drive_fix
from issues.fixes.rehost import submit_copy
from issues.fixes.submit import submit_links
from issues.models import AuditEvent, Fix, Issue, Video, Workspace
from issues.problems import Refusal
from issues.queries.history_lines import read_events
from issues.sync.sweeps import sweep_workspace
from issues.tokportal.days import PublishWindow
from issues.wording import publish_text, window_text
from tests import factories
from tests.driving import GOOD, drive, effects, no_long_waits, verbs  # noqa: F401 - the fixture is used by being here


def today():
    return timezone.now().astimezone(UTC).date()


def later(days):
    return PublishWindow.of_days(today() + timedelta(days=days), today() + timedelta(days=days + 1))


def midnight(text):
    return f"{text}T00:00:00Z"


class Slot:
    """A flagged slot that is planned for some day."""

    def __init__(self, sandbox, workspace, video_type="video"):
        self.sandbox, self.workspace = sandbox, workspace
        bundle, video = factories.slot(sandbox, video_type, flagged=video_type == "video")
        self.bundle_id, self.position = bundle["id"], video["position"]

    def plan(self, days, **fields):
        first, last = later(days).texts
        self.sandbox.control.flag(
            self.bundle_id, self.position, "broken", target_publish_date=first, target_publish_end_date=last, **fields
        )
        self.sweep()
        return self.issue()

    def sweep(self):
        Workspace.objects.filter(pk=self.workspace.pk).update(sync_lease_until=None)
        sweep_workspace(Workspace.objects.get(pk=self.workspace.pk), actor=factories.OPERATOR)

    def issue(self):
        found = Issue.objects.filter(video__bundle__tokportal_id=self.bundle_id, video__position=self.position)
        return found.select_related("video__bundle", "workspace", "team").order_by("-pk")[0]

    def at_tokportal(self):
        return next(
            video for video in self.sandbox.world.bundles[self.bundle_id].videos if video.position == self.position
        )

    def window(self):
        video = self.at_tokportal()
        return PublishWindow.parse(video.target_publish_date or "", video.target_publish_end_date or "")

    def patches(self):
        return self.sandbox.control.ledger("patch")


@pytest.fixture
def slot(small_sandbox, workspace):
    return Slot(small_sandbox, workspace)


def event_of(fix, verb="fix.succeeded"):
    return AuditEvent.objects.get(fix_id=fix.pk, verb=verb).changes


@pytest.mark.parametrize("says_start_date", [False, True])
def test_the_planned_dates_come_back_after_the_fix(slot, small_sandbox, actor, says_start_date):
    small_sandbox.world.bundles[slot.bundle_id].says_start_date = says_start_date
    issue, planned = slot.plan(5), later(5)

    fix = drive(submit_links(issue=issue, links=[GOOD], actor=actor, keep_dates=True))

    assert (fix.state, fix.issue.state) == (FixState.SUCCEEDED, IssueState.FIXED)
    assert (fix.dates_kept, fix.dates_code) == (True, "")
    assert slot.window() == planned == fix.window == Video.objects.get(pk=issue.video_id).window
    assert fix.target_publish_date == midnight(planned.texts[0])
    [patch] = slot.patches()
    name = "target_publish_start_date" if says_start_date else "target_publish_date"
    assert patch["body"] == {name: planned.texts[0], "target_publish_end_date": planned.texts[1]}
    assert patch["idempotency_key"] == dates.key_for(fix, json.dumps(patch["body"]))
    assert effects(small_sandbox) == 1
    # The history has both windows as days: where the fix had moved it, and what holds.
    tomorrow = later(1).texts
    moved, ended = event_of(fix, "fix.restoring_dates"), event_of(fix)
    assert moved["target_publish_date"] == [tomorrow[0], planned.texts[0]]
    assert moved["target_publish_end_date"] == [tomorrow[1], planned.texts[1]]
    assert ended["target_publish_date"] == [planned.texts[0]] * 2
    assert ended["dates_kept"] == [None, True]
    assert verify_team(issue.team).ok


def test_without_the_wish_the_fix_moves_the_dates(slot, actor):
    fix = drive(submit_links(issue=slot.plan(5), links=[GOOD], actor=actor))

    assert (fix.state, fix.dates_kept, fix.dates_code, slot.patches()) == (FixState.SUCCEEDED, False, "", [])
    assert fix.window == later(1)
    changes = event_of(fix)
    assert changes["target_publish_date"] == [later(5).texts[0], later(1).texts[0]]
    assert "dates_kept" not in changes


def test_dates_that_the_fix_leaves_as_they_are_need_no_patch(slot, actor):
    fix = drive(submit_links(issue=slot.plan(1), links=[GOOD], actor=actor, keep_dates=True))

    assert (fix.dates_kept, slot.patches()) == (True, [])


def test_what_is_kept_is_the_plan_of_now_not_of_the_last_look(slot, small_sandbox, actor):
    issue = slot.plan(5)
    video = slot.at_tokportal()
    video.target_publish_date, video.target_publish_end_date = later(9).texts

    fix = drive(submit_links(issue=issue, links=[GOOD], actor=actor, keep_dates=True))

    assert (fix.dates_kept, slot.window(), fix.planned_window) == (True, later(9), later(9))


@pytest.mark.parametrize("kind", ["link", "copy"])
def test_a_fix_that_had_to_wait_reads_the_plan_again(slot, small_sandbox, actor, monkeypatch, kind):
    issue = slot.plan(5)
    submit = submit_links if kind == "link" else submit_copy
    links = {"links": [GOOD]} if kind == "link" else {"link": GOOD}
    fix = submit(issue=issue, actor=actor, keep_dates=True, **links)
    if kind == "link":
        small_sandbox.control.fault("status", method="POST", path="fix-download", status=429)
    else:
        copy = lifecycle.copy_to_store

        def slow_copy(*args, **options):
            video.target_publish_date, video.target_publish_end_date = later(9).texts
            return copy(*args, **options)

        monkeypatch.setattr(lifecycle, "copy_to_store", slow_copy)
    video = slot.at_tokportal()
    drive_fix(fix.pk)
    if kind == "link":
        assert Fix.objects.get(pk=fix.pk).state == FixState.QUEUED
        video.target_publish_date, video.target_publish_end_date = later(9).texts
    fix = drive(fix)

    assert (fix.state, fix.dates_kept, slot.window()) == (FixState.SUCCEEDED, True, later(9))


def test_a_newer_plan_is_not_overwritten_by_a_second_try(slot, small_sandbox, actor):
    issue = slot.plan(5)
    small_sandbox.control.fault("status", method="PATCH", status=503)
    fix = submit_links(issue=issue, links=[GOOD], actor=actor, keep_dates=True)
    drive_fix(fix.pk)
    video = slot.at_tokportal()
    video.target_publish_date, video.target_publish_end_date = later(9).texts

    fix = drive(fix)

    assert (fix.state, fix.dates_kept, fix.dates_code) == (FixState.SUCCEEDED, False, "DATES_UNKNOWN")
    assert slot.window() == later(9) == fix.window
    assert slot.patches() == []


@pytest.mark.parametrize("unknown", ["target_publish_date", "target_publish_end_date"])
def test_a_window_of_which_one_day_is_known_gets_the_other(slot, small_sandbox, actor, unknown):
    issue = slot.plan(5)
    setattr(slot.at_tokportal(), unknown, None)

    fix = drive(submit_links(issue=issue, links=[GOOD], actor=actor, keep_dates=True))

    first, last = later(5).texts
    assert [patch["body"] for patch in slot.patches()] == [
        {"target_publish_date": first, "target_publish_end_date": last}
    ]
    assert (fix.dates_kept, slot.window()) == (True, later(5))


def test_a_moment_may_come_back_as_its_day(slot, small_sandbox, actor):
    issue = slot.plan(5)
    video = slot.at_tokportal()
    video.target_publish_date, video.target_publish_end_date = (f"{day}T15:30:00Z" for day in later(5).texts)

    fix = drive(submit_links(issue=issue, links=[GOOD], actor=actor, keep_dates=True))

    assert (fix.dates_kept, fix.dates_code, len(slot.patches())) == (True, "", 1)
    assert slot.window() == later(5)


def test_a_copy_to_the_store_keeps_the_dates_too(slot, actor):
    fix = drive(submit_copy(issue=slot.plan(5), link=GOOD, actor=actor, keep_dates=True))

    assert (fix.state, fix.dates_kept, slot.window()) == (FixState.SUCCEEDED, True, later(5))


# --- TokPortal refuses --------------------------------------------------------------------------------------

REFUSALS = [
    ("MANAGED_ACCOUNT_TASK_BLOCKED", 409, {"reason": "coverage_lapsed"}),
    ("VIDEOS_PER_DAY_EXCEEDED", 400, {}),
    ("INVALID_DATE", 400, {"earliest_allowed": "2026-12-24"}),
    ("BUNDLE_INVALID_STATUS", 409, {}),
    ("INSUFFICIENT_SCOPE", 403, {}),
    ("AUTH_REVOKED_KEY", 401, {}),
    ("INSUFFICIENT_CREDITS", 402, {}),
    ("VIDEO_NOT_FOUND", 404, {}),
    ("A_NEW_CODE", 422, {}),
]


@pytest.mark.parametrize(("code", "status", "details"), REFUSALS)
def test_a_refusal_says_why_and_the_fix_has_succeeded(slot, small_sandbox, actor, code, status, details):
    issue = slot.plan(5)
    small_sandbox.control.fault("status", method="PATCH", status=status, code=code, details=details, times=-1)

    fix = drive(submit_links(issue=issue, links=[GOOD], actor=actor, keep_dates=True))

    assert (fix.state, fix.issue.state, fix.code) == (FixState.SUCCEEDED, IssueState.FIXED, "")
    assert (fix.dates_kept, fix.dates_code, fix.window) == (False, code, later(1))
    assert fix.dates_earliest == details.get("earliest_allowed", "")
    assert event_of(fix)["dates_code"] == [None, code]
    assert event_of(fix)["target_publish_date"] == [later(5).texts[0], later(1).texts[0]]


def test_the_lead_time_of_tokportal(slot, small_sandbox, actor):
    issue = slot.plan(5)
    small_sandbox.control.settings(lead_days=7)

    fix = drive(submit_links(issue=issue, links=[GOOD], actor=actor, keep_dates=True))

    assert (fix.dates_kept, fix.dates_code) == (False, "INVALID_DATE")
    assert fix.dates_earliest == (today() + timedelta(days=7)).isoformat()


def test_three_videos_on_a_day_are_the_most(slot, small_sandbox, actor):
    issue = slot.plan(5)
    bundle = small_sandbox.world.bundles[slot.bundle_id]
    others = [video for video in bundle.videos if video.position != slot.position][:3]
    assert len(others) == 3
    for video in others:
        video.target_publish_date = later(5).texts[0]

    fix = drive(submit_links(issue=issue, links=[GOOD], actor=actor, keep_dates=True))

    assert (fix.state, fix.dates_kept, fix.dates_code) == (FixState.SUCCEEDED, False, "VIDEOS_PER_DAY_EXCEEDED")


# --- No clear answer ----------------------------------------------------------------------------------------

UNCLEAR = [
    {"kind": "status", "status": 500}, {"kind": "status", "status": 503}, {"kind": "reset_before"},
    {"kind": "reset_during"}, {"kind": "html"}, {"kind": "malformed"}, {"kind": "truncated"}, {"kind": "dates_ignored"},
    {"kind": "status", "status": 409, "code": "IDEMPOTENCY_REQUEST_IN_PROGRESS"},
    {"kind": "status", "status": 429, "code": "RATE_LIMIT_EXCEEDED", "headers": {"Retry-After": "0"}},
]  # fmt: skip


@pytest.mark.parametrize("fault", UNCLEAR, ids=lambda fault: f"{fault['kind']}-{fault.get('status', '')}")
def test_an_unclear_answer_once_is_tried_again(slot, small_sandbox, actor, fault):
    issue = slot.plan(5)
    small_sandbox.control.fault(method="PATCH", **fault)

    fix = drive(submit_links(issue=issue, links=[GOOD], actor=actor, keep_dates=True))

    is_replayed = fault["kind"] == "dates_ignored"  # TokPortal repeats the first answer under the same key
    assert (fix.state, fix.dates_kept) == (FixState.SUCCEEDED, not is_replayed)
    assert fix.dates_code == ("DATES_UNKNOWN" if is_replayed else "")
    assert len(slot.patches()) == 1
    assert effects(small_sandbox) == 1


@pytest.mark.parametrize("fault", [f for f in UNCLEAR if f["kind"] not in {"reset_during", "html", "malformed", "truncated"}],
                         ids=lambda fault: f"{fault['kind']}-{fault.get('status', '')}")  # fmt: skip
def test_an_unclear_answer_for_ever_ends_as_unknown(slot, small_sandbox, actor, fault):
    issue = slot.plan(5)
    small_sandbox.control.fault(method="PATCH", times=-1, **fault)

    fix = drive(submit_links(issue=issue, links=[GOOD], actor=actor, keep_dates=True))

    assert (fix.state, fix.issue.state) == (FixState.SUCCEEDED, IssueState.FIXED)
    assert (fix.dates_kept, fix.dates_code, fix.window) == (False, "DATES_UNKNOWN", later(1))
    assert fix.dates_tries == dates.MAX_DATE_TRIES


@pytest.mark.parametrize("kind", ["reset_during", "html", "malformed", "truncated", "reset_after"])
def test_a_lost_answer_is_seen_by_reading_back(slot, small_sandbox, actor, kind):
    issue = slot.plan(5)
    small_sandbox.control.fault(kind, method="PATCH", times=-1)

    fix = drive(submit_links(issue=issue, links=[GOOD], actor=actor, keep_dates=True))

    assert (fix.dates_kept, fix.dates_code, fix.window) == (True, "", later(5))
    assert len(slot.patches()) == 1


@pytest.mark.parametrize("says_start_date", [False, True])
def test_the_other_name_of_the_first_day_is_tried(slot, small_sandbox, actor, says_start_date):
    small_sandbox.world.bundles[slot.bundle_id].says_start_date = says_start_date
    issue = slot.plan(5)
    small_sandbox.control.fault("status", method="PATCH", status=400, code="UNKNOWN_FIELD")

    fix = drive(submit_links(issue=issue, links=[GOOD], actor=actor, keep_dates=True))

    assert (fix.dates_kept, slot.window()) == (True, later(5))
    assert ("target_publish_start_date" in slot.patches()[0]["body"]) is not says_start_date


def test_a_key_that_is_gone_meanwhile_does_not_undo_the_fix(slot, small_sandbox, actor, monkeypatch):
    issue = slot.plan(5)
    small_sandbox.control.fault("reset_before", method="PATCH", times=-1)
    fix = submit_links(issue=issue, links=[GOOD], actor=actor, keep_dates=True)
    drive_fix(fix.pk)

    def no_key(*args, **options):
        raise Refusal("no key", code="NO_KEY")

    monkeypatch.setattr(lifecycle, "open_client", no_key)

    fix = drive(fix)

    assert (fix.state, fix.dates_kept, fix.dates_code) == (FixState.SUCCEEDED, False, "DATES_UNKNOWN")


# --- Killed in between, and flagged again -------------------------------------------------------------------

POINTS = ("fix.dates_wanted", "fix.dates_sending", "fix.dates_sent", "fix.dates_read", "fix.succeeding", "fix.finished")


class Died(BaseException):
    """A process that is gone."""


def at_point(monkeypatch, wanted, happens):
    """Let something happen once at a point."""
    waiting = [wanted]

    def point(name, about=""):
        if name in waiting:
            waiting.remove(name)
            happens()

    for module in (lifecycle, dates):
        monkeypatch.setattr(module, "crash_point", point)


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_that_dies_is_followed_by_one_that_keeps_the_dates(slot, small_sandbox, actor, monkeypatch, point):
    def die():
        raise Died

    fix = submit_links(issue=slot.plan(5), links=[GOOD], actor=actor, keep_dates=True)
    at_point(monkeypatch, point, die)
    with pytest.raises(Died):
        drive(fix)
    Fix.objects.filter(pk=fix.pk).update(lease_until=None)

    fix = drive(fix)

    assert (fix.state, fix.issue.state, fix.dates_kept) == (FixState.SUCCEEDED, IssueState.FIXED, True)
    assert slot.window() == later(5)
    assert effects(small_sandbox) == len(slot.patches()) == 1
    assert verbs(fix).count("fix.succeeded") == verbs(fix).count("fix.restoring_dates") == 1


@pytest.mark.parametrize("point", POINTS[:4])
@pytest.mark.parametrize("refused", [False, True])
def test_a_flag_that_is_raised_again_meanwhile_is_not_overwritten(
    slot, small_sandbox, actor, monkeypatch, point, refused
):
    issue = slot.plan(5)
    if refused:
        small_sandbox.control.fault("status", method="PATCH", status=400, code="INVALID_DATE", times=-1)
        point = "fix.dates_wanted" if point in POINTS[2:4] else point
    fix = submit_links(issue=issue, links=[GOOD], actor=actor, keep_dates=True)

    def raised_and_seen():
        small_sandbox.control.flag(slot.bundle_id, slot.position, "still broken")
        slot.sweep()

    at_point(monkeypatch, point, raised_and_seen)
    fix = drive(fix)

    assert (fix.state, fix.dates_kept) == (FixState.SUCCEEDED, not refused)
    assert slot.at_tokportal().download_issue
    assert slot.at_tokportal().download_issue_comment == "still broken"
    assert Video.objects.get(pk=issue.video_id).download_issue
    slot.sweep()
    again = slot.issue()
    assert (again.state, again.episode, again.comment) == (IssueState.OPEN, issue.episode + 1, "still broken")
    assert again.pk != issue.pk


def test_a_worker_that_was_overtaken_sends_nothing_more(slot, small_sandbox, actor, monkeypatch):
    fix = submit_links(issue=slot.plan(5), links=[GOOD], actor=actor, keep_dates=True)

    def overtaken():
        Fix.objects.filter(pk=fix.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        drive_fix(fix.pk)

    at_point(monkeypatch, "fix.dates_sending", overtaken)
    fix = drive(fix)

    assert (fix.state, fix.dates_kept, slot.window()) == (FixState.SUCCEEDED, True, later(5))
    assert {patch["idempotency_key"] for patch in slot.patches()} == {slot.patches()[0]["idempotency_key"]}
    assert verbs(fix).count("fix.succeeded") == 1


# --- What the history says ----------------------------------------------------------------------------------


def said(fix):
    return [line.sentence for line in read_events(AuditEvent.objects.filter(fix_id=fix.pk).order_by("seq"))]


def test_the_history_says_that_the_dates_were_kept(slot, actor):
    fix = drive(submit_links(issue=slot.plan(5), links=[GOOD], actor=actor, keep_dates=True))

    days = window_text(later(5))
    moved = window_text(later(1))
    assert f"began to restore the planned dates, {days}: the fix had moved them to {moved}" in said(fix)
    assert f"read the video back: the flag is gone, it is posted {days} as planned" in said(fix)


def test_the_history_says_why_they_were_not(slot, small_sandbox, actor):
    issue = slot.plan(5)
    small_sandbox.control.settings(lead_days=30)
    fix = drive(submit_links(issue=issue, links=[GOOD], actor=actor, keep_dates=True))

    earliest = publish_text((today() + timedelta(days=30)).isoformat())
    assert said(fix)[-2] == (
        f"read the video back: the flag is gone, it is posted {window_text(later(1))}. "
        f"TokPortal refused to keep the dates: the earliest day that it allows is {earliest}"
    )
