"""`manage.py erase_person EMAIL [--json]`"""

from typing import Any

from django.core.management.base import CommandParser

from issues.erasing import erase_account
from issues.management.base import TokDashCommand
from issues.problems import Refusal


class Command(TokDashCommand):
    help = "Erase somebody who is in no team any more: the account, and the personal data in every team's history."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", metavar="EMAIL")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        user = self.user(options["email"])
        try:
            gone = erase_account(user=user, actor=self.operator())
        except Refusal as refusal:
            self.fail(refusal.sentence)
        if options["json"]:
            self.print_json({"erased_values": gone})
        else:
            self.stdout.write(f"The account and {gone} values in histories are erased.")
