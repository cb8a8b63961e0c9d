"""What a runner counts and measures, written down every few seconds: round, minute, gauge, learned rates."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from issues.models import SyncGauge, SyncMinute, SyncRun, Workspace
from issues.sync.hazard import Hazards
from issues.sync.planner import MIN_AGE_SECONDS, Plan, Standing
from issues.sync.reconcile import Tally
from issues.sync.versions import note_version
from issues.tokportal.api_version import ApiVersion

_RUN_FIELDS = (
    "next_page", "statuses", "listed_at", "bundles", "bundles_to_read", "looks", "videos", "issues_opened",
    "issues_closed", "requests", "throttled", "errors", "code",
)  # fmt: skip


def count_minute(workspace: Workspace, counts: Mapping[str, float], *, expected_delay: float | None = None) -> None:
    """Add to the row of this minute. Two statements."""
    minute = timezone.now().replace(second=0, microsecond=0)
    SyncMinute.objects.bulk_create([SyncMinute(workspace=workspace, minute=minute)], ignore_conflicts=True)
    changes: dict[str, object] = {name: F(name) + value for name, value in counts.items() if value}
    if expected_delay is not None:
        changes["expected_delay"] = expected_delay
    if changes:
        SyncMinute.objects.filter(workspace=workspace, minute=minute).update(**changes)


class Ledger:
    """The books of one runner."""

    def __init__(self, workspace: Workspace, run: SyncRun, hazards: Hazards) -> None:
        self.workspace, self.run, self.hazards = workspace, run, hazards
        self._minute: Counter[str] = Counter()
        self._gap_seconds = 0.0
        self._last_answer_at: datetime | None = None
        self.trouble = ""
        self.api_version = ApiVersion()  # of the last answers

    def request(self) -> None:
        self.run.requests += 1
        self._minute["requests"] += 1

    def throttle(self) -> None:
        self.run.throttled += 1
        self._minute["throttled"] += 1

    def answer(self) -> None:
        """TokPortal has answered something that could be used: whatever the trouble was, it is over."""
        self._last_answer_at = timezone.now()
        self.trouble = ""

    def error(self, code: str) -> None:
        """Something was given up for now."""
        self.run.errors += 1
        self.run.code = code[:80]
        self._minute["errors"] += 1

    def look(self, tally: Tally) -> None:
        self.run.looks += 1
        self._minute["looks"] += 1
        self.count(tally)

    def count(self, tally: Tally) -> None:
        self.run.videos += tally.videos
        self.run.issues_opened += tally.opened
        self.run.issues_closed += tally.closed
        self._minute.update(videos=tally.videos, opened=tally.opened, closed=tally.closed, gaps=tally.gaps)
        self._gap_seconds += tally.gap_seconds

    def flush(self, plan: Plan | None, standing: Standing | None, limit: int) -> None:
        """Write everything down, in one short transaction."""
        minute: dict[str, float] = {**self._minute, "gap_seconds": self._gap_seconds}
        self._minute.clear()
        self._gap_seconds = 0.0
        with transaction.atomic():
            self.run.save(update_fields=_RUN_FIELDS)
            count_minute(self.workspace, minute, expected_delay=standing.expected_delay if standing else None)
            self.hazards.save(self.workspace)
            self._gauge(plan, standing, limit)
            note_version(self.workspace, self.api_version)

    def _gauge(self, plan: Plan | None, standing: Standing | None, limit: int) -> None:
        now = timezone.now()
        gauge, _ = SyncGauge.objects.get_or_create(workspace=self.workspace, defaults={"measured_at": now})
        gauge.measured_at, gauge.limit_per_minute = now, limit
        gauge.last_answer_at = self._last_answer_at or gauge.last_answer_at
        if gauge.trouble_code != self.trouble:
            gauge.trouble_code, gauge.trouble_since = self.trouble[:80], now if self.trouble else None
        if standing is not None:
            gauge.flaggable, gauge.never_looked = standing.flaggable, standing.never_looked
            gauge.overdue = max(standing.overdue - standing.never_looked, 0)
            gauge.silent = standing.silent
            gauge.expected_delay = standing.expected_delay
            if self.run.listed_at or gauge.oldest_look_at:
                # Before the first complete listing nobody knows what has not been looked at.
                complete = not standing.never_looked
                gauge.oldest_look_at = (standing.oldest_look_at or now) if complete else gauge.oldest_look_at
        if plan is not None:
            # Nobody is asked more often than that, however much of the budget is left.
            gauge.best_delay = None if plan.best_delay is None else max(plan.best_delay, MIN_AGE_SECONDS / 2)
        gauge.save()
