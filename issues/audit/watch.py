"""The unceasing verification: what is new is verified and signed, what is old is walked over again and again."""

import logging
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from issues.audit.actors import Actor
from issues.audit.chain import Event, record
from issues.audit.checkpoints import Place, add_checkpoint, base_of, last_checkpoint
from issues.audit.verbs import Verb
from issues.audit.verify import Finding, findings_beside, people_findings
from issues.audit.walk import walk
from issues.models import AuditCheckpoint, AuditHead, AuditWatch, Team

logger = logging.getLogger(__name__)

SEAL_EVERY = timedelta(minutes=5)
SLICE = 20_000  # events of the old walked over at a time: some 0.2 s


def seal(team_id: int, *, at_once: bool = True) -> AuditCheckpoint | Finding | None:
    """Verify what came since the last checkpoint and sign it; the last checkpoint, or what does not hold.

    `None` where there is no first checkpoint: none is made for a chain that has events already.
    """
    last = last_checkpoint(team_id)
    head = AuditHead.objects.get(team_id=team_id)
    if last is None:
        return Finding(base_of(team_id).seq + 1, "The chain has no signed checkpoint.") if head.seq else None
    begun = _last_sealed(team_id, last)
    found = walk(team_id, begun, head.seq)
    if found.first_bad is not None:
        return Finding(found.first_bad, found.reason)
    if found.place != Place(head.seq, head.hash):
        return Finding(found.place.seq + 1, "The end of the record is missing, or its head was altered.")
    due = at_once or timezone.now() - last.at >= SEAL_EVERY
    if found.place.seq > begun.seq and due:
        add_checkpoint(last, found.place)
    return last_checkpoint(team_id)


def _last_sealed(team_id: int, last: AuditCheckpoint) -> Place:
    """The farthest place that was signed: a cut lies behind the seals before it."""
    farthest = AuditCheckpoint.objects.filter(team_id=team_id).order_by("-seq", "-number").first() or last
    return Place(farthest.seq, farthest.event_hash)


def watch_all() -> int:
    """One round over every team; returns how many do not hold."""
    bad = 0
    for team in Team.objects.order_by("pk"):
        bad += watch_team(team) is not None
    return bad


def watch_team(team: Team) -> Finding | None:
    """Verify and sign the new, walk over a slice of the old. What is found stays until a whole walk finds nothing."""
    watch, _ = AuditWatch.objects.get_or_create(team=team)
    sealed = seal(team.pk, at_once=False)
    finding = sealed if isinstance(sealed, Finding) else None
    base = base_of(team.pk)
    start = Place(watch.walked_seq, watch.walked_hash) if watch.walked_seq > base.seq else base
    head = AuditHead.objects.get(team=team)
    found = walk(team.pk, start, min(start.seq + SLICE, head.seq))
    finished = found.place.seq >= head.seq
    if found.first_bad is not None:
        finding = _first(finding, Finding(found.first_bad, found.reason))
    for other in people_findings(team.pk, found.digests):
        finding = _first(finding, other)
    if finished or found.first_bad is not None:
        for other in findings_beside(team, base):
            finding = _first(finding, other)
    if finding is not None and base_of(team.pk) != base:
        return None  # old events were let go of meanwhile: the next round begins behind the new cut
    again = finished or finding is not None
    watch.walked_seq, watch.walked_hash = (base.seq, base.hash) if again else (found.place.seq, found.place.hash)
    watch.checked_at = timezone.now()
    if finding is not None:
        _alarm(team, watch, finding)
    elif finished:
        watch.whole_at = watch.checked_at
        _all_clear(team, watch)
    watch.save()
    return finding


def _first(one: Finding | None, other: Finding) -> Finding:
    return other if one is None or other.seq < one.seq else one


def _alarm(team: Team, watch: AuditWatch, finding: Finding) -> None:
    logger.error("history of team %s does not hold from event %s on: %s", team.pk, finding.seq, finding.reason)
    if watch.bad_seq is None:
        watch.found_at = timezone.now()
        _note(team, ["holds", f"does not hold from event {finding.seq} on: {finding.reason}"])
    watch.bad_seq, watch.reason = finding.seq, finding.reason[:200]


def _all_clear(team: Team, watch: AuditWatch) -> None:
    if watch.bad_seq is not None:
        _note(team, [f"does not hold from event {watch.bad_seq} on: {watch.reason}", "holds"])
    watch.bad_seq, watch.reason, watch.found_at = None, "", None


def _note(team: Team, change: list[str]) -> None:
    """Write it down in the chain itself, where that can still be done."""
    try:
        with transaction.atomic():
            event = Event(Verb.HISTORY_DOUBTED, label=team.name, changes={"record": list(change)})
            record(team.pk, Actor.system(), [event])
    except IntegrityError:
        logger.error("the chain of team %s takes no more events", team.pk)
