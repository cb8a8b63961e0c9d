"""The history is the outbox: what is new in it becomes deliveries and notices, once, whoever reads and how often."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from issues.models import AuditEvent, AuditHead, Fix, Hook, HookDelivery, Issue, OutgoingCursor
from issues.notify.collect import collect_events
from issues.outgoing.payloads import TYPE_OF, body_of, event_id_of

BATCH = 500


def announce_all() -> int:
    """Read on in every team that tells anybody; returns how many deliveries and notices were made."""
    heads = AuditHead.objects.filter(team=OuterRef("team"), seq__gt=OuterRef("seq"))
    return sum(map(_announce, OutgoingCursor.objects.filter(Exists(heads)).values_list("team_id", flat=True)))


def _announce(team_id: int) -> int:
    made = 0
    while True:
        with transaction.atomic():
            cursor = OutgoingCursor.objects.select_for_update().get(team=team_id)
            events = list(AuditEvent.objects.filter(team=team_id, seq__gt=cursor.seq).order_by("seq")[:BATCH])
            if not events:
                return made
            made += collect_events(team_id, events) + _deliveries(
                [event for event in events if event.verb in TYPE_OF], team_id
            )
            cursor.seq = events[-1].seq
            cursor.save(update_fields=["seq"])


def _deliveries(events: Sequence[AuditEvent], team_id: int) -> int:
    hooks = list(Hook.objects.filter(team=team_id, is_active=True)) if events else []
    if not hooks:
        return 0
    issues = Issue.objects.select_related("video__bundle", "workspace", "team").in_bulk(
        {event.issue_id for event in events if event.issue_id}
    )
    fixes = Fix.objects.in_bulk({event.fix_id for event in events if event.fix_id})
    now, rows = timezone.now(), []
    for event in events:
        issue = issues.get(event.issue_id or 0)
        if issue is None:
            continue
        body = body_of(event, issue, fixes.get(event.fix_id) if event.fix_id else None)
        rows += [
            HookDelivery(
                hook=hook,
                event_id=event_id_of(event),
                event_type=TYPE_OF[event.verb],
                body=body,
                next_try_at=now,
            )
            for hook in hooks
            if TYPE_OF[event.verb] in hook.types
        ]
    HookDelivery.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)
    return len(rows)
