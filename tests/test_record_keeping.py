"""Erasing, letting go of old events, and the package that an auditor gets."""

import importlib.util
import io
import json
import subprocess
import sys
import zipfile
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from issues.audit import Actor, Event, Personal, Verb, keeping, record
from issues.audit.checkpoints import last_checkpoint
from issues.audit.verify import verify_team
from issues.audit.watch import watch_team
from issues.enums import Origin
from issues.management.commands import seal_audit
from issues.models import AuditEvent, AuditHead
from tests.evidence import CHECKPOINTS, EVENTS, PROGRAM, alone, package_of, run

# --- Erasing ------------------------------------------------------------------------------------------------


def test_names_are_not_in_the_chain(sealed):
    texts = "".join(AuditEvent.objects.filter(team=sealed).values_list("canonical", flat=True))

    assert "Bob" not in texts
    assert "@team.example" not in texts


def test_values_in_changes_are_kept_beside_the_chain(sealed, bob, tmp_path):
    with transaction.atomic():
        changes = {"address": [None, Personal("192.0.2.77", bob.pk)]}
        record(sealed.pk, Actor.person(bob, Origin.PAGE), [Event(Verb.LOGGED_IN, label="x", changes=changes)])
    event = AuditEvent.objects.filter(team=sealed).order_by("-seq")[0]

    assert "192.0.2.77" not in event.canonical
    lines = zipfile.ZipFile(package_of(sealed, tmp_path)).read("events.jsonl").decode().splitlines()
    assert json.loads(lines[-1])["changes"] == {"address": [None, "192.0.2.77"]}


# --- Keeping ------------------------------------------------------------------------------------------------


def test_old_events_go_behind_a_signed_cut_and_the_rest_verifies(sealed, tmp_path, monkeypatch):
    later = timezone.now() + timedelta(days=200)
    sealed.history_days = 90
    sealed.save()
    head = AuditHead.objects.get(team=sealed).seq

    with monkeypatch.context() as patch:
        patch.setattr("issues.audit.keeping.timezone.now", lambda: later)
        gone = keeping.keep_team(sealed)
        again = keeping.keep_team(sealed)

    kept = AuditEvent.objects.filter(team=sealed).order_by("seq")
    assert (gone, again) == (head, 0)
    assert [event.verb for event in kept] == ["history.cut"]
    assert kept[0].changes["first_kept"] == [1, head + 1]
    assert verify_team(sealed).ok
    assert watch_team(sealed) is None
    code, result = alone(package_of(sealed, tmp_path))
    assert (code, result["first"]) == (0, head + 1)


def test_a_chain_that_does_not_hold_is_not_cut(open_to_all, monkeypatch):
    later = timezone.now() + timedelta(days=200)
    open_to_all.history_days = 90
    open_to_all.save()
    run(f"UPDATE {EVENTS} SET label = 'forged' WHERE team_id = {open_to_all.pk} AND seq = 9")
    monkeypatch.setattr("issues.audit.keeping.timezone.now", lambda: later)

    assert keeping.keep_team(open_to_all) == 0


def test_an_unsigned_cut_lets_events_go_but_is_found(sealed):
    forged = last_checkpoint(sealed.pk)
    forged.pk, forged.number, forged.kind, forged.seq = None, forged.number + 1, "cut", 9
    forged.event_hash = AuditEvent.objects.get(team=sealed, seq=9).hash
    forged.save(force_insert=True)
    AuditEvent.objects.filter(team=sealed, seq__lte=9)._raw_delete("default")

    assert verify_team(sealed).ok is False
    assert watch_team(sealed) is not None


# --- The command and the package ----------------------------------------------------------------------------


def test_an_old_chain_is_adopted_only_by_command(open_to_all):
    run(f"DELETE FROM {CHECKPOINTS} WHERE team_id = {open_to_all.pk}")
    command = seal_audit.Command(stdout=io.StringIO())

    command.handle(team=open_to_all.slug, adopt=True, json=True)

    assert verify_team(open_to_all).ok
    assert AuditEvent.objects.filter(team=open_to_all, verb="history.adopted").count() == 1
    printed = json.loads(command.stdout._out.getvalue())
    assert printed["seq"] == AuditHead.objects.get(team=open_to_all).seq


EDITS_OF_THE_PACKAGE = {
    "a shown label": ("events.jsonl", lambda rows: rows[9].update(label="forged"), 10),
    "a shown person": ("events.jsonl", lambda rows: rows[9].update(actor="Eve"), 10),
    "a shown change": ("events.jsonl", lambda rows: rows[9].update(changes={"n": [None, 99]}), 10),
    "a removed event": ("events.jsonl", lambda rows: rows.pop(9), 10),
    "a cut tail": ("events.jsonl", lambda rows: rows.__delitem__(slice(12, None)), 13),
    "a name": ("people.jsonl", lambda rows: [row.update(value="Eve") for row in rows if row["value"].startswith("Bob")], None),
    "no checkpoints": ("checkpoints.jsonl", lambda rows: rows.clear(), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS_OF_THE_PACKAGE)
def test_edits_of_the_package_itself_are_found(sealed, tmp_path, name):
    part, edit, expected = EDITS_OF_THE_PACKAGE[name]
    path = package_of(sealed, tmp_path)
    with zipfile.ZipFile(path) as package:
        parts = {entry: package.read(entry) for entry in package.namelist()}
    rows = [json.loads(line) for line in parts[part].decode().splitlines()]
    edit(rows)
    parts[part] = "".join(json.dumps(row) + "\n" for row in rows).encode()
    with zipfile.ZipFile(path, "w") as package:
        for entry, content in parts.items():
            package.writestr(entry, content)

    code, result = alone(path)

    assert code == 1
    assert expected is None or result["first_bad"] == expected


def test_the_verifier_reads_lines_alone_and_says_what_it_did_not_check(sealed, tmp_path):
    path = package_of(sealed, tmp_path)
    lines = tmp_path / "events.jsonl"
    lines.write_bytes(zipfile.ZipFile(path).read("events.jsonl"))
    spec = importlib.util.spec_from_file_location("standalone", PROGRAM)
    verifier = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(verifier)

    result = verifier.verify(str(lines))

    assert result["ok"]
    assert result["signatures"] == "not checked"


def test_the_verifier_needs_nothing_but_the_standard_library(sealed, tmp_path):
    path = package_of(sealed, tmp_path)
    program = tmp_path / "verify.py"
    program.write_text(PROGRAM.read_text())
    # -S: no site-packages, as on a machine without cryptography.
    done = subprocess.run([sys.executable, "-I", "-S", str(program), str(path)], capture_output=True, text=True)

    assert done.returncode == 0
    assert "signatures: not checked" in done.stdout
    assert "pip install cryptography" in done.stdout
