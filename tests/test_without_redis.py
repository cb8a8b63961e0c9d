"""Redis refused, silent or emptied: nothing is lost, pages answer, and no 429 is earned."""

import socket
import time
from datetime import timedelta

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.test import Client
from django.utils import timezone

from issues.audit import Actor
from issues.enums import Origin
from issues.models import Bundle, Issue, RateBudget
from issues.sandbox.server import Sandbox
from issues.sync import shifts
from issues.sync.limiter import redis as redis_limiter
from issues.sync.limiter import steadfast
from issues.sync.sweeps import sweep_workspace
from tests import factories
from tokdash.cache import SteadfastRedisCache

SYNC = Actor.system(Origin.SYNC)


@pytest.fixture(params=["refused", "silent"])
def away(request, settings, monkeypatch):
    """The URL of a Redis that is away, set wherever one is used."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    if request.param == "silent":
        listener.listen(64)
    url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
    settings.TOKDASH_LIMITER_URL = url
    settings.CACHES = {
        "default": {
            "BACKEND": "tokdash.cache.SteadfastRedisCache",
            "LOCATION": url,
            "OPTIONS": {"socket_connect_timeout": 0.25, "socket_timeout": 0.25},
        }
    }
    monkeypatch.setattr(steadfast, "_avoid_until", 0.0)
    monkeypatch.setattr(SteadfastRedisCache, "avoid_until", 0.0)
    yield url
    listener.close()
    redis_limiter.connect.cache_clear()
    steadfast._avoid_until = 0.0


def test_the_sync_goes_on_with_the_budget_in_the_database(away, team):
    with Sandbox(rate=240, bundles=40, videos=80, flagged=6) as sandbox:
        workspace = factories.connect(team, sandbox)
        sweep_workspace(workspace, actor=SYNC)
        bundle, video = factories.slot(sandbox, "video")
        sandbox.control.flag(bundle["id"], video["position"], "found without Redis")
        Bundle.objects.update(asked_at=timezone.now() - timedelta(minutes=20))

        shifts.run_shift(workspace, actor=SYNC, seconds=6)

        assert Issue.objects.filter(comment="found without Redis").exists()
        assert RateBudget.objects.get().tat > 0
        assert sandbox.control.counts()["throttled"] == 0


def test_pages_answer_and_people_log_in(away, team, workspace, settings):
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip"}
    client = Client()
    started = time.monotonic()

    wrong = client.post("/accounts/login/", {"login": "alice@team.example", "password": "wrong"})
    right = client.post("/accounts/login/", {"login": "alice@team.example", "password": factories.PASSWORD})
    page = client.get(f"/t/{team.slug}/")

    assert (wrong.status_code, right.status_code, page.status_code) == (200, 302, 200)
    assert client.get("/readyz").status_code == 200
    assert time.monotonic() - started < 4


def test_the_cache_counts_on_by_itself(away, settings):
    cache = SteadfastRedisCache(away, {"OPTIONS": settings.CACHES["default"]["OPTIONS"]})
    started = time.monotonic()

    assert cache.add("n", 1)
    assert not cache.add("n", 1)
    assert cache.incr("n") == 2
    cache.set_many({"a": 1})
    assert cache.get_many(["a", "n"]) == {"a": 1, "n": 2}
    cache.delete("n")
    assert cache.get("n", "gone") == "gone"
    assert isinstance(cache.own, LocMemCache)
    cache.clear()
    assert time.monotonic() - started < 1
