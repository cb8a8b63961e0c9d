"""The next bundles to ask, taken from the planner a few at a time."""

import time
from collections import deque
from datetime import datetime, timedelta

from django.utils import timezone

from issues.models import Bundle, Workspace
from issues.sync import planner
from issues.sync.fetcher import IN_FLIGHT
from issues.tokportal.budget import SAFETY

STALE_SECONDS = 1.0
PICKS, MOST_PICKS = 16, 128  # doubled while they are used up before they are stale
PLAN_SECONDS = 10.0
# The listing may cost this part of the budget.
LISTING_SHARE = 0.02
# An answer that does not change is read again so often, since days pass and situations change with them.
REREAD_SECONDS = 3600.0


class Picks:
    """Those that someone waits for and those whose turn it is, one of each in turn.

    `asked_before`: leave out what was asked since (a sweep, which asks each once).
    """

    def __init__(self, workspace: Workspace, *, asked_before: datetime | None) -> None:
        self._workspace, self._asked_before = workspace, asked_before
        self._waiting: deque[Bundle] = deque()
        self._size = PICKS
        self._picked_at = self._planned_at = float("-inf")
        self.plan: planner.Plan | None = None
        self.standing: planner.Standing | None = None

    def are_there(self, busy: set[int], limit: int) -> bool:
        """Whether there is anything to ask that nobody asks already; looks anew where what is known is stale."""
        stale = time.monotonic() - self._picked_at > STALE_SECONDS
        if not self._waiting or (stale and self._asked_before is None):
            self._size = PICKS if stale else min(self._size * 2, MOST_PICKS)
            self._pick(busy, limit)
        return bool(self._waiting)

    def take(self) -> Bundle:
        return self._waiting.popleft()

    def put_back(self, bundle: Bundle) -> None:
        self._waiting.appendleft(bundle)

    def forget(self, *, plan: bool = False) -> None:
        """What is known has changed: pick anew, and with `plan` weigh anew too."""
        self._picked_at = float("-inf")
        self._waiting.clear()
        if plan:
            self._planned_at = float("-inf")

    def measure(self) -> None:
        """Where the workspace stands now."""
        self.standing = planner.standing_of(self._workspace, timezone.now())

    def _plan(self, limit: int) -> planner.Plan:
        if self.plan is None or time.monotonic() - self._planned_at > PLAN_SECONDS:
            self.measure()
            self.plan = planner.make_plan(
                self.standing.counts if self.standing else {},
                looks_per_second=limit * SAFETY / 60.0 * (1 - LISTING_SHARE),
                max_age=self._workspace.max_age.total_seconds(),
            )
            self._planned_at = time.monotonic()
        return self.plan

    def _pick(self, busy: set[int], limit: int) -> None:
        now, most = timezone.now(), self._size + IN_FLIGHT
        planned = planner.next_bundles(
            self._workspace, self._plan(limit), now, limit=most, asked_before=self._asked_before
        )
        hurried = planner.hurried_bundles(self._workspace, now, limit=most)
        keys: list[int] = []
        for number in range(max(len(planned), len(hurried))):
            keys += hurried[number : number + 1] + planned[number : number + 1]
        wanted = [key for key in dict.fromkeys(keys) if key not in busy]
        found = Bundle.objects.in_bulk(wanted)
        for bundle in found.values():
            bundle.workspace = self._workspace
            if bundle.mirrored_at is None or bundle.mirrored_at < now - timedelta(seconds=REREAD_SECONDS):
                bundle.answer_digest = ""
        self._waiting = deque(found[key] for key in wanted if key in found)
        self._picked_at = time.monotonic()
