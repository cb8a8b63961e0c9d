"""The fault table of the reliability design, its GET column: old data kept, nothing deleted, one sentence, recovery."""

import time
from datetime import timedelta
from html import unescape

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from issues.audit import Actor
from issues.enums import Origin, SyncState, WorkspaceState
from issues.models import AuditEvent, Bundle, Issue, SyncGauge, SyncMinute, Video, Workspace
from issues.sync import runner, shifts, sweeps
from issues.sync.limiter import budget_for_key
from issues.sync.sweeps import sweep_workspace
from issues.sync.troubles import SENTENCES, sentence_of
from issues.tokportal import constants as c
from issues.tokportal.budget import BREAKER_FAILURES
from tests import factories
from tests.reading import text

SYNC = Actor.system(Origin.SYNC)
VIDEOS, LISTING = "/videos$", "^/bundles$"


@pytest.fixture(autouse=True)
def short_waits(settings, monkeypatch):
    # Another connection does not see what a test has not committed: its lease cannot be renewed.
    monkeypatch.setattr(sweeps, "LEASE_SECONDS", 240)
    settings.TOKPORTAL_READ_TIMEOUT = 1.0
    settings.TOKPORTAL_CONNECT_TIMEOUT = 1.0


def sweep(workspace):
    return sweep_workspace(workspace, actor=SYNC)


def known():
    """What must survive every fault."""
    return (
        list(Issue.objects.order_by("pk").values_list("pk", "state", "comment", "links")),
        list(Video.objects.order_by("pk").values_list("pk", "name", "video_url", "download_issue")),
        list(Bundle.objects.order_by("pk").values_list("pk", "title", "gone_at")),
    )


def recovers(workspace, sandbox):
    """Without the fault everything is as it should be, by itself."""
    sandbox.control.clear_faults()
    # What the breaker's next probe would do, without waiting for it.
    budget_for_key(workspace.base_url, workspace.read_key).observe(limit=None, remaining=None)
    run = sweep(workspace)
    assert run.state == SyncState.DONE
    assert run.errors == 0
    assert SyncGauge.objects.get().trouble_code == ""


# Faults that pass by: (fault, how often) – the sweep gets through.
PASSING = [
    ({"kind": "status", "status": 429, "code": c.RATE_LIMIT_EXCEEDED, "headers": {"Retry-After": "1"}}, 1),
    ({"kind": "status", "status": 429, "code": c.RATE_LIMIT_EXCEEDED, "details": {"retry_after_seconds": 1}}, 1),
    (
        {
            "kind": "status", "status": 429, "code": c.RATE_LIMIT_EXCEEDED,
            "headers": {"Retry-After": "1"}, "details": {"retry_after_seconds": 900},
        },
        1,
    ),
    ({"kind": "status", "status": 500, "code": "INTERNAL_ERROR"}, 2),
    ({"kind": "status", "status": 502, "code": "BAD_GATEWAY"}, 2),
    ({"kind": "status", "status": 503, "code": "UNAVAILABLE"}, 2),
    ({"kind": "status", "status": 504, "code": "TIMEOUT"}, 2),
    ({"kind": "reset_before"}, 2),
    ({"kind": "reset_during"}, 2),
    ({"kind": "reset_after"}, 2),
    ({"kind": "timeout_before", "seconds": 2}, 1),
    ({"kind": "timeout_after", "seconds": 2}, 1),
    ({"kind": "slow_headers", "bytes_per_second": 10}, 1),
    ({"kind": "slow_body", "bytes_per_second": 100}, 1),
    ({"kind": "truncated"}, 2),
    ({"kind": "malformed"}, 2),
    ({"kind": "html"}, 2),
    ({"kind": "huge", "bytes": 50_000_000}, 1),
]  # fmt: skip


@pytest.mark.parametrize("path", [VIDEOS, LISTING])
@pytest.mark.parametrize(("fault", "times"), PASSING)
def test_a_passing_fault_is_got_over(swept, workspace, small_sandbox, fault, times, path):
    before, fault = known(), dict(fault)
    small_sandbox.control.fault(fault.pop("kind"), path=path, times=times, **fault)
    Bundle.objects.update(answer_digest="")

    run = sweep(workspace)

    assert (run.state, run.errors) == (SyncState.DONE, 0)
    assert known() == before
    assert SyncGauge.objects.get().trouble_code == ""


# Faults that stay: (fault, the sentence's code)
LASTING = [
    ({"kind": "status", "status": 500, "code": "INTERNAL_ERROR"}, "INTERNAL_ERROR"),
    ({"kind": "status", "status": 503, "code": "UNAVAILABLE"}, "UNAVAILABLE"),
    ({"kind": "reset_before"}, "LOST_ANSWER"),
    ({"kind": "truncated"}, "LOST_ANSWER"),
    ({"kind": "malformed"}, "UNREADABLE_ANSWER"),
    ({"kind": "html"}, "UNREADABLE_ANSWER"),
    ({"kind": "html", "status": 502}, "UNREADABLE_ANSWER"),
]


@pytest.mark.parametrize("path", [VIDEOS, LISTING])
@pytest.mark.parametrize(("fault", "code"), LASTING)
def test_a_lasting_fault_keeps_what_is_known_and_is_told(swept, workspace, small_sandbox, page, fault, code, path):
    before, fault = known(), dict(fault)
    small_sandbox.control.fault(fault.pop("kind"), path=path, times=-1, **fault)
    Bundle.objects.update(answer_digest="")

    run = sweep(workspace)

    workspace.refresh_from_db()
    assert (run.state, run.code) == (SyncState.FAILED, code)
    assert known() == before
    assert SyncGauge.objects.get().trouble_code == code
    assert workspace.next_sync_at > timezone.now()
    said = unescape(text(page("issues")))
    assert sentence_of(code) in said
    assert "All clear" not in said
    recovers(workspace, small_sandbox)


@pytest.mark.parametrize(
    "kind", ["missing_fields", "null_fields", "wrong_types", "unknown_enums", "new_fields", "duplicate_ids"]
)
def test_odd_answers_neither_close_nor_double_anything(swept, workspace, small_sandbox, kind):
    before = known()
    small_sandbox.control.fault(kind, times=-1)

    run = sweep(workspace)

    after = known()
    assert run.state == SyncState.DONE
    assert [issue[:2] + issue[3:] for issue in after[0]] == [issue[:2] + issue[3:] for issue in before[0]]
    assert after[1][: len(before[1])] == before[1]
    assert after[2] == before[2]
    if kind == "new_fields":
        assert Video.objects.filter(extra__hologram_depth=3).exists()
        assert Bundle.objects.filter(extra__hologram_depth=3).exists()
    if kind == "unknown_enums":
        # An unknown status might be flagged, so it is asked.
        assert set(Bundle.objects.values_list("status", flat=True)) == {"quantum"}
        assert not Bundle.objects.filter(heat=None).exists()


@pytest.mark.parametrize("pages", [0, 1, 1_000_000])
def test_a_lying_total_pages_hides_no_bundle(workspace, small_sandbox, monkeypatch, pages):
    monkeypatch.setattr("issues.sync.fetcher.PAGE_ROWS", 5)
    small_sandbox.control.fault("total_pages", path=LISTING, times=-1, value=pages)

    run = sweep(workspace)

    assert (run.state, run.bundles) == (SyncState.DONE, 12)
    assert run.requests < 40


def test_twenty_times_429_without_a_word_of_how_long(workspace, small_sandbox, monkeypatch):
    monkeypatch.setattr("issues.tokportal.caller.DEFAULT_RETRY_AFTER", 0.05)
    small_sandbox.control.fault("status", path=VIDEOS, status=429, code=c.RATE_LIMIT_EXCEEDED, times=20)

    run = sweep(workspace)

    assert (run.state, run.errors, run.throttled) == (SyncState.DONE, 0, 20)
    assert sum(SyncMinute.objects.values_list("throttled", flat=True)) == 20


def test_a_long_retry_after_ends_the_shift_and_is_obeyed(swept, workspace, small_sandbox):
    small_sandbox.control.fault(
        "status", path=VIDEOS, status=429, code=c.RATE_LIMIT_EXCEEDED, headers={"Retry-After": "120"}
    )
    Bundle.objects.update(asked_at=timezone.now() - timedelta(minutes=20))
    started = time.monotonic()

    shifts.run_shift(workspace, actor=SYNC, seconds=30)

    workspace.refresh_from_db()
    assert time.monotonic() - started < 10
    assert 100 < (workspace.next_sync_at - timezone.now()).total_seconds() <= 121
    assert small_sandbox.control.ledger("throttled") == []


def test_a_failing_bundle_does_not_stop_the_others(workspace, small_sandbox):
    bundle, _ = factories.slot(small_sandbox, "video", flagged=True)
    small_sandbox.control.fault("malformed", path=f"/bundles/{bundle['id']}/videos$", times=-1)

    run = sweep(workspace)

    row = Bundle.objects.get(tokportal_id=bundle["id"])
    assert (run.state, run.errors, run.code) == (SyncState.DONE, 1, "UNREADABLE_ANSWER")
    assert run.issues_opened > 0
    assert not Issue.objects.filter(video__bundle=row).exists()
    assert row.unanswered_since is not None
    assert SyncGauge.objects.get().silent == 1


def test_a_failing_tokportal_opens_the_breaker_and_a_shift_stops_asking(swept, workspace, small_sandbox):
    Bundle.objects.update(asked_at=timezone.now() - timedelta(minutes=20))
    small_sandbox.control.fault("status", status=503, code="UNAVAILABLE", times=-1)

    shifts.run_shift(workspace, actor=SYNC, seconds=5)
    asked = sum(SyncMinute.objects.values_list("requests", flat=True)) - swept.requests

    workspace.refresh_from_db()
    assert BREAKER_FAILURES <= asked <= BREAKER_FAILURES + 3 * runner.IN_FLIGHT
    assert workspace.next_sync_at > timezone.now()
    assert SyncGauge.objects.get().trouble_code == "UNAVAILABLE"
    recovers(workspace, small_sandbox)


def test_refused_connections_are_told_and_got_over(swept, workspace, small_sandbox):
    before, origin = known(), workspace.base_url
    Workspace.objects.update(base_url="http://127.0.0.1:9/api/ext")
    workspace.refresh_from_db()

    run = sweep(workspace)

    assert (run.state, run.code) == (SyncState.FAILED, "CONNECTION_REFUSED")
    assert known() == before
    Workspace.objects.update(base_url=origin)
    workspace.refresh_from_db()
    recovers(workspace, small_sandbox)


@pytest.mark.parametrize(
    ("code", "status"),
    [(c.AUTH_REVOKED_KEY, 401), (c.AUTH_INVALID_KEY, 401), (c.AUTH_MISSING_KEY, 401), (c.INSUFFICIENT_SCOPE, 403)],
)
@pytest.mark.parametrize("path", [VIDEOS, LISTING])
def test_a_refused_key_stops_at_once(swept, workspace, small_sandbox, code, status, path):
    before = known()
    small_sandbox.control.fault("status", path=path, status=status, code=code, times=-1)

    run = sweep(workspace)

    workspace.refresh_from_db()
    assert (run.state, run.code, workspace.state) == (SyncState.FAILED, code, WorkspaceState.KEY_REFUSED)
    assert run.requests <= 1 + runner.IN_FLIGHT
    assert known() == before


@pytest.mark.parametrize(
    ("code", "status"), [(c.BUNDLE_NOT_FOUND, 404), (c.BUNDLE_NOT_OWNED, 403), ("SOMETHING_NEW", 404)]
)
def test_a_bundle_that_is_gone_takes_its_issues_along(swept, workspace, small_sandbox, code, status):
    issue = Issue.objects.select_related("video__bundle").first()
    small_sandbox.control.fault(
        "status", path=f"/{issue.video.bundle.tokportal_id}/videos$", status=status, code=code, times=-1
    )

    run = sweep(workspace)

    issue.refresh_from_db()
    assert (run.state, issue.state) == (SyncState.DONE, "moot")


def test_a_clock_that_is_an_hour_off_changes_nothing(swept, workspace, small_sandbox):
    before = known()
    for offset in (3600, -3600):
        small_sandbox.control.settings(clock_offset=offset)
        assert sweep(workspace).state == SyncState.DONE

    assert known() == before


def test_every_sentence_ends_and_names_no_code():
    for sentence in SENTENCES.values():
        assert sentence.endswith((".", "?"))
        assert "_" not in sentence
    assert sentence_of("") == ""
    assert "(NEW_CODE)" in sentence_of("NEW_CODE")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server to restart")
@pytest.mark.django_db(transaction=True)
def test_a_database_that_restarts_in_the_middle_loses_and_doubles_nothing(workspace, small_sandbox, monkeypatch):
    original, calls = runner.mirror.mirror_videos, []

    def cut_off_at_the_third(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return original(*args, **kwargs)

    monkeypatch.setattr(runner.mirror, "mirror_videos", cut_off_at_the_third)
    with pytest.raises(DatabaseError):
        sweep(workspace)
    monkeypatch.undo()
    connection.close()
    Workspace.objects.update(sync_lease_until=timezone.now() - timedelta(seconds=1))  # as after half a minute

    run = sweep(workspace)

    flagged = small_sandbox.control.videos(download_issue=True)
    expected = sum(bundle["status"] not in c.NOT_FLAGGABLE_STATUSES for bundle, _ in flagged)
    assert run.state == SyncState.DONE
    assert Issue.objects.filter(state="open").count() == expected
    assert AuditEvent.objects.filter(verb="issue.opened").count() == expected
