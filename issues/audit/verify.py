"""Prove that a team's history is what was written: every event, in order, without a gap, up to the head."""

from dataclasses import dataclass

from issues.audit.chain import GENESIS, canonical_text, chain_hash
from issues.models import AuditEvent, AuditHead, Team


@dataclass(frozen=True, slots=True)
class Verification:
    """`first_bad` is the number of the first event at which the chain does not hold, `None` where it does."""

    ok: bool
    events: int
    first_bad: int | None


def verify_team(team: Team) -> Verification:
    """Walk the whole chain. Finds edits of any column, removals, insertions, reordering, and a cut tail."""
    previous, expected, count = GENESIS, 1, 0
    head = AuditHead.objects.get(team=team)
    events = AuditEvent.objects.filter(team=team, seq__lte=head.seq).order_by("seq")
    for event in events.iterator(chunk_size=2000):
        holds = (
            event.seq == expected
            and event.previous_hash == previous
            and event.canonical == canonical_text(event)
            and event.hash == chain_hash(previous, event.canonical)
        )
        if not holds:
            return Verification(False, count, min(event.seq, expected))
        previous, expected, count = event.hash, expected + 1, count + 1
    if head.seq != count or head.hash != previous:
        return Verification(False, count, expected)
    beyond = AuditEvent.objects.filter(team=team, seq__gt=head.seq).order_by("seq").first()
    # An event behind the head is either one that was appended since we read it (then the head has moved), or forged.
    if beyond is not None and AuditHead.objects.get(team=team).seq < beyond.seq:
        return Verification(False, count, beyond.seq)
    return Verification(True, count, None)
