"""A backup by pg_dump, restored into an empty PostgreSQL: everything is there, opens, and the record holds."""

import shutil
import subprocess
import uuid

import psycopg
import pytest
from django.db import connection

from tests.test_kill import installation as installation  # the fixture: a fresh installation

pytestmark = [
    pytest.mark.xdist_group("kill"),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite is backed up by copying its file"),
    pytest.mark.skipif(not shutil.which("pg_dump"), reason="PostgreSQL's own tools are not installed"),
]


@pytest.fixture
def empty_database(installation):
    """A database with nothing in it, beside the installation's own; yields its URL."""
    server, _, _ = installation.environment["DATABASE_URL"].rpartition("/")
    name = f"tokdash_restored_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
    yield f"{server}/{name}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_a_restored_backup_is_the_same_installation(installation, empty_database, tmp_path):
    kept_elsewhere = tmp_path / "checkpoints.log"
    installation.json("sync")
    installation.json("seal_audit", "bright-team", TOKDASH_CHECKPOINT_LOG=str(kept_elsewhere))
    before = installation.json("list_issues")
    dump = tmp_path / "tokdash.dump"

    # The commands of docs/operate/backup.md.
    subprocess.run(
        ["pg_dump", "--format=custom", f"--file={dump}", installation.environment["DATABASE_URL"]], check=True
    )
    subprocess.run(
        ["pg_restore", "--no-owner", "--exit-on-error", "--single-transaction", f"--dbname={empty_database}", dump],
        check=True,
    )
    there = {"DATABASE_URL": empty_database}

    assert installation.json("list_issues", **there) == before
    assert installation.json("verify_audit", "bright-team", "--against", str(kept_elsewhere), **there)["ok"]
    parts = installation.json("doctor", "--offline", code=1, **there)["parts"]  # no worker runs there
    assert [part["part"] for part in parts if part["standing"] == "bad"] == ["workers"]
    assert "the keys of 1 workspaces open" in next(part["seen"] for part in parts if part["part"] == "keys")
    # Its triggers came along: the record is as closed as before.
    with psycopg.connect(empty_database) as restored, pytest.raises(psycopg.errors.RaiseException):
        restored.execute("UPDATE issues_auditevent SET verb = 'note.written'")
