"""The rate budget: its arithmetic, and the one statement in the database that all processes share."""

import threading
import time

import pytest
from django.db import connection

from issues.models import RateBudget
from issues.sandbox.server import FULL_KEY, Sandbox
from issues.sealed import Secret
from issues.sync.limiter import DatabaseBudget
from issues.tokportal import budget as b
from issues.tokportal.budget import Lane, LocalBudget
from issues.tokportal.client import TokPortalClient


def burst(budget, lane) -> int:
    count = 0
    while budget.take(lane).granted:
        count += 1
    return count


@pytest.fixture(params=["local", "database"])
def budget(request):
    if request.param == "local":
        return LocalBudget(120)
    request.getfixturevalue("db")
    return DatabaseBudget("https://x.example", Secret("sk_test"))


def test_a_sweep_leaves_room_for_people(budget):
    swept = burst(budget, Lane.SYNC)
    clicks = burst(budget, Lane.INTERACTIVE)

    assert 58 <= swept <= 61
    assert 50 <= clicks <= 56
    assert swept + clicks < 120


def test_an_empty_lane_tells_the_wait(budget):
    burst(budget, Lane.SYNC)

    wait = budget.take(Lane.SYNC).wait

    assert 0 < wait <= 0.6


def test_steady_rate_stays_below_what_is_granted():
    assert 1 / b.interval_seconds(120) < 2.0
    assert 1 / b.interval_seconds(120) > 1.9


def test_blocked_until_retry_after(budget):
    budget.take(Lane.SYNC)
    budget.block(5)

    assert 4 < budget.take(Lane.INTERACTIVE).wait <= 5


def test_remaining_only_ever_slows_us_down(budget):
    for _ in range(50):
        budget.take(Lane.INTERACTIVE)

    budget.observe(limit=120, remaining=120)
    generous = burst(budget, Lane.INTERACTIVE)
    budget.observe(limit=120, remaining=2)

    assert generous <= 66
    assert not budget.take(Lane.INTERACTIVE).granted


def test_the_limit_is_learned_from_the_header(budget):
    budget.take(Lane.SYNC)
    budget.observe(limit=20, remaining=19)

    assert burst(budget, Lane.INTERACTIVE) <= 19


def test_a_tiny_limit_still_lets_one_through(budget):
    budget.take(Lane.LINKS)
    budget.observe(limit=1, remaining=1)

    slot = budget.take(Lane.LINKS)
    assert slot.granted or slot.wait <= 62


@pytest.mark.django_db
def test_keys_have_budgets_of_their_own_and_are_stored_hashed():
    first, second = (DatabaseBudget("https://x.example", Secret(key)) for key in ("sk_one", "sk_two"))
    burst(first, Lane.INTERACTIVE)

    assert second.take(Lane.SYNC).granted
    assert "sk_one" not in "".join(RateBudget.objects.values_list("key_hash", flat=True))


@pytest.mark.django_db
def test_asking_costs_one_statement(django_assert_num_queries):
    budget = DatabaseBudget("https://x.example", Secret("sk_test"))
    budget.take(Lane.SYNC)

    with django_assert_num_queries(1):
        assert budget.take(Lane.SYNC).granted


@pytest.mark.django_db(transaction=True)
def test_many_threads_share_one_bucket_and_meet_no_429():
    if connection.vendor == "sqlite" and "memory" in str(connection.settings_dict["NAME"]):
        pytest.skip("SQLite in memory has one connection; PostgreSQL runs this")
    with Sandbox(rate=240) as sandbox:
        used = []

        def work():
            try:
                budget = DatabaseBudget(sandbox.base_url, Secret(FULL_KEY))
                client = TokPortalClient(base_url=sandbox.base_url, api_key=FULL_KEY, budget=budget, lane=Lane.SYNC)
                until = time.monotonic() + 4
                while time.monotonic() < until:
                    client.me()
                used.append(client.usage)
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sum(usage.throttled for usage in used) == 0
        assert sum(usage.requests for usage in used) >= 120
        assert sandbox.control.ledger("throttled") == []
