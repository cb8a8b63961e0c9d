"""The shared rate budget in the database: GCRA as one atomic statement.

One row for each key at each TokPortal. The condition and the change are the same UPDATE, so any number of processes on
any number of machines share one bucket without a lock of their own, by the database's clock.
"""

import hashlib

from django.conf import settings
from django.db import connection

from issues.models import RateBudget
from issues.sealed import Secret
from issues.tokportal.budget import SAFETY, Lane, Slot
from issues.tokportal.constants import DEFAULT_LIMIT_PER_MINUTE

_DIALECTS = {
    # vendor: (greatest-of function, now as Unix seconds with a fraction)
    "postgresql": ("GREATEST", "EXTRACT(EPOCH FROM clock_timestamp())::double precision"),
    "sqlite": ("MAX", "((julianday('now') - 2440587.5) * 86400.0)"),
}


class DatabaseBudget:
    """The budget of one key. Implements `tokportal.budget.Budget`."""

    def __init__(self, base_url: str, key: Secret) -> None:
        digest = hashlib.sha256(f"{base_url}\n{key.reveal()}\n{settings.SECRET_KEY}".encode())
        self._key_hash = digest.hexdigest()
        self._greatest, self._now = _DIALECTS[connection.vendor]
        self._interval = f"(60.0 / (limit_per_minute * {SAFETY}))"

    def take(self, lane: Lane) -> Slot:
        """One slot for `lane`, or how long to wait. Must not run inside a transaction: it would hold the row."""
        # Share of the bucket, in seconds; at least one request always fits.
        tolerance = f"{self._greatest}({lane.share} * 60.0 / {SAFETY}, {self._interval})"
        excess = f"{self._greatest}(tat, {self._now}) + {self._interval} - {self._now} - {tolerance}"
        with connection.cursor() as cursor:
            for _ in range(2):
                cursor.execute(
                    f"UPDATE issues_ratebudget SET tat = {self._greatest}(tat, {self._now}) + {self._interval} "  # noqa: S608
                    f"WHERE key_hash = %s AND blocked_until <= {self._now} AND {excess} <= 0.000001",
                    [self._key_hash],
                )
                if cursor.rowcount:
                    return Slot(0.0)
                cursor.execute(
                    f"SELECT {self._greatest}(blocked_until - {self._now}, {excess}) "  # noqa: S608
                    "FROM issues_ratebudget WHERE key_hash = %s",
                    [self._key_hash],
                )
                row = cursor.fetchone()
                if row is not None:
                    return Slot(max(float(row[0]), 0.01))
                # The first request ever with this key. The true limit is learned from its answer.
                RateBudget.objects.bulk_create(
                    [RateBudget(key_hash=self._key_hash, limit_per_minute=DEFAULT_LIMIT_PER_MINUTE)],
                    ignore_conflicts=True,
                )
        return Slot(0.05)

    def observe(self, *, limit: int | None, remaining: int | None) -> None:
        """Learn the limit, and what TokPortal says is left: corrections of the level only ever slow us down."""
        if not limit:
            return
        used = f"{self._now} + %s * (60.0 / (%s * {SAFETY}))"
        spent = max(limit - remaining, 0) if remaining is not None else 0
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE issues_ratebudget SET limit_per_minute = %s, tat = {self._greatest}(tat, {used}) "  # noqa: S608
                f"WHERE key_hash = %s AND (limit_per_minute <> %s OR tat < {used})",
                [limit, spent, limit, self._key_hash, limit, spent, limit],
            )

    def block(self, seconds: float) -> None:
        """Nobody sends with this key for so long (a 429's Retry-After)."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE issues_ratebudget SET blocked_until = {self._greatest}(blocked_until, {self._now} + %s) "  # noqa: S608
                "WHERE key_hash = %s",
                [seconds, self._key_hash],
            )
