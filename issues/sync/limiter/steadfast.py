"""Redis while it answers, the database while it does not."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import redis

from issues.sync.limiter.database import DatabaseBudget
from issues.sync.limiter.redis import RedisBudget
from issues.tokportal.budget import Lane, Slot

logger = logging.getLogger(__name__)

AVOID_SECONDS = 15.0  # after a failure Redis is not asked for so long: a silent one would cost each call its timeout

_T = TypeVar("_T")
_avoid_until = 0.0
_lock = threading.Lock()


class SteadfastBudget:
    """Implements `tokportal.budget.Budget` over two stores.

    What both must know when they take over from each other (a Retry-After) is told to both. Processes that change
    over at different moments use two buckets for some seconds; TokPortal's own count, which each answer brings,
    corrects both.
    """

    def __init__(self, first: RedisBudget, second: DatabaseBudget) -> None:
        self._first = first
        self._second = second

    def _ask(self, first: Callable[[], _T], second: Callable[[], _T]) -> _T:
        global _avoid_until
        if time.monotonic() >= _avoid_until:
            try:
                return first()
            except redis.RedisError as error:
                with _lock:
                    _avoid_until = time.monotonic() + AVOID_SECONDS
                logger.warning("Redis is away (%s): the rate budget is kept in the database", type(error).__name__)
        return second()

    def take(self, lane: Lane, ahead: int = 0) -> Slot:
        return self._ask(lambda: self._first.take(lane, ahead), lambda: self._second.take(lane))

    def observe(self, *, limit: int | None, remaining: int | None) -> None:
        self._ask(
            lambda: self._first.observe(limit=limit, remaining=remaining),
            lambda: self._second.observe(limit=limit, remaining=remaining),
        )

    def fail(self) -> None:
        self._ask(self._first.fail, self._second.fail)

    def block(self, seconds: float) -> None:
        self._second.block(seconds)
        self._ask(lambda: self._first.block(seconds), lambda: None)
