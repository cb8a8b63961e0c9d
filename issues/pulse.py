"""The workers' pulse: a message goes through each queue every few seconds, and whoever takes it writes down when.

So the pages can tell that background work stands still, whatever the reason: no worker, no beat, no broker.
"""

from datetime import datetime, timedelta

from django.db.models import Subquery
from django.utils import timezone

from issues.models import Heartbeat

QUEUES = ("interactive", "sync", "links", "maintenance")
QUIET = timedelta(seconds=60)
_BEATS = Heartbeat.objects.order_by("beat_at").values_list("beat_at", flat=True)


def beat(queue: str) -> None:
    """A worker has taken a message from this queue. Two beats in one second are one too many, and harmless."""
    Heartbeat.objects.update_or_create(queue=queue, defaults={"beat_at": timezone.now()})


def paused_since() -> datetime | None:
    """Since when a queue has been without a worker, the longest; `None` while all are alive. One query.

    An installation whose workers never ran has no heartbeat at all; what never began is not paused.
    """
    return if_quiet(_BEATS.first())


def if_quiet(oldest: datetime | None) -> datetime | None:
    """The oldest beat, where it is too long ago."""
    return oldest if oldest is not None and timezone.now() - oldest > QUIET else None


def oldest_beat() -> Subquery:
    """The same beside rows that are asked for anyway."""
    return Subquery(_BEATS[:1])
