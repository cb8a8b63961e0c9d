"""Signed checkpoints: where a chain stood, said with a key that is not in the database.

The first one is written with the team itself, and each names the one before it: so a chain that was rewritten from the
start has none, and none is made for it. Only what was verified is signed.
"""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from issues.audit.chain import GENESIS, moment_text
from issues.audit.signing import key_named, signing_keys
from issues.enums import CheckpointKind
from issues.models import AuditCheckpoint, AuditHead

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """A number of the chain and the hash there. Number 0 is the beginning."""

    seq: int = 0
    hash: str = GENESIS


def first_checkpoint(team_id: int) -> None:
    """Seal a chain that has just begun, in the transaction that began it (or by an operator, for an older chain)."""
    head = AuditHead.objects.get(team_id=team_id)
    _sign(team_id, None, CheckpointKind.SEAL, Place(head.seq, head.hash))


def last_checkpoint(team_id: int) -> AuditCheckpoint | None:
    return AuditCheckpoint.objects.filter(team_id=team_id).order_by("-number").first()


def base_of(team_id: int) -> Place:
    """Where the chain that is kept begins: behind the last cut, else at the beginning."""
    cuts = AuditCheckpoint.objects.filter(team_id=team_id, kind=CheckpointKind.CUT)
    cut = cuts.order_by("-seq").first()
    return Place(cut.seq, cut.event_hash) if cut else Place()


def add_checkpoint(former: AuditCheckpoint, place: Place, kind: CheckpointKind = CheckpointKind.SEAL) -> bool:
    """Sign a place behind the former checkpoint, up to which the chain was verified; false where another was faster."""
    try:
        with transaction.atomic():
            _sign(former.team_id, former, kind, place)
    except IntegrityError:
        return False
    return True


def _sign(team_id: int, former: AuditCheckpoint | None, kind: CheckpointKind, place: Place) -> None:
    key, at = signing_keys()[0], timezone.now()
    number = former.number + 1 if former else 1
    row = AuditCheckpoint(
        team_id=team_id, number=number, kind=kind.value, seq=place.seq, event_hash=place.hash, at=at, key_id=key.key_id
    )
    row.text = checkpoint_text(row, text_digest(former.text) if former else GENESIS)
    row.signature = key.sign(row.text)
    row.save(force_insert=True)
    transaction.on_commit(lambda: _tell_the_log(row))


def checkpoint_text(row: AuditCheckpoint, previous: str) -> str:
    """What is signed: JSON with sorted keys, without spaces; `previous` is the SHA-256 of the former one's text."""
    return json.dumps(
        {
            "tokdash": "checkpoint 1",
            "team": row.team_id,
            "number": row.number,
            "kind": row.kind,
            "seq": row.seq,
            "hash": row.event_hash,
            "at": moment_text(row.at),
            "key": row.key_id,
            "previous": previous,
        },
        sort_keys=True,
        separators=(",", ":"),
    )


def text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def fault_of(row: AuditCheckpoint, former: AuditCheckpoint | None, *, first: bool) -> str:
    """What is wrong with a checkpoint, in one sentence; empty where nothing is. `former` is the one before it."""
    key = key_named(row.key_id)
    if key is None:
        return f"Checkpoint {row.number} is signed with a key that is not ours (“{row.key_id}”)."
    previous = json.loads(row.text).get("previous") if key.has_signed(row.text, row.signature) else None
    if previous is None or checkpoint_text(row, previous) != row.text:
        return f"Checkpoint {row.number} was altered."
    if first:
        return "" if row.number == 1 and previous == GENESIS else "The first checkpoints are missing."
    if former is None or row.number != former.number + 1 or previous != text_digest(former.text):
        return f"A checkpoint before number {row.number} is missing."
    return "" if row.seq >= former.seq or row.kind == CheckpointKind.CUT else f"Checkpoint {row.number} goes backwards."


def as_json(row: AuditCheckpoint) -> dict[str, str]:
    """A checkpoint for whoever keeps it elsewhere."""
    return {"text": row.text, "signature": row.signature}


# --- The copy outside of the database -----------------------------------------------------------------------


def _tell_the_log(row: AuditCheckpoint) -> None:
    """Into TOKDASH_CHECKPOINT_LOG, a line each: best on a disk that whoever rules the database cannot write."""
    if not settings.TOKDASH_CHECKPOINT_LOG:
        return
    line = json.dumps(as_json(row)) + "\n"
    try:
        with Path(settings.TOKDASH_CHECKPOINT_LOG).open("a", encoding="utf-8") as file:
            file.write(line)
    except OSError as error:
        logger.error("TOKDASH_CHECKPOINT_LOG cannot be written: %s", error.strerror)


@dataclass(frozen=True, slots=True)
class Outside:
    """A checkpoint as somebody kept it outside of the database, with its signature checked."""

    team: int
    number: int
    seq: int
    hash: str
    at: str


def read_outside(lines: list[str]) -> list[Outside]:
    """Checkpoints from lines of JSON (`text`, `signature`); lines that we have not signed are left out."""
    found = []
    for line in lines:
        try:
            entry = json.loads(line)
            fields = json.loads(entry["text"])
            key = key_named(fields["key"])
            if key and key.has_signed(entry["text"], entry["signature"]):
                outside = Outside(fields["team"], fields["number"], fields["seq"], fields["hash"], fields["at"])
                found.append(outside)
        except (ValueError, KeyError, TypeError):
            continue
    return found


def logged(team_id: int) -> list[Outside]:
    """What TOKDASH_CHECKPOINT_LOG holds of the team; nothing where it is not set."""
    if not settings.TOKDASH_CHECKPOINT_LOG:
        return []
    try:
        lines = Path(settings.TOKDASH_CHECKPOINT_LOG).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        logger.error("TOKDASH_CHECKPOINT_LOG cannot be read: %s", error.strerror)
        return []
    return [outside for outside in read_outside(lines) if outside.team == team_id]
