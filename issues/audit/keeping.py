"""How long a team keeps its history: what is older goes, behind a signed cut from which the rest still verifies."""

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from issues.audit.actors import Actor
from issues.audit.chain import Changes, Event, record
from issues.audit.checkpoints import Place, add_checkpoint, base_of, last_checkpoint
from issues.audit.verbs import Verb
from issues.audit.walk import walk
from issues.enums import CheckpointKind
from issues.models import AuditCheckpoint, AuditEvent, AuditHead, PersonalValue, Team

logger = logging.getLogger(__name__)

CUT_EVERY = timedelta(days=1)
BATCH = 2000


def keep_all() -> int:
    """One round over the teams that let go of old events; returns how many events went."""
    return sum(keep_team(team) for team in Team.objects.exclude(history_days=None).order_by("pk"))


def keep_team(team: Team) -> int:
    """Cut what is older than the team keeps, at most once a day, and delete what lies behind the last cut.

    A round that died in between is finished by the next one. A chain that does not hold is not cut.
    """
    if team.history_days is not None:
        _cut(team, timezone.now() - timedelta(days=team.history_days))
    base = base_of(team.pk)
    gone = 0
    while True:
        keys = list(AuditEvent.objects.filter(team=team, seq__lte=base.seq).values_list("pk", flat=True)[:BATCH])
        if not keys:
            break
        gone += AuditEvent.objects.filter(pk__in=keys).delete()[0]  # the triggers let it, behind a cut
    if gone:
        _forget_people(team)
    return gone


def _cut(team: Team, before: datetime) -> None:
    base, last = base_of(team.pk), last_checkpoint(team.pk)
    former = AuditCheckpoint.objects.filter(team=team, kind=CheckpointKind.CUT).order_by("-number").first()
    if last is None or (former and timezone.now() - former.at < CUT_EVERY):
        return
    old = AuditEvent.objects.filter(team=team, seq__gt=base.seq, at__lt=before).order_by("-at", "-seq")
    newest = old.values_list("seq", flat=True).first()
    if newest is None:
        return
    found = walk(team.pk, base, newest)
    if found.first_bad is not None or found.place.seq != newest:
        logger.error("history of team %s does not hold: nothing is cut", team.pk)
        return
    with transaction.atomic():
        if not add_checkpoint(last, found.place, CheckpointKind.CUT):
            return  # another worker was faster; the next round looks again
        changes: Changes = {"first_kept": [base.seq + 1, newest + 1], "days": [None, team.history_days]}
        record(team.pk, Actor.system(), [Event(Verb.HISTORY_CUT, label=team.name, changes=changes)])


def _forget_people(team: Team) -> None:
    """Values that no event speaks of any more go with the events.

    Their rows stay, empty: an event that is being written just now may speak of one, and must not look forged for it.
    """
    begun = timezone.now()
    head, base = AuditHead.objects.get(team=team), base_of(team.pk)
    found = walk(team.pk, base, head.seq)
    if found.place != Place(head.seq, head.hash):
        return
    rows = PersonalValue.objects.filter(team=team, erased_at=None, created_at__lt=begun - timedelta(hours=1))
    idle = [pk for pk, digest in rows.values_list("pk", "digest") if digest not in found.digests]
    PersonalValue.objects.filter(pk__in=idle).update(value="", salt="", erased_at=begun)
