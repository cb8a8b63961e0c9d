"""Whom to ask next: each slot of the budget goes to the bundle with the largest λ · age².

For B looks a second this rule meets the lower bound of the mean detection delay,

    D* = (Σ √λᵢ)² / (2 · B · Σ λᵢ)

without a schedule to keep: in the steady state each bundle is asked every √(θ/λ) seconds, with one θ for all. A floor
under λ caps the age. It is not guessed: from how many bundles there are of each heat and the budget, θ follows, and
the floor is the λ whose period is the workspace's bound. Where the budget does not allow that bound, a longer one that
it does allow takes its place, and the pages say so.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Min

from issues.models import Bundle, Workspace
from issues.models.bundles import NEVER
from issues.sync.hazard import rate_of

# Nobody learns anything from asking the same bundle more often.
MIN_AGE_SECONDS = 10.0
# Periods vary a little around their mean: the floor aims below the bound by so much.
AIM = 0.975
# Older than this part of the bound goes first of all.
OVERDUE = 0.99
# Where the bound is out of reach, this times the time that one look at each would take.
STRETCH = 1.5


@dataclass(frozen=True, slots=True)
class Plan:
    """The weights by which bundles of each heat are compared, and what can be expected of that. Seconds."""

    counts: Mapping[int, int]
    looks_per_second: float
    max_age: float  # what the workspace asks for
    reachable_age: float  # what the budget allows
    floor: float  # the λ below which all are treated alike

    @property
    def is_reachable(self) -> bool:
        return self.reachable_age <= self.max_age

    def weight(self, heat: int) -> float:
        return max(rate_of(heat), self.floor)

    @property
    def best_delay(self) -> float | None:
        """D*: no order of asking has a smaller mean detection delay."""
        total = sum(count * rate_of(heat) for heat, count in self.counts.items())
        roots = sum(count * math.sqrt(rate_of(heat)) for heat, count in self.counts.items())
        return roots**2 / (2 * self.looks_per_second * total) if total and self.looks_per_second else None


def make_plan(counts: Mapping[int, int], *, looks_per_second: float, max_age: float) -> Plan:
    """Find the floor: with it, the coldest bundles are asked every `max_age` seconds and the rest by √λ."""
    total = sum(counts.values())
    rate = max(looks_per_second, 1e-6)
    reachable = max_age if total / (max_age * AIM) <= rate * 0.98 else STRETCH * total / rate
    period = reachable * AIM
    left, roots = rate, sum(count * math.sqrt(rate_of(heat)) for heat, count in counts.items())
    floor = 0.0
    for heat in sorted(counts):
        # With everything colder than this heat asked every `period`, what is left for the others gives √θ.
        theta_root = roots / left if left > 0 else math.inf
        if math.sqrt(rate_of(heat)) >= theta_root / period:
            break
        floor = rate_of(heat)
        left -= counts[heat] / period
        roots -= counts[heat] * math.sqrt(rate_of(heat))
    if left > 0 and roots > 0:
        floor = max(floor, (roots / left / period) ** 2)
    return Plan(dict(counts), rate, max_age, reachable, floor)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the bundles that can be flagged stand now. Seconds."""

    counts: Mapping[int, int]  # by heat
    never_looked: int
    overdue: int
    silent: int  # gave no usable answer when they were asked last
    oldest_look_at: datetime | None  # of those that were looked at
    expected_delay: float | None  # the age, weighted by λ: how long a flag that appears now will wait

    @property
    def flaggable(self) -> int:
        return sum(self.counts.values())


def standing_of(workspace: Workspace, now: datetime) -> Standing:
    """One pass over the planner's index, and one over the few that are silent."""
    age = _AGES[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT heat, COUNT(*), COUNT(CASE WHEN asked_at <= %s THEN 1 END), "  # noqa: S608
            "COUNT(CASE WHEN asked_at < %s THEN 1 END), "
            f"MAX(CASE WHEN asked_at > %s THEN {age} END), SUM(CASE WHEN asked_at > %s THEN {age} ELSE 0 END) "
            "FROM issues_bundle WHERE workspace_id = %s AND heat IS NOT NULL GROUP BY heat",
            [
                *(_moment(m) for m in (NEVER, now - workspace.max_age, NEVER, now, NEVER, now)),
                _workspace_key(workspace),
            ],
        )
        rows = cursor.fetchall()
    silent = Bundle.objects.filter(workspace=workspace, unanswered_since__isnull=False).aggregate(
        n=Count("pk"), oldest=Min("unanswered_since")
    )
    looked = sum(rate_of(heat) * (count - never) for heat, count, never, *_ in rows)
    oldest = max((float(row[4]) for row in rows if row[4] is not None), default=None)
    return Standing(
        counts={heat: count for heat, count, *_ in rows},
        never_looked=sum(row[2] for row in rows),
        overdue=sum(row[3] for row in rows),
        silent=silent["n"],
        oldest_look_at=min(
            (m for m in (silent["oldest"], oldest and now - timedelta(seconds=oldest)) if m), default=None
        ),
        expected_delay=sum(rate_of(row[0]) * float(row[5]) for row in rows) / looked if looked else None,
    )


_AGES = {
    "postgresql": "EXTRACT(EPOCH FROM (%s - asked_at))::double precision",
    "sqlite": "((julianday(%s) - julianday(asked_at)) * 86400.0)",
}


def hurried_bundles(workspace: Workspace, now: datetime, *, limit: int) -> list[int]:
    """Keys of the bundles that someone wants looked at before their turn, in the order in which they were wanted."""
    wanted = Bundle.objects.filter(workspace=workspace, hurry_at__lte=now)
    return list(wanted.order_by("hurry_at").values_list("pk", flat=True)[:limit])


def next_bundles(
    workspace: Workspace, plan: Plan, now: datetime, *, limit: int, asked_before: datetime | None = None
) -> list[int]:
    """Keys of the `limit` bundles with the largest λ · age², those beyond the bound before all others.

    One query: for each heat the index gives those that were asked longest ago, and only these are compared. With
    `asked_before`, bundles that were asked since are left out (a sweep that asks each once).
    """
    if not plan.counts:
        return []
    cut = asked_before or now - timedelta(seconds=MIN_AGE_SECONDS)
    overdue = now - timedelta(seconds=plan.reachable_age * OVERDUE)
    each = " UNION ALL ".join(
        f"SELECT * FROM (SELECT id, asked_at, CAST({plan.weight(heat)!r} AS double precision) AS weight "  # noqa: S608
        f"FROM issues_bundle WHERE workspace_id = %s AND heat = {int(heat)} "
        f"ORDER BY asked_at LIMIT {int(limit)}) h{int(heat)}"
        for heat in sorted(plan.counts)
    )
    age = _AGES[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM ({each}) candidates WHERE asked_at < %s "  # noqa: S608
            f"ORDER BY CASE WHEN asked_at < %s THEN 0 ELSE 1 END, weight * {age} * {age} DESC LIMIT {int(limit)}",
            [*([_workspace_key(workspace)] * len(plan.counts)), *(_moment(m) for m in (cut, overdue, now, now))],
        )
        return [row[0] for row in cursor.fetchall()]


def _moment(moment: datetime) -> Any:
    """A moment as the database compares it: SQLite keeps text."""
    return connection.ops.adapt_datetimefield_value(moment)


def _workspace_key(workspace: Workspace) -> Any:
    return workspace.pk if connection.vendor == "postgresql" else workspace.pk.hex


def hurry(workspace: Workspace, tokportal_ids: list[str], now: datetime) -> int:
    """Put bundles at the front of the queue; returns how many of them are known."""
    found = Bundle.objects.filter(workspace=workspace, tokportal_id__in=tokportal_ids)
    return found.update(hurry_at=now)
