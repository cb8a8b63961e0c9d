"""`manage.py doctor`: what is wrong with this installation, and what to do."""

from typing import Any

from django.core.management.base import CommandParser

from issues.doctor import Standing, examine
from issues.management.base import FAILED, TokDashCommand

MARKS = {Standing.OK: "ok", Standing.WARNING: "!!", Standing.BAD: "XX"}


class Command(TokDashCommand):
    help = (
        "Look at database, broker, cache, clock, keys, workers, history, sync, e-mail and TokPortal: what is wrong, "
        "and what to do. Exit code 1 where something is bad."
    )
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--offline", action="store_true", help="do not ask TokPortal")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        found = examine(ask_tokportal=not options["offline"])
        is_well = all(finding.standing != Standing.BAD for finding in found)
        if options["json"]:
            self.print_json(
                {
                    "ok": is_well,
                    "parts": [
                        {"part": one.part, "standing": one.standing.value, "seen": one.seen, "advice": one.advice}
                        for one in found
                    ],
                }
            )
        else:
            for one in found:
                self.stdout.write(f"{MARKS[one.standing]}  {one.part:<11} {one.seen}")
                if one.advice and one.standing != Standing.OK:
                    self.stdout.write(f"{'':<16}→ {one.advice}")
        if not is_well:
            raise SystemExit(FAILED)
