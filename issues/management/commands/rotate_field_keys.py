"""`manage.py rotate_field_keys [--json]`"""

from typing import Any

from django.core.management.base import CommandParser

from issues.management.base import TokDashCommand
from issues.rotation import rotate_all
from issues.sealed import SealError


class Command(TokDashCommand):
    help = "Seal every stored secret anew with the first key of TOKDASH_FIELD_KEYS; then the others can be taken away."

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            changed, total = rotate_all()
        except SealError as error:
            self.fail(f"{error} Nothing was lost: put the key back, and run this again.")
        if options["json"]:
            self.print_json({"changed": changed, "secrets": total})
        else:
            self.stdout.write(f"{changed} of {total} secrets were sealed anew; all lie under the first key now.")
