"""`manage.py verify_audit TEAM [--json]`"""

from typing import Any

from django.core.management.base import CommandParser

from issues.audit.verify import verify_team
from issues.management.base import FAILED, TokDashCommand


class Command(TokDashCommand):
    help = "Check a team's whole history: exit code 1 where an event was changed, removed, inserted or reordered."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("team", metavar="TEAM")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        result = verify_team(self.team(options["team"]))
        if options["json"]:
            self.print_json({"ok": result.ok, "events": result.events, "first_bad": result.first_bad})
            if not result.ok:
                raise SystemExit(FAILED)
        elif result.ok:
            self.stdout.write(f"The history holds: {result.events} events, none altered.")
        else:
            self.fail(f"The history does not hold from event {result.first_bad} on ({result.events} before it do).")
