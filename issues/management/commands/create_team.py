"""`manage.py create_team NAME --owner EMAIL`"""

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser
from django.core.validators import validate_email

from issues import members
from issues.enums import Role
from issues.management.base import TokDashCommand, member_json
from issues.models import Team, User
from issues.problems import Refusal


def find_or_make_user(command: TokDashCommand, email: str, name: str) -> tuple[User, bool]:
    """The user with this address; a new one gets its password from TOKDASH_PASSWORD or a prompt."""
    try:
        validate_email(email)
    except ValidationError:
        command.wrong_use(f"“{email}” is not an e-mail address.")
    if found := User.objects.filter(email__iexact=email).first():
        return found, False
    password = command.secret("TOKDASH_PASSWORD", f"Password for {email}")
    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        command.wrong_use(" ".join(error.messages))
    return members.get_or_create_user(email=email, name=name, password=password)


class Command(TokDashCommand):
    help = "Create a team with its owner. A new owner's password comes from TOKDASH_PASSWORD or a prompt."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--owner", required=True, metavar="EMAIL")
        parser.add_argument("--owner-name", default="", metavar="NAME", help="the owner's name, where he is new")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        # Before a user is made: a refused team must leave nothing behind.
        if Team.objects.filter(name__iexact=options["name"].strip()).exists():
            self.fail(f"There is already a team named “{options['name']}”.")
        owner, created = find_or_make_user(self, options["owner"], options["owner_name"])
        try:
            team = members.create_team(name=options["name"], owner=owner, actor=self.operator())
        except Refusal as refusal:
            self.fail(refusal.sentence)
        if options["json"]:
            self.print_json(member_json(team, owner, Role.OWNER.value, created=created))
        else:
            self.stdout.write(f"Team “{team}” ({team.slug}) with owner {owner.email}.")
