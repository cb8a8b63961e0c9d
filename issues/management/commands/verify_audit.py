"""`manage.py verify_audit TEAM [--against FILE] [--json]`"""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from issues.audit.checkpoints import read_outside
from issues.audit.verify import verify_team
from issues.management.base import FAILED, TokDashCommand


class Command(TokDashCommand):
    help = "Check a team's whole history: exit code 1 where an event was changed, removed, inserted or reordered."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("team", metavar="TEAM")
        parser.add_argument("--against", metavar="FILE", help="checkpoints kept elsewhere: lines of an earlier export")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        team = self.team(options["team"])
        kept = []
        if options["against"]:
            try:
                lines = Path(options["against"]).read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError):
                self.wrong_use(f"{options['against']} cannot be read.")
            kept = [outside for outside in read_outside(lines) if outside.team == team.pk]
            if not kept:
                self.wrong_use(f"{options['against']} holds no checkpoint of this team that is signed with our keys.")
        result = verify_team(team, kept=kept)
        if options["json"]:
            # These three keys are what scripts depend on; the reason goes to standard error.
            self.print_json({"ok": result.ok, "events": result.events, "first_bad": result.first_bad})
            if not result.ok:
                self.stderr.write(result.reason)
                raise SystemExit(FAILED)
        elif result.ok:
            signed = f"{result.checkpoints} signed checkpoints"
            self.stdout.write(f"The history holds: {result.events} events, none altered; {signed}.")
        else:
            self.fail(f"The history does not hold from event {result.first_bad} on: {result.reason}")
