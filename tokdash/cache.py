"""The cache in Redis that is never in the way: while Redis is away, each process uses a cache of its own.

What is kept there (counts of failed log-ins) is then counted by each process instead of by all together. A page never
fails and never waits longer than the timeouts for it.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

AVOID_SECONDS = 15.0


def _either(name: str) -> Callable[..., Any]:
    """A method that asks Redis, and this process' own cache while Redis is away."""

    def ask(self: "SteadfastRedisCache", *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() >= self.avoid_until:
            try:
                return getattr(RedisCache, name)(self, *args, **kwargs)
            except RedisError as error:
                type(self).avoid_until = time.monotonic() + AVOID_SECONDS
                logger.warning("Redis is away (%s): this process uses a cache of its own", type(error).__name__)
        return getattr(self.own, name)(*args, **kwargs)

    return ask


class SteadfastRedisCache(RedisCache):
    """Django's Redis cache, with LocMemCache behind it."""

    avoid_until = 0.0

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self.own = LocMemCache("while-redis-is-away", {})

    add, get, set, touch, delete = _either("add"), _either("get"), _either("set"), _either("touch"), _either("delete")
    get_many, set_many, delete_many = _either("get_many"), _either("set_many"), _either("delete_many")
    has_key, incr, clear = _either("has_key"), _either("incr"), _either("clear")
