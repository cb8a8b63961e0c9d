"""Is this process alive (`/healthz`), and can it serve (`/readyz`)? For load balancers and container engines."""

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from issues import pulse


def readiness() -> tuple[bool, dict[str, str]]:
    """Whether pages can be served, and how each part stands.

    The database and its migrations decide. That background work stands still is told, and does not take the site out
    of service: the pages say so themselves, and what is submitted is kept.
    """
    parts = {"database": "ok", "migrations": "ok", "workers": "ok"}
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            parts["migrations"] = "pending"
        else:
            since = pulse.paused_since()
            parts["workers"] = f"paused since {since.isoformat(timespec='seconds')}" if since else "ok"
    except DatabaseError:
        parts.update(database="away", migrations="unknown", workers="unknown")
    return parts["database"] == "ok" and parts["migrations"] == "ok", parts
