"""How likely a flag is to appear: λ, from the situation of each video and what was observed of that situation here.

A video's *situation* is what is known about it: whether its bundle is with a manager, how far its deadline is, whether
its link's host has failed here before, whether another slot of the bundle is flagged. For each situation a workspace
keeps how long videos were watched in it and how often one was flagged; the rate is the mean of the gamma posterior,

    λ = (STRENGTH + flags) / (STRENGTH / prior + watched seconds)

so it begins at the prior and follows what happens. A bundle's λ is the sum over its videos. It is kept as *heat*,
logarithmic in steps of √2: the rule that asks for λ needs it only within a few per cent of the square root.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from issues.link_checks.urls import host_of
from issues.models import Bundle, FlagRate, Issue, Video, Workspace

HEATS = 48
COLDEST = 1e-9  # flags a second at heat 0
FAILING_DAYS, FAILING_ISSUES = 30, 2000  # a host that failed so lately counts as failing
STRENGTH = 2.0  # the prior weighs as much as so many flags

# Flags a second for one video: about two in a hundred a day for one that is due soon and with a manager.
_BASE = 2.0e-7
_WITH = {"taken": 1.0, "offered": 0.4, "final": 0.05, "other": 0.5}
_DUE = {"past": 0.6, "2d": 1.0, "4d": 0.6, "8d": 0.25, "later": 0.08, "none": 0.3}
_FAILING, _OPEN = 6.0, 3.0
_DONE, _EMPTY = 0.005, 0.01

_BUNDLE_GROUPS = {
    "accepted": "taken", "in_review": "taken", "published": "offered", "published_priority": "offered",
    "finalized": "final",
}  # fmt: skip
_DONE_STATUSES = frozenset({"in_review", "finalized", "cancelled"})
_DAYS = ((0.0, "past"), (2.0, "2d"), (4.0, "4d"), (8.0, "8d"))


def rate_of(heat: int) -> float:
    """λ in flags a second."""
    return float(COLDEST * 2 ** (heat / 2))


def heat_of(rate: float) -> int:
    """The heat that is nearest to a λ."""
    return min(max(round(2 * math.log2(max(rate, COLDEST) / COLDEST)), 0), HEATS - 1)


def situation_of(
    *, bundle_status: str, video_status: str, deadline: datetime | None, failing: bool, open_here: bool, now: datetime
) -> str:
    """The situation of one video that is not flagged itself, as the key under which it is learned."""
    if video_status in _DONE_STATUSES:
        return "done"
    if video_status == "pending":
        return "empty"
    due = "none"
    if deadline is not None:
        days = (deadline - now).total_seconds() / 86400
        due = next((name for limit, name in _DAYS if days < limit), "later")
    marks = ("+failing" if failing else "") + ("+open" if open_here else "")
    return f"{_BUNDLE_GROUPS.get(bundle_status, 'other')}/{due}{marks}"


def prior_of(situation: str) -> float:
    """What is assumed before anything was seen."""
    if situation in {"done", "empty"}:
        return _BASE * (_DONE if situation == "done" else _EMPTY)
    group, _, rest = situation.partition("/")
    due, *marks = rest.split("+")
    rate = _BASE * _WITH.get(group, 0.5) * _DUE.get(due, 0.3)
    return rate * (_FAILING if "failing" in marks else 1.0) * (_OPEN if "open" in marks else 1.0)


def failing_hosts(workspace: Workspace) -> frozenset[str]:
    """Hosts whose links failed here lately; not those of the other images in the same carousel."""
    since = timezone.now() - timedelta(days=FAILING_DAYS)
    recent = Issue.objects.filter(workspace=workspace, opened_at__gt=since).order_by("-opened_at")
    return frozenset(recent.values_list("host", flat=True)[:FAILING_ISSUES]) - {""}


@dataclass(slots=True)
class Hazards:
    """What a workspace has learned, with what was observed since and is not saved yet."""

    watched: dict[str, float] = field(default_factory=dict)
    flags: dict[str, float] = field(default_factory=dict)
    failing_hosts: Set[str] = frozenset()
    new_watched: Counter[str] = field(default_factory=Counter)
    new_flags: Counter[str] = field(default_factory=Counter)

    @classmethod
    def load(cls, workspace: Workspace, failing_hosts: Set[str] = frozenset()) -> "Hazards":
        rows = FlagRate.objects.filter(workspace=workspace)
        known = {row.situation: row for row in rows}
        return cls(
            {name: row.watched_seconds for name, row in known.items()},
            {name: row.flags for name, row in known.items()},
            failing_hosts,
        )

    def rate(self, situation: str) -> float:
        """λ of one video in this situation."""
        flags = self.flags.get(situation, 0.0) + self.new_flags[situation]
        watched = self.watched.get(situation, 0.0) + self.new_watched[situation]
        return (STRENGTH + flags) / (STRENGTH / prior_of(situation) + watched)

    def heat(self, situations: Mapping[str, int]) -> int:
        """The heat of a bundle with so many videos in each situation."""
        return heat_of(sum(count * self.rate(name) for name, count in situations.items()))

    def unknown_heat(self, bundle_status: str, slots: int | None) -> int:
        """The heat of a bundle whose videos nobody has read yet."""
        situation = f"{_BUNDLE_GROUPS.get(bundle_status, 'other')}/none"
        return self.heat({situation: max(slots or 1, 1)})

    def situations(self, bundle: Bundle, videos: Iterable[Video], now: datetime, *, open_here: bool) -> Counter[str]:
        """How many of the bundle's videos, but those that are flagged, are in which situation."""
        return Counter(
            self.situation(bundle, video, now, open_here=open_here) for video in videos if not video.download_issue
        )

    def situation(self, bundle: Bundle, video: Video, now: datetime, *, open_here: bool) -> str:
        return situation_of(
            bundle_status=bundle.status,
            video_status=video.status,
            deadline=video.deadline,
            failing=bool(self.failing_hosts) and any(host_of(link) in self.failing_hosts for link in video.links),
            open_here=open_here,
            now=now,
        )

    def learn(self, watched: Mapping[str, int], seconds: float, flagged: Iterable[str]) -> None:
        """So many videos were watched for so long in each situation; in these a flag appeared."""
        for name, count in watched.items():
            self.new_watched[name] += count * seconds  # type: ignore[assignment]
        self.new_flags.update(flagged)

    def save(self, workspace: Workspace) -> None:
        """Add what was observed to the rows. Two statements; part of the caller's transaction."""
        names = set(self.new_watched) | set(self.new_flags)
        if not names:
            return
        FlagRate.objects.bulk_create(
            [FlagRate(workspace=workspace, situation=name) for name in names - set(self.watched)],
            ignore_conflicts=True,
        )
        rows = list(FlagRate.objects.filter(workspace=workspace, situation__in=names))
        for row in rows:
            row.watched_seconds = F("watched_seconds") + float(self.new_watched[row.situation])
            row.flags = F("flags") + float(self.new_flags[row.situation])
        FlagRate.objects.bulk_update(rows, ["watched_seconds", "flags"])
        for name in names:
            self.watched[name] = self.watched.get(name, 0.0) + self.new_watched[name]
            self.flags[name] = self.flags.get(name, 0.0) + self.new_flags[name]
        self.new_watched.clear()
        self.new_flags.clear()
