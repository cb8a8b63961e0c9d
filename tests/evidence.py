"""What tests of the evidence share: SQL past the product, packages, the auditor's program in a process of its own."""

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path

from django.db import connection

from issues.audit import chain
from issues.audit.evidence import evidence_of
from issues.models import AuditCheckpoint, AuditEvent, AuditHead, PersonalValue

guards = importlib.import_module("issues.migrations.0006_guarded_evidence")
EVENTS, HEADS, CHECKPOINTS = (model._meta.db_table for model in (AuditEvent, AuditHead, AuditCheckpoint))
PEOPLE = PersonalValue._meta.db_table
PROGRAM = Path(chain.__file__).with_name("standalone.py")


def run(*statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def package_of(team, folder):
    path = folder / "evidence.zip"
    path.write_bytes(b"".join(evidence_of(team)))
    return path


def alone(path, *arguments):
    """The verifier of the package, in a Python process that cannot see the project."""
    with zipfile.ZipFile(path) as package:
        program = path.with_name("verify.py")
        program.write_bytes(package.read("verify.py"))
    done = subprocess.run(
        [sys.executable, "-I", str(program), str(path), "--json", *arguments],
        capture_output=True,
        text=True,
        cwd=path.parent,
    )
    return done.returncode, json.loads(done.stdout)


def rewrite_all(team, upto=None):
    """Forge a whole chain from event 5 on, with right hashes and a right head."""
    previous = AuditEvent.objects.get(team=team, seq=4).hash
    last = None
    for event in AuditEvent.objects.filter(team=team, seq__gt=4).order_by("seq"):
        changes = json.loads(event.canonical)["changes"]
        event.label = f"forged {event.seq}" if not event.label_digest else event.label
        event.words = chain.search_words(
            verb=event.verb,
            actor_digest=event.actor_digest,
            label=event.label,
            label_digest=event.label_digest,
            bundle_id=event.bundle_id,
            changes=changes,
        )
        event.previous_hash = previous
        event.canonical = chain.canonical_text(event, changes)
        event.hash = previous = chain.chain_hash(previous, event.canonical)
        event.save()
        last = event
    AuditHead.objects.filter(team=team).update(seq=last.seq, hash=last.hash)
