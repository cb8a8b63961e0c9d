"""The planner on a simulated clock: 3,000 bundles, one key at 120 a minute, against the bound and two other habits.

The planner, its query and index, the learning and the budget's arithmetic are the product's own. Only the network and
the mirror are left out: a look here is the moment at which a flag would be seen. The delay is not sampled: for a gap
of g seconds between two looks at a bundle with rate λ, λ·g flags are expected in it, each waiting g/2 on average.

The bound is what no order of asking can beat, knowing every λ exactly (the planner has to learn them) and spending
every request of the lane on looks (the planner also reads the listing). Two of them:

- without a floor, D* = (Σ√λ)² / (2·B·Σλ);
- with the promise that nothing is older than 30 minutes: the same minimum, of Σ λ·τ/2 with Σ 1/τ = B, under τ ≤ 1800 s.
  With 3,000 bundles at 1.96 a second that promise alone takes 85 % of the budget, so it has its price.
"""

import math
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

BUNDLES = 3000
LIMIT = 120
HOURS_BEFORE, HOURS = 3, 8
PICKS = 8
FLOOR_SECONDS = 1800.0
NO_FLOOR_SECONDS = 1e7


@dataclass
class Simulated:
    """A bundle of the simulation: what is known of it, and when it was looked at."""

    pk: int
    status: str
    failing: bool
    deadlines: list[datetime]
    looked_at: datetime | None = None
    true_rate: float = 0.0
    true_at: datetime | None = None
    situations: dict[str, int] = field(default_factory=dict)


@dataclass
class Delay:
    """Expected flags and the seconds that they wait."""

    flags: float = 0.0
    waited: float = 0.0
    worst_age: float = 0.0

    def gap(self, rate: float, seconds: float) -> None:
        self.flags += rate * seconds
        self.waited += rate * seconds * seconds / 2
        self.worst_age = max(self.worst_age, seconds)

    @property
    def mean(self) -> float:
        return self.waited / self.flags


def _population(rng: random.Random, now: datetime) -> list[Simulated]:
    """An agency's bundles: one video a day each, some just begun, some nearly done; one in ten on a bad host."""
    made = []
    for number in range(BUNDLES):
        first = now + timedelta(days=rng.uniform(-12, 8))
        count = rng.randint(4, 20)
        made.append(
            Simulated(
                pk=number + 1,
                status=rng.choice(["accepted", "accepted", "in_review", "published"]),
                failing=rng.random() < 0.1,
                deadlines=[first + timedelta(days=day) for day in range(count)],
            )
        )
    return made


class World:
    """The truth: λ of each situation is not what the planner assumes, but up to two and a half times more or less."""

    def __init__(self, rng: random.Random, hazard: Any) -> None:
        self._rng, self._hazard = rng, hazard
        self._factors: dict[str, float] = {}

    def rate(self, situation: str) -> float:
        factor = self._factors.setdefault(situation, math.exp(self._rng.uniform(-0.9, 0.9)))
        return float(self._hazard.prior_of(situation)) * factor

    def situations(self, bundle: Simulated, now: datetime) -> dict[str, int]:
        found: dict[str, int] = {}
        for deadline in bundle.deadlines:
            done = deadline < now - timedelta(days=1)
            name = self._hazard.situation_of(
                bundle_status=bundle.status,
                video_status="finalized" if done else "configured",
                deadline=deadline,
                failing=bundle.failing,
                open_here=False,
                now=now,
            )
            found[name] = found.get(name, 0) + 1
        return found

    def refresh(self, bundle: Simulated, now: datetime) -> None:
        """Situations change with the days: computed anew for each bundle every ten minutes."""
        if bundle.true_at is None or now - bundle.true_at > timedelta(minutes=10):
            bundle.situations = self.situations(bundle, now)
            bundle.true_rate = sum(count * self.rate(name) for name, count in bundle.situations.items())
            bundle.true_at = now


def _poisson(rng: random.Random, mean: float) -> int:
    threshold, count, product = math.exp(-mean), 0, rng.random()
    while product > threshold:
        count += 1
        product *= rng.random()
    return count


def lower_bound(rates: list[float], per_second: float, longest: float) -> float:
    """The least Σ λ·τ/2 / Σ λ with Σ 1/τ = `per_second` and τ ≤ `longest`, by filling up from the coldest."""
    left, roots, waited = per_second, sum(math.sqrt(rate) for rate in rates), 0.0
    rest = sorted(rates)
    for number, rate in enumerate(rest):
        if roots / left / math.sqrt(rate) <= longest:
            waited += roots * roots / left / 2
            break
        waited += rate * longest / 2
        left -= 1 / longest
        roots -= math.sqrt(rate)
        if left <= 0 or number == len(rest) - 1:
            break
    return waited / sum(rates)


def simulate(*, floor: float, seed: int = 7) -> dict[str, float]:
    """Run it with this bound for the age. Seconds, and ratios to the bound under the same promise."""
    from django.db import connection

    from issues.models import Bundle, Workspace
    from issues.sync import hazard, planner
    from issues.sync.picks import LISTING_SHARE
    from issues.tokportal.budget import SAFETY, BudgetState, Lane
    from tests.bench.making import make_workspace

    rng = random.Random(seed)
    start = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    workspace: Workspace = make_workspace(f"Simulation {floor}")
    bundles = _population(rng, start)
    rows = Bundle.objects.bulk_create(
        Bundle(workspace=workspace, tokportal_id=f"s{bundle.pk}", status=bundle.status, heat=20) for bundle in bundles
    )
    analyze()
    by_key = {row.pk: bundle for row, bundle in zip(rows, bundles, strict=True)}
    world, hazards = World(rng, hazard), hazard.Hazards()
    budget, clock = BudgetState(LIMIT), start.timestamp()
    measured_from, end = clock + HOURS_BEFORE * 3600, clock + (HOURS_BEFORE + HOURS) * 3600
    rate = LIMIT * SAFETY / 60.0
    pages, pages_left, listing_at = math.ceil(BUNDLES / 100), 0, clock
    planned = sweep = uniform = 0.0
    delay = Delay()
    bound_flags = bound_waited = free_waited = 0.0
    plan, planned_at, bound_at = None, -math.inf, measured_from
    looks = 0
    picked: list[int] = []
    done: list[tuple[int, datetime, int]] = []
    began = time.monotonic()
    while clock < end:
        slot = budget.take(Lane.SYNC, clock)
        if not slot.granted:
            clock += slot.wait
            continue
        now = datetime.fromtimestamp(clock, UTC)
        if clock >= listing_at:
            pages_left, listing_at = pages, clock + pages / (LISTING_SHARE * rate)
        if pages_left and rng.random() < 0.25:
            pages_left -= 1
            continue
        if not picked:
            _write(connection, done)
            done.clear()
            if clock - planned_at > 10:
                standing = planner.standing_of(workspace, now)
                plan = planner.make_plan(standing.counts, looks_per_second=rate * (1 - LISTING_SHARE), max_age=floor)
                planned_at = clock
            picked = planner.next_bundles(workspace, plan, now, limit=PICKS)
        key = picked.pop(0)
        bundle = by_key[key]
        world.refresh(bundle, now)
        if bundle.looked_at is not None:
            gap = (now - bundle.looked_at).total_seconds()
            flagged = [
                name
                for name, count in bundle.situations.items()
                for _ in range(_poisson(rng, count * world.rate(name) * gap))
            ]
            hazards.learn(bundle.situations, gap, flagged)
            if bundle.looked_at.timestamp() >= measured_from:
                delay.gap(bundle.true_rate, gap)
        bundle.looked_at = now
        looks += 1
        done.append((key, now, hazards.heat(bundle.situations)))
        if clock >= bound_at:
            bound_at += 900
            for other in bundles:
                world.refresh(other, now)
            total = sum(other.true_rate for other in bundles)
            rates = [other.true_rate for other in bundles]
            bound_flags += total
            bound_waited += total * lower_bound(rates, rate, floor)
            free_waited += total * lower_bound(rates, rate, math.inf)
            period = max(BUNDLES / rate, 1800.0)
            sweep += total * period / 2
            uniform += total * BUNDLES / rate / 2
    bound = bound_waited / bound_flags
    planned = delay.mean
    return {
        "bound_s": bound,
        "planner_s": planned,
        "sweep_s": sweep / bound_flags,
        "uniform_s": uniform / bound_flags,
        "bound_ratio": planned / bound,
        "free_bound_s": free_waited / bound_flags,
        "sweep_ratio": sweep / bound_flags / bound,
        "uniform_ratio": uniform / bound_flags / bound,
        "worst_age_s": delay.worst_age,
        "looks": looks,
        "expected_flags": delay.flags,
        "took_s": time.monotonic() - began,
    }


def _write(connection: Any, done: list[tuple[int, datetime, int]]) -> None:
    """What the mirror would write for each look."""
    from django.db import transaction

    if not done:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE issues_bundle SET asked_at = %s, heat = %s WHERE id = %s",
            [(connection.ops.adapt_datetimefield_value(now), heat, key) for key, now, heat in done],
        )


def analyze() -> None:
    """What autovacuum does on a server that runs for more than a minute."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE issues_bundle" if connection.vendor == "postgresql" else "ANALYZE")


def time_the_query(bundles: int = 20_000, rounds: int = 40) -> dict[str, float]:
    """Milliseconds for picking the next 16 of so many, the median and the worst."""
    from django.utils import timezone

    from issues.models import Bundle
    from issues.sync import planner
    from tests.bench.making import make_workspace

    rng, now = random.Random(3), timezone.now()
    workspace = make_workspace("Query")
    Bundle.objects.bulk_create(
        (
            Bundle(
                workspace=workspace,
                tokportal_id=f"q{number}",
                status="accepted",
                heat=min(max(int(rng.gauss(18, 5)), 0), 47),
                asked_at=now - timedelta(seconds=rng.uniform(0, 7200)),
            )
            for number in range(bundles)
        ),
        batch_size=2000,
    )
    analyze()
    standing = planner.standing_of(workspace, now)
    plan = planner.make_plan(standing.counts, looks_per_second=1.9, max_age=1800)
    picks, standings = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        assert len(planner.next_bundles(workspace, plan, timezone.now(), limit=16)) == 16
        picks.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        planner.standing_of(workspace, timezone.now())
        standings.append((time.perf_counter() - began) * 1000)
    return {
        "pick_median_ms": sorted(picks)[rounds // 2],
        "pick_worst_ms": max(picks),
        "standing_median_ms": sorted(standings)[rounds // 2],
    }
