"""`manage.py seal_audit TEAM [--adopt] [--json]`"""

from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction

from issues.audit import Event, Verb, record
from issues.audit.checkpoints import as_json, first_checkpoint, last_checkpoint
from issues.audit.verify import Finding
from issues.audit.watch import seal
from issues.management.base import TokDashCommand


class Command(TokDashCommand):
    help = "Verify what came since the last checkpoint, sign it, and print the checkpoint to be kept elsewhere."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("team", metavar="TEAM")
        parser.add_argument(
            "--adopt", action="store_true", help="sign the first checkpoint of a chain from before there were any"
        )
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        team = self.team(options["team"])
        if options["adopt"]:
            if last_checkpoint(team.pk) is not None:
                self.fail("This chain has checkpoints already.")
            with transaction.atomic():
                record(team.pk, self.operator(), [Event(Verb.HISTORY_ADOPTED, label=team.name)])
                first_checkpoint(team.pk)
        found = seal(team.pk)
        if found is None or isinstance(found, Finding):
            reason = found.reason if found else "It has no events."
            hint = "" if options["adopt"] else " (A chain from before there were checkpoints: --adopt.)"
            self.fail(f"Nothing was signed: {reason}{hint if last_checkpoint(team.pk) is None else ''}")
        if options["json"]:
            self.print_json({"number": found.number, "seq": found.seq, "hash": found.event_hash, **as_json(found)})
        else:
            self.stdout.write(f"Signed up to event {found.seq}: {found.event_hash}")
