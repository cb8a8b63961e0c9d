"""The evidence package: the whole record with all that an auditor needs to check it without us, as a streamed ZIP."""

import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.utils import timezone

from issues.audit.chain import moment_text
from issues.audit.checkpoints import as_json, base_of, last_checkpoint
from issues.audit.export import json_lines
from issues.audit.signing import signing_keys
from issues.audit.verify import Finding
from issues.audit.watch import seal
from issues.models import AuditCheckpoint, AuditEvent, AuditHead, PersonalValue, Team

FLUSH_BYTES = 64 * 1024

README = """The history of the team “{team}”, exported from TokDash.

To check it, on any machine with Python 3.9 or later (and, for the signatures, the package cryptography):

    python3 verify.py evidence.zip --key PUBLICKEY

with the public key from TokDash's history page. How it is made stands at the head of verify.py.

events.jsonl       every event that is kept, oldest first: readable, and the text that was hashed
checkpoints.jsonl  the signed checkpoints
people.jsonl       names and other values that belong to people; erased ones are empty
about.json         team, time of the export, first and last event, public keys
verify.py          the program
"""


class _Sink(io.RawIOBase):
    """A file that is only written to, and emptied by whoever streams it."""

    def __init__(self) -> None:
        self.buffer = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.buffer += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self.buffer)
        self.buffer.clear()
        return taken


def evidence_of(team: Team) -> Iterator[bytes]:
    """The package in pieces; memory does not grow with the number of events. The end is verified and signed first."""
    sealed = seal(team.pk)
    base = base_of(team.pk)
    head = AuditHead.objects.get(team=team)  # after the checkpoints: those never know more than it
    events = AuditEvent.objects.filter(team=team, seq__gt=base.seq, seq__lte=head.seq).order_by("seq")
    # All that there were before the first event is read: one that a cut end contradicts must be among them.
    last = last_checkpoint(team.pk)
    checkpoints = AuditCheckpoint.objects.filter(team=team, number__lte=last.number if last else 0).order_by("number")
    people = PersonalValue.objects.filter(team=team).order_by("pk")
    about = {
        "team": team.name,
        "team_id": team.pk,
        "exported_at": moment_text(timezone.now()),
        "base": {"seq": base.seq, "hash": base.hash},
        "head": {"seq": head.seq, "hash": head.hash},
        "public_keys": [key.public_hex for key in signing_keys()],
        "doubt": {"seq": sealed.seq, "reason": sealed.reason} if isinstance(sealed, Finding) else None,
    }
    program = Path(__file__).with_name("standalone.py").read_text(encoding="utf-8")
    parts: list[tuple[str, Iterable[str]]] = [
        ("README.txt", [README.format(team=team.name)]),
        ("verify.py", [program]),
        ("about.json", [json.dumps(about, ensure_ascii=False) + "\n"]),
        ("events.jsonl", json_lines(events.iterator(chunk_size=1000), as_recorded=True)),
        # After the events: what they say of people was written before them.
        ("people.jsonl", (_person(row) for row in people.iterator(chunk_size=1000))),
        ("checkpoints.jsonl", (json.dumps(as_json(row)) + "\n" for row in checkpoints.iterator(chunk_size=1000))),
    ]
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as package:
        for name, lines in parts:
            with package.open(name, "w", force_zip64=True) as file:
                for line in lines:
                    file.write(line.encode())
                    if len(sink.buffer) >= FLUSH_BYTES:
                        yield sink.take()
    yield sink.take()


def _person(row: PersonalValue) -> str:
    if row.erased_at:
        return json.dumps({"digest": row.digest, "erased": moment_text(row.erased_at)}) + "\n"
    return json.dumps({"digest": row.digest, "salt": row.salt, "value": row.value}, ensure_ascii=False) + "\n"
