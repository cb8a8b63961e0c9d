"""What operators see: health, readiness, metrics, the workers' pulse, retention."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from issues import pulse, retention, tasks
from issues.models import Heartbeat, Issue, SyncMinute, SyncRun, WebhookEvent
from tests.reading import text


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "whatever"])
def test_health_needs_neither_host_nor_database(host):
    answer = Client().get("/healthz", headers={"host": host})

    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_ready_tells_each_part(workspace):
    answer = Client().get("/readyz", headers={"host": "10.1.2.3"})

    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "database": "ok", "migrations": "ok", "workers": "ok"}


def test_ready_without_workers_is_ready_and_says_so(workspace):
    Heartbeat.objects.filter(queue="sync").update(beat_at=timezone.now() - timedelta(minutes=5))

    answer = Client().get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["workers"].startswith("paused since")


def test_not_ready_without_a_database(db, monkeypatch):
    from django.db import OperationalError

    from issues import health

    class Away:
        def __init__(self, _):
            raise OperationalError("no route to host")

    monkeypatch.setattr(health, "MigrationExecutor", Away)

    answer = Client().get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["database"] == "away"


def test_not_ready_before_the_migrations(db, monkeypatch):
    from issues import health

    class Behind:
        def __init__(self, _):
            self.loader = self
            self.graph = self

        def leaf_nodes(self):
            return []

        def migration_plan(self, _):
            return ["0009"]

    monkeypatch.setattr(health, "MigrationExecutor", Behind)

    assert Client().get("/readyz").status_code == 503


# --- Metrics -------------------------------------------------------------------------------------------------


def scrape(**headers):
    return Client().get("/metrics", headers=headers)


def test_metrics_tell_how_the_sync_stands_without_names(swept, workspace):
    said = scrape().content.decode()

    for line in (
        "tokdash_up 1.0",
        f'tokdash_sync_flaggable{{workspace="{workspace.pk}"}}',
        f'tokdash_sync_expected_delay{{workspace="{workspace.pk}"}}',
        f'tokdash_sync_requests_5m{{workspace="{workspace.pk}"}}',
        'tokdash_issues_open{state="open"}',
        'tokdash_heartbeat_age_seconds{queue="interactive"}',
        "django_http_requests_total_by_method_total",
    ):
        assert line in said, line
    assert workspace.account_email not in said
    assert workspace.team.name not in said


def test_metrics_are_for_those_who_may(db, settings):
    assert scrape().status_code == 200
    assert scrape(**{"X-Forwarded-For": "203.0.113.9"}).status_code == 404
    assert Client(REMOTE_ADDR="8.8.8.8").get("/metrics").status_code == 404
    assert Client(REMOTE_ADDR="").get("/metrics").status_code == 404

    settings.TOKDASH_METRICS_TOKEN = "s3cret"
    assert scrape().status_code == 404
    assert scrape(Authorization="Bearer wrong").status_code == 404
    assert scrape(**{"Authorization": "Bearer s3cret", "X-Forwarded-For": "203.0.113.9"}).status_code == 200


def test_metrics_without_a_database_say_so(db, monkeypatch):
    from django.db import OperationalError

    from issues.queries import metrics

    def away(self):
        raise OperationalError("gone")

    monkeypatch.setattr(metrics.TokDashCollector, "_all", away)

    assert "tokdash_up 0.0" in scrape().content.decode()


# --- The pulse -----------------------------------------------------------------------------------------------


def test_a_beat_goes_through_every_queue(db, monkeypatch):
    sent = []
    monkeypatch.setattr(tasks.current_app, "send_task", lambda *a, **k: sent.append((a, k["args"], k["queue"])))

    tasks.send_heartbeats()
    for _, args, queue in sent:
        assert args == [queue]
        tasks.beat(*args)

    assert {queue for _, _, queue in sent} == set(pulse.QUEUES)
    assert pulse.paused_since() is None


def test_pages_say_when_background_work_stands_still(page, swept):
    assert "Background work is paused" not in text(page("issues"))
    since = timezone.now() - timedelta(minutes=4)
    Heartbeat.objects.filter(queue="interactive").update(beat_at=since)

    issue = Issue.objects.select_related("video").first()
    arguments = {"issue": [issue.pk], "bundle": [issue.video.bundle_id], "workspace": [issue.workspace_id]}
    for name in ("issues", "issue", "bundles", "bundle", "workspaces", "workspace", "history"):
        said = text(page(name, *arguments.get(name, [])))
        assert said.count("Background work has stopped; its last sign was 4 min ago") == 1, name
    assert pulse.paused_since() == since


def test_what_never_ran_is_not_paused(db):
    assert pulse.paused_since() is None


# --- Retention -----------------------------------------------------------------------------------------------


def test_old_rows_go_in_batches_and_young_ones_stay(workspace, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(retention, "BATCH", 10)
    now = timezone.now()
    for age in (1, 100):
        then = now - timedelta(days=age)
        SyncMinute.objects.bulk_create(
            SyncMinute(workspace=workspace, minute=then + timedelta(minutes=number)) for number in range(25)
        )
        SyncRun.objects.create(workspace=workspace, fence=1, origin="sync", state="done", started_at=then)
        WebhookEvent.objects.create(workspace=workspace, event_id=str(age), event_type="x", received_at=then)

    assert retention.tidy() == 27
    tasks.tidy()

    assert SyncMinute.objects.count() == 25
    assert SyncRun.objects.count() == WebhookEvent.objects.count() == 1
