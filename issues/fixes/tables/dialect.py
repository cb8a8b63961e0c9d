"""What divides the cells of a text: found by what it makes of all lines, never by the first line alone."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from issues.fixes.tables.columns import is_header
from issues.fixes.tables.links import LINK, holds_link, starts_with_link, tidy
from issues.fixes.tables.model import MAX_CELL, MAX_COLUMNS, MAX_LINES, Grid, Row
from issues.fixes.tables.records import is_ruler, lines_of, read_records
from issues.problems import Refusal

_DELIMITERS = ("\t", ";", ",", "|")  # of two that are equally good, the first
_SEP = re.compile(r'\s*"?sep=(.)"?[\s;,]*\Z', re.I)
_BOXES = str.maketrans("│┃║", "|||")
_GLUED = re.compile(rf"[^\s,;|]\s*[,;|\t]\s*[\"'<]?{LINK}", re.I)
_SCORED_LINES = 400
_MOST_LINES = 20 * MAX_LINES  # of text: a quoted cell may take several


@dataclass(frozen=True, slots=True)
class _Score:
    clean: int  # rows of a link and other cells, with nothing glued together
    is_headed: bool
    wide: int  # rows of more than one cell


def read_text(text: str, notes: Sequence[str] = ()) -> Grid:
    """The rows of a pasted text or CSV file."""
    lines = lines_of(text)
    if sum(map(bool, lines)) > _MOST_LINES:
        raise Refusal(_("A table has at most {most} lines.").format(most=MAX_LINES), code="TABLE_TOO_LARGE")
    first = 1
    named = None
    for index, line in enumerate(lines):
        if line.strip():
            named = _SEP.match(line)
            if named:
                first, lines = index + 2, lines[index + 1 :]
            break
    delimiter = named[1] if named and _is_usable(named[1], lines) else best_delimiter(lines)
    if delimiter == "|":
        lines = [line.translate(_BOXES) for line in lines]
    rows = read_records(lines, delimiter, first)
    for row in rows:
        _refuse_huge(row)
    if delimiter != " ":
        return Grid(rows, notes, is_exact=delimiter == "\t")
    spaced = [_by_spaces(row) for row in rows]
    note = _("The columns were told apart by spaces.")
    return Grid(spaced, [*notes, note])


def _refuse_huge(row: Row) -> None:
    if len(row.cells) > MAX_COLUMNS:
        sentence = _("Line {number} has more than {most} columns.").format(number=row.number, most=MAX_COLUMNS)
        raise Refusal(sentence, code="TABLE_TOO_LARGE")
    if any(len(cell) > MAX_CELL for cell in row.cells):
        sentence = _("A cell in line {number} is too long.").format(number=row.number)
        raise Refusal(sentence, code="TABLE_TOO_LARGE")


def _is_usable(mark: str, lines: Sequence[str]) -> bool:
    return not mark.isalnum() and mark not in "\"' " and any(mark in line for line in lines)


def best_delimiter(lines: Sequence[str]) -> str:
    """The delimiter under which most rows are a link and other cells."""
    filled = [line for line in lines if line.strip() and not is_ruler(line)][:_SCORED_LINES]
    if any("│" in line or "┃" in line for line in filled[:5]):
        filled = [line.translate(_BOXES) for line in filled]
    used = [mark for mark in _DELIMITERS if any(mark in line for line in filled)]
    scores = {mark: _score(filled, mark) for mark in used}
    if not any(score.clean for score in scores.values()) and any(map(holds_link, filled)):
        # “b-1 1 https://…”, or a table with a header but no links.
        headed = [mark for mark in used if scores[mark].is_headed]
        return headed[0] if headed else " "
    rank = {mark: -index for index, mark in enumerate(_DELIMITERS)}
    return max(
        used, key=lambda mark: (scores[mark].clean, scores[mark].is_headed, scores[mark].wide, rank[mark]), default=","
    )


def _score(lines: Sequence[str], delimiter: str) -> _Score:
    rows = read_records(lines, delimiter)
    return _Score(
        clean=sum(map(_is_clean, rows)),
        is_headed=any(is_header(row) and len(row.cells) > 1 for row in rows[:10]),
        wide=sum(len(row.cells) > 1 for row in rows),
    )


def _is_clean(row: Row) -> bool:
    cells = [tidy(cell) for cell in row.cells if cell.strip()]
    links = [cell for cell in cells if starts_with_link(cell)]
    others = [cell for cell in cells if not starts_with_link(cell)]
    return bool(links and others) and not row.problem and not any(map(_GLUED.search, others))


def _by_spaces(row: Row) -> Row:
    """“b-1  1  https://…”: cells divided by spaces, which nothing else divides."""
    text = " ".join(row.cells).strip()
    cells = re.split(r"\s{2,}", text)
    if len(cells) < 2:
        cells = text.split()
        if len(cells) > 3 or not starts_with_link(cells[-1]):
            cells = [text]
    return Row(row.number, cells, problem=row.problem)
