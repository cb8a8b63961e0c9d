"""`manage.py doctor`: each trouble is named by its part, with what to do."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from issues import doctor, pulse
from issues.doctor import Standing, examine
from issues.models import AuditWatch, Heartbeat, Workspace
from tests.evidence import run as run_sql

pytestmark = pytest.mark.django_db


def standings(part: str, **options) -> list[Standing]:
    return [finding.standing for finding in examine(**options) if finding.part == part]


def finding(part: str, standing: Standing = Standing.BAD, **options) -> doctor.Finding:
    return next(one for one in examine(**options) if one.part == part and one.standing == standing)


def test_a_sound_installation_is_called_so(workspace):
    found = examine()

    assert [one for one in found if one.standing == Standing.BAD] == []
    assert {
        "database",
        "migrations",
        "broker",
        "cache",
        "keys",
        "workers",
        "history",
        "sync",
        "e-mail",
        "TokPortal",
        "clock",
    } <= {one.part for one in found}


def test_every_trouble_comes_with_advice(workspace, settings):
    settings.TOKDASH_FIELD_KEYS = "other:" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
    Heartbeat.objects.all().delete()

    assert all(one.advice for one in examine() if one.standing != Standing.OK)
    assert "do not open" in finding("keys").seen


def test_quiet_queues_are_named(workspace):
    Heartbeat.objects.filter(queue="links").update(beat_at=timezone.now() - timedelta(minutes=5))

    assert finding("workers").seen == "Nobody takes from links."


def test_workers_that_answer_and_get_nothing_lack_a_beat(workspace, monkeypatch):
    Heartbeat.objects.update(beat_at=timezone.now() - timedelta(minutes=5))
    monkeypatch.setattr(doctor, "_answering", lambda: 2)

    assert finding("beat").seen.startswith("2 workers answer")


def test_a_broken_history_and_a_refused_key_are_bad(workspace):
    AuditWatch.objects.update_or_create(team=workspace.team, defaults={"reason": "Event 3 is missing.", "bad_seq": 3})
    Workspace.objects.update(state="key_refused")

    assert "from event 3 on" in finding("history").seen
    assert "refuses the key of" in finding("keys").seen


def test_tokportal_that_is_away_and_a_clock_that_is_off(workspace, monkeypatch):
    late = timezone.now() + timedelta(minutes=3)
    monkeypatch.setattr(doctor.timezone, "now", lambda: late)
    for queue in pulse.QUEUES:
        pulse.beat(queue)
    assert "180 s off that of TokPortal" in finding("clock").seen or "s off that of" in finding("clock").seen

    Workspace.objects.update(base_url="http://127.0.0.1:9/api/ext")
    assert "cannot be reached" in finding("TokPortal").seen
    assert standings("TokPortal", ask_tokportal=False) == []


def test_a_broker_and_a_mail_server_that_are_away(settings, monkeypatch):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", 9, 2
    monkeypatch.setattr(doctor.settings, "CELERY_BROKER_URL", "redis://127.0.0.1:9/0", raising=False)
    monkeypatch.setattr(doctor.current_app, "connection_for_write", _refuse)

    assert "127.0.0.1:9" in finding("e-mail").seen
    assert "cannot be reached" in finding("broker").seen


def _refuse(**options):
    raise ConnectionRefusedError


def test_migrations_that_wait_are_bad(monkeypatch):
    last = max(path.stem for path in (Path(doctor.__file__).parent / "migrations").glob("0*.py"))
    run_sql(f"DELETE FROM django_migrations WHERE app = 'issues' AND name = '{last}'")

    assert finding("migrations").seen == "1 are waiting."


def test_a_database_that_breaks_while_it_is_read_spoils_no_other_part(workspace, monkeypatch):
    from django.db import OperationalError

    def broken():
        raise OperationalError("gone")
        yield

    monkeypatch.setattr(doctor, "_sync", broken)

    assert "OperationalError" in finding("sync").seen
    assert standings("history") == [Standing.OK]


def test_the_command_prints_json_and_exits_1(workspace, capsys):
    Workspace.objects.update(state="key_refused")

    with pytest.raises(SystemExit) as ended:
        call_command("doctor", json=True, offline=True)

    said = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1
    assert said["ok"] is False
    assert {"part", "standing", "seen", "advice"} == set(said["parts"][0])


def test_the_command_says_all_in_lines(workspace, capsys):
    call_command("doctor", offline=True)

    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("ok  migrations") for line in lines)
    assert connection.vendor == "postgresql" or any(line.startswith("!!  database") for line in lines)
