"""Figures for Prometheus that come from the database: the same whichever process is asked.

Workspaces are named by id alone: names, titles and addresses of a team are nobody else's business.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.db import DatabaseError
from django.db.models import Count, Sum
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from issues.enums import UNFINISHED, UNRESOLVED, WorkspaceState
from issues.models import Fix, Heartbeat, Issue, SyncGauge, SyncMinute, Workspace
from issues.tokportal.api_version import is_newer_version

_GAUGES = {
    "flaggable": "Bundles that can be flagged",
    "never_looked": "Of those, not looked at yet",
    "overdue": "Of those, asked longer ago than the workspace's bound",
    "silent": "Of those, gave no usable answer when they were asked last",
    "expected_delay": "Seconds that a flag which appears now will wait to be seen",
    "best_delay": "Seconds: the lower bound of the above for any order of asking",
    "limit_per_minute": "Requests a minute that TokPortal grants the key",
}
_MINUTES = {
    "requests": "Requests to TokPortal in the last five minutes",
    "throttled": "Answers 429 in the last five minutes",
    "errors": "Questions that were given up in the last five minutes",
    "opened": "Flags found in the last five minutes",
}


class TokDashCollector(Collector):
    """Runs at each scrape: eight queries. Without a database it gives only `tokdash_up 0`."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            yield from [*self._all(), self._one("tokdash_up", "Whether the database answers", 1)]
        except DatabaseError:
            yield self._one("tokdash_up", "Whether the database answers", 0)

    def _one(self, name: str, text: str, value: float) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, text)
        family.add_metric([], value)
        return family

    def _all(self) -> Iterator[GaugeMetricFamily]:
        now = timezone.now()
        gauges = list(SyncGauge.objects.filter(workspace__state=WorkspaceState.ACTIVE))
        for name, text in _GAUGES.items():
            yield self._by_workspace(
                f"tokdash_sync_{name}", text, [(row.workspace_id, getattr(row, name)) for row in gauges]
            )
        ages = [(row.workspace_id, (now - row.oldest_look_at).total_seconds()) for row in gauges if row.oldest_look_at]
        yield self._by_workspace("tokdash_sync_oldest_look_seconds", "Age of the oldest look", ages)
        sums = SyncMinute.objects.filter(minute__gt=now - timedelta(minutes=5)).values("workspace")
        recent: list[Any] = list(sums.annotate(**{f"sum_{name}": Sum(name) for name in _MINUTES}))
        for name, text in _MINUTES.items():
            values = [(row["workspace"], row[f"sum_{name}"]) for row in recent]
            yield self._by_workspace(f"tokdash_sync_{name}_5m", text, values)
        yield self._by_label("tokdash_workspaces", "Workspaces", "state", Workspace, {})
        yield self._by_label("tokdash_issues_open", "Unresolved issues", "state", Issue, {"state__in": UNRESOLVED})
        yield self._by_label("tokdash_fixes_unfinished", "Unfinished fixes", "state", Fix, {"state__in": UNFINISHED})
        built_for = GaugeMetricFamily(
            "tokdash_tokportal_api_info", "The version of TokPortal's API; newer: than this TokDash was built for",
            labels=["workspace", "version", "stability", "newer"],
        )  # fmt: skip
        told = Workspace.objects.exclude(api_version="").values_list("pk", "api_version", "api_stability")
        for pk, version, stability in told:
            built_for.add_metric([str(pk), version, stability, str(is_newer_version(version)).lower()], 1)
        yield built_for
        beats = GaugeMetricFamily(
            "tokdash_heartbeat_age_seconds", "Since a worker took a message from the queue", labels=["queue"]
        )
        for beat in Heartbeat.objects.all():
            beats.add_metric([beat.queue], (now - beat.beat_at).total_seconds())
        yield beats

    def _by_workspace(self, name: str, text: str, values: Sequence[tuple[object, float | None]]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, text, labels=["workspace"])
        for workspace_id, value in values:
            if value is not None:
                family.add_metric([str(workspace_id)], float(value))
        return family

    def _by_label(
        self, name: str, text: str, label: str, model: type[Workspace | Issue | Fix], which: dict[str, object]
    ) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, text, labels=[label])
        for row in model.objects.filter(**which).order_by().values(label).annotate(n=Count("pk")):
            family.add_metric([row[label]], row["n"])
        return family


registry = CollectorRegistry(auto_describe=False)
registry.register(TokDashCollector())
