"""Tampering with a sealed chain: each kind is found where it was done, online and by the stand-alone verifier."""

import importlib.util
import io
import json
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from issues.audit import Actor, Event, Personal, Verb, chain, keeping, record
from issues.audit.checkpoints import as_json, last_checkpoint, read_outside
from issues.audit.evidence import evidence_of
from issues.audit.signing import signing_keys
from issues.audit.verify import Finding, verify_team
from issues.audit.watch import seal, watch_team
from issues.enums import Origin
from issues.management.commands import seal_audit
from issues.models import AuditCheckpoint, AuditEvent, AuditHead, AuditWatch, PersonalValue

guards = importlib.import_module("issues.migrations.0006_guarded_evidence")
EVENTS, HEADS, CHECKPOINTS = (model._meta.db_table for model in (AuditEvent, AuditHead, AuditCheckpoint))
PEOPLE = PersonalValue._meta.db_table
PROGRAM = Path(chain.__file__).with_name("standalone.py")


@pytest.fixture
def sealed(team, bob):
    """A chain of 23 or so events by Bob, sealed at its end and once in between."""
    actor = Actor.person(bob, Origin.PAGE)
    for start in (0, 10):
        with transaction.atomic():
            record(
                team.pk,
                actor,
                [Event(Verb.ISSUE_OPENED, label=f"Video {start + n}", changes={"n": [None, n]}) for n in range(10)],
            )
        assert not isinstance(seal(team.pk), Finding)
    return team


@pytest.fixture
def open_to_all(sealed):
    """The same without triggers: what somebody with the database's password can do."""
    run(*(guards.SQLITE_OFF if connection.vendor == "sqlite" else guards.POSTGRESQL_OFF))
    return sealed


def run(*statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def package_of(team, folder):
    path = folder / "evidence.zip"
    path.write_bytes(b"".join(evidence_of(team)))
    return path


def alone(path, *arguments):
    """The verifier of the package, in a Python process that cannot see the project."""
    with zipfile.ZipFile(path) as package:
        program = path.with_name("verify.py")
        program.write_bytes(package.read("verify.py"))
    done = subprocess.run(
        [sys.executable, "-I", str(program), str(path), "--json", *arguments],
        capture_output=True,
        text=True,
        cwd=path.parent,
    )
    return done.returncode, json.loads(done.stdout)


def rewrite_all(team, upto=None):
    """Forge a whole chain from event 5 on, with right hashes and a right head."""
    previous = AuditEvent.objects.get(team=team, seq=4).hash
    last = None
    for event in AuditEvent.objects.filter(team=team, seq__gt=4).order_by("seq"):
        changes = json.loads(event.canonical)["changes"]
        event.label = f"forged {event.seq}" if not event.label_digest else event.label
        event.words = chain.search_words(
            verb=event.verb,
            actor_digest=event.actor_digest,
            label=event.label,
            label_digest=event.label_digest,
            bundle_id=event.bundle_id,
            changes=changes,
        )
        event.previous_hash = previous
        event.canonical = chain.canonical_text(event, changes)
        event.hash = previous = chain.chain_hash(previous, event.canonical)
        event.save()
        last = event
    AuditHead.objects.filter(team=team).update(seq=last.seq, hash=last.hash)


def test_a_sealed_chain_holds_online_and_alone(sealed, tmp_path):
    result = verify_team(sealed)
    code, alone_result = alone(package_of(sealed, tmp_path), "--key", signing_keys()[0].public_hex)

    assert (result.ok, result.first_bad, result.checkpoints) == (True, None, 3)
    assert code == 0
    assert (alone_result["ok"], alone_result["events"]) == (True, result.events)
    assert (alone_result["signatures"], alone_result["key"]) == ("checked", "given")
    assert alone_result["signed_up_to"] == alone_result["last"] == AuditHead.objects.get(team=sealed).seq


# The name of what is done → SQL, and the first event that does not hold any more.
TAMPERINGS = {
    "edit of a label": (f"UPDATE {EVENTS} SET label = 'forged' WHERE team_id = {{team}} AND seq = 9", 9),
    "edit of its number of the video": (f"UPDATE {EVENTS} SET position = 7 WHERE team_id = {{team}} AND seq = 9", 9),
    "edit of the time": (f"UPDATE {EVENTS} SET at = '2020-01-01 00:00:00+00' WHERE team_id = {{team}} AND seq = 9", 9),
    "edit of the words of the search": (f"UPDATE {EVENTS} SET words = 'nothing' WHERE team_id = {{team}} AND seq = 9", 9),
    "edit of the person": (f"UPDATE {EVENTS} SET actor_id = 1 + actor_id WHERE team_id = {{team}} AND seq = 9", 9),
    "edit of the text": (f"UPDATE {EVENTS} SET canonical = replace(canonical, 'Video', 'video') WHERE team_id = {{team}} AND seq = 9", 9),
    "edit of a hash": (f"UPDATE {EVENTS} SET hash = '0' WHERE team_id = {{team}} AND seq = 9", 9),
    "delete": (f"DELETE FROM {EVENTS} WHERE team_id = {{team}} AND seq = 9", 9),
    "renumber": (f"UPDATE {EVENTS} SET seq = 900 WHERE team_id = {{team}} AND seq = 9", 9),
    "cut tail": (f"DELETE FROM {EVENTS} WHERE team_id = {{team}} AND seq > 15", 16),
    "edit of the head's number": (f"UPDATE {HEADS} SET seq = seq - 1 WHERE team_id = {{team}}", "head"),
    "edit of the head's hash": (f"UPDATE {HEADS} SET hash = '0' WHERE team_id = {{team}}", "behind"),
    "edit of a name beside the chain": (f"UPDATE {PEOPLE} SET value = 'Eve <eve@x.example>' WHERE team_id = {{team}} AND value LIKE 'Bob%%'", "bob"),
    "delete of a name beside the chain": (f"DELETE FROM {PEOPLE} WHERE team_id = {{team}} AND value LIKE 'Bob%%'", "bob"),
    "edit of a checkpoint": (f"UPDATE {CHECKPOINTS} SET event_hash = '{'0' * 64}' WHERE team_id = {{team}} AND number = 2", "first seal"),
    "edit of a checkpoint's text": (f"UPDATE {CHECKPOINTS} SET text = replace(text, '\"number\":2', '\"number\":3') WHERE team_id = {{team}} AND number = 2", "first seal"),
    "delete of a checkpoint": (f"DELETE FROM {CHECKPOINTS} WHERE team_id = {{team}} AND number = 2", "first seal"),
    "delete of all checkpoints": (f"DELETE FROM {CHECKPOINTS} WHERE team_id = {{team}}", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found_where_it_was_done(open_to_all, tmp_path, name):
    statement, where = TAMPERINGS[name]
    head = AuditHead.objects.get(team=open_to_all).seq
    bob = PersonalValue.objects.get(team=open_to_all, value__startswith="Bob")
    expected = {
        "head": head, "behind": head + 1, "first seal": AuditCheckpoint.objects.get(team=open_to_all, number=1).seq + 1,
        "bob": AuditEvent.objects.filter(team=open_to_all, canonical__contains=bob.digest).order_by("seq")[0].seq,
    }.get(where, where)  # fmt: skip
    run(statement.format(team=open_to_all.pk).replace("%%", "%"))

    result = verify_team(open_to_all)
    watched = watch_team(open_to_all)
    code, alone_result = alone(package_of(open_to_all, tmp_path))

    assert (result.ok, result.first_bad) == (False, expected), result.reason
    assert watched is not None
    assert (watched.seq, AuditWatch.objects.get(team=open_to_all).bad_seq) == (expected, expected)
    if name in {"edit of the words of the search", "edit of the person", "edit of a checkpoint"}:
        assert code == 0  # the package is made of the texts that were hashed and signed, not of these columns
        return
    assert (code, alone_result["first_bad"]) == (1, expected), alone_result


def test_an_inserted_event_is_found(open_to_all, tmp_path):
    run(f"UPDATE {EVENTS} SET seq = seq + 1000 WHERE team_id = {open_to_all.pk} AND seq > 8")
    run(f"UPDATE {EVENTS} SET seq = seq - 999 WHERE team_id = {open_to_all.pk} AND seq > 1000")
    forged = AuditEvent.objects.get(team=open_to_all, seq=8)
    forged.pk, forged.seq, forged.label = None, 9, "inserted"
    forged.save(force_insert=True)
    AuditHead.objects.filter(team=open_to_all).update(seq=AuditEvent.objects.filter(team=open_to_all).count())

    assert verify_team(open_to_all).first_bad == 9
    assert alone(package_of(open_to_all, tmp_path))[1]["first_bad"] == 9


def test_swapped_events_are_found(open_to_all, tmp_path):
    for old, new in ((7, 1007), (8, 7), (1007, 8)):
        run(f"UPDATE {EVENTS} SET seq = {new} WHERE team_id = {open_to_all.pk} AND seq = {old}")

    assert verify_team(open_to_all).first_bad == 7
    assert alone(package_of(open_to_all, tmp_path))[1]["first_bad"] == 7


def test_an_event_that_is_replayed_at_the_end_is_found(open_to_all, tmp_path):
    head = AuditHead.objects.get(team=open_to_all)
    replayed = AuditEvent.objects.get(team=open_to_all, seq=9)
    replayed.pk, replayed.seq = None, head.seq + 1
    replayed.save(force_insert=True)
    AuditHead.objects.filter(team=open_to_all).update(seq=replayed.seq, hash=replayed.hash)

    assert verify_team(open_to_all).first_bad == replayed.seq
    assert alone(package_of(open_to_all, tmp_path))[1]["first_bad"] == replayed.seq


def test_a_cut_tail_with_a_fitting_head_is_found_by_the_checkpoints(open_to_all, tmp_path):
    run(f"DELETE FROM {EVENTS} WHERE team_id = {open_to_all.pk} AND seq > 20")
    last = AuditEvent.objects.get(team=open_to_all, seq=20)
    AuditHead.objects.filter(team=open_to_all).update(seq=20, hash=last.hash)

    result = verify_team(open_to_all)

    assert (result.ok, result.first_bad) == (False, 21)
    assert alone(package_of(open_to_all, tmp_path))[1]["first_bad"] == 21


def test_a_rewrite_of_everything_is_found_by_the_checkpoints(open_to_all, tmp_path):
    first_seal = AuditCheckpoint.objects.get(team=open_to_all, number=2).seq
    rewrite_all(open_to_all)

    assert verify_team(open_to_all).first_bad == first_seal
    assert alone(package_of(open_to_all, tmp_path))[1]["first_bad"] == first_seal


def test_a_rewrite_with_its_checkpoints_gone_is_never_signed_again(open_to_all):
    rewrite_all(open_to_all)
    run(f"DELETE FROM {CHECKPOINTS} WHERE team_id = {open_to_all.pk}")

    assert isinstance(seal(open_to_all.pk), Finding)
    assert watch_team(open_to_all) is not None
    assert not AuditCheckpoint.objects.filter(team=open_to_all).exists()


@pytest.mark.parametrize("where", ["log", "earlier export"])
def test_a_rewrite_that_leaves_only_early_checkpoints_is_found_by_a_copy_kept_elsewhere(
    open_to_all, settings, tmp_path, where
):
    last = last_checkpoint(open_to_all.pk)
    kept = tmp_path / "kept.jsonl"
    kept.write_text(json.dumps(as_json(last)) + "\n")
    earlier = package_of(open_to_all, tmp_path).rename(tmp_path / "earlier.zip")
    rewrite_all(open_to_all)
    run(f"DELETE FROM {CHECKPOINTS} WHERE team_id = {open_to_all.pk} AND number > 1")
    assert verify_team(open_to_all).ok  # nothing in the database knows better

    if where == "log":
        settings.TOKDASH_CHECKPOINT_LOG = str(kept)
        found = verify_team(open_to_all)
        assert watch_team(open_to_all) is not None
    else:
        found = verify_team(open_to_all, kept=read_outside(kept.read_text().splitlines()))
        code, result = alone(package_of(open_to_all, tmp_path), "--against", str(earlier))
        assert (code, result["ok"]) == (1, False)

    assert not found.ok


def test_a_checkpoint_of_another_key_is_not_believed(open_to_all, settings, tmp_path):
    key = signing_keys()[0].public_hex
    settings.SECRET_KEY = "x" * 60
    settings.SECRET_KEY_FALLBACKS = []

    assert not verify_team(open_to_all).ok
    assert isinstance(seal(open_to_all.pk), Finding) or not verify_team(open_to_all).ok
    settings.SECRET_KEY_FALLBACKS = []
    assert alone(package_of(open_to_all, tmp_path), "--key", "00" * 32)[0] == 1
    assert key != signing_keys()[0].public_hex


def test_a_former_secret_key_is_still_believed(sealed, settings):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret key, long enough to be one" * 2

    assert verify_team(sealed).ok


def test_own_signing_keys_take_over_and_old_checkpoints_hold(sealed, settings, bob):
    settings.TOKDASH_SIGNING_KEYS = "k1:" + "A" * 43 + "="
    with transaction.atomic():
        record(sealed.pk, Actor.person(bob, Origin.PAGE), [Event(Verb.ISSUE_OPENED, label="x")])
    seal(sealed.pk)

    assert last_checkpoint(sealed.pk).key_id == signing_keys()[0].key_id
    assert signing_keys()[0].name == "k1"
    assert verify_team(sealed).ok


# --- The database refuses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE {CHECKPOINTS} SET seq = 0",
        f"DELETE FROM {CHECKPOINTS}",
        f"UPDATE {HEADS} SET seq = seq - 1",
        f"UPDATE {HEADS} SET hash = '0'",
        f"DELETE FROM {HEADS}",
        *(
            ["REPLACE"]
            if connection.vendor == "sqlite"
            else [f"SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE {table} CASCADE" for table in (CHECKPOINTS, HEADS)]
        ),
    ],
)
def test_checkpoints_and_heads_are_guarded_too(sealed, statement):
    statements = [statement]
    if statement == "REPLACE":
        # Without the pragma REPLACE's hidden DELETE fires nothing: the insert itself is refused.
        run("PRAGMA recursive_triggers=OFF")
        statements = [
            f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1" for table in (EVENTS, CHECKPOINTS, HEADS)
        ]
    for one in statements:
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            run(one)
    if statement == "REPLACE":
        run("PRAGMA recursive_triggers=ON")

    assert verify_team(sealed).ok


# --- The alarm ----------------------------------------------------------------------------------------------


def test_the_banner_says_where_and_goes_when_the_record_holds_again(open_to_all, as_user, vera):
    client = as_user(vera)
    assert "does not hold" not in client.get(f"/t/{open_to_all.slug}/").content.decode()  # never watched yet
    run(f"UPDATE {EVENTS} SET label = 'forged' WHERE team_id = {open_to_all.pk} AND seq = 17")
    watch_team(open_to_all)

    shown = client.get(f"/t/{open_to_all.slug}/").content.decode()
    run(f"UPDATE {EVENTS} SET label = 'Video {17 - 6}' WHERE team_id = {open_to_all.pk} AND seq = 17")
    right = json.loads(AuditEvent.objects.get(team=open_to_all, seq=17).canonical)["label"]
    AuditEvent.objects.filter(team=open_to_all, seq=17).update(label=right)
    watch_team(open_to_all)
    after = client.get(f"/t/{open_to_all.slug}/").content.decode()

    assert "does not hold from event 17" in shown
    assert "does not hold" not in after
    assert AuditEvent.objects.filter(team=open_to_all, verb="history.doubted").count() == 2
    assert verify_team(open_to_all).ok


def test_the_watch_walks_on_in_slices(sealed, monkeypatch):
    monkeypatch.setattr("issues.audit.watch.SLICE", 7)

    places = []
    for _ in range(4):
        assert watch_team(sealed) is None
        places.append(AuditWatch.objects.get(team=sealed).walked_seq)

    assert places[:2] == [7, 14]
    assert 0 in places  # came to the end, begins anew
    assert AuditWatch.objects.get(team=sealed).whole_at is not None


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
