"""Prove that a team's history is what was written: every event, in order, up to the head, and as it was signed."""

from collections.abc import Iterable
from dataclasses import dataclass

from issues.audit.checkpoints import Outside, Place, base_of, fault_of, logged
from issues.audit.personal import digest_of
from issues.audit.walk import Walk, walk
from issues.models import AuditCheckpoint, AuditEvent, AuditHead, PersonalValue, Team


@dataclass(frozen=True, slots=True)
class Verification:
    """`first_bad` is the number of the first event at which the record does not hold, `None` where it does."""

    ok: bool
    events: int
    first_bad: int | None
    reason: str = ""
    checkpoints: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """The first event that does not hold, and why."""

    seq: int
    reason: str


def verify_team(team: Team, *, kept: Iterable[Outside] = ()) -> Verification:
    """Walk the whole chain. Finds edits of any column, removals, insertions, reordering, a cut tail and a rewrite.

    `kept` are checkpoints that somebody kept elsewhere (an earlier export); those of TOKDASH_CHECKPOINT_LOG count too.
    """
    outside = list(kept)
    while True:
        base = base_of(team.pk)
        found = _verify(team, base, outside)
        # Old events may be let go of meanwhile, behind a new cut: then what was found says nothing.
        if found.ok or base_of(team.pk) == base:
            return found


def _verify(team: Team, base: Place, kept: list[Outside]) -> Verification:
    head = AuditHead.objects.get(team=team)
    found = walk(team.pk, base, head.seq)
    checkpoints = AuditCheckpoint.objects.filter(team=team).count()
    findings = [
        *_of_the_walk(found),
        *_of_the_head(found, head),
        *people_findings(team.pk, found.digests),
        *findings_beside(team, base, kept),
    ]
    if not findings:
        return Verification(True, found.events, None, "", checkpoints)
    first = min(findings, key=lambda finding: finding.seq)
    return Verification(False, found.events, first.seq, first.reason, checkpoints)


def _of_the_walk(found: Walk) -> list[Finding]:
    return [Finding(found.first_bad, found.reason)] if found.first_bad is not None else []


def _of_the_head(found: Walk, head: AuditHead) -> list[Finding]:
    """The head must be the last event that there is."""
    if found.first_bad is None and found.place != Place(head.seq, head.hash):
        return [Finding(found.place.seq + 1, "The end of the record is missing, or its head was altered.")]
    return []


def findings_beside(team: Team, base: Place, kept: Iterable[Outside] = ()) -> list[Finding]:
    """What a walk does not see: events behind the end, checkpoints, and copies of them kept elsewhere.

    The end is read after what is compared with it: it only grows, so a late checkpoint is never taken for a cut end.
    """
    outside = [*kept, *logged(team.pk)]
    rows = list(AuditCheckpoint.objects.filter(team=team).order_by("number"))
    last = AuditEvent.objects.filter(team=team).order_by("-seq").values_list("seq", flat=True).first() or 0
    head = AuditHead.objects.get(team=team)
    findings = [] if last <= head.seq else [_behind_the_end(team.pk, head)]
    return [*findings, *_of_checkpoints(rows, base, head), *_of_kept(team.pk, base, head, outside)]


def _behind_the_end(team_id: int, head: AuditHead) -> Finding:
    beyond = AuditEvent.objects.filter(team=team_id, seq__gt=head.seq).order_by("seq").values_list("seq", flat=True)
    return Finding(beyond[0], "It stands behind the record's end.")


def people_findings(team_id: int, digests: dict[str, int]) -> list[Finding]:
    """Values beside the chain must be those of the digests in it (digest → first event with it), or erased."""
    found, known = [], set()
    values = PersonalValue.objects.filter(team=team_id)
    for digest, salt, value, erased_at in values.values_list("digest", "salt", "value", "erased_at").iterator():
        known.add(digest)
        if digest in digests and erased_at is None and digest_of(salt, value) != digest:
            found.append(Finding(digests[digest], "A name or value that it shows was altered."))
    missing = (
        Finding(seq, "A name or value of it was removed.") for digest, seq in digests.items() if digest not in known
    )
    return [*found, *missing]


def _of_checkpoints(rows: list[AuditCheckpoint], base: Place, head: AuditHead) -> list[Finding]:
    """Each must be signed, follow its former one, and say what the chain says."""
    if not rows:
        return [Finding(base.seq + 1, "The chain has no signed checkpoint.")] if head.seq else []
    former = None
    for number, row in enumerate(rows):
        fault = fault_of(row, former, first=number == 0)
        if fault:
            return [Finding(former.seq + 1 if former else base.seq + 1, fault)]
        former = row
    hashes = _hashes_at(head.team_id, {row.seq for row in rows if row.seq > base.seq})
    return [
        finding
        for row in rows
        for finding in _against(row.number, row.seq, row.event_hash, base, head, hashes)
    ]  # fmt: skip


def _of_kept(team_id: int, base: Place, head: AuditHead, kept: list[Outside]) -> list[Finding]:
    """What was kept elsewhere must be found here, too."""
    hashes = _hashes_at(team_id, {outside.seq for outside in kept if outside.seq > base.seq})
    return [
        finding
        for outside in kept
        for finding in _against(outside.number, outside.seq, outside.hash, base, head, hashes)
    ]


def _against(number: int, seq: int, said: str, base: Place, head: AuditHead, hashes: dict[int, str]) -> list[Finding]:
    """What a checkpoint says, against the chain. Places before the base cannot be compared any more."""
    if seq > head.seq:
        return [Finding(head.seq + 1, f"Checkpoint {number} knows events up to {seq}: the end was cut off.")]
    if seq < base.seq or seq == 0:
        return []
    here = base.hash if seq == base.seq else hashes.get(seq)
    return [] if here == said else [Finding(seq, f"It is not what checkpoint {number} has signed.")]


def _hashes_at(team_id: int, numbers: set[int]) -> dict[int, str]:
    wanted = sorted(numbers)
    found: dict[int, str] = {}
    for start in range(0, len(wanted), 500):
        events = AuditEvent.objects.filter(team=team_id, seq__in=wanted[start : start + 500])
        found.update(events.values_list("seq", "hash"))
    return found
