"""The rate limiter's arithmetic: GCRA, the token bucket with one timestamp as its whole state.

TokPortal allows `limit` requests a minute for a key, as a bucket that refills continuously. The state is the
*theoretical arrival time* (TAT): the moment at which the bucket would be full again. A request at `now` may go if
afterwards the bucket is emptied by no more than the lane's share of it:

    max(tat, now) + interval - now <= share * limit * interval

Lanes differ in that share: a sweep may use the first half of the bucket, so a person's click always finds the other
half, and both together never exceed what TokPortal allows. So that no lane starves while one above it is saturated,
each of the lower ones also has a reserve: a small part of the steady rate that it may take up to RESERVE_SHARE of the
bucket, counted by a TAT of its own. Source: ITU-T I.371, generic cell rate algorithm.

A circuit breaker sits beside it: when TokPortal fails several reads in a row, the lanes in which nobody waits are
closed for a while, longer each time, and then one request is let through to see whether it is back.

`BudgetState` is the whole of it on one clock. `issues/sync/limiter.py` has the same rules as one statement in the
database and as a Lua script in Redis; the tests hold all three to the same answers.
"""

import threading
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from issues.tokportal.errors import BudgetWaitError


class Lane(Enum):
    """Who asks, the most urgent first."""

    INTERACTIVE = "interactive"  # a person waits
    FIX = "fix"
    SYNC = "sync"
    LINKS = "links"  # refreshing links: whenever nothing else wants the slot

    @property
    def share(self) -> float:
        """The share of the bucket that the lane may empty."""
        return SHARES[self]

    @property
    def reserve(self) -> float:
        """The part of the steady rate that the lane gets even where lanes above it are saturated."""
        return _RESERVES[self]

    @property
    def is_patient(self) -> bool:
        """Whether nobody waits for it: such lanes are closed while TokPortal fails."""
        return self in {Lane.SYNC, Lane.LINKS}


SHARES = {Lane.INTERACTIVE: 0.95, Lane.FIX: 0.85, Lane.SYNC: 0.5, Lane.LINKS: 0.25}
_RESERVES = {Lane.INTERACTIVE: 0.0, Lane.FIX: 0.2, Lane.SYNC: 0.05, Lane.LINKS: 0.02}
RESERVE_SHARE = 0.97
# A little below what TokPortal grants. The bucket itself forgives requests that bunch up on the way: no lane empties
# it, so this need only cover clocks that run differently.
SAFETY = 0.98

BREAKER_FAILURES = 5  # failed reads in a row until it opens
BREAKER_SECONDS = 5.0  # for how long, doubled with each further failure
BREAKER_MAX_SECONDS = 300.0
PROBE_SECONDS = 10.0  # one request at a time while it is being tried again


def interval_seconds(limit_per_minute: int) -> float:
    """Seconds between two requests at the steady rate."""
    return 60.0 / (max(limit_per_minute, 1) * SAFETY)


def tolerance_seconds(limit_per_minute: int, share: float) -> float:
    """How far the TAT may run ahead of now for this share; at least one request always fits an idle bucket."""
    interval = interval_seconds(limit_per_minute)
    return max(share * max(limit_per_minute, 1) * interval, interval)


@dataclass(frozen=True, slots=True)
class Slot:
    """The limiter's answer: `wait` is 0 where the request may go, else the seconds after which to ask again.

    `reason` says what is waited for: "rate", "blocked" (a Retry-After) or "away" (the circuit breaker). `ahead`: so
    many more were taken with it, as the asker wished and the lane's share allowed.
    """

    wait: float
    reason: str = ""
    ahead: int = 0

    @property
    def granted(self) -> bool:
        return self.wait <= 0


@dataclass(slots=True)
class BudgetState:
    """The budget of one key, in seconds of one clock."""

    limit_per_minute: int
    tat: float = 0.0
    blocked_until: float = 0.0
    failures: int = 0
    open_until: float = 0.0
    reserve_tats: dict[Lane, float] = field(default_factory=dict)

    def take(self, lane: Lane, now: float, ahead: int = 0) -> Slot:
        """Ask for one slot, and up to `ahead` more; the state changes only where it is granted."""
        if now < self.blocked_until:
            return Slot(self.blocked_until - now, "blocked")
        is_open = lane.is_patient and self.failures >= BREAKER_FAILURES
        if is_open and now < self.open_until:
            return Slot(self.open_until - now, "away")
        interval = interval_seconds(self.limit_per_minute)
        after = max(self.tat, now) + interval
        excess = after - now - tolerance_seconds(self.limit_per_minute, lane.share)
        if excess > 1e-6:
            if not lane.reserve:
                return Slot(excess, "rate")
            beyond = after - now - tolerance_seconds(self.limit_per_minute, RESERVE_SHARE)
            reserved = max(beyond, self.reserve_tats.get(lane, 0.0) - now)
            if reserved > 1e-6:
                return Slot(min(excess, reserved), "rate")
            self.reserve_tats[lane] = now + interval / lane.reserve
        more = 0
        if is_open:
            self.open_until = now + PROBE_SECONDS
        else:
            room = tolerance_seconds(self.limit_per_minute, lane.share) + 1e-6 - (after - now)
            more = max(min(ahead, int(room / interval)), 0)
        self.tat = after + more * interval
        return Slot(0.0, ahead=more)

    def observe(self, *, limit: int | None, remaining: int | None, now: float) -> None:
        """TokPortal has answered. What it says is left only ever slows us down; the limit is what it says."""
        self.failures, self.open_until = 0, 0.0
        if limit:
            self.limit_per_minute = limit
            if remaining is not None:
                used = max(limit - remaining, 0)
                self.tat = max(self.tat, now + used * interval_seconds(limit))

    def fail(self, now: float) -> None:
        """A read got no usable answer of TokPortal's."""
        self.failures += 1
        if self.failures >= BREAKER_FAILURES:
            pause = BREAKER_SECONDS * 2 ** min(self.failures - BREAKER_FAILURES, 20)
            self.open_until = max(self.open_until, now + min(pause, BREAKER_MAX_SECONDS))

    def block(self, seconds: float, now: float) -> None:
        """Nobody sends for so long: a 429's Retry-After."""
        self.blocked_until = max(self.blocked_until, now + seconds)


class Budget(Protocol):
    """What the client needs of a limiter; all processes that use one key share one.

    `ahead` is a wish: a store may always grant one slot at a time.
    """

    def take(self, lane: Lane, ahead: int = 0) -> Slot: ...

    def observe(self, *, limit: int | None, remaining: int | None) -> None: ...

    def fail(self) -> None: ...

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
            raise BudgetWaitError(f"no slot in the rate budget ({slot.reason})", retry_after=slot.wait)
        # In steps: the wait may grow (a 429 elsewhere) or shrink (the limit was learned) meanwhile.
        time.sleep(min(slot.wait, 1.0))


class LocalBudget:
    """A budget for one process, for scripts and tests. Thread-safe."""

    def __init__(self, limit_per_minute: int) -> None:
        self._state = BudgetState(limit_per_minute)
        self._lock = threading.Lock()

    def take(self, lane: Lane, ahead: int = 0) -> Slot:
        with self._lock:
            return self._state.take(lane, time.time(), ahead)

    def observe(self, *, limit: int | None, remaining: int | None) -> None:
        with self._lock:
            self._state.observe(limit=limit, remaining=remaining, now=time.time())

    def fail(self) -> None:
        with self._lock:
            self._state.fail(time.time())

    def block(self, seconds: float) -> None:
        with self._lock:
            self._state.block(seconds, time.time())
