"""The history: complete, ordered, chained; the database refuses changes, and any that slips past is found."""

import csv
import importlib
import io
import json

import pytest
from django.db import DatabaseError, connection, transaction

from issues.audit import Actor, Event, Verb, record
from issues.audit.export import COLUMNS, csv_lines, json_lines, safe_cell
from issues.audit.verify import verify_team
from issues.enums import Origin
from issues.models import AuditEvent, AuditHead

guards = importlib.import_module("issues.migrations.0006_guarded_evidence")
ACTOR = Actor(name="Ann", origin=Origin.COMMAND)
TABLE = AuditEvent._meta.db_table


@pytest.fixture
def chain(team):
    with transaction.atomic():
        record(
            team.pk,
            ACTOR,
            [Event(Verb.ISSUE_OPENED, label=f"Video {n} “ä”", changes={"n": [None, n]}) for n in range(20)],
        )
    return team


@pytest.fixture
def unguarded(chain):
    """The same, with the triggers gone: what an attacker with the database's password can do."""
    for statement in guards.SQLITE_OFF if connection.vendor == "sqlite" else guards.POSTGRESQL_OFF:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    return chain


def test_a_fresh_chain_holds(chain):
    result = verify_team(chain)

    assert (result.ok, result.first_bad) == (True, None)
    assert result.events == AuditEvent.objects.filter(team=chain).count() == AuditHead.objects.get(team=chain).seq


def test_history_is_written_inside_a_transaction_only(team, monkeypatch):
    class Autocommit:
        in_atomic_block = False

    with monkeypatch.context() as patch:
        patch.setattr("issues.audit.chain.transaction.get_connection", lambda: Autocommit)
        with pytest.raises(RuntimeError):
            record(team.pk, ACTOR, [Event(Verb.ISSUE_OPENED, label="x")])


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE {TABLE} SET label = 'x'",
        f"DELETE FROM {TABLE}",
        f"UPDATE {TABLE} SET seq = seq WHERE seq = 1",
        "REPLACE" if connection.vendor == "sqlite" else f"SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE {TABLE}",
    ],
)
def test_the_database_refuses_to_change_history(chain, statement):
    if statement == "REPLACE":
        columns = ", ".join(field.column for field in AuditEvent._meta.concrete_fields)
        statement = f"INSERT OR REPLACE INTO {TABLE} ({columns}) SELECT {columns} FROM {TABLE} WHERE seq = 1"

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert verify_team(chain).ok


TAMPERINGS = {
    "edit of a label": "UPDATE {t} SET label = 'forged' WHERE team_id = {team} AND seq = 9",
    "edit of a person": "UPDATE {t} SET actor_name = 'Eve' WHERE team_id = {team} AND seq = 9",
    "edit of the text": "UPDATE {t} SET canonical = replace(canonical, 'Ann', 'Eve') WHERE team_id = {team} AND seq = 9",
    "edit of a hash": "UPDATE {t} SET hash = '0' WHERE team_id = {team} AND seq = 9",
    "removal": "DELETE FROM {t} WHERE team_id = {team} AND seq = 9",
    "renumbering": "UPDATE {t} SET seq = 900 WHERE team_id = {team} AND seq = 9",
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found_where_it_was_done(unguarded, name):
    with connection.cursor() as cursor:
        cursor.execute(TAMPERINGS[name].format(t=TABLE, team=unguarded.pk))

    result = verify_team(unguarded)

    assert (result.ok, result.first_bad) == (False, 9)


def test_a_cut_tail_is_found(unguarded):
    AuditEvent.objects.filter(team=unguarded, seq__gt=15)._raw_delete("default")

    assert verify_team(unguarded).first_bad == 16


def test_two_swapped_events_are_found(unguarded):
    with connection.cursor() as cursor:
        for old, new in ((7, 1007), (8, 7), (1007, 8)):
            cursor.execute(f"UPDATE {TABLE} SET seq = {new} WHERE team_id = {unguarded.pk} AND seq = {old}")

    assert verify_team(unguarded).first_bad == 7


def test_a_forged_event_behind_the_head_is_found(unguarded):
    last = AuditEvent.objects.filter(team=unguarded).order_by("-seq")[0]
    last.pk, last.seq = None, last.seq + 1
    last.save(force_insert=True)

    assert not verify_team(unguarded).ok


def test_another_teams_chain_is_its_own(unguarded, charlie):
    other = charlie.teams.get()
    with connection.cursor() as cursor:
        cursor.execute(TAMPERINGS["removal"].format(t=TABLE, team=unguarded.pk))

    assert verify_team(other).ok


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠x"])
def test_formulas_are_neutralised(text):
    assert safe_cell(text) == f"'{text}"


def test_csv_export_reads_back(chain):
    events = list(AuditEvent.objects.filter(team=chain).order_by("seq"))

    rows = list(csv.DictReader(io.StringIO("".join(csv_lines(events)))))

    assert tuple(rows[0]) == COLUMNS
    assert [int(row["seq"]) for row in rows] == [event.seq for event in events]
    assert rows[-1]["label"] == "Video 19 “ä”"
    assert rows[-1]["hash"] == events[-1].hash


def test_json_lines_carry_all_that_was_hashed(chain):
    import hashlib

    events = AuditEvent.objects.filter(team=chain).order_by("seq")
    previous = "0" * 64
    for line in json_lines(events):
        row = json.loads(line)
        assert row["previous_hash"] == previous
        assert hashlib.sha256(f"{previous}\n{row['canonical']}".encode()).hexdigest() == row["hash"]
        previous = row["hash"]
    assert previous == AuditHead.objects.get(team=chain).hash


@pytest.mark.django_db(transaction=True)
def test_writers_at_the_same_time_make_one_chain(request):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite in memory has one connection; PostgreSQL runs this")
    import threading

    team = request.getfixturevalue("team")
    start = AuditHead.objects.get(team=team).seq

    def write():
        try:
            for _ in range(10):
                with transaction.atomic():
                    record(team.pk, ACTOR, [Event(Verb.ISSUE_OPENED, label="x")])
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    result = verify_team(team)
    assert (result.ok, result.events) == (True, start + 40)
