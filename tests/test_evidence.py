"""Tampering with a sealed chain: each kind is found where it was done, online and by the stand-alone verifier."""

import json

import pytest
from django.db import DatabaseError, connection, transaction

from issues.audit import Actor, Event, Verb, record
from issues.audit.checkpoints import as_json, last_checkpoint, read_outside
from issues.audit.signing import signing_keys
from issues.audit.verify import Finding, verify_team
from issues.audit.watch import seal, watch_team
from issues.enums import Origin
from issues.models import AuditCheckpoint, AuditEvent, AuditHead, AuditWatch, PersonalValue
from tests.evidence import CHECKPOINTS, EVENTS, HEADS, PEOPLE, alone, package_of, rewrite_all, run


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
