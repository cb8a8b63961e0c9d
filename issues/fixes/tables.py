"""A pasted table or CSV of replacements: `bundle_id, position, url` or `external_ref, url`, a header in any order."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from issues.link_checks.masking import shown_url
from issues.problems import Refusal

MAX_LINES = 1000
MAX_CHARACTERS = 1_000_000
_NAMES = {
    "bundle_id": "bundle_id", "bundle": "bundle_id", "bundle id": "bundle_id",
    "position": "position", "pos": "position", "slot": "position", "#": "position",
    "external_ref": "external_ref", "reference": "external_ref", "ref": "external_ref", "external ref": "external_ref",
    "url": "url", "link": "url", "video_url": "url", "new_url": "url",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableLine:
    """A line as it was read. `problem` is a sentence where it cannot be understood."""

    number: int
    bundle_id: str = ""
    position: int = 0
    external_ref: str = ""
    links: tuple[str, ...] = ()
    problem: str = ""

    @property
    def label(self) -> str:
        place = self.external_ref or f"{self.bundle_id} #{self.position}"
        return (
            _("Line {number}: {place}").format(number=self.number, place=place)
            if place.strip(" #0")
            else _("Line {number}").format(number=self.number)
        )


def read_table(text: str) -> list[TableLine]:
    """The lines of a table. Commas, semicolons or tabs; a header or not; several links of a carousel in one cell,
    divided by spaces or line ends, or in further cells.

    Raises Refusal where it is no such table at all.
    """
    text = text.lstrip("\ufeff")
    if len(text) > MAX_CHARACTERS:
        raise Refusal(_("The table is too large."), code="TABLE_TOO_LARGE")
    rows = [
        row for row in csv.reader(io.StringIO(text), delimiter=_delimiter(text)) if any(cell.strip() for cell in row)
    ]
    if not rows:
        raise Refusal(_("The table is empty."), code="TABLE_EMPTY")
    header = [_NAMES.get(cell.strip().lower(), "") for cell in rows[0]]
    has_header = "url" in header
    if has_header:
        rows = rows[1:]
        if not ({"bundle_id", "position"} <= set(header) or "external_ref" in header):
            raise Refusal(
                _("The table needs bundle_id and position, or external_ref, beside url."), code="TABLE_COLUMNS"
            )
    if len(rows) > MAX_LINES:
        raise Refusal(_("A table has at most {most} lines.").format(most=MAX_LINES), code="TABLE_TOO_LARGE")
    first = 2 if has_header else 1
    return [_line(number, row, header if has_header else None) for number, row in enumerate(rows, first)]


def _delimiter(text: str) -> str:
    """The one that divides the first line; never one that only stands in a link."""
    start = next((line for line in text.splitlines() if line.strip()), "").split("://")[0]
    return max("\t;,", key=lambda mark: (start.count(mark), mark == ","))


def _line(number: int, row: Sequence[str], header: Sequence[str] | None) -> TableLine:
    cells = [cell.strip() for cell in row]
    if header is None:
        # Without a header: a link in the second column means that the first is a reference.
        is_short = len(cells) > 1 and "://" in cells[1]
        header = ["external_ref", "url"] if is_short else ["bundle_id", "position", "url"]
    named = dict(zip(header, cells, strict=False))
    spare = cells[len(header) :]  # further links of a carousel
    links = tuple(link for cell in [named.get("url", ""), *spare] for link in cell.split() if link)
    position = named.get("position", "")
    problem = ""
    if not links:
        problem = _("There is no link in this line.")
    elif not named.get("external_ref") and not named.get("bundle_id"):
        problem = _("It says neither a bundle nor a reference.")
    elif not named.get("external_ref") and not (position.isdecimal() and 1 <= int(position) <= 100_000):
        problem = (
            _("“{value}” is not a position.").format(value=shown_url(position)[:40])
            if position
            else _("The position is missing.")
        )
    return TableLine(
        number,
        named.get("bundle_id", "")[:128],
        int(position) if position.isdecimal() and len(position) < 7 else 0,
        named.get("external_ref", "")[:255],
        links,
        problem,
    )
