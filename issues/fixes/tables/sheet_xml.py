"""What read-only mode leaves out of a sheet: hyperlinks, merged cells, hidden rows, where the content ends."""

import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from posixpath import basename, dirname, normpath
from posixpath import join as join_path
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import iterparse
from openpyxl.utils.cell import range_boundaries

from issues.fixes.tables.model import MAX_COLUMNS, MAX_LINES

# The cells can be megabytes, so they are searched, not parsed. openpyxl parses them.
_CONTENT = re.compile(rb"<(?:\w+:)?(?:v|is|f)[\s>]")
_ROW = re.compile(rb"<(?:\w+:)?row\b([^<>]*)>")
_CELL = re.compile(rb"<(?:\w+:)?c[\s>/]")
_DATA_START = re.compile(rb"<(?:\w+:)?sheetData\b[^<>]*>")
_DATA_END = re.compile(rb"</(?:\w+:)?sheetData\s*>")
_NUMBER = re.compile(rb"\br=[\"'](\d{1,7})[\"']")
_HIDDEN = re.compile(rb"\bhidden=[\"'](?:1|true)[\"']")
_MOST_PLACES = 20_000


@dataclass(slots=True)
class SheetXml:
    """Rows count from 1, columns from 0."""

    last_row: int = 0  # with content
    rows: int = 0  # up to there, as they stand in the file
    cells: int = 0
    hidden: set[int] = field(default_factory=set)
    links: dict[int, dict[int, str]] = field(default_factory=dict)  # by row, then column
    merged: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # row → (column, first row)


def sheet_paths(archive: zipfile.ZipFile) -> dict[str, str]:
    """Where each sheet's XML is, by the sheet's name."""
    targets = _relations(archive, "xl/workbook.xml")
    paths: dict[str, str] = {}
    for element in _elements(archive.read("xl/workbook.xml")):
        if _local(element.tag) == "sheet":
            path = targets.get(_attribute(element.attrib, "id"), "")
            if path in archive.namelist():
                paths[element.attrib.get("name", "")] = path
    return paths


def read_sheet_xml(archive: zipfile.ZipFile, path: str) -> SheetXml:
    """The parts of a sheet that are not cells. The archive's sizes were checked before."""
    data = archive.read(path)
    found = SheetXml()
    start, end = _DATA_START.search(data), None
    for end in _DATA_END.finditer(data):  # noqa: B007 - the last one
        pass
    if start and end and end.start() >= start.end():
        _read_rows(found, data[start.end() : end.start()])
        data = data[: start.end()] + data[end.start() :]
    targets = _relations(archive, path)
    for element in _elements(data):
        if _local(element.tag) == "hyperlink":
            _add_link(found, element.attrib, targets)
        elif _local(element.tag) == "mergeCell":
            _add_merged(found, element.attrib.get("ref", ""))
    return found


def _read_rows(found: SheetXml, data: bytes) -> None:
    last = 0
    for content in _CONTENT.finditer(data):
        last = content.start()
    if not last:
        return
    found.cells = sum(1 for _cell in _CELL.finditer(data, 0, last))
    number = 0
    for row in _ROW.finditer(data, 0, last):
        said = _NUMBER.search(row[1])
        number = int(said[1]) if said else number + 1
        found.rows += 1
        found.last_row = max(found.last_row, number)
        if _HIDDEN.search(row[1]):
            found.hidden.add(number)


def _elements(data: bytes) -> Iterator[Element]:
    for _event, element in iterparse(BytesIO(data)):
        yield element


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _attribute(attributes: Mapping[str, str], name: str) -> str:
    """An attribute of another namespace: r:id has two, of the usual and of the strict format."""
    return next((value for key, value in attributes.items() if key.endswith("}" + name)), "")


def _relations(archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    """The targets of a part's relations, by their ids: paths inside the file, or links."""
    path = f"{dirname(part)}/_rels/{basename(part)}.rels"
    found: dict[str, str] = {}
    if path not in archive.namelist():
        return found
    for element in _elements(archive.read(path)):
        if _local(element.tag) != "Relationship":
            continue
        target = element.attrib.get("Target", "")
        if element.attrib.get("TargetMode") != "External":
            target = target.lstrip("/") if target.startswith("/") else normpath(join_path(dirname(part), target))
        found[element.attrib.get("Id", "")] = target
    return found


def _add_link(found: SheetXml, attributes: Mapping[str, str], targets: Mapping[str, str]) -> None:
    link = targets.get(_attribute(attributes, "id"), "")
    if not link:
        return  # a link inside the file
    location = attributes.get("location", "")
    link = f"{link}#{location}" if location else link
    for row, column in _places(found, attributes.get("ref", "")):
        found.links.setdefault(row, {})[column] = link


def _add_merged(found: SheetXml, reference: str) -> None:
    """Cells that are merged downwards: each row has what stands in the first."""
    places = list(_places(found, reference))
    first = min(places, default=(0, 0))
    for row, column in places:
        if column == first[1] and row > first[0]:
            found.merged.setdefault(row, []).append((column, first[0]))


def _places(found: SheetXml, reference: str) -> Iterator[tuple[int, int]]:
    """The cells of “B2” or “B2:B9” among the rows with content, as row and column."""
    if not reference:
        return
    left, top, right, bottom = range_boundaries(reference)
    top, left = top or 1, left or 1
    rows = range(top, min(bottom or top, found.last_row, top + 2 * MAX_LINES) + 1)
    columns = range(left, min(right or left, MAX_COLUMNS) + 1)
    if len(rows) * len(columns) > _MOST_PLACES:
        return  # the whole sheet, which means nothing
    for row in rows:
        for column in columns:
            yield row, column - 1
