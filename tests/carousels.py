"""An open issue of a carousel of storage paths, and short ways to see what was sent for it."""

import json
from io import StringIO

from django.core.management import call_command

from issues.sandbox.media import heic
from tests.driving import drive, no_long_waits  # noqa: F401 - a fixture

HX = {"HX-Request": "true", "HX-Target": "fix-panel"}
PATHS = [f"carousel-images/org_x/b/photo-{number}.jpg" for number in range(1, 5)]
URL = "https://cdn.example.com/new.jpg"
PHOTO = heic(700).part(0, 700)


def sent(sandbox) -> list[list[str]]:
    return [entry["body"]["carousel_images"] for entry in sandbox.control.ledger("fix")]


def uploaded(sandbox) -> list[str]:
    return [entry["kind"] for kind in ("presign", "put", "direct") for entry in sandbox.control.ledger(kind)]


def place(issue) -> tuple[str, str]:
    return issue.video.bundle.tokportal_id, str(issue.video.position)


def fix_command(issue, *arguments, code=0):
    """Run `fix` in this process: its JSON and what it says on standard error."""
    out, err = StringIO(), StringIO()
    exit_code = 0
    try:
        call_command("fix", *place(issue), *arguments, "--as", "bob@team.example", "--json", stdout=out, stderr=err)
    except SystemExit as ended:
        exit_code = ended.code
    assert exit_code == code, err.getvalue()
    return json.loads(out.getvalue()), err.getvalue()


def place_pair(issue):
    return issue.video.bundle.tokportal_id, issue.video.position
