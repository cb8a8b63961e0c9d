"""Properties of the rate budget's arithmetic, which all its stores are held to (tests/test_budget.py)."""

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from issues.tokportal import budget as b
from issues.tokportal.budget import BudgetState, Lane
from tests.clocks import Clock, burst

ARRIVALS = st.lists(st.tuples(st.floats(0, 3), st.sampled_from(list(Lane))), min_size=50, max_size=400)


@hypothesis_settings(max_examples=60, deadline=None)
@given(limit=st.integers(1, 600), arrivals=ARRIVALS)
def test_no_window_ever_holds_more_than_burst_and_rate(limit, arrivals):
    state, now, granted = BudgetState(limit), 0.0, []
    for pause, lane in arrivals:
        now += pause * 60 / limit
        if state.take(lane, now).granted:
            granted.append(now)

    per_second = limit / 60.0
    for first in range(len(granted)):
        for last in range(first, len(granted)):
            window = granted[last] - granted[first]
            assert last - first + 1 <= max(limit, 1) + per_second * window + 1e-6


@hypothesis_settings(max_examples=40, deadline=None)
@given(limit=st.integers(1, 600), arrivals=ARRIVALS)
def test_tokportals_own_bucket_never_runs_dry(limit, arrivals):
    state, now, tokens, at = BudgetState(limit), 0.0, float(max(limit, 1)), 0.0
    for pause, lane in arrivals:
        now += pause * 60 / limit
        if state.take(lane, now).granted:
            tokens = min(limit, tokens + (now - at) * limit / 60.0)
            at = now
            assert tokens >= 1 - 1e-6
            tokens -= 1


@hypothesis_settings(max_examples=30, deadline=None)
@given(limit=st.integers(20, 600), starving=st.sampled_from([Lane.FIX, Lane.SYNC, Lane.LINKS]))
def test_no_lane_starves(limit, starving):
    """All lanes ask without a pause for ten minutes; each gets at least its reserve, but for its last slot."""
    state, now, got = BudgetState(limit), 0.0, 0
    step = b.interval_seconds(limit) / 4
    while now < 600:
        now += step
        for lane in Lane:
            if lane is not Lane.INTERACTIVE or starving is Lane.FIX:
                granted = state.take(lane, now).granted
                got += granted and lane is starving

    assert got >= starving.reserve * 600 / b.interval_seconds(limit) * 0.9 - 1


@hypothesis_settings(max_examples=30, deadline=None)
@given(limit=st.integers(30, 600), moments=st.lists(st.floats(0, 20), min_size=1, max_size=40))
def test_a_click_waits_at_most_a_tenth_of_a_second_under_a_saturated_sync(limit, moments):
    state, now = BudgetState(limit), 0.0
    for pause in [0.0, *moments]:
        until = now + pause
        while now < until or not pause:
            for lane in (Lane.SYNC, Lane.LINKS):
                while state.take(lane, now).granted:
                    pass
            now += 0.05
            if not pause:
                break
        # One click a second on the average is a lot for a person.
        if pause >= 1:
            assert state.take(Lane.INTERACTIVE, now).wait <= 0.1


def test_steady_rate_stays_below_what_is_granted():
    assert 1 / b.interval_seconds(120) < 2.0
    assert 1 / b.interval_seconds(120) > 1.95


def test_the_breaker_waits_longer_each_time_and_is_over_with_the_first_answer():
    clock = Clock()
    pauses = []
    for _ in range(b.BREAKER_FAILURES + 8):
        clock.fail()
        pauses.append(round(clock.take(Lane.SYNC).wait))
        if clock.state.failures >= b.BREAKER_FAILURES:
            clock.now = clock.state.open_until
            assert clock.take(Lane.SYNC).granted  # the probe
            assert clock.take(Lane.SYNC).reason == "away"  # and nobody else meanwhile
            clock.now = clock.state.open_until
    assert pauses[b.BREAKER_FAILURES - 1 :] == [5, 10, 20, 40, 80, 160, 300, 300, 300]

    clock.observe(limit=120, remaining=100)
    assert burst(clock, Lane.SYNC) > 10
