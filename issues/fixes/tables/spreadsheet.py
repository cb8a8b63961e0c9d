"""Rows of an .xlsx file, within bounds of size and time.

openpyxl reads cells row by row in its read-only mode. That mode leaves out hyperlinks, merged cells and hidden rows,
so these are read beside it from the sheet's XML (through defusedxml).
"""

import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import zip_longest
from posixpath import basename, dirname, normpath
from posixpath import join as join_path

from defusedxml.ElementTree import iterparse
from django.utils.translation import gettext as _
from openpyxl import load_workbook
from openpyxl.utils.cell import range_boundaries

from issues.fixes.tables.links import formula_text, is_linkish
from issues.fixes.tables.model import MAX_COLUMNS, MAX_LINES, Grid, Row, quoted
from issues.problems import Refusal

MAX_PART = 20_000_000  # bytes of one unpacked part of the file
MAX_UNPACKED = 60_000_000
MAX_RATIO = 300  # unpacked to packed, of parts above a megabyte
MAX_PARTS = 2_000
MAX_ROW_NUMBER = 200_000
_ZEROS = re.compile(r"0{2,}")
_EXACT = 10**15  # spreadsheets keep fifteen digits of a number


@dataclass(slots=True)
class _Extras:
    """What openpyxl's read-only mode leaves out. Columns count from 0."""

    links: dict[int, dict[int, str]] = field(default_factory=dict)  # by row, then column
    merged: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # row → (column, first row)
    hidden: set[int] = field(default_factory=set)


def read_spreadsheet(data: bytes) -> Grid:
    """The rows of the first sheet with links. Raises Refusal for a file that is damaged or too large."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions that openpyxl does not keep
            return _read(data)
    except Refusal:
        raise
    except Exception as error:  # openpyxl raises whatever its parsers meet in strangers' bytes
        raise Refusal(
            _("This spreadsheet cannot be read. Open it, and save it again as .xlsx or as CSV UTF-8."),
            code="TABLE_NO_TEXT",
        ) from error


def _read(data: bytes) -> Grid:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        _refuse_bombs(archive)
        values = load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
        formulas = load_workbook(BytesIO(data), read_only=True, data_only=False, keep_links=False)
        names = [sheet.title for sheet in values.worksheets]
        paths = _sheet_paths(archive)
        best: tuple[str, list[Row]] | None = None
        for sheet, twin in zip(values.worksheets, formulas.worksheets, strict=True):
            if sheet.sheet_state != "visible":
                continue
            extras = _extras(archive, paths.get(sheet.title, ""))
            rows = list(_rows(_cells(sheet), _cells(twin), extras))
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
        if part.file_size > MAX_PART or is_bomb or part.flag_bits & 1:
            raise _too_large()
    if len(parts) > MAX_PARTS or total > MAX_UNPACKED:
        raise _too_large()


def _too_large() -> Refusal:
    return Refusal(_("The spreadsheet is too large. Copy the rows that matter into a new one."), code="TABLE_TOO_LARGE")


def _cells(sheet: object) -> Iterator[tuple[int, Sequence[object]]]:
    """The cells of each row, whatever size the file claims for the sheet."""
    sheet.reset_dimensions()  # type: ignore[attr-defined]
    for number, row in enumerate(sheet.iter_rows(min_row=1, min_col=1), 1):  # type: ignore[attr-defined]
        if number > MAX_ROW_NUMBER:
            raise _too_large()
        yield number, row


def _rows(
    values: Iterator[tuple[int, Sequence[object]]], formulas: Iterator[tuple[int, Sequence[object]]], extras: _Extras
) -> Iterator[Row]:
    tops: dict[tuple[int, int], str] = {}  # what stands in the first row of merged cells
    wanted = {(row, column) for places in extras.merged.values() for column, row in places}
    count = 0
    for (number, row), (_number, twin) in zip(values, formulas, strict=True):
        cells = [_text(cell, formula) for cell, formula in zip_longest(row, twin)]
        for column, first in extras.merged.get(number, ()):
            cells += [""] * (column + 1 - len(cells))
            cells[column] = tops.get((first, column), "")
        tops.update({(number, column): cell for column, cell in enumerate(cells) if (number, column) in wanted})
        while cells and not cells[-1]:
            cells.pop()
        targets = {column: link for column, link in extras.links.get(number, {}).items() if is_linkish(link)}
        if len(cells) > MAX_COLUMNS:
            raise _too_large()
        found = Row(
            number, cells, targets, _("This row is hidden in the spreadsheet.") if number in extras.hidden else ""
        )
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


# --- What read-only mode leaves out ------------------------------------------------------------------------


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _attribute(attributes: Mapping[str, str], name: str) -> str:
    """By its name without namespace: r:id has two, of the usual and of the strict format."""
    return next((value for key, value in attributes.items() if _local(key) == name), "")


def _sheet_paths(archive: zipfile.ZipFile) -> dict[str, str]:
    """Where each sheet's XML is, by the sheet's name."""
    targets = _relations(archive, "xl/workbook.xml")
    paths: dict[str, str] = {}
    with archive.open("xl/workbook.xml") as file:
        for _event, element in iterparse(file):
            if _local(element.tag) == "sheet":
                relation = next((value for key, value in element.attrib.items() if key.endswith("}id")), "")
                paths[element.attrib.get("name", "")] = targets.get(relation, "")
    return paths


def _relations(archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    """The targets of a part's relations, by their ids: paths inside the file, or links."""
    path = f"{dirname(part)}/_rels/{basename(part)}.rels"
    found: dict[str, str] = {}
    if path not in archive.namelist():
        return found
    with archive.open(path) as file:
        for _event, element in iterparse(file):
            if _local(element.tag) == "Relationship":
                target = element.attrib.get("Target", "")
                if element.attrib.get("TargetMode") != "External":
                    target = (
                        target.lstrip("/") if target.startswith("/") else normpath(join_path(dirname(part), target))
                    )
                found[element.attrib.get("Id", "")] = target
    return found


def _extras(archive: zipfile.ZipFile, path: str) -> _Extras:
    extras = _Extras()
    if not path or path not in archive.namelist():
        return extras
    targets = _relations(archive, path)
    with archive.open(path) as file:
        for _event, element in iterparse(file):
            name, attributes = _local(element.tag), element.attrib
            if name == "row":
                if attributes.get("hidden") in {"1", "true"} and attributes.get("r", "").isdecimal():
                    extras.hidden.add(int(attributes["r"]))
                element.clear()
            elif name == "hyperlink":
                _add_link(extras, attributes, targets)
            elif name == "mergeCell":
                _add_merged(extras, attributes.get("ref", ""))
    return extras


def _add_link(extras: _Extras, attributes: Mapping[str, str], targets: Mapping[str, str]) -> None:
    link = targets.get(_attribute(attributes, "id"), "")
    if not link:
        return  # a link inside the file
    location = attributes.get("location", "")
    link = f"{link}#{location}" if location else link
    for row, column in _places(attributes.get("ref", "")):
        extras.links.setdefault(row, {})[column] = link


def _add_merged(extras: _Extras, reference: str) -> None:
    """Cells that are merged downwards: each row has what stands in the first."""
    places = list(_places(reference))
    first = min(places, default=(0, 0))
    for row, column in places:
        if column == first[1] and row > first[0]:
            extras.merged.setdefault(row, []).append((column, first[0]))


def _places(reference: str) -> Iterator[tuple[int, int]]:
    """The cells of “B2” or “B2:B9”, as row (from 1) and column (from 0); at most some thousand."""
    if not reference:
        return
    left, top, right, bottom = range_boundaries(reference)
    for row in range(top or 1, min(bottom or 1, (top or 1) + 2 * MAX_LINES) + 1):
        for column in range(left or 1, min(right or 1, MAX_COLUMNS) + 1):
            yield row, column - 1
