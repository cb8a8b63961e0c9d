"""`manage.py check_link URL ... [--json]`: what a link checker on this server sees."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core.management.base import CommandParser

from issues.link_checks.checker import Report, check_link
from issues.link_checks.paste import clean
from issues.management.base import TokDashCommand

AT_A_TIME = 16


class Command(TokDashCommand):
    help = (
        "Check links as the dashboard does, and say why they fail. Nothing is stored; a link takes at most 15 seconds. "
        "Exit code 0 once all were checked, even if they fail."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("urls", metavar="URL", nargs="+", help="a link, or - to read lines from standard input")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            pending: list[tuple[str, Any]] = []
            try:
                for url in self._links(options["urls"]):
                    pending.append((url, pool.submit(check_link, clean(url))))
                    # Answers leave in order, and no more are held than are looked at.
                    while len(pending) > AT_A_TIME * 4 or (pending and pending[0][1].done()):
                        self._say(*pending.pop(0), options)
                while pending:
                    self._say(*pending.pop(0), options)
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                self.fail("Interrupted.")

    def _links(self, arguments: list[str]) -> Iterator[str]:
        for argument in arguments:
            if argument == "-":
                yield from (line.strip() for line in sys.stdin if line.strip())
            else:
                yield argument

    def _say(self, url: str, looked: Any, options: dict[str, Any]) -> None:
        report: Report = looked.result()
        verdict = report.verdict
        message = f"{verdict.sentence} {verdict.advice}"
        cleaned = clean(url)
        suggestion = verdict.repaired or (cleaned if cleaned != url and not verdict.is_bad else "")
        if options["json"]:
            self.print_json(
                {
                    "url": url,
                    "verdict": verdict.code,
                    "class": verdict.cls.value,
                    "message": message,
                    "suggestion": suggestion or None,
                }
            )
        else:
            self.stdout.write(f"{verdict.cls.label}: {message} [{verdict.code}]\n  {url}")
            if suggestion:
                self.stdout.write(f"  → {suggestion}")
        self.stdout.flush()
