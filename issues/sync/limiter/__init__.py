"""The shared rate budget of a key: a Lua script in Redis where one is configured, else one statement in the database.

Both keep the rules of `tokportal/budget.py`, each by the clock of its server, so that all machines agree.
"""

import hashlib

from django.conf import settings

from issues.sealed import Secret
from issues.sync.limiter.database import DatabaseBudget
from issues.sync.limiter.redis import RedisBudget
from issues.sync.limiter.steadfast import SteadfastBudget
from issues.tokportal.addresses import host_of_limit
from issues.tokportal.budget import Budget

__all__ = ["DatabaseBudget", "RedisBudget", "SteadfastBudget", "budget_for_key", "budget_name"]


def budget_name(base_url: str, key: Secret) -> str:
    """The name under which a key's budget is kept: nobody finds the key from it."""
    return hashlib.sha256(f"{host_of_limit(base_url)}\n{key.reveal()}\n{settings.SECRET_KEY}".encode()).hexdigest()


def budget_for_key(base_url: str, key: Secret) -> Budget:
    """The budget that all processes share for this key."""
    name = budget_name(base_url, key)
    database = DatabaseBudget(name)
    url = settings.TOKDASH_LIMITER_URL
    return SteadfastBudget(RedisBudget(name, url), database) if url else database
