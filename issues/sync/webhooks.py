"""TokPortal's signed events: a hint that a bundle is worth a look. What they say is never taken as the truth.

Verified by the signature over the raw body, taken once for each event id, answered only after the commit. Lost,
reordered or repeated ones change nothing but the order of asking.
"""

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from issues.models import WebhookEndpoint, Workspace
from issues.nudge import nudge
from issues.sealed import Secret
from issues.sync.delivered import note_account_event, want_care
from issues.tokportal import constants as c
from issues.tokportal.payloads import EventPayload, PayloadError

MAX_BODY_BYTES = 256 * 1024
# For so long a process remembers an endpoint's secret; one that does not fit is looked up again at once.
KNOWN_SECONDS = 5.0
REFUSAL_NOTED_EVERY = timedelta(seconds=10)


class EventRefused(Exception):
    """A delivery that is not taken. `status` is the HTTP status, `why` one word for the page."""

    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(why)


def is_signed(body: bytes, header: str, secret: Secret, *, now: float) -> bool:
    """Whether the `TokPortal-Signature` header fits: `t=<unix seconds>,v1=<hex>`, HMAC-SHA256 over `<t>.` + body.

    Raises EventRefused where its time is more than 300 s off, or where it is none. Several `v1` may be given.
    """
    moment, given = _parse_signature(header)
    if abs(now - moment) > c.WEBHOOK_TOLERANCE_SECONDS:
        raise EventRefused(401, "late" if moment < now else "early")
    expected = hmac.new(secret.reveal().encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    # All are compared, so that the time taken tells nothing.
    fits = [hmac.compare_digest(expected, value) for value in given]
    return any(fits)


def _parse_signature(header: str) -> tuple[int, list[str]]:
    parts = [part.strip().partition("=") for part in header[:2048].split(",")]
    moments = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1" and value and value.isascii()]
    if len(moments) != 1 or not (moments[0].isascii() and moments[0].isdigit() and len(moments[0]) < 12) or not given:
        raise EventRefused(401, "unsigned")
    return int(moments[0]), given[:5]


@dataclass(frozen=True, slots=True)
class _Known:
    """An endpoint as this process knows it, for some seconds."""

    workspace_id: UUID
    secrets: tuple[Secret, ...]
    leased_until: datetime | None
    until: float


_known: dict[UUID, _Known] = {}


def _endpoint(workspace_id: UUID, *, anew: bool = False) -> _Known:
    """The endpoint from memory, or read (again) from the database. Raises EventRefused where there is none."""
    known = _known.get(workspace_id)
    if known is not None and not anew and time.monotonic() < known.until:
        return known
    row = WebhookEndpoint.objects.filter(pk=workspace_id).select_related("workspace").first()
    if row is None:
        _known.pop(workspace_id, None)
        raise EventRefused(404, "unknown")
    secrets = [row.secret]
    if row.former_until and row.former_until > timezone.now():
        secrets.append(row.former_secret)
    known = _Known(
        workspace_id,
        tuple(secret for secret in secrets if secret),
        row.workspace.sync_lease_until,
        time.monotonic() + KNOWN_SECONDS,
    )
    _known[workspace_id] = known
    return known


def take_event(workspace_id: UUID, *, signature: str, body: bytes) -> bool:
    """Verify and store one delivery; its bundle jumps the queue. True where it is new, False where it is repeated.

    Raises EventRefused. When it returns, everything is committed.
    """
    endpoint = _endpoint(workspace_id)
    try:
        if not _is_signed_by(endpoint, signature, body):
            # The secret may have been changed a moment ago.
            endpoint = _endpoint(workspace_id, anew=True)
            if not _is_signed_by(endpoint, signature, body):
                raise EventRefused(401, "forged")
        event = _parse_event(body)
    except EventRefused as refused:
        _note_refusal(workspace_id, refused.why)
        raise
    is_new = keep_event(workspace_id, event)
    if is_new:
        _wake(endpoint, timezone.now())
    return is_new


def keep_event(workspace_id: UUID, event: EventPayload) -> bool:
    """Store an event that is known to be TokPortal's, and act on it. False if its id was taken before."""
    now = timezone.now()
    if event.saved_account_id and not event.type.startswith("video."):
        with transaction.atomic():
            is_new, is_known = _store(workspace_id, event, now)
            if is_new:
                note_account_event(workspace_id, event, now)
    else:
        is_new, is_known = _store(workspace_id, event, now)
    if is_new and event.type.startswith("credits."):
        want_care(workspace_id, now, credits_at=None)
    if is_new and event.bundle_id and not is_known:
        # A bundle that we have never seen: the listing has it.
        Workspace.objects.filter(pk=workspace_id).update(next_listing_at=now)
    return is_new


def _is_signed_by(endpoint: _Known, signature: str, body: bytes) -> bool:
    now = time.time()
    return any([is_signed(body, signature, secret, now=now) for secret in endpoint.secrets])  # noqa: C419 - all compared


def _parse_event(body: bytes) -> EventPayload:
    try:
        return EventPayload.parse(json.loads(body))
    except (ValueError, RecursionError, PayloadError) as error:
        raise EventRefused(400, "unreadable") from error


def _note_refusal(workspace_id: UUID, why: str) -> None:
    """For the page; strangers cannot make us write more often than every ten seconds."""
    now = timezone.now()
    seldom = Q(last_refused_at=None) | Q(last_refused_at__lt=now - REFUSAL_NOTED_EVERY)
    WebhookEndpoint.objects.filter(seldom, pk=workspace_id).update(last_refused_at=now, last_refusal=why)


_INSERT = (
    "INSERT INTO issues_webhookevent "
    "(workspace_id, event_id, event_type, bundle_id, position, status, saved_account_id, sent_at, received_at) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (workspace_id, event_id) DO NOTHING"
)
_HURRY = "UPDATE issues_bundle SET hurry_at = %s{whole} WHERE workspace_id = %s AND tokportal_id = %s"


def _store(workspace_id: UUID, event: EventPayload, now: datetime) -> tuple[bool, bool]:
    """Store the event unless its id was taken before, and put its bundle at the front: both or nothing.

    (whether it is new, whether the bundle is known). One statement on PostgreSQL, so that an acknowledgement costs one
    journey to the database; a transaction of two elsewhere.
    """
    on_postgres = connection.vendor == "postgresql"
    workspace = workspace_id if on_postgres else workspace_id.hex
    moment = connection.ops.adapt_datetimefield_value(now)
    values = [
        workspace, event.id, event.type, event.bundle_id, event.position, event.status, event.saved_account_id,
        event.created_at, moment,
    ]  # fmt: skip
    # What happens to a video says nothing new of its bundle; everything else might.
    hurry = _HURRY.format(whole="" if event.type.startswith("video.") else ", hurry_whole = TRUE")
    about = [moment, workspace, event.bundle_id]
    if on_postgres:
        with connection.cursor() as cursor:
            cursor.execute(
                f"WITH taken AS ({_INSERT} RETURNING 1), "  # noqa: S608
                f"hurried AS ({hurry} AND EXISTS (SELECT 1 FROM taken) RETURNING 1) "
                "SELECT (SELECT COUNT(*) FROM taken), (SELECT COUNT(*) FROM hurried)",
                [*values, *about],
            )
            taken, hurried = cursor.fetchone()
            return taken == 1, hurried > 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
        if cursor.rowcount != 1:
            return False, False
        cursor.execute(hurry, about)
        return True, cursor.rowcount > 0


def _wake(endpoint: _Known, now: datetime) -> None:
    """Where no runner is at work, one is wanted now."""
    if endpoint.leased_until is None or endpoint.leased_until < now:
        Workspace.objects.filter(pk=endpoint.workspace_id, next_sync_at__gt=now).update(next_sync_at=now)
        nudge("issues.sync_workspace", str(endpoint.workspace_id))
