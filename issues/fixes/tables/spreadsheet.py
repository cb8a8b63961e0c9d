"""Rows of an .xlsx file, within bounds of size and time.

openpyxl reads cells row by row in its read-only mode. That mode leaves out hyperlinks, merged cells and hidden rows:
`sheet_xml` reads these beside it, and says where the last row with content is, so that a hundred thousand rows of
borders and colours cost nothing.
"""

import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import zip_longest

from django.utils.translation import gettext as _
from openpyxl import load_workbook

from issues.fixes.tables.links import formula_text, is_linkish
from issues.fixes.tables.model import MAX_CELL, MAX_COLUMNS, MAX_LINES, Grid, Row, quoted
from issues.fixes.tables.sheet_xml import SheetXml, read_sheet_xml, sheet_paths
from issues.problems import Refusal

MAX_SHEET = 20_000_000  # bytes, unpacked
MAX_PART = 4_000_000  # of shared texts, styles and the like, which openpyxl reads whole
MAX_UNPACKED = 60_000_000
MAX_RATIO = 300  # unpacked to packed, of parts above a megabyte
MAX_PARTS = 2_000
MAX_ROWS, MAX_CELLS, MAX_ROW_NUMBER = 5_000, 60_000, 100_000  # up to the last row with content
_ZEROS = re.compile(r"0{2,}")
_EXACT = 10**15  # spreadsheets keep fifteen digits of a number


def read_spreadsheet(data: bytes) -> Grid:
    """The rows of the first sheet with links. Raises Refusal for a file that is damaged or too large."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions that openpyxl does not keep
            return _read(data)
    except Refusal:
        raise
    except Exception as error:  # openpyxl lets any exception of its parsers through
        raise Refusal(
            _("This spreadsheet cannot be read. Open it, and save it again as .xlsx or as CSV UTF-8."),
            code="TABLE_NO_TEXT",
        ) from error


def _read(data: bytes) -> Grid:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        _refuse_bombs(archive)
        paths = sheet_paths(archive)
        values = load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
        formulas = load_workbook(BytesIO(data), read_only=True, data_only=False, keep_links=False)
        names = [sheet.title for sheet in values.worksheets]
        best: tuple[str, list[Row]] | None = None
        for sheet, twin in zip(values.worksheets, formulas.worksheets, strict=True):
            if sheet.sheet_state != "visible" or sheet.title not in paths:
                continue
            xml = read_sheet_xml(archive, paths[sheet.title])
            if xml.rows > MAX_ROWS or xml.cells > MAX_CELLS or xml.last_row > MAX_ROW_NUMBER:
                raise _too_large()
            rows = list(_rows(_cells(sheet, xml), _cells(twin, xml), xml))
            has_links = any(row.targets or any(map(is_linkish, row.cells)) for row in rows)
            if rows and (best is None or has_links):
                best = (sheet.title, rows)
            if has_links:
                break
    if best is None:
        raise Refusal(_("The table is empty."), code="TABLE_EMPTY")
    notes = []
    others = [name for name in names if name != best[0]]
    if others:
        notes.append(
            _("Sheet {sheet} was read, and not: {others}.").format(sheet=quoted([best[0]]), others=quoted(others[:10]))
        )
    return Grid(best[1], notes, is_exact=True)


def _refuse_bombs(archive: zipfile.ZipFile) -> None:
    parts = archive.infolist()
    total = 0
    for part in parts:
        if not part.filename.endswith((".xml", ".rels")):
            continue  # pictures and the like are never unpacked
        total += part.file_size
        is_bomb = part.file_size > 1_000_000 and part.file_size > MAX_RATIO * max(part.compress_size, 1)
        most = MAX_SHEET if "/worksheets/" in part.filename else MAX_PART
        if part.file_size > most or is_bomb:
            raise _too_large()
    if len(parts) > MAX_PARTS or total > MAX_UNPACKED:
        raise _too_large()


def _too_large() -> Refusal:
    return Refusal(_("The spreadsheet is too large. Copy the rows that matter into a new one."), code="TABLE_TOO_LARGE")


def _cells(sheet: object, xml: SheetXml) -> Iterator[Sequence[object]]:
    """The cells of each row; the size that the file claims for the sheet is ignored."""
    sheet.reset_dimensions()  # type: ignore[attr-defined]
    yield from sheet.iter_rows(min_row=1, min_col=1, max_row=xml.last_row)  # type: ignore[attr-defined]


def _rows(values: Iterator[Sequence[object]], formulas: Iterator[Sequence[object]], xml: SheetXml) -> Iterator[Row]:
    tops: dict[tuple[int, int], str] = {}  # what stands in the first row of merged cells
    wanted = {(row, column) for places in xml.merged.values() for column, row in places}
    count = 0
    for number, (row, twin) in enumerate(zip(values, formulas, strict=True), 1):
        cells = [_text(cell, formula) for cell, formula in zip_longest(row, twin)]
        for column, first in xml.merged.get(number, ()):
            cells += [""] * (column + 1 - len(cells))
            cells[column] = tops.get((first, column), "")
        tops.update({(number, column): cell for column, cell in enumerate(cells) if (number, column) in wanted})
        while cells and not cells[-1]:
            cells.pop()
        if len(cells) > MAX_COLUMNS or any(len(cell) > MAX_CELL for cell in cells):
            raise _too_large()
        targets = {column: link for column, link in xml.links.get(number, {}).items() if is_linkish(link)}
        problem = _("This row is hidden in the spreadsheet.") if number in xml.hidden else ""
        found = Row(number, cells, targets, problem)
        if found.is_blank:
            continue
        count += 1
        if count > MAX_LINES + 100:
            raise Refusal(_("A table has at most {most} lines.").format(most=MAX_LINES), code="TABLE_TOO_LARGE")
        yield found


def _text(cell: object, formula: object) -> str:
    """What a cell shows; its formula if that names a link or was never computed."""
    value, raw = getattr(cell, "value", None), getattr(formula, "value", None)
    raw = getattr(raw, "text", raw)  # array formulas are objects
    if isinstance(raw, str) and raw.startswith("=") and getattr(formula, "data_type", "") == "f":
        said = formula_text(raw) or ""
        if value is None or is_linkish(said):
            return raw
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).strip()
    if abs(value) >= _EXACT:
        return f"{value:.2E}"
    if value != int(value):
        return repr(value)
    zeros = getattr(cell, "number_format", "") or ""
    return str(int(value)).zfill(len(zeros) if _ZEROS.fullmatch(zeros) else 0)
