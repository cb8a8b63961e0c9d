"""The ground that benchmarks stand on: a database of their own, a table, a last line."""

import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests.reachable import why_not

ROOT = Path(__file__).resolve().parent.parent.parent
POSTGRES = os.environ.get("TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/test")
REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")


def say(text: str = "") -> None:
    print(text, flush=True)


def table(title: str, rows: list[tuple[str, object]]) -> None:
    """Print rows of a name and a value."""
    say(f"\n{title}")
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        shown = (
            f"{value:,.3f}".rstrip("0").rstrip(".")
            if isinstance(value, float)
            else f"{value:,}"
            if isinstance(value, int)
            else value
        )
        say(f"  {name:<{width}}  {shown}")


def result(figures: dict[str, object]) -> None:
    say("\nRESULT " + json.dumps(figures))


@contextmanager
def kept_database(url: str) -> Iterator[str]:
    """A database that is there and stays, for a benchmark that takes long to fill one. Migrated inside."""
    os.environ.update(
        DJANGO_SETTINGS_MODULE="tokdash.settings", DEBUG="1", DATABASE_URL=url, CELERY_BROKER_URL=REDIS,
        LOG_LEVEL="ERROR", TOKDASH_SITE_URL="http://127.0.0.1:8000",
    )  # fmt: skip
    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    settings.DEBUG = False
    call_command("migrate", verbosity=0, interactive=False)
    yield f"PostgreSQL and Redis, {os.cpu_count()} cores, Python {sys.version.split()[0]}"


@contextmanager
def own_database(*, sqlite: bool = False) -> Iterator[str]:
    """A fresh database on the PostgreSQL of the tests, else a SQLite file; dropped at the end. Sets the environment.

    Yields a line that says what is used. Django is set up and migrated inside.
    """
    name = f"tokdash_bench_{uuid.uuid4().hex[:8]}"
    folder = tempfile.TemporaryDirectory(prefix="tokdash-bench-")
    on_postgres = not sqlite and not why_not(POSTGRES, REDIS)
    if on_postgres:
        import psycopg

        parts = urlsplit(POSTGRES)
        with psycopg.connect(POSTGRES, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        url = urlunsplit(parts._replace(path=f"/{name}"))
    else:
        url = f"sqlite:///{folder.name}/bench.sqlite3"
    os.environ.update(
        DJANGO_SETTINGS_MODULE="tokdash.settings",
        DEBUG="1",
        DATABASE_URL=url,
        CELERY_BROKER_URL=REDIS if on_postgres else f"embedded://localhost{folder.name}/broker",
        LOG_LEVEL="ERROR",
        TOKDASH_SITE_URL="http://127.0.0.1:8000",
    )
    try:
        import django
        from django.conf import settings
        from django.core.management import call_command

        django.setup()
        settings.DEBUG = False  # queries are not collected
        call_command("migrate", verbosity=0, interactive=False)
        yield f"{'PostgreSQL and Redis' if on_postgres else 'SQLite'}, {os.cpu_count()} cores, Python {sys.version.split()[0]}"
    finally:
        from django.db import connections

        connections.close_all()
        if on_postgres:
            with psycopg.connect(POSTGRES, autocommit=True) as connection:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        folder.cleanup()


@contextmanager
def deployed() -> Iterator[dict[str, str]]:
    """The environment of processes that run as on a site that others reach: DEBUG would keep every query in memory.

    Inside a database's block. Static files are collected; the cache is in Redis.
    """
    from django.conf import settings

    with tempfile.TemporaryDirectory(prefix="tokdash-static-") as folder:
        environment = {
            "DEBUG": "0", "SECRET_KEY": settings.SECRET_KEY, "TOKDASH_FIELD_KEYS": settings.TOKDASH_FIELD_KEYS,
            "TOKDASH_STATIC_ROOT": folder, "CACHE_URL": REDIS.rsplit("/", 1)[0] + "/11",
        }  # fmt: skip
        collect_static(environment)
        yield environment


def collect_static(environment: dict[str, str]) -> None:
    """The static files of the settings that the environment names."""
    command = [sys.executable, "manage.py", "collectstatic", "-v0", "--no-input"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True)
