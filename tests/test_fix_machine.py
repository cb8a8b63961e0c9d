"""The whole life of a fix, in any order that a day may bring: whatever happens, one effect at most and nothing lost."""

import json
from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from issues import crash
from issues.audit import Actor
from issues.audit.verify import verify_team
from issues.enums import FINISHED, UNFINISHED, FixState, IssueState, Origin
from issues.fixes import bulk, dates, lifecycle, rehost
from issues.fixes.claims import claim_fix
from issues.fixes.lifecycle import drive_fix
from issues.fixes.submit import submit_links
from issues.fixes.uploads import cancel_fix
from issues.models import Fix, Issue, Video, Workspace
from issues.problems import Refusal
from issues.sandbox.server import FULL_KEY
from issues.sync.sweeps import sweep_workspace
from issues.sync.workspaces import rotate_key
from tests.driving import GOOD

FAULTS = (
    {"kind": "status", "status": 500}, {"kind": "status", "status": 503}, {"kind": "reset_before"}, {"kind": "reset_after"},
    {"kind": "reset_during"}, {"kind": "html"}, {"kind": "malformed"}, {"kind": "truncated"}, {"kind": "missing_fields"},
    {"kind": "status", "status": 429, "code": "RATE_LIMIT_EXCEEDED", "headers": {"Retry-After": "0"}},
    {"kind": "status", "status": 500, "code": "UPLOAD_FAILED"}, {"kind": "status", "status": 409, "code": "BUNDLE_INVALID_STATUS"},
    {"kind": "flag_stays"}, {"kind": "fixed_meanwhile"}, {"kind": "ignore_dry_run"},
)  # fmt: skip
WORKER_POINTS = [point for point in crash.POINTS if point.startswith(("fix.", "copy."))]


class Died(BaseException):
    """A process that is gone: nothing behind it runs."""


class FixLife(RuleBasedStateMachine):
    """One slot, some people, some workers, TokPortal, and bad luck."""

    ground: dict = {}

    def __init__(self):
        super().__init__()
        self.sandbox, self.workspace, self.actor = (self.ground[name] for name in ("sandbox", "workspace", "actor"))
        self.patch = pytest.MonkeyPatch()
        self.at_point = None  # (name, what happens there)
        for module in (lifecycle, rehost, dates):
            self.patch.setattr(module, "crash_point", self._point)
        self.patch.setattr("issues.fixes.claims.crash_point", self._point)
        self.patch.setattr(lifecycle, "backoff_seconds", lambda attempt, **_: 0.0)
        slots = self.ground["slots"]
        self.bundle_id, self.position = slots.pop()
        self.flags = 0
        self._flag("broken")
        self._sweep()

    def _point(self, name, about=""):
        if self.at_point and self.at_point[0] == name:
            happens, self.at_point = self.at_point[1], None
            happens()

    def _die(self):
        raise Died

    def _flag(self, comment):
        if not self._slot().download_issue:
            self.flags += 1
        planned = (timezone.now() + timedelta(days=4)).date().isoformat()
        self.sandbox.control.flag(
            self.bundle_id, self.position, comment, video_url="https://gone.example.com/x.mp4",
            target_publish_date=planned, target_publish_end_date=planned,
        )  # fmt: skip

    def _slot(self):
        return self.sandbox.world.bundles[self.bundle_id].videos[self.position - 1]

    def _sweep(self):
        Workspace.objects.filter(pk=self.workspace.pk).update(sync_lease_until=None)
        try:
            sweep_workspace(Workspace.objects.get(pk=self.workspace.pk), actor=Actor.system(Origin.SYNC))
        except Refusal:
            return  # the key is refused

    def issue(self):
        found = Issue.objects.filter(video__bundle__tokportal_id=self.bundle_id, video__position=self.position)
        return found.select_related("video__bundle", "workspace", "team").order_by("-pk").first()

    def fixes(self):
        return Fix.objects.filter(
            issue__video__bundle__tokportal_id=self.bundle_id, issue__video__position=self.position
        )

    def unfinished(self):
        return self.fixes().filter(state__in=UNFINISHED).first()

    # --- People ----------------------------------------------------------------------------------------------

    @rule(
        kind=st.sampled_from(["link", "again", "copy", "bad link", "dry run"]),
        keep_dates=st.sampled_from([True, True, False]),
    )
    def somebody_submits(self, kind, keep_dates):
        issue = self.issue()
        try:
            if kind == "copy":
                rehost.submit_copy(issue=issue, link=GOOD, actor=self.actor, keep_dates=keep_dates)
            else:
                link = "https://gone.example.com/b.mp4" if kind == "bad link" else GOOD
                submit_links(
                    issue=issue, links=[link], actor=self.actor, dry_run=kind == "dry run", keep_dates=keep_dates
                )
                if kind == "again":  # a double click
                    submit_links(issue=issue, links=[link], actor=self.actor)
        except Refusal:
            return

    @rule()
    def a_quiet_day(self):
        """Nothing goes wrong for once: an unlucky draw might else never get as far as the dates."""
        self.sandbox.control.clear_faults()
        self.key_is_replaced()
        self._flag("again")
        self._sweep()
        self.somebody_submits("link", keep_dates=True)
        for _ in range(5):
            if self.unfinished():
                self.lease_runs_out()
                self.worker_steps()

    @rule(undone=st.booleans())
    def somebody_sends_in_bulk(self, undone):
        issue = self.issue()
        if issue.state != IssueState.OPEN:
            return
        text = f"{self.bundle_id},{self.position},{GOOD}"
        plan = bulk.plan_table(team=issue.team, text=text, actor=self.actor)
        bulk.check_rows()
        try:
            plan = bulk.start(bulk=plan, orders=[1], insist=False, actor=self.actor)
        except Refusal:
            return
        bulk.send_chosen()
        if undone:
            bulk.undo(bulk=plan, actor=self.actor)
            assert not plan.fixes.exclude(state=FixState.CANCELLED).exists()

    @precondition(lambda self: self.unfinished())
    @rule()
    def somebody_cancels(self):
        try:
            cancel_fix(fix=self.unfinished(), actor=self.actor)
        except Refusal:
            return

    # --- Workers ---------------------------------------------------------------------------------------------

    @precondition(lambda self: self.unfinished())
    @rule()
    def worker_steps(self):
        fix = self.unfinished()
        Fix.objects.filter(pk=fix.pk, next_try_at__isnull=False).update(next_try_at=timezone.now())
        drive_fix(fix.pk)

    @precondition(lambda self: self.unfinished())
    @rule(point=st.sampled_from(WORKER_POINTS))
    def worker_dies(self, point):
        self.at_point = (point, self._die)
        try:
            self.worker_steps()
        except Died:
            pass
        finally:
            self.at_point = None

    @precondition(lambda self: self.unfinished())
    @rule(point=st.sampled_from(WORKER_POINTS))
    def worker_is_overtaken(self, point):
        """It sleeps at a point until its lease is over; another one takes the fix, and then it wakes up."""

        def overtaken():
            fix = self.unfinished()
            if fix:
                Fix.objects.filter(pk=fix.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
                drive_fix(fix.pk)

        self.at_point = (point, overtaken)
        self.worker_steps()
        self.at_point = None

    @precondition(lambda self: self.unfinished())
    @rule()
    def lease_runs_out(self):
        self.fixes().filter(lease_until__isnull=False).update(lease_until=timezone.now() - timedelta(seconds=1))

    @precondition(lambda self: self.unfinished())
    @rule()
    def claimed_and_forgotten(self):
        claim_fix(self.unfinished().pk)

    # --- The world -------------------------------------------------------------------------------------------

    @rule(hours=st.sampled_from([-1, 1]))
    def clock_jumps(self, hours):
        by = timedelta(hours=hours)
        for field in ("lease_until", "next_try_at"):
            self.fixes().filter(**{f"{field}__isnull": False}).update(**{field: F(field) + by})

    @rule(fault=st.sampled_from(FAULTS), method=st.sampled_from(["POST", "GET", "PATCH"]))
    def fault_is_injected(self, fault, method):
        if method != "POST" and fault["kind"] in {"flag_stays", "fixed_meanwhile", "ignore_dry_run"}:
            method = "POST"
        path = f"/bundles/{self.bundle_id}/videos/{self.position}"
        self.sandbox.control.fault(method=method, path=path, **fault)

    @rule()
    def flag_goes_away(self):
        self.sandbox.control.clear(self.bundle_id, self.position)

    @rule()
    def manager_flags(self):
        self._flag("again")

    @rule()
    def sync_looks(self):
        self._sweep()

    @rule()
    def key_is_revoked(self):
        self.sandbox.control.key(FULL_KEY, revoked=True)

    @rule()
    def key_is_replaced(self):
        self.sandbox.control.key(FULL_KEY, revoked=False)
        rotate_key(workspace=Workspace.objects.get(pk=self.workspace.pk), read_key=FULL_KEY, actor=self.actor)

    # --- What always holds -----------------------------------------------------------------------------------

    def effects(self):
        return [
            entry
            for entry in self.sandbox.world.ledger
            if entry["kind"] == "fix" and (entry["bundle_id"], entry["position"]) == (self.bundle_id, self.position)
        ]

    @invariant()
    def no_fix_has_two_effects(self):
        keys = [entry["idempotency_key"] for entry in self.effects()]
        assert len(keys) == len(set(keys))

    @invariant()
    def every_effect_is_a_fix_of_ours_that_was_written_down_before(self):
        known = {fix.idempotency_key: fix for fix in self.fixes()}
        for entry in self.effects():
            assert known[entry["idempotency_key"]].first_sent_at

    @invariant()
    def an_issue_is_being_fixed_exactly_while_a_fix_is_unfinished(self):
        for issue in Issue.objects.filter(video__bundle__tokportal_id=self.bundle_id, video__position=self.position):
            moving = issue.fixes.filter(state__in=UNFINISHED).count()
            assert moving == (1 if issue.state == IssueState.FIXING else 0)

    @invariant()
    def dates_are_set_only_after_an_effect_and_only_by_wish(self):
        wished = {str(fix.pk): fix for fix in self.fixes().filter(keep_dates=True)}
        for entry in self.sandbox.world.ledger:
            if entry["kind"] == "patch" and (entry["bundle_id"], entry["position"]) == (self.bundle_id, self.position):
                fix = wished[entry["idempotency_key"].removeprefix("tokdash-dates-").rsplit("-", 1)[0]]
                assert fix.accepted_at
                assert fix.dates_body == json.dumps(entry["body"])

    @invariant()
    def what_succeeded_was_sent(self):
        sent = {entry["idempotency_key"] for entry in self.effects()}
        for fix in self.fixes().filter(state=FixState.SUCCEEDED, by_observation=False):
            assert fix.idempotency_key in sent

    def teardown(self):
        """Calm returns: every fix that was accepted ends, and the record of all of it holds."""
        try:
            self.at_point = None
            self.sandbox.control.clear_faults()
            self.key_is_replaced()
            for _ in range(30):
                fix = self.unfinished()
                if fix is None:
                    break
                self.fixes().filter(pk=fix.pk).update(lease_until=None)
                Fix.objects.filter(pk=fix.pk, next_try_at__isnull=False).update(next_try_at=timezone.now())
                drive_fix(fix.pk)
            assert {FixState(fix.state) for fix in self.fixes()} <= FINISHED
            self._sweep()
            for check in (self.no_fix_has_two_effects, self.an_issue_is_being_fixed_exactly_while_a_fix_is_unfinished):
                check()
            issue = self.issue()
            assert (issue.state == IssueState.OPEN) == self._slot().download_issue
            assert Video.objects.get(pk=issue.video_id).download_issue == self._slot().download_issue
            assert verify_team(issue.team).ok
        finally:
            self.patch.undo()


def test_the_life_of_a_fix(swept, workspace, actor, small_sandbox, settings):
    settings.TOKPORTAL_FIX_DEADLINE = settings.TOKPORTAL_READ_TIMEOUT = 2.0
    with_manager = {"published", "published_priority", "accepted", "in_review"}
    slots = [
        (bundle["id"], video["position"])
        for bundle, video in small_sandbox.control.videos(video_type="video")
        if bundle["status"] in with_manager
    ]
    FixLife.ground = {
        "sandbox": small_sandbox, "workspace": workspace, "actor": actor, "slots": _Endless(slots),
    }  # fmt: skip
    run_state_machine_as_test(
        FixLife,
        settings=settings_of(max_examples=30, stateful_step_count=20),
    )

    # The days were full enough: every kind of end was met.
    ends = set(Fix.objects.values_list("state", flat=True))
    assert ends >= {"succeeded", "rejected", "superseded", "cancelled"}
    assert small_sandbox.control.ledger("fix")
    assert small_sandbox.control.ledger("patch")
    assert Fix.objects.filter(dates_kept=True, keep_dates=True).exists()


class _Endless(list):
    """The slots, again and again: each example starts with a new episode of its slot."""

    def pop(self):
        self.insert(0, taken := super().pop())
        return taken


def settings_of(**options):
    return settings(
        **options, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), print_blob=True
    )
