"""From rows to what the table wants for each video. Each row ends in a line or in a note: none is lost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from issues.fixes.tables.cells import bundle_of, order_of, position_of, reference_of
from issues.fixes.tables.columns import Columns, find_columns, is_full_header, is_header
from issues.fixes.tables.header import Age, Heading, words_of
from issues.fixes.tables.header_words import TOTALS
from issues.fixes.tables.links import formula_text, holds_link, is_empty, is_linkish, links_in, starts_with_link, tidy
from issues.fixes.tables.merging import Reading, merge
from issues.fixes.tables.model import MAX_LINES, Grid, Row, Table, quoted, shown
from issues.link_checks.masking import shown_url
from issues.problems import Refusal

_HEADER_WITHIN = 30  # rows
_OF_TOTALS = TOTALS | {"videos", "links", "lines", "rows", "urls"}


def table_of(grid: Grid) -> Table:
    """The lines of a table. Raises Refusal if it is empty, too long, or if its columns are unclear."""
    rows = [row for row in grid.rows if not row.is_blank]
    if not rows:
        raise Refusal(_("The table is empty."), code="TABLE_EMPTY")
    at = _header_at(rows)
    above, body = (rows[:at], rows[at + 1 :]) if at is not None else ([], rows)
    read: Callable[[Row], Reading]
    references: int | None
    if len(body) + len(above) > MAX_LINES:
        raise Refusal(_("A table has at most {most} lines.").format(most=MAX_LINES), code="TABLE_TOO_LARGE")
    notes, skipped = list(grid.notes), []
    readings: list[Reading] = []
    for row in above:
        if _has_link(row):
            readings.append(Reading(row.number, problem=_("This line stands above the header.")))
        else:
            skipped.append(_skipped(row, _("it stands above the header")))
    if at is None:
        body = _without_title(body, skipped)
        read, references = _Headerless(grid.is_exact), 0
        notes.append(
            _("There is no header: the cells were read as bundle id, position and link, or reference and link.")
        )
    else:
        columns = find_columns(rows[at], body)
        notes += columns.notes
        read = _Headed(columns, grid.is_exact)
        references = columns.reference.index if columns.reference else None
    for row in body:
        if at is not None and is_header(row):
            skipped.append(_repeated_header(row, rows[at]))
        elif _is_remark(row, references):
            skipped.append(_skipped(row, _("it has no link")))
        else:
            readings.append(read(row))
    lines = merge(readings)
    if not lines:
        raise Refusal(_("The table has no line with a link."), code="TABLE_EMPTY")
    return Table(lines, [*notes, *skipped])


def _header_at(rows: Sequence[Row]) -> int | None:
    """The row that names the columns, below any title: the first that names both links and videos, if one does."""
    found = [index for index, row in enumerate(rows[:_HEADER_WITHIN]) if is_header(row)]
    full = [index for index in found if is_full_header(rows[index])]
    wide = [index for index in found if sum(bool(cell.strip()) for cell in rows[index].cells) > 1]
    if full or wide:
        return (full or wide)[0]
    return found[0] if found and len(rows[0].cells) == 1 else None


def _has_link(row: Row) -> bool:
    return bool(row.targets) or any(map(is_linkish, row.cells))


def _skipped(row: Row, why: str) -> str:
    text = shown(" ".join(cell for cell in row.cells if cell.strip()), 80)
    return _("Line {number} was skipped, {why}: “{text}”").format(number=row.number, why=why, text=text)


def _repeated_header(row: Row, header: Row) -> str:
    if [words_of(cell) for cell in row.cells if cell] != [words_of(cell) for cell in header.cells if cell]:
        raise Refusal(
            _("Another header stands in line {number}. Give one table at a time.").format(number=row.number),
            code="TABLE_COLUMNS",
        )
    return _("Line {number} repeats the header.").format(number=row.number)


def _without_title(rows: list[Row], notes: list[str]) -> list[Row]:
    """The rows without a title above them. Raises Refusal for a header of which no word is known."""
    first = rows[0]
    filled = [cell for cell in first.cells if cell.strip()]
    if first.problem or _has_link(first) or not any(map(_has_link, rows[1:])) or any(map(str.isdecimal, filled)):
        return rows
    if len(filled) > 1:
        raise Refusal(
            _(
                "Line {number} looks like a header, but its names are not known: {names}. Use “bundle_id”, “position” "
                "and “url”, or “external_ref” and “url”."
            ).format(number=first.number, names=quoted(filled[:8])),
            code="TABLE_COLUMNS",
        )
    notes.append(_skipped(first, _("it has no link")))
    return rows[1:]


def _is_remark(row: Row, references: int | None) -> bool:
    """A comment, a sum or a remark among the lines: it has no link, and names no video.

    `references` is the column that may hold references, which are free text: what stands there alone may be a video
    whose link is missing.
    """
    if row.problem or _has_link(row):
        return False
    filled = [(index, tidy(cell)) for index, cell in enumerate(row.cells) if cell.strip()]
    if not filled:
        return True
    index, first = filled[0]
    words = words_of(first)[0]
    if first.startswith(("# ", "//", "-- ", "/*")) or (words and words <= _OF_TOTALS):
        return True
    return len(filled) == 1 and index != references and (" " in first or first.startswith("#"))


@dataclass(frozen=True, slots=True)
class _Headed:
    """Reads rows below a header."""

    columns: Columns
    is_exact: bool

    def __call__(self, row: Row) -> Reading:
        columns = self.columns
        reading = _keyed(
            row.number,
            bundle=self._cell(row, columns.bundle),
            position=self._cell(row, columns.position),
            reference=self._cell(row, columns.reference),
        )
        if columns.order and not is_empty(number := self._cell(row, columns.order)):
            order = order_of(number)
            if order is None:
                return reading.refused(_("“{value}” is not the number of an image.").format(value=shown(number, 40)))
            reading = replace(reading, order=order)
        if row.problem:
            return reading.refused(row.problem)
        try:
            links = self._links(row)
            if not links and self._wants_new_links:
                return reading.refused(_("There is no new link in this line."))
            return reading.with_links(links)
        except Refusal as refusal:
            return reading.refused(refusal.sentence)

    @property
    def _wants_new_links(self) -> bool:
        return any(heading.age == Age.NEW for group in self.columns.links for heading in group)

    @staticmethod
    def _cell(row: Row, heading: Heading | None) -> str:
        return tidy(row.cells[heading.index]) if heading and heading.index < len(row.cells) else ""

    def _links(self, row: Row) -> list[str]:
        self._refuse_shifted(row)
        groups = [self._group(row, group) for group in self.columns.links]
        filled = [group for group in groups if group]
        if len(filled) > 1:
            names = quoted([group[0].shown for group in self.columns.links])
            raise Refusal(_("Both {names} are filled: which one is meant?").format(names=names))
        return filled[0] if filled else []

    def _group(self, row: Row, group: Sequence[Heading]) -> list[str]:
        found = [links_of(self._cell(row, heading), row.targets.get(heading.index, "")) for heading in group]
        last = max((index for index, links in enumerate(found) if links), default=-1)
        for index in range(last):
            if not found[index]:
                raise Refusal(
                    _("“{empty}” is empty, but “{filled}” is not.").format(
                        empty=group[index].shown, filled=group[last].shown
                    )
                )
        return [link for links in found for link in links]

    def _refuse_shifted(self, row: Row) -> None:
        """More cells than columns: an unquoted comma in a link or a reference has moved the cells."""
        columns = self.columns
        extra = [tidy(cell) for cell in row.cells[columns.width :]]
        if not any(extra):
            return
        texts = [cell for cell in extra if cell and not holds_link(cell)]
        others = [self._cell(row, heading) for heading in columns.other_links]
        moved = [cell for cell in others if not is_empty(cell) and not is_linkish(cell)]
        if (texts and not self.is_exact) or moved:
            raise Refusal(
                _("This line has more cells than the header: “{value}”. Put cells with a comma in quotes.").format(
                    value=shown((texts or moved)[0], 40)
                )
            )


@dataclass(frozen=True, slots=True)
class _Headerless:
    """Reads rows by their shape: two cells before the link are bundle and position, one is a reference."""

    is_exact: bool

    def __call__(self, row: Row) -> Reading:
        cells = [tidy(cell) for cell in row.cells]
        found = [index for index, cell in enumerate(cells) if starts_with_link(cell) or row.targets.get(index)]
        first = found[0] if found else min(len(cells), 2)
        keys, rest = cells[:first], list(enumerate(cells))[first:]
        if len(keys) == 1 and found:
            reading = _keyed(row.number, reference=keys[0])
        elif len(keys) == 2:
            reading = _keyed(row.number, bundle=keys[0], position=keys[1])
        elif len(keys) > 2:
            return Reading(row.number, problem=_("Too many cells stand before the link. Add a header."))
        else:
            reading = _keyed(row.number)
        if row.problem:
            return reading.refused(row.problem)
        try:
            links = [links_of(cell, row.targets.get(index, "")) for index, cell in rest]
        except Refusal as refusal:
            return reading.refused(refusal.sentence)
        after = [cell for index, cell in rest[1:] if cell and not holds_link(cell) and not row.targets.get(index)]
        if after and found and self.is_exact:
            note = _("Ignored after the link: {cells}.").format(cells=quoted(after[:5]))
            reading = replace(reading, notes=(note,))
        elif after and found:
            return reading.refused(
                _("“{value}” stands after the link. Add a header, or put a link with a comma in quotes.").format(
                    value=shown(shown_url(after[0]), 40)
                )
            )
        return reading.with_links([link for entry in links for link in entry])


def links_of(cell: str, target: str) -> Sequence[str]:
    """The links of a cell; the hyperlink under it only if the cell shows a label. Raises Refusal for a formula."""
    if is_empty(cell) and not target:
        return []
    text = formula_text(cell)
    if text is not None:
        cell = text
        if not cell and not target:
            raise Refusal(_("A cell holds a formula instead of its result. Paste values only."))
    if target and not holds_link(cell):
        return [target]
    return links_in(cell)


def _keyed(number: int, *, bundle: str = "", position: str = "", reference: str = "") -> Reading:
    """The video that a row names, or why it names none."""
    bundle_key, reference_key = bundle_of(bundle), reference_of(reference)
    place = position_of(position)
    reading = Reading(
        number, bundle_id=bundle_key.text, position=place or 0, external_ref=reference_key.text
    )  # fmt: skip
    problem = bundle_key.problem or reference_key.problem
    if problem:
        return reading.refused(problem)
    if not bundle and not reference:
        return replace(reading, is_nameless=True, key_problem=_("It says neither a bundle nor a reference."))
    if position and place is None:
        sentence = _("“{value}” is not a position.").format(value=shown_url(position)[:40])
        return replace(reading, key_problem=sentence)
    if not reference and not position:
        return replace(reading, key_problem=_("The position is missing."))
    return reading
