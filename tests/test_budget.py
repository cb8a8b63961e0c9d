"""The rate budget: its arithmetic, and the same rules as one statement in the database and as a script in Redis."""

import socket
import threading
import time

import pytest
import redis
from django.conf import settings
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from issues.models import RateBudget
from issues.sandbox.server import FULL_KEY, Sandbox
from issues.sealed import Secret
from issues.sync.limiter import DatabaseBudget, RedisBudget, SteadfastBudget, budget_for_key, budget_name, steadfast
from issues.sync.limiter import redis as redis_limiter
from issues.tokportal import budget as b
from issues.tokportal.budget import Lane, LocalBudget
from issues.tokportal.client import TokPortalClient
from tests.clocks import Clock, burst

REDIS = settings.TOKDASH_LIMITER_URL
STORES = ["local", "database", *(["redis"] if REDIS else [])]


@pytest.fixture(params=STORES)
def budget(request):
    if request.param == "local":
        return LocalBudget(120)
    if request.param == "redis":
        return RedisBudget("test", REDIS)
    request.getfixturevalue("db")
    return DatabaseBudget("test")


# --- What each of them promises ------------------------------------------------------------------------------


def test_a_sweep_leaves_room_for_people(budget):
    swept = burst(budget, Lane.SYNC)
    clicks = burst(budget, Lane.INTERACTIVE)

    assert 58 <= swept <= 63
    assert 50 <= clicks <= 56
    assert swept + clicks < 120


def test_slots_taken_ahead_count_like_all_others(budget):
    taken = 0
    while (slot := budget.take(Lane.SYNC, 5)).granted:
        taken += 1 + slot.ahead

    assert 58 <= taken <= 63
    assert burst(budget, Lane.INTERACTIVE) >= 50


def test_an_empty_lane_tells_the_wait(budget):
    burst(budget, Lane.SYNC)

    slot = budget.take(Lane.SYNC)

    assert 0 < slot.wait <= 1.1  # the reserve may have gone ahead by one
    assert slot.reason == "rate"


def test_a_person_never_waits_behind_a_saturated_sync(budget):
    burst(budget, Lane.SYNC)

    for _ in range(20):
        budget.take(Lane.SYNC)
        assert budget.take(Lane.INTERACTIVE).granted


def test_lower_lanes_have_a_reserve_while_those_above_are_saturated(budget):
    burst(budget, Lane.FIX)

    assert budget.take(Lane.SYNC).granted
    assert not budget.take(Lane.SYNC).granted
    assert budget.take(Lane.LINKS).granted
    assert not budget.take(Lane.LINKS).granted


def test_blocked_until_retry_after(budget):
    budget.take(Lane.SYNC)
    budget.block(5)

    slot = budget.take(Lane.INTERACTIVE)
    assert 4 < slot.wait <= 5
    assert slot.reason == "blocked"


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


def test_answers_without_rate_headers_are_answers_too(budget):
    budget.take(Lane.SYNC)
    for _ in range(b.BREAKER_FAILURES):
        budget.fail()
    budget.observe(limit=None, remaining=None)

    assert budget.take(Lane.SYNC).granted


def test_a_tiny_limit_still_lets_one_through(budget):
    budget.take(Lane.LINKS)
    budget.observe(limit=1, remaining=1)

    slot = budget.take(Lane.LINKS)
    assert slot.granted or slot.wait <= 62


def test_the_breaker_closes_the_patient_lanes_only_and_lets_one_probe_through(budget):
    budget.take(Lane.SYNC)
    for _ in range(b.BREAKER_FAILURES - 1):
        budget.fail()
    assert budget.take(Lane.SYNC).granted
    budget.fail()

    slot = budget.take(Lane.SYNC)
    assert slot.reason == "away"
    assert 4 < slot.wait <= b.BREAKER_SECONDS
    assert budget.take(Lane.LINKS).reason == "away"
    assert budget.take(Lane.FIX).granted
    assert budget.take(Lane.INTERACTIVE).granted


# --- The same rules everywhere -------------------------------------------------------------------------------

LANES = st.sampled_from(list(Lane))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), LANES),
        st.tuples(st.just("move"), st.floats(0, 90)),
        st.tuples(st.just("many"), LANES),
        st.tuples(st.just("observe"), st.tuples(st.none() | st.integers(1, 600), st.none() | st.integers(0, 600))),
        st.tuples(st.just("fail"), st.none()),
        st.tuples(st.just("block"), st.floats(0, 60)),
    ),
    min_size=5,
    max_size=60,
)


def play(budget, steps, clock):
    """What a budget answers to the steps; waits to a thousandth."""
    said = []
    for what, value in steps:
        if what == "take":
            slot = budget.take(value)
            said.append((slot.reason, round(slot.wait, 3)))
        elif what == "many":
            said.append(burst(budget, value, 150))
        elif what == "move":
            clock.now = round(clock.now + value, 3)
        elif what == "observe":
            budget.observe(limit=value[0], remaining=value[1])
        elif what == "fail":
            budget.fail()
        else:
            budget.block(round(value, 3))
    return said


@pytest.mark.parametrize("store", [name for name in STORES if name != "local"])
@pytest.mark.django_db
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(steps=STEPS)
def test_every_store_answers_as_the_arithmetic_does(store, steps):
    expected = Clock()
    clock = Clock()
    RateBudget.objects.all().delete()
    name = f"same-{time.monotonic_ns()}"
    budget = RedisBudget(name, REDIS, clock) if store == "redis" else DatabaseBudget(name, clock)
    # A budget begins with its first slot.
    for each in (expected, budget):
        each.take(Lane.SYNC)

    wanted, found = play(expected, steps, expected), play(budget, steps, clock)

    for one, other in zip(wanted, found, strict=True):
        if isinstance(one, int):
            assert abs(one - other) <= 1
        else:
            assert one[0] == other[0]
            assert one[1] == pytest.approx(other[1], abs=0.002)


# --- The stores ----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_keys_have_budgets_of_their_own_and_are_stored_hashed():
    first, second = (budget_for_key("https://x.example", Secret(key)) for key in ("sk_one", "sk_two"))
    burst(first, Lane.INTERACTIVE)

    assert second.take(Lane.SYNC).granted
    assert "sk_one" not in budget_name("https://x.example", Secret("sk_one"))


@pytest.mark.django_db
def test_asking_costs_one_statement(django_assert_num_queries):
    budget = DatabaseBudget("test")
    budget.take(Lane.SYNC)

    with django_assert_num_queries(1):
        assert budget.take(Lane.SYNC).granted
    with django_assert_num_queries(1):
        budget.observe(limit=120, remaining=110)


def silent_redis() -> tuple[socket.socket, str]:
    """Accepts connections and says nothing."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    return listener, f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["refused", "silent"])
def test_without_redis_the_database_takes_over_within_a_moment(kind, monkeypatch):
    monkeypatch.setattr(steadfast, "_avoid_until", 0.0)
    listener, url = silent_redis()
    if kind == "refused":
        url = "redis://127.0.0.1:9/0"
    budget = SteadfastBudget(RedisBudget("away", url), DatabaseBudget("away"))
    started = time.monotonic()

    assert burst(budget, Lane.SYNC) >= 58
    budget.observe(limit=120, remaining=50)
    budget.block(3)
    slot = budget.take(Lane.INTERACTIVE)

    assert slot.reason == "blocked"
    assert time.monotonic() - started < 2
    listener.close()
    monkeypatch.setattr(steadfast, "_avoid_until", 0.0)


@pytest.mark.skipif(not REDIS, reason="no Redis is configured")
@pytest.mark.django_db
def test_an_emptied_redis_is_corrected_by_the_first_answer():
    secret = Secret("sk_emptied")
    budget = budget_for_key("https://x.example", secret)
    burst(budget, Lane.FIX)
    assert not budget.take(Lane.FIX).granted
    key = redis_limiter.PREFIX + budget_name("https://x.example", secret)
    assert redis.Redis.from_url(REDIS).delete(key) == 1
    assert budget.take(Lane.SYNC).granted  # what is forgotten looks like a full bucket

    budget.observe(limit=120, remaining=18)

    assert burst(budget, Lane.SYNC) == 1  # its reserve, and no more
    assert burst(budget, Lane.FIX) <= 2


@pytest.mark.django_db(transaction=True)
def test_many_threads_share_one_bucket_and_meet_no_429():
    if connection.vendor == "sqlite" and "memory" in str(connection.settings_dict["NAME"]):
        pytest.skip("SQLite in memory has one connection; PostgreSQL runs this")
    with Sandbox(rate=240) as sandbox:
        used = []

        def work():
            try:
                budget = budget_for_key(sandbox.base_url, Secret(FULL_KEY))
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
