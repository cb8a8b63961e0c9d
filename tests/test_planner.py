"""Whom to ask next: the rule, its floor, what it learns, and the one query that picks."""

import math
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from issues.models import Bundle, FlagRate
from issues.models.bundles import NEVER
from issues.retention import fade
from issues.sync import planner
from issues.sync.hazard import (
    COLDEST,
    HEATS,
    STRENGTH,
    Hazards,
    heat_of,
    prior_of,
    rate_of,
    situation_of,
)
from issues.sync.planner import make_plan, next_bundles, standing_of

COUNTS = st.dictionaries(st.integers(0, HEATS - 1), st.integers(1, 3000), min_size=1, max_size=12)
BUDGETS = st.floats(0.05, 20)


def bundles(workspace, *heats_and_ages, now=None):
    """Bundles with these heats, asked so many seconds ago (`None`: never)."""
    now = now or timezone.now()
    start = Bundle.objects.count()
    return Bundle.objects.bulk_create(
        Bundle(
            workspace=workspace,
            tokportal_id=f"p-{start + number}",
            status="accepted",
            heat=heat,
            asked_at=NEVER if age is None else now - timedelta(seconds=age),
        )
        for number, (heat, age) in enumerate(heats_and_ages)
    )


def periods(plan):
    """Seconds between two looks at a bundle of each heat, with every slot used."""
    roots = sum(count * math.sqrt(plan.weight(heat)) for heat, count in plan.counts.items())
    return {heat: roots / plan.looks_per_second / math.sqrt(plan.weight(heat)) for heat in plan.counts}


# --- The plan ------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(counts=COUNTS, looks=BUDGETS, minutes=st.sampled_from([5, 30, 240]))
def test_the_floor_keeps_every_period_within_what_can_be_reached(counts, looks, minutes):
    plan = make_plan(counts, looks_per_second=looks, max_age=minutes * 60)

    assert max(periods(plan).values()) <= plan.reachable_age * 1.0001
    if sum(counts.values()) / (minutes * 60 * planner.AIM) <= looks * 0.98:
        assert plan.is_reachable
        assert plan.reachable_age == minutes * 60


@settings(max_examples=100, deadline=None)
@given(counts=COUNTS, looks=BUDGETS)
def test_without_a_bound_the_rule_meets_the_lower_limit(counts, looks):
    plan = make_plan(counts, looks_per_second=looks, max_age=10**9)

    taus, total = periods(plan), sum(n * rate_of(h) for h, n in counts.items())
    delay = sum(n * rate_of(h) * taus[h] / 2 for h, n in counts.items()) / total
    assert delay == pytest.approx(plan.best_delay, rel=1e-6)


@settings(max_examples=100, deadline=None)
@given(counts=COUNTS, looks=BUDGETS, minutes=st.sampled_from([30, 240]))
def test_hotter_bundles_are_never_asked_less_often(counts, looks, minutes):
    taus = periods(make_plan(counts, looks_per_second=looks, max_age=minutes * 60))

    assert [taus[heat] for heat in sorted(taus)] == sorted(taus.values(), reverse=True)


def test_a_bound_out_of_reach_is_stretched_and_said():
    plan = make_plan({10: 20_000}, looks_per_second=1.9, max_age=1800)

    assert not plan.is_reachable
    assert plan.reachable_age == pytest.approx(planner.STRETCH * 20_000 / 1.9)


def test_no_bundles_no_plan():
    plan = make_plan({}, looks_per_second=1.9, max_age=1800)

    assert plan.best_delay is None
    assert plan.is_reachable


# --- Starvation ----------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(heats=st.lists(st.integers(0, HEATS - 1), min_size=2, max_size=60), looks=st.floats(0.2, 3))
def test_nobody_starves(heats, looks):
    """The rule itself on a clock of its own: no age ever exceeds what the plan promises by more than one round."""
    plan = make_plan(Counter(heats), looks_per_second=looks, max_age=1800)
    ages, step = [0.0] * len(heats), 1 / looks
    weights = [plan.weight(heat) for heat in heats]
    worst = 0.0
    for _ in range(len(heats) * 60):
        overdue = plan.reachable_age * planner.OVERDUE
        chosen = max(range(len(heats)), key=lambda i: (ages[i] > overdue, weights[i] * ages[i] ** 2))
        worst = max(worst, ages[chosen])
        ages = [age + step for age in ages]
        ages[chosen] = 0.0

    assert worst <= plan.reachable_age + len(heats) * step


# --- The query -----------------------------------------------------------------------------------------------


def test_the_query_picks_the_largest_rate_times_age_squared(workspace):
    now = timezone.now()
    rows = bundles(workspace, (20, 100), (20, 300), (26, 100), (10, 900), (None, 9999), (30, 5), now=now)
    plan = make_plan({10: 1, 20: 2, 26: 1, 30: 1}, looks_per_second=1, max_age=10**7)

    picked = next_bundles(workspace, plan, now, limit=10)

    expected = sorted(
        (
            row
            for row in rows
            if row.heat is not None and (now - row.asked_at).total_seconds() >= planner.MIN_AGE_SECONDS
        ),
        key=lambda row: -plan.weight(row.heat) * (now - row.asked_at).total_seconds() ** 2,
    )
    assert picked == [row.pk for row in expected]
    assert next_bundles(workspace, plan, now, limit=2) == picked[:2]


def test_what_is_overdue_goes_first_and_what_was_never_asked_before_all(workspace):
    now = timezone.now()
    never, overdue, _ = bundles(workspace, (3, None), (1, 1790), (40, 1000), now=now)
    plan = make_plan({1: 1, 3: 1, 40: 1}, looks_per_second=1, max_age=1800)

    assert next_bundles(workspace, plan, now, limit=5)[:2] == [never.pk, overdue.pk]


def test_a_sweep_asks_each_only_once(workspace):
    now = timezone.now()
    early, _ = bundles(workspace, (5, 60), (5, 0), now=now)
    plan = make_plan({5: 2}, looks_per_second=1, max_age=1800)

    assert next_bundles(workspace, plan, now, limit=5, asked_before=now) == [early.pk]


def test_other_workspaces_are_never_picked(team, workspace, small_sandbox):
    from tests import factories

    bundles(factories.connect(team, small_sandbox, name="Other"), (5, 100))
    plan = make_plan({5: 1}, looks_per_second=1, max_age=1800)

    assert next_bundles(workspace, plan, timezone.now(), limit=5) == []


def test_the_standing_is_measured(workspace):
    now = timezone.now()
    bundles(workspace, (20, 100), (20, 300), (24, 50), (24, None), (5, 4000), (None, 10), now=now)
    silent = Bundle.objects.filter(heat=24).exclude(asked_at=NEVER)
    silent.update(unanswered_since=now - timedelta(seconds=9000))

    standing = standing_of(workspace, now)

    assert standing.counts == {5: 1, 20: 2, 24: 2}
    assert (standing.flaggable, standing.never_looked, standing.overdue, standing.silent) == (5, 1, 2, 1)
    assert (now - standing.oldest_look_at).total_seconds() == pytest.approx(9000, abs=1)
    total = rate_of(5) + 2 * rate_of(20) + rate_of(24)
    weighted = (4000 * rate_of(5) + 400 * rate_of(20) + 50 * rate_of(24)) / total
    assert standing.expected_delay == pytest.approx(weighted, rel=0.01)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's planner")
def test_the_query_reads_the_index_alone(workspace):
    bundles(workspace, *[(number % 20, number) for number in range(4000)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE issues_bundle")
    plan = make_plan(dict.fromkeys(range(20), 200), looks_per_second=2, max_age=1800)
    executed = []

    def explain(execute, sql, params, many, context):
        if "UNION ALL" in sql:
            with connection.connection.cursor() as raw:
                raw.execute("EXPLAIN " + sql, params)
                executed.extend(row[0] for row in raw.fetchall())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        assert len(next_bundles(workspace, plan, timezone.now(), limit=16)) == 16

    assert any("bundle_next" in line for line in executed)
    assert not any("Seq Scan" in line for line in executed)


# --- How likely a flag is ------------------------------------------------------------------------------------


@settings(max_examples=100)
@given(rate=st.floats(COLDEST, 1e-3))
def test_heat_is_within_a_fifth_of_the_rate(rate):
    assert 0.84 <= rate_of(heat_of(rate)) / rate <= 1.19


def situation(**about):
    now = timezone.now()
    fields = {"bundle_status": "accepted", "video_status": "configured", "failing": False, "open_here": False, **about}
    days = fields.pop("days", None)
    return situation_of(deadline=None if days is None else now + timedelta(days=days), now=now, **fields)


def test_the_sooner_the_likelier_and_failing_hosts_most_of_all():
    rates = [prior_of(situation(days=days)) for days in (1, 3, 6, 30)]

    assert rates == sorted(rates, reverse=True)
    assert prior_of(situation(days=1, failing=True)) > 3 * rates[0]
    assert prior_of(situation(days=1, open_here=True)) > 2 * rates[0]
    assert prior_of(situation(days=1, bundle_status="published")) < rates[0]
    assert prior_of(situation(video_status="finalized")) < 0.1 * rates[-1]


@pytest.mark.parametrize("status", ["quantum", "", "published_priority"])
def test_unknown_statuses_have_a_rate_too(status):
    assert prior_of(situation(bundle_status=status, days=2)) > 0


def test_what_is_observed_outweighs_the_prior_in_the_end():
    hazards, name = Hazards(), situation(days=1)
    prior = prior_of(name)
    assert hazards.rate(name) == pytest.approx(prior)

    hazards.learn({name: 1000}, 1e6, [name] * 2000)

    truth = 2000 / 1e9
    assert hazards.rate(name) == pytest.approx(truth, rel=0.05)
    assert STRENGTH == 2


def test_what_was_learned_is_saved_added_up_and_fades(workspace):
    for _ in range(2):
        hazards = Hazards.load(workspace)
        hazards.learn({"taken/2d": 10}, 60.0, ["taken/2d"])
        hazards.save(workspace)
        hazards.save(workspace)

    row = FlagRate.objects.get()
    assert (row.situation, row.watched_seconds, row.flags) == ("taken/2d", 1200, 2)
    assert Hazards.load(workspace).rate("taken/2d") == pytest.approx(hazards.rate("taken/2d"))
    for _ in range(30 * 24):
        fade()
    row.refresh_from_db()
    assert row.flags == pytest.approx(1, rel=0.01)


def test_a_bundle_is_as_likely_as_its_videos_together():
    hazards = Hazards()

    one, many = hazards.heat({"taken/2d": 1}), hazards.heat({"taken/2d": 64})

    assert many - one == 12  # 2 ** 6, in half octaves
