"""Deliver what waits: claimed, signed, posted under guard, and tried again for a day where it is not taken.

At least once: a worker that dies after the endpoint has answered leaves the row, and the same event comes again.
"""

import hashlib
import hmac
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from issues.delivery import claim_due, settle
from issues.link_checks.http_fetch import Clock, FetchError, post
from issues.link_checks.resolver import current_network
from issues.models import Hook, HookDelivery
from issues.sealed import SealError

logger = logging.getLogger(__name__)

# Seconds until the next try; after the last one the delivery has failed.
WAITS = (10, 30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
POST_SECONDS = 10.0
CLAIM = timedelta(seconds=60)
AT_A_TIME = 8
MAX_WAIT_ASKED = 3600.0  # of a Retry-After
GONE = 410  # the endpoint wants no more


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a try gave: the answer's status, or a code of why there was none."""

    status: int | None
    code: str
    seconds: float
    retry_after: float = 0.0

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def sign(secret: str, body: bytes, moment: int) -> str:
    """`t=<unix seconds>,v1=<hex>`: HMAC-SHA256 over `<t>.` and the raw body, as TokPortal signs its own."""
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def deliver_due() -> int:
    """One batch of what is due; returns how many were tried."""
    keys = claim_due(HookDelivery.objects.filter(hook__is_active=True), hold=CLAIM)
    if not keys:
        return 0
    claimed = list(HookDelivery.objects.filter(pk__in=keys).select_related("hook"))
    with ThreadPoolExecutor(AT_A_TIME) as pool:  # no database in these threads
        outcomes = list(pool.map(_try, claimed))
    for delivery, outcome in zip(claimed, outcomes, strict=True):
        _keep(delivery, outcome)
    return len(claimed)


def _try(delivery: HookDelivery) -> Outcome:
    started = time.monotonic()
    body = delivery.body.encode()
    try:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "TokDash webhooks",
            "TokDash-Event-Id": delivery.event_id,
            "TokDash-Event-Type": delivery.event_type,
            "TokDash-Signature": sign(delivery.hook.secret.reveal(), body, int(time.time())),
        }
        answer = post(delivery.hook.url, current_network(), Clock(POST_SECONDS), body=body, headers=headers)
    except FetchError as error:
        return Outcome(None, error.code, time.monotonic() - started)
    except SealError:
        return Outcome(None, "secret_unreadable", time.monotonic() - started)
    wait = str(answer.headers.get("Retry-After", ""))
    return Outcome(
        answer.status, "", time.monotonic() - started, min(float(wait), MAX_WAIT_ASKED) if wait.isdecimal() else 0.0
    )


def _keep(delivery: HookDelivery, outcome: Outcome) -> None:
    settle(
        delivery,
        is_taken=outcome.is_taken,
        waits=WAITS,
        is_over=outcome.status == GONE,
        least=outcome.retry_after,
        status=outcome.status,
        code=outcome.code[:40],
        seconds=round(outcome.seconds, 3),
    )
    if outcome.status == GONE:
        Hook.objects.filter(pk=delivery.hook_id).update(is_active=False, stopped_code="gone")
        logger.warning("endpoint %s answered 410: it is told no more", delivery.hook_id)
