"""What is let go of, and when. In small batches, so that no statement holds a table for long."""

from datetime import timedelta

from django.db.models import F, QuerySet
from django.utils import timezone

from issues.enums import DeliveryState, SyncState
from issues.models import FlagRate, HookDelivery, LinkCheck, Message, Notice, SyncMinute, SyncRun, WebhookEvent

MINUTES_KEPT = timedelta(days=14)
RUNS_KEPT = timedelta(days=7)
# TokPortal repeats deliveries for some days; an id that was let go could be taken twice, and would be a hint twice.
WEBHOOK_EVENTS_KEPT = timedelta(days=30)
DELIVERIES_KEPT = timedelta(days=30)
LINK_CHECKS_KEPT = timedelta(days=60)
BATCH, BATCHES = 1000, 50
# Called every hour: what was observed counts half after a month.
FADE = 0.5 ** (1 / (30 * 24))


def tidy() -> int:
    """Delete what is too old, let what was learned fade; returns how many rows went."""
    now = timezone.now()
    fade()
    return (
        _delete(SyncMinute.objects.filter(minute__lt=now - MINUTES_KEPT))
        + _delete(SyncRun.objects.filter(started_at__lt=now - RUNS_KEPT).exclude(state=SyncState.RUNNING))
        + _delete(LinkCheck.objects.filter(checked_at__lt=now - LINK_CHECKS_KEPT))
        + _delete(
            HookDelivery.objects.filter(created_at__lt=now - DELIVERIES_KEPT).exclude(state=DeliveryState.WAITING)
        )
        + _delete(Message.objects.filter(created_at__lt=now - DELIVERIES_KEPT).exclude(state=DeliveryState.WAITING))
        + _delete(Notice.objects.filter(created_at__lt=now - DELIVERIES_KEPT, settled_at__isnull=False))
        + _delete(WebhookEvent.objects.filter(received_at__lt=now - WEBHOOK_EVENTS_KEPT))
    )


def fade() -> None:
    """Old observations weigh less and less."""
    FlagRate.objects.update(watched_seconds=F("watched_seconds") * FADE, flags=F("flags") * FADE)


def _delete(old: QuerySet) -> int:  # type: ignore[type-arg]
    gone = 0
    for _ in range(BATCHES):
        keys = list(old.order_by().values_list("pk", flat=True)[:BATCH])
        if not keys:
            break
        gone += old.model.objects.filter(pk__in=keys).delete()[0]
    return gone
