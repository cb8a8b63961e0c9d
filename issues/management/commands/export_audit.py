"""`manage.py export_audit TEAM --format csv|jsonl|zip --output FILE`"""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction

from issues.audit import Event, Verb, record
from issues.audit.checkpoints import base_of
from issues.audit.evidence import evidence_of
from issues.audit.export import csv_lines, json_lines
from issues.management.base import TokDashCommand
from issues.models import AuditEvent

WRITERS = {"csv": csv_lines, "jsonl": json_lines}
PACKAGE = "zip"  # the evidence package


class Command(TokDashCommand):
    help = "Write a team's whole history into a file, oldest first. `-` writes to standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("team", metavar="TEAM")
        parser.add_argument("--format", required=True, choices=[*sorted(WRITERS), PACKAGE])
        parser.add_argument("--output", required=True, metavar="FILE")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        team = self.team(options["team"])
        with transaction.atomic():
            changes = {"format": [None, options["format"]]}
            record(team.pk, self.operator(), [Event(Verb.HISTORY_EXPORTED, label=team.name, changes=changes)])
        base = base_of(team.pk)
        events = AuditEvent.objects.filter(team=team, seq__gt=base.seq).order_by("seq")
        count = events.count()
        pieces = (
            evidence_of(team)
            if options["format"] == PACKAGE
            else (line.encode() for line in WRITERS[options["format"]](events.iterator(chunk_size=1000)))
        )
        if options["output"] == "-":
            out = getattr(self.stdout, "buffer", None) or sys.stdout.buffer
            for piece in pieces:
                out.write(piece)
            return
        try:
            with Path(options["output"]).open("wb") as file:
                file.writelines(pieces)
        except OSError as error:
            self.fail(f"Cannot write {options['output']}: {error.strerror}.")
        if options["json"]:
            self.print_json({"events": count, "format": options["format"], "output": options["output"]})
        else:
            self.stdout.write(f"{count} events written to {options['output']}.")
