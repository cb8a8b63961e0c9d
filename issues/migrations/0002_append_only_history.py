"""The database itself refuses to change or remove history: UPDATE, DELETE, TRUNCATE, and REPLACE on SQLite."""

from django.db import migrations

TABLE = "issues_auditevent"

# recursive_triggers is on (settings.DATABASES), so that REPLACE's hidden DELETE fires the trigger too.
SQLITE = [
    f"CREATE TRIGGER history_no_update BEFORE UPDATE ON {TABLE} "
    "BEGIN SELECT RAISE(ABORT, 'history is append-only'); END",
    f"CREATE TRIGGER history_no_delete BEFORE DELETE ON {TABLE} "
    "BEGIN SELECT RAISE(ABORT, 'history is append-only'); END",
]
SQLITE_OFF = ["DROP TRIGGER IF EXISTS history_no_update", "DROP TRIGGER IF EXISTS history_no_delete"]

POSTGRESQL = [
    "CREATE OR REPLACE FUNCTION history_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'history is append-only'; END $$",
    f"CREATE TRIGGER history_no_change BEFORE UPDATE OR DELETE ON {TABLE} "
    "FOR EACH ROW EXECUTE FUNCTION history_is_append_only()",
    f"CREATE TRIGGER history_no_truncate BEFORE TRUNCATE ON {TABLE} "
    "FOR EACH STATEMENT EXECUTE FUNCTION history_is_append_only()",
    # Also where a session sets session_replication_role.
    f"ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER history_no_change",
    f"ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER history_no_truncate",
]
POSTGRESQL_OFF = [
    f"DROP TRIGGER IF EXISTS history_no_change ON {TABLE}",
    f"DROP TRIGGER IF EXISTS history_no_truncate ON {TABLE}",
]


def _run(schema_editor, sqlite, postgresql):
    for statement in sqlite if schema_editor.connection.vendor == "sqlite" else postgresql:
        schema_editor.execute(statement)


def guard(apps, schema_editor):
    _run(schema_editor, SQLITE, POSTGRESQL)


def unguard(apps, schema_editor):
    _run(schema_editor, SQLITE_OFF, POSTGRESQL_OFF)


class Migration(migrations.Migration):
    dependencies = [("issues", "0001_first_models")]
    operations = [migrations.RunPython(guard, unguard)]
