"""The rate limiter's arithmetic: GCRA, the token bucket with one timestamp as its whole state.

TokPortal allows `limit` requests a minute for a key, as a bucket that refills continuously. The state is the
*theoretical arrival time* (TAT): the moment at which the bucket would be full again. A request at `now` may go if
afterwards the bucket is emptied by no more than the lane's share of it:

    max(tat, now) + interval - now <= share * limit * interval

Lanes differ in that share alone: a sweep may use the first half of the bucket, so a person's click always finds
the other half, and both together never exceed what TokPortal allows.
Source: ITU-T I.371, generic cell rate algorithm.
"""

import threading
import time
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from issues.tokportal.errors import BudgetWaitError


class Lane(Enum):
    """Who asks. The value is the share of the bucket that the lane may empty."""

    INTERACTIVE = 0.95  # a person waits
    FIX = 0.85
    SYNC = 0.5
    LINKS = 0.25  # refreshing links: whenever nothing else wants the slot

    @property
    def share(self) -> float:
        return self.value


# Below what TokPortal grants, so that requests that bunch up on the way do not meet an empty bucket.
SAFETY = 0.97


def interval_seconds(limit_per_minute: int) -> float:
    """Seconds between two requests at the steady rate."""
    return 60.0 / (max(limit_per_minute, 1) * SAFETY)


def tolerance_seconds(limit_per_minute: int, lane: Lane) -> float:
    """How far the TAT may run ahead of now for this lane; at least one request always fits an idle bucket."""
    interval = interval_seconds(limit_per_minute)
    return max(lane.share * max(limit_per_minute, 1) * interval, interval)


def corrected_tat(tat: float, now: float, limit_per_minute: int, remaining: int) -> float:
    """The TAT after TokPortal told `remaining`: never earlier than ours, so that corrections only slow us down."""
    used = max(limit_per_minute - remaining, 0)
    return max(tat, now + used * interval_seconds(limit_per_minute))


@dataclass(frozen=True, slots=True)
class Slot:
    """The limiter's answer: `wait` is 0 where the request may go, else the seconds after which to ask again."""

    wait: float

    @property
    def granted(self) -> bool:
        return self.wait <= 0


def take(tat: float, now: float, limit_per_minute: int, lane: Lane) -> tuple[Slot, float]:
    """Ask for one slot: the answer and the TAT afterwards (unchanged where it was not granted)."""
    interval = interval_seconds(limit_per_minute)
    after = max(tat, now) + interval
    excess = after - now - tolerance_seconds(limit_per_minute, lane)
    if excess > 1e-9:
        return Slot(excess), tat
    return Slot(0.0), after


class Budget(Protocol):
    """What the client needs of a limiter; all processes that use one key share one."""

    def take(self, lane: Lane) -> Slot: ...

    def observe(self, *, limit: int | None, remaining: int | None) -> None: ...

    def block(self, seconds: float) -> None: ...


def wait_for_slot(budget: Budget, lane: Lane, timeout: float) -> float:
    """Block until the budget grants a slot; returns the seconds waited.

    Raises BudgetWaitError, at once, where the wait would exceed `timeout` seconds.
    """
    started = time.monotonic()
    while True:
        slot = budget.take(lane)
        waited = time.monotonic() - started
        if slot.granted:
            return waited
        if waited + slot.wait > timeout:
            raise BudgetWaitError("no slot in the rate budget", retry_after=slot.wait)
        # In steps: the wait may grow (a 429 elsewhere) or shrink (the limit was learned) meanwhile.
        time.sleep(min(slot.wait, 1.0))


class LocalBudget:
    """A budget for one process, for scripts and tests. Thread-safe."""

    def __init__(self, limit_per_minute: int) -> None:
        self._limit = limit_per_minute
        self._tat = 0.0
        self._blocked_until = 0.0
        self._lock = threading.Lock()

    def take(self, lane: Lane) -> Slot:
        with self._lock:
            now = time.time()
            if now < self._blocked_until:
                return Slot(self._blocked_until - now)
            slot, self._tat = take(self._tat, now, self._limit, lane)
            return slot

    def observe(self, *, limit: int | None, remaining: int | None) -> None:
        with self._lock:
            if limit:
                self._limit = limit
            if remaining is not None:
                self._tat = corrected_tat(self._tat, time.time(), self._limit, remaining)

    def block(self, seconds: float) -> None:
        with self._lock:
            self._blocked_until = max(self._blocked_until, time.time() + seconds)
