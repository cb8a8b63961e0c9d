"""`manage.py add_member TEAM EMAIL --role ROLE`"""

from typing import Any

from django.core.management.base import CommandParser

from issues import members
from issues.enums import Role
from issues.management.base import TokDashCommand, member_json
from issues.management.commands.create_team import find_or_make_user
from issues.models import Membership
from issues.problems import Refusal


class Command(TokDashCommand):
    help = "Add a person to a team. A new person's password comes from TOKDASH_PASSWORD or a prompt."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("team", metavar="TEAM")
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--name", default="", help="the person's name, where he is new")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        team = self.team(options["team"])
        if Membership.objects.filter(team=team, user__email__iexact=options["email"]).exists():
            self.fail(f"{options['email']} is already in this team.")
        user, created = find_or_make_user(self, options["email"], options["name"])
        try:
            members.add_member(team=team, user=user, role=Role(options["role"]), actor=self.operator())
        except Refusal as refusal:
            self.fail(refusal.sentence)
        if options["json"]:
            self.print_json(member_json(team, user, options["role"], created=created))
        else:
            self.stdout.write(f"{user.email} is {options['role']} of “{team}”.")
