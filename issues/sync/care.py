"""Requests to TokPortal outside the sync, in the lowest lane: credits, Coverage, bans, and the webhooks' catalogue.

A worker looks after each workspace about once a minute; what is due then costs a few requests. Every part settles by
itself: one that fails is tried again later and keeps none of the others.
"""

import logging
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from issues.audit import Actor, Changes, Event, Verb, record
from issues.enums import WorkspaceState
from issues.models import Account, WebhookEndpoint, WebhookEvent, Workspace
from issues.problems import Refusal
from issues.sync import delivered
from issues.sync.connection import open_client
from issues.sync.event_types import tells_of_flags, wanted_types
from issues.sync.ledger import count_minute
from issues.sync.versions import note_version
from issues.sync.webhooks import keep_event
from issues.sync.workspaces import refuse_key
from issues.tokportal.budget import Lane
from issues.tokportal.client import TokPortalClient
from issues.tokportal.errors import BudgetWaitError, KeyRefusedError, NotFoundError, TokPortalError
from issues.tokportal.payloads import EventPayload
from issues.tokportal.service_payloads import DeliveryPayload

logger = logging.getLogger(__name__)

EVERY = timedelta(seconds=60)
CREDITS_EVERY = timedelta(hours=1)
BANS_EVERY = timedelta(minutes=15)
CATALOGUE_EVERY = timedelta(days=1)
DELIVERIES_EVERY = timedelta(minutes=10)
# An event that was tried shortly before the last look may have failed shortly after it.
DELIVERIES_OVERLAP = timedelta(minutes=10)
DELIVERIES_OLDEST = timedelta(days=3)  # older ones say nothing new: every bundle was checked since
MOST_DELIVERIES, MOST_RETRIES = 1000, 50
COVERAGE_AT_ONCE = 10
PATIENCE_SECONDS = 20.0


def due_for_care() -> list[Workspace]:
    """Active workspaces that nobody has looked after for a minute, or where something is wanted."""
    due = Q(next_care_at=None) | Q(next_care_at__lte=timezone.now())
    return list(Workspace.objects.filter(due, state=WorkspaceState.ACTIVE).order_by("next_care_at"))


def care_for(workspace: Workspace, *, actor: Actor) -> int:
    """Ask what is due; returns how many requests it took. Two workers never do it at once."""
    now = timezone.now()
    mine = Workspace.objects.filter(Q(next_care_at=None) | Q(next_care_at__lte=now), pk=workspace.pk)
    if not mine.update(next_care_at=now + EVERY):
        return 0
    delivered.want_coverage_of_issues(workspace, now)
    try:
        client = open_client(workspace, Lane.LINKS, total=PATIENCE_SECONDS, max_wait=PATIENCE_SECONDS, read_tries=1)
    except Refusal:
        return 0
    with client:
        try:
            for chore in (_deliveries, _coverage, _bans, _credits):
                _settle(workspace, partial(chore, workspace, client))
            _settle(workspace, partial(follow_catalogue, workspace, client, actor=actor))
        except BudgetWaitError:
            logger.debug("no slot is left for the care of workspace %s", workspace.pk)
        except KeyRefusedError as error:
            refuse_key(workspace=workspace, code=error.code, actor=actor)
        finally:
            count_minute(workspace, {"requests": client.usage.requests, "throttled": client.usage.throttled})
            note_version(workspace, client.api_version)
        return client.usage.requests


def _settle(workspace: Workspace, chore: "partial[None]") -> None:
    """One part, by itself: if it fails it is tried again later."""
    try:
        chore()
    except (BudgetWaitError, KeyRefusedError):
        raise
    except TokPortalError as error:
        logger.info("%s of workspace %s: %s", chore.func.__name__, workspace.pk, error.code)


def _is_due(last: datetime | None, every: timedelta) -> bool:
    return last is None or timezone.now() - last >= every


# --- Credits -------------------------------------------------------------------------------------------------


def _credits(workspace: Workspace, client: TokPortalClient) -> None:
    current = Workspace.objects.values_list("credits_at", flat=True).get(pk=workspace.pk)
    if _is_due(current, CREDITS_EVERY):
        account = client.me()
        Workspace.objects.filter(pk=workspace.pk).update(
            credits_at=timezone.now(), **({} if account.credits is None else {"credits": account.credits})
        )


# --- Accounts ------------------------------------------------------------------------------------------------


def _coverage(workspace: Workspace, client: TokPortalClient) -> None:
    """The Coverage of those accounts that somebody waits for, the longest waiting first."""
    wanted = Account.objects.filter(workspace=workspace, coverage_wanted_at__isnull=False)
    for account in wanted.order_by("coverage_wanted_at")[:COVERAGE_AT_ONCE]:
        asked_at = timezone.now()
        try:
            told = client.get_coverage(account.tokportal_id)
        except NotFoundError:
            delivered.note_coverage(account, None, asked_at)
        except (BudgetWaitError, KeyRefusedError):
            raise
        except TokPortalError as error:
            delivered.note_coverage(account, None, asked_at, code=error.code)
        else:
            delivered.note_coverage(account, told, asked_at)


def _bans(workspace: Workspace, client: TokPortalClient) -> None:
    last, since = Workspace.objects.values_list("bans_at", "bans_since").get(pk=workspace.pk)
    if not _is_due(last, BANS_EVERY):
        return
    asked_at = timezone.now()
    latest = delivered.note_bans(workspace, client.list_bans(since=since))
    Workspace.objects.filter(pk=workspace.pk).update(bans_at=asked_at, bans_since=max(latest, since))


# --- Webhooks ------------------------------------------------------------------------------------------------


def follow_catalogue(workspace: Workspace, client: TokPortalClient, *, actor: Actor) -> None:
    """Subscribe to every type that matters, as soon as TokPortal emits it."""
    endpoint = WebhookEndpoint.objects.filter(workspace=workspace).first()
    if endpoint is None or not _is_due(endpoint.catalogue_at, CATALOGUE_EVERY):
        return
    row = WebhookEndpoint.objects.filter(pk=endpoint.pk, tokportal_id=endpoint.tokportal_id)
    row.update(catalogue_at=timezone.now())
    wanted = wanted_types(client.list_event_types())
    if not wanted or set(wanted) == set(endpoint.events):
        return
    with open_client(workspace, Lane.LINKS, for_fixing=True, total=PATIENCE_SECONDS, max_wait=PATIENCE_SECONDS) as able:
        able.change_webhook(endpoint.tokportal_id, events=wanted)
    note_types(workspace, endpoint, wanted, actor=actor)


def note_types(workspace: Workspace, endpoint: WebhookEndpoint, types: list[str], *, actor: Actor) -> None:
    """Write down, and in the history, what TokPortal delivers to us from now on."""
    added = sorted(set(types) - set(endpoint.events))
    with transaction.atomic():
        row = WebhookEndpoint.objects.filter(pk=endpoint.pk, tokportal_id=endpoint.tokportal_id)
        if not row.update(events=types):
            return
        changes: Changes = {
            "types": [len(endpoint.events), len(types)],
            "added": [None, added],
            "download_issues": [tells_of_flags(endpoint.events), tells_of_flags(types)],
        }
        record(workspace.team_id, actor, [Event.about_workspace(Verb.WEBHOOK_TYPES_CHANGED, workspace, changes)])


def _deliveries(workspace: Workspace, client: TokPortalClient) -> None:
    """What TokPortal could not deliver, because we were away: taken from its list, or sent once more."""
    endpoint = WebhookEndpoint.objects.filter(workspace=workspace).first()
    if endpoint is None or not _is_due(endpoint.deliveries_at, DELIVERIES_EVERY):
        return
    now = timezone.now()
    row = WebhookEndpoint.objects.filter(pk=endpoint.pk, tokportal_id=endpoint.tokportal_id)
    last = endpoint.deliveries_at or endpoint.registered_at
    since = max(last - DELIVERIES_OVERLAP, now - DELIVERIES_OLDEST)
    failed = _failed_since(client, endpoint.tokportal_id, since)
    row.update(deliveries_at=now)
    known = WebhookEvent.objects.filter(workspace=workspace, event_id__in=[entry.event_id for entry in failed])
    taken = set(known.values_list("event_id", flat=True))
    again: list[DeliveryPayload] = []
    for entry in failed:
        if entry.event_id in taken:
            continue
        taken.add(entry.event_id)
        if entry.event is not None and entry.event.id == entry.event_id:
            _keep(workspace, entry.event)
        else:
            again.append(entry)
    if again:
        _send_again(workspace, endpoint, again)


def _failed_since(client: TokPortalClient, webhook_id: str, since: datetime) -> list[DeliveryPayload]:
    """The failed deliveries since then, the oldest first."""
    found: list[DeliveryPayload] = []
    for entry in client.list_failed_deliveries(webhook_id):
        if entry.moment is not None and entry.moment < since.timestamp():
            break
        if not entry.success:
            found.append(entry)
        if len(found) >= MOST_DELIVERIES:
            break
    return found[::-1]


def _keep(workspace: Workspace, event: EventPayload) -> None:
    if keep_event(workspace.pk, event):
        logger.info("took event %s of workspace %s from the list of deliveries", event.id, workspace.pk)


def _send_again(workspace: Workspace, endpoint: WebhookEndpoint, entries: list[DeliveryPayload]) -> None:
    """The list does not tell what was sent: let TokPortal send it again. The latest say the most."""
    with open_client(workspace, Lane.LINKS, for_fixing=True, total=PATIENCE_SECONDS, max_wait=PATIENCE_SECONDS) as able:
        for entry in entries[-MOST_RETRIES:]:
            able.retry_delivery(endpoint.tokportal_id, entry.id)
