"""`manage.py connect_workspace TEAM NAME [--base-url URL] [--key-expires DATE] [--write-key-expires DATE]`"""

import os
from argparse import ArgumentTypeError
from datetime import date
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from issues.management.base import TokDashCommand
from issues.problems import Refusal
from issues.sync.workspaces import connect_workspace


class Command(TokDashCommand):
    help = (
        "Connect a TokPortal account to a team. The key comes from TOKPORTAL_API_KEY or a prompt, a second one for "
        "fixes from TOKPORTAL_WRITE_KEY; both are checked with GET /me, and nothing is saved when that fails."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("team", metavar="TEAM")
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--base-url", default=settings.TOKPORTAL_BASE_URL, metavar="URL")
        parser.add_argument("--key-expires", type=_day, metavar="DATE", help="YYYY-MM-DD; owners are reminded before")
        parser.add_argument("--write-key-expires", type=_day, metavar="DATE", help="the same for the second key")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        team = self.team(options["team"])
        key = self.secret("TOKPORTAL_API_KEY", "TokPortal API key")
        try:
            workspace = connect_workspace(
                team=team,
                name=options["name"],
                base_url=options["base_url"],
                read_key=key,
                write_key=os.environ.get("TOKPORTAL_WRITE_KEY", ""),
                read_key_expires_on=options["key_expires"],
                write_key_expires_on=options["write_key_expires"],
                actor=self.operator(),
            )
        except Refusal as refusal:
            self.fail(refusal.sentence)
        if options["json"]:
            self.print_json(
                {
                    "id": str(workspace.pk),
                    "team": team.name,
                    "name": workspace.name,
                    "base_url": workspace.base_url,
                    "account_email": workspace.account_email,
                    "credits": workspace.credits,
                    "key_fingerprint": workspace.read_key_fingerprint,
                    "key_expires_on": _text(workspace.read_key_expires_on),
                    "write_key_expires_on": _text(workspace.write_key_expires_on),
                }
            )
        else:
            account = workspace.account_email or "TokPortal"
            self.stdout.write(f"“{workspace.name}” is connected to {account} at {workspace.base_url}.")


def _day(text: str) -> date:
    """A day as YYYY-MM-DD."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"“{text}” is not a date like 2027-01-31.") from None


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None
