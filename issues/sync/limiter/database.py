"""The budget in the database: each question is one atomic statement.

One row for each key at each TokPortal. The condition and the change are the same UPDATE, so any number of processes on
any number of machines share one bucket without a lock of their own, by the database's clock.
"""

from collections.abc import Callable, Sequence

from django.db import connection

from issues.models import RateBudget
from issues.tokportal import budget as b
from issues.tokportal.budget import Lane, Slot
from issues.tokportal.constants import DEFAULT_LIMIT_PER_MINUTE

_DIALECTS = {
    # vendor: (greatest-of function, least-of function, now as Unix seconds with a fraction)
    "postgresql": ("GREATEST", "LEAST", "EXTRACT(EPOCH FROM clock_timestamp())::double precision"),
    "sqlite": ("MAX", "MIN", "((julianday('now') - 2440587.5) * 86400.0)"),
}
_RESERVE_COLUMNS = {Lane.FIX: "fix_tat", Lane.SYNC: "sync_tat", Lane.LINKS: "links_tat"}
_MAX_DOUBLINGS = 10


class DatabaseBudget:
    """The budget of one key. Implements `tokportal.budget.Budget`. `clock` replaces the database's, for tests.

    Must not be asked inside a transaction: the transaction would hold the row that all share.
    """

    def __init__(self, name: str, clock: Callable[[], float] | None = None) -> None:
        self._name = name
        self._greatest, self._least, self._database_now = _DIALECTS[connection.vendor]
        self._clock = clock
        self._interval = f"(60.0 / (limit_per_minute * {b.SAFETY}))"

    @property
    def _now(self) -> str:
        return f"{self._clock():.9f}" if self._clock else self._database_now

    def _excess(self, share: float) -> str:
        """SQL: by how many seconds a request now would overdraw this share of the bucket."""
        tolerance = f"{self._greatest}({share} * 60.0 / {b.SAFETY}, {self._interval})"
        return f"({self._greatest}(tat, {self._now}) + {self._interval} - {self._now} - {tolerance})"

    def take(self, lane: Lane, ahead: int = 0) -> Slot:
        """One slot for `lane`, or how long to wait. Never more than one at a time."""
        normal = f"{self._excess(lane.share)} <= 0.000001"
        allowed, changes = normal, [f"tat = {self._greatest}(tat, {self._now}) + {self._interval}"]
        column = _RESERVE_COLUMNS.get(lane)
        if column:
            reserved = f"({self._excess(b.RESERVE_SHARE)} <= 0.000001 AND {column} <= {self._now} + 0.000001)"
            allowed = f"({normal} OR {reserved})"
            spent = f"{self._now} + {self._interval} / {lane.reserve}"
            changes.append(f"{column} = CASE WHEN {normal} THEN {column} ELSE {spent} END")
        if lane.is_patient:
            is_open = f"failures >= {b.BREAKER_FAILURES}"
            allowed += f" AND NOT ({is_open} AND open_until > {self._now})"
            changes.append(f"open_until = CASE WHEN {is_open} THEN {self._now} + {b.PROBE_SECONDS} ELSE open_until END")
        with connection.cursor() as cursor:
            for _ in range(2):
                cursor.execute(
                    f"UPDATE issues_ratebudget SET {', '.join(changes)} "  # noqa: S608
                    f"WHERE key_hash = %s AND blocked_until <= {self._now} AND {allowed}",
                    [self._name],
                )
                if cursor.rowcount:
                    return Slot(0.0)
                slot = self._wait(lane, column)
                if slot is not None:
                    return slot
                # The first request ever with this key. The true limit is learned from its answer.
                RateBudget.objects.bulk_create(
                    [RateBudget(key_hash=self._name, limit_per_minute=DEFAULT_LIMIT_PER_MINUTE)],
                    ignore_conflicts=True,
                )
        return Slot(0.05, "rate")

    def _wait(self, lane: Lane, column: str | None) -> Slot | None:
        """Why a slot was not granted, and when to ask again; `None` where the key has no row yet."""
        rate = self._excess(lane.share)
        if column:
            reserved = f"{self._greatest}({self._excess(b.RESERVE_SHARE)}, {column} - {self._now})"
            rate = f"{self._least}({rate}, {reserved})"
        away = f"CASE WHEN failures >= {b.BREAKER_FAILURES} THEN open_until - {self._now} ELSE 0 END"
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT blocked_until - {self._now}, {away}, {rate} FROM issues_ratebudget WHERE key_hash = %s",  # noqa: S608
                [self._name],
            )
            row = cursor.fetchone()
        if row is None:
            return None
        blocked, away_for, excess = (float(value) for value in row)
        if blocked > 0:
            return Slot(blocked, "blocked")
        if lane.is_patient and away_for > 0:
            return Slot(away_for, "away")
        return Slot(max(excess, 0.001), "rate")

    def observe(self, *, limit: int | None, remaining: int | None) -> None:
        """TokPortal has answered: the breaker closes, the limit is learned, the level is corrected downwards."""
        changes, differs = ["failures = 0", "open_until = 0"], "failures > 0"
        values: list[float] = []
        if limit:
            spent = max(limit - remaining, 0) if remaining is not None else 0
            used = f"({self._now} + {int(spent)} * (60.0 / ({int(limit)} * {b.SAFETY})))"
            changes += ["limit_per_minute = %s", f"tat = {self._greatest}(tat, {used})"]
            differs += f" OR limit_per_minute <> {int(limit)} OR tat < {used}"
            values.append(limit)
        self._update(", ".join(changes), f"({differs})", values)

    def fail(self) -> None:
        """A read got no usable answer: after several in a row the patient lanes are closed for a while."""
        beyond = f"{self._least}(failures + 1 - {b.BREAKER_FAILURES}, {_MAX_DOUBLINGS})"
        pause = f"{self._least}({b.BREAKER_SECONDS} * (1 << ({beyond})), {b.BREAKER_MAX_SECONDS})"
        until = f"{self._greatest}(open_until, {self._now} + {pause})"
        opened = f"CASE WHEN failures + 1 >= {b.BREAKER_FAILURES} THEN {until} ELSE open_until END"
        self._update(f"failures = failures + 1, open_until = {opened}")

    def block(self, seconds: float) -> None:
        """Nobody sends with this key for so long (a 429's Retry-After)."""
        self._update(f"blocked_until = {self._greatest}(blocked_until, {self._now} + %s)", values=[seconds])

    def _update(self, changes: str, condition: str = "", values: Sequence[float] = ()) -> None:
        where = f" AND {condition}" if condition else ""
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE issues_ratebudget SET {changes} WHERE key_hash = %s{where}",  # noqa: S608
                [*values, self._name],
            )
