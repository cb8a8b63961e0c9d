"""The read side of a workspace's sync page: how soon a flag is seen, what that costs, what stands in the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issues.models import SyncMinute, SyncRun, WebhookEndpoint, WebhookEvent, Workspace
from issues.queries.freshness import WorkspaceFreshness, freshness_of_workspace
from issues.queries.pages import Page, latest_first
from issues.sync.event_types import tells_of_flags
from issues.sync.troubles import sentence_of
from issues.tokportal.constants import DEFAULT_LIMIT_PER_MINUTE

CHART_MINUTES = 60
USED_MINUTES = 15
ROUNDS = 10
EVENTS = 25
AS_GOOD = 1.1


@dataclass(frozen=True, slots=True)
class Bar:
    """One minute of a chart, as parts of the chart's height and width."""

    x: float
    width: float
    y: float
    height: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Values over the last hour, the latest at the right. `top` is what the full height means."""

    title: str
    unit: str
    bars: Sequence[Bar]
    latest: float | None
    highest: float
    top: float


@dataclass(frozen=True, slots=True)
class SyncPage:
    """What the page shows. Seconds."""

    entry: WorkspaceFreshness
    limit: int  # requests a minute that TokPortal grants
    used_share: float  # of it, in the last quarter of an hour
    charts: Sequence[Chart]
    rounds: Sequence[SyncRun]
    day: dict[str, float]  # sums over the last 24 hours
    trouble: str

    @property
    def mean_gap(self) -> float | None:
        """How long, on the average, the looks that found a flag were after the looks that did not have it yet."""
        return self.day["gap_seconds"] / self.day["gaps"] if self.day["gaps"] else None

    @property
    def is_at_its_best(self) -> bool:
        """Whether no order of asking could see a flag noticeably sooner."""
        gauge, delay = self.entry.gauge, self.entry.expected_delay
        return bool(gauge and delay and gauge.best_delay and delay <= gauge.best_delay * AS_GOOD)


def sync_page(workspace: Workspace) -> SyncPage:
    """Five queries. `workspace` comes with its gauge."""
    now = timezone.now()
    entry = freshness_of_workspace(workspace)
    limit = (entry.gauge.limit_per_minute if entry.gauge else 0) or DEFAULT_LIMIT_PER_MINUTE
    hour = list(
        SyncMinute.objects.filter(workspace=workspace, minute__gt=now - timedelta(minutes=CHART_MINUTES)).order_by(
            "minute"
        )
    )
    since = now - timedelta(minutes=USED_MINUTES)
    recent = [row for row in hour if row.minute >= since]
    span = (now - recent[0].minute).total_seconds() / 60 if recent else 1.0
    used = sum(row.requests for row in recent) / (limit * max(min(span, USED_MINUTES), 1.0))
    return SyncPage(
        entry=entry,
        limit=limit,
        used_share=min(used, 1.0),
        charts=[
            _chart(
                gettext("Requests a minute"), "", [(row.minute, row.requests) for row in hour], now, top=float(limit)
            ),
            _chart(gettext("Expected delay"), "s", [(row.minute, row.expected_delay) for row in hour], now),
            _chart(gettext("Flags found"), "", [(row.minute, row.opened) for row in hour], now),
        ],
        rounds=list(SyncRun.objects.filter(workspace=workspace).order_by("-started_at")[:ROUNDS]),
        day=_sums(workspace, now - timedelta(days=1)),
        trouble=sentence_of(entry.gauge.trouble_code) if entry.gauge else "",
    )


def _sums(workspace: Workspace, since: datetime) -> dict[str, float]:
    names = ("requests", "throttled", "errors", "looks", "opened", "closed", "gaps", "gap_seconds")
    sums = SyncMinute.objects.filter(workspace=workspace, minute__gt=since).aggregate(
        **{f"sum_{name}": Sum(name) for name in names}
    )
    return {name: sums[f"sum_{name}"] or 0 for name in names}


def _chart(
    title: str, unit: str, values: Sequence[tuple[datetime, float | None]], now: datetime, *, top: float = 0.0
) -> Chart:
    known = [(minute, float(value)) for minute, value in values if value is not None]
    highest = max((value for _, value in known), default=0.0)
    top = max(top, highest, 1e-9)
    step = 1 / CHART_MINUTES
    bars = []
    for minute, value in known:
        place = CHART_MINUTES - 1 - int((now - minute).total_seconds() // 60)
        if place < 0:
            continue
        height = max(value / top, 0.02 if value else 0.0)
        local = timezone.localtime(minute)
        label = f"{local:%H:%M}: {value:,.0f} {unit}".rstrip()
        bars.append(Bar(place * step, step * 0.8, 1 - height, height, label))
    return Chart(title, unit, bars, known[-1][1] if known else None, highest, top)


@dataclass(frozen=True, slots=True)
class WebhooksPage:
    """The endpoint as it is registered, and what came in."""

    endpoint: WebhookEndpoint | None
    events: Page[WebhookEvent]
    last_day: int

    @property
    def flag_types(self) -> list[str]:
        """The types of download issues among those that TokPortal delivers here."""
        return tells_of_flags(self.endpoint.events) if self.endpoint else []

    @property
    def refusal(self) -> str:
        """Why a delivery was refused lately, in plain words."""
        sentence = _REFUSALS.get(self.endpoint.last_refusal) if self.endpoint else None
        return gettext(sentence) if sentence else ""


_REFUSALS = {
    "forged": _("its signature does not fit: it is not TokPortal's, or the secret was changed elsewhere"),
    "late": _("it was signed more than five minutes before: one of the clocks is wrong, or it was held up"),
    "early": _("it was signed in the future: one of the clocks is wrong"),
    "unsigned": _("it had no signature"),
    "unreadable": _("it was signed, but it is no event"),
}


def webhooks_page(workspace: Workspace, after: str = "") -> WebhooksPage:
    """Three queries."""
    events = WebhookEvent.objects.filter(workspace=workspace)
    since = timezone.now() - timedelta(days=1)
    return WebhooksPage(
        WebhookEndpoint.objects.filter(workspace=workspace).first(),
        latest_first(events, "received_at", after, EVENTS),
        events.filter(received_at__gt=since).count(),
    )
