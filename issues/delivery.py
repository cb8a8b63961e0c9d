"""What endpoints and channels share: rows that wait to be sent, claimed for a while, tried again with growing waits."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

from django.db.models import F, Model, Q, QuerySet
from django.utils import timezone

from issues.enums import DeliveryState

BATCH = 32
JITTER = (0.9, 1.2)

Row = TypeVar("Row", bound=Model)


def claim_due(rows: QuerySet[Row], *, hold: timedelta) -> list[Any]:
    """Keys of waiting rows whose time has come, each claimed by one conditional update; the oldest first.

    The try is counted with the claim: a row that kills its worker does not come back for ever. A claim that nobody
    lets go of ends after `hold`.
    """
    now = timezone.now()
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    waiting = rows.filter(free, state=DeliveryState.WAITING, next_try_at__lte=now).order_by("next_try_at")
    mine = rows.model._default_manager.filter(free, state=DeliveryState.WAITING)
    return [
        key
        for key in waiting.values_list("pk", flat=True)[:BATCH]
        if mine.filter(pk=key).update(claimed_until=now + hold, tries=F("tries") + 1)
    ]


def settle(
    row: Row, *, is_taken: bool, waits: Sequence[int], is_over: bool = False, least: float = 0.0, **fields: Any
) -> None:
    """Write down what the try of a claimed row gave: delivered, failed for good, or when to try again.

    `waits`: seconds after each failed try, `least` of them at least; after the last one, or where `is_over`, it has
    failed. `fields` are written with it.
    """
    now = timezone.now()
    tries: int = row.tries  # type: ignore[attr-defined]
    if is_taken:
        fields |= {"state": DeliveryState.DELIVERED, "finished_at": now, "next_try_at": None}
    elif is_over or tries > len(waits):
        fields |= {"state": DeliveryState.FAILED, "finished_at": now, "next_try_at": None}
    else:
        wait = max(waits[tries - 1] * random.uniform(*JITTER), least)  # noqa: S311 - jitter
        fields["next_try_at"] = now + timedelta(seconds=wait)
    mine = type(row)._default_manager.filter(pk=row.pk, state=DeliveryState.WAITING)
    mine.update(claimed_until=None, **fields)
