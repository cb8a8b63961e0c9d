"""The database itself refuses to change the record: events, checkpoints, heads. Only what a signed cut covers may go.

Stated anew, since SQLite loses a table's triggers whenever a column of it changes: every later migration that touches
one of these tables has to run `guard` at its end.
"""

import json
import re

from django.db import migrations

EVENTS, CHECKPOINTS, HEADS = "issues_auditevent", "issues_auditcheckpoint", "issues_audithead"
REFUSAL = "history is append-only"
BEHIND_A_CUT = f"OLD.seq <= (SELECT max(seq) FROM {CHECKPOINTS} WHERE team_id = OLD.team_id AND kind = 'cut')"


def _sqlite(name, moment, table, condition=""):
    when = f"WHEN {condition} " if condition else ""
    return f"CREATE TRIGGER history_{name} BEFORE {moment} ON {table} {when}BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"


SQLITE = [
    _sqlite("no_update", "UPDATE", EVENTS),
    # max() of no cut is NULL, and so is the comparison: IS NOT TRUE refuses then.
    _sqlite("no_delete", "DELETE", EVENTS, f"({BEHIND_A_CUT}) IS NOT TRUE"),
    # REPLACE deletes before it inserts, and its hidden DELETE fires triggers only where recursive_triggers is on.
    _sqlite(
        "no_replace",
        "INSERT",
        EVENTS,
        f"EXISTS (SELECT 1 FROM {EVENTS} WHERE id = NEW.id OR (team_id = NEW.team_id AND seq = NEW.seq))",
    ),
    _sqlite("checkpoints_no_update", "UPDATE", CHECKPOINTS),
    _sqlite("checkpoints_no_delete", "DELETE", CHECKPOINTS),
    _sqlite(
        "checkpoints_no_replace",
        "INSERT",
        CHECKPOINTS,
        f"EXISTS (SELECT 1 FROM {CHECKPOINTS} WHERE id = NEW.id OR (team_id = NEW.team_id AND number = NEW.number))",
    ),
    _sqlite("heads_only_grow", "UPDATE", HEADS, "NEW.seq <= OLD.seq OR NEW.team_id <> OLD.team_id"),
    _sqlite("heads_no_delete", "DELETE", HEADS),
    _sqlite("heads_no_replace", "INSERT", HEADS, f"EXISTS (SELECT 1 FROM {HEADS} WHERE team_id = NEW.team_id)"),
]
SQLITE_OFF = [
    f"DROP TRIGGER IF EXISTS history_{name}"
    for name in (
        "no_update", "no_delete", "no_replace", "checkpoints_no_update", "checkpoints_no_delete",
        "checkpoints_no_replace", "heads_only_grow", "heads_no_delete", "heads_no_replace",
    )
]  # fmt: skip

POSTGRESQL = [
    # One function for all: nested, since SQL does not promise to stop at the first false part of an AND.
    f"""CREATE OR REPLACE FUNCTION history_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF TG_OP = 'DELETE' AND TG_TABLE_NAME = '{EVENTS}' THEN
        IF {BEHIND_A_CUT} THEN RETURN OLD; END IF;
      END IF;
      IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = '{HEADS}' THEN
        IF NEW.seq > OLD.seq AND NEW.team_id = OLD.team_id THEN RETURN NEW; END IF;
      END IF;
      RAISE EXCEPTION '{REFUSAL}'; END $$""",
    *(
        statement
        for table in (EVENTS, CHECKPOINTS, HEADS)
        for statement in (
            f"CREATE TRIGGER history_no_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION history_is_append_only()",
            f"CREATE TRIGGER history_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION history_is_append_only()",
            # Also where a session sets session_replication_role.
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER history_no_change",
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER history_no_truncate",
        )
    ),
]
POSTGRESQL_OFF = [
    f"DROP TRIGGER IF EXISTS {name} ON {table}"
    for table in (EVENTS, CHECKPOINTS, HEADS)
    for name in ("history_no_change", "history_no_truncate")
]

# queries.history: events by their words.
WORDS_INDEX = (
    f"CREATE INDEX event_by_words ON {EVENTS} USING gin (array_to_tsvector(string_to_array(words, ' '))) "
    "WITH (fastupdate = on)"
)


def _run(schema_editor, sqlite, postgresql):
    for statement in sqlite if schema_editor.connection.vendor == "sqlite" else postgresql:
        schema_editor.execute(statement)


def unguard(apps, schema_editor):
    _run(schema_editor, SQLITE_OFF, POSTGRESQL_OFF)


def guard(apps, schema_editor):
    unguard(apps, schema_editor)
    _run(schema_editor, SQLITE, POSTGRESQL)


def _leaves(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return " ".join(_leaves(entry) for entry in value)
    return "" if value is None or isinstance(value, bool) else str(value)


def fill(apps, schema_editor):
    """Words of the events that were written before there were any, and the time of each chain's end."""
    event, head = apps.get_model("issues", "AuditEvent"), apps.get_model("issues", "AuditHead")
    for row in event.objects.filter(words="").only("label", "bundle_id", "canonical").iterator(chunk_size=1000):
        text = f"{row.label} {row.bundle_id} {_leaves(json.loads(row.canonical)['changes'])}"
        words = [word[:64] for word in re.split(r"[\W_]+", text.lower()) if word]
        event.objects.filter(pk=row.pk).update(words=" ".join(list(dict.fromkeys(words))[:200]))
    for row in head.objects.filter(seq__gt=0):
        row.at = event.objects.filter(team_id=row.team_id, seq=row.seq).values_list("at", flat=True).first()
        row.save(update_fields=["at"])


def index_words(apps, schema_editor):
    _run(schema_editor, [], [WORDS_INDEX])


def drop_words_index(apps, schema_editor):
    _run(schema_editor, [], ["DROP INDEX IF EXISTS event_by_words"])


class Migration(migrations.Migration):
    dependencies = [("issues", "0005_evidence")]
    operations = [
        migrations.RunPython(unguard, migrations.RunPython.noop),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunPython(index_words, drop_words_index),
        migrations.RunPython(guard, unguard),
    ]
