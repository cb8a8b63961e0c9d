"""What our commands share: exit codes, JSON, finding teams and people, secrets that are never arguments.

Exit codes: 0 done, 1 failed, 2 wrong use. With `--json` exactly one JSON value goes to standard output.
"""

import getpass
import json
import os
import sys
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

from issues.audit import Actor
from issues.enums import Origin
from issues.models import Membership, Team, User

FAILED, WRONG_USE = 1, 2


class TokDashCommand(BaseCommand):
    """Base of our commands."""

    def add_json(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON value")

    def print_json(self, value: object) -> None:
        self.stdout.write(json.dumps(value, ensure_ascii=False, default=str))

    def wrong_use(self, sentence: str) -> NoReturn:
        raise CommandError(sentence, returncode=WRONG_USE)

    def fail(self, sentence: str) -> NoReturn:
        raise CommandError(sentence, returncode=FAILED)

    def team(self, name: str) -> Team:
        """The team with this name or slug."""
        found = Team.objects.filter(slug=name).first() or Team.objects.filter(name__iexact=name).first()
        return found or self.wrong_use(f"There is no team named “{name}”.")

    def teams(self, name: str | None) -> list[Team]:
        """The named team, or all."""
        return [self.team(name)] if name else list(Team.objects.order_by("pk"))

    def user(self, email: str) -> User:
        found = User.objects.filter(email__iexact=email.strip()).first()
        return found or self.wrong_use(f"There is no user {email}.")

    def membership(self, team: Team, user: User) -> Membership:
        found = Membership.objects.filter(team=team, user=user).select_related("team", "user").first()
        return found or self.wrong_use(f"{user.email} is not in the team “{team}”.")

    def secret(self, variable: str, question: str) -> str:
        """A secret from the environment, or asked for on the terminal. Never from an argument."""
        value = os.environ.get(variable, "")
        if value:
            return value
        if not sys.stdin.isatty():
            self.wrong_use(f"Set {variable} in the environment: there is no terminal to ask on.")
        return getpass.getpass(f"{question}: ")

    def operator(self) -> Actor:
        """Whoever runs the command without naming a member."""
        return Actor(name="Operator (command line)", origin=Origin.COMMAND)


def member_json(team: Team, user: User, role: str, *, created: bool) -> dict[str, Any]:
    return {"team": team.name, "slug": team.slug, "email": user.email, "role": role, "user_created": created}
