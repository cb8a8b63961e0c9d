"""From lines of text to rows of cells.

The csv module is not enough here: it neither says where an open quote began nor gives back the lines that the quote
swallowed, and a line that vanishes is a video that nobody repairs.
"""

import re
from collections.abc import Sequence

from django.utils.translation import gettext as _

from issues.fixes.tables.links import starts_with_link
from issues.fixes.tables.model import Row

_LINE_ENDS = re.compile("\r\n|[\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")
_MOST_LINES_OF_A_CELL = 60
# A formula keeps its own commas: =HYPERLINK("https://…","Download")
_FORMULA = re.compile(r'\s*=\s*[\w.]+\s*\(\s*"[^"\n]*"\s*(?:[;,]\s*"[^"\n]*"\s*)?\)\s*')
_UNNEEDED = str.maketrans("", "", "-–—=+|:_ \t│┃┼─━├┤╋╂")


def lines_of(text: str) -> list[str]:
    """The lines of a text that came from any system."""
    return _LINE_ENDS.split(text)


def read_records(lines: Sequence[str], delimiter: str, first: int = 1) -> list[Row]:
    """The rows of these lines. `first` is the number of the first line.

    A quoted cell may go on over several lines. If its quote is never closed, or if it swallows lines that look like
    rows, the row says so, and the lines below are read as rows of their own.
    """
    rows: list[Row] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line or line.isspace():
            at += 1
            continue
        if '"' not in line:
            row, used = Row(first + at, _split(line, delimiter)), 1
        else:
            row, used = _read_quoted(lines, at, delimiter, first)
        if not row.is_blank and not is_ruler(line):
            rows.append(row)
        at += used
    return rows


def is_ruler(line: str) -> bool:
    """A line that only divides: |---|:--:| of Markdown, +-----+ of a terminal."""
    return bool(line.strip()) and not line.translate(_UNNEEDED) and sum(line.count(mark) for mark in "-=─━–—") >= 3


def _split(line: str, delimiter: str) -> list[str]:
    if delimiter != "|":
        return [cell.strip() for cell in line.split(delimiter)]
    # Markdown: a pipe at both ends, and “\|” for a pipe inside a cell.
    inner = line.strip().removeprefix("|")
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    return [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", inner)]


def _read_quoted(lines: Sequence[str], at: int, delimiter: str, first: int) -> tuple[Row, int]:
    """A row with a quote in it, and how many lines it takes."""
    number = first + at
    cells: list[str] = []
    used = 1
    rest = lines[at]
    if delimiter == "|" and rest.lstrip().startswith("|"):
        rest = rest.strip().removeprefix("|").removesuffix("|")
    while True:
        stripped = rest.lstrip(" ")
        formula = _FORMULA.match(rest)
        if formula and (formula.end() == len(rest) or rest.startswith(delimiter, formula.end())):
            cell, rest = formula.group(), rest[formula.end() :]
        elif stripped.startswith('"'):
            closed = _quoted_cell(stripped, lines, at + used, delimiter)
            if isinstance(closed, str):
                return Row(number, _split(lines[at], delimiter), problem=closed.format(line=number)), 1
            cell, rest, more = closed
            used += more
        else:
            cell, mark, after = rest.partition(delimiter)
            rest = mark + after
        cells.append(cell.strip())
        if not rest.startswith(delimiter):
            return Row(number, cells), used
        rest = rest[len(delimiter) :]


def _quoted_cell(start: str, lines: Sequence[str], following: int, delimiter: str) -> tuple[str, str, int] | str:
    """The cell that begins with a quote, what follows it on its last line, and how many further lines it takes.

    Returns a sentence instead if the quote is never closed.
    """
    parts: list[str] = []
    text, at = start, 1
    for more in range(_MOST_LINES_OF_A_CELL):
        end = _closing_quote(text, at, delimiter)
        if end is None and more == 0 and _has_single_quote(text, at):
            # Quotes in the middle of the text, as in "Summer" reel: part of the text.
            cell, mark, after = start.partition(delimiter)
            return cell, mark + after, 0
        if end is None and _has_single_quote(text, at):
            break
        piece = text[at:] if end is None else text[at:end]
        if more and _looks_like_row(piece, delimiter):
            break
        parts.append(piece.replace('""', '"'))
        if end is not None:
            return "\n".join(parts), text[end + 1 :].lstrip(" "), more
        if following + more >= len(lines):
            break
        text, at = lines[following + more], 0
    return _("Line {line}: a quote is opened and never closed. Close it, or remove it.")


def _closing_quote(text: str, at: int, delimiter: str) -> int | None:
    """Where the cell ends: at a single quote, with nothing or the delimiter behind it."""
    while (at := text.find('"', at)) >= 0:
        if text.startswith('""', at):
            at += 2
            continue
        after = text[at + 1 :].lstrip(" ")
        return at if not after or after.startswith(delimiter) else None
    return None


def _has_single_quote(text: str, at: int) -> bool:
    return '"' in text[at:].replace('""', "")


def _looks_like_row(line: str, delimiter: str) -> bool:
    """Whether a line inside a quoted cell is more likely a row that a stray quote has swallowed."""
    cells = [cell for cell in _split(line, delimiter) if cell]
    links = sum(map(starts_with_link, cells))
    return 0 < links < len(cells)
