"""Which column holds what: found by the meaning of the header, confirmed by what stands below it, never by place."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from issues.fixes.tables import header_words as known
from issues.fixes.tables.cells import is_mark, is_order, is_position
from issues.fixes.tables.header import Age, Heading, Role, understand
from issues.fixes.tables.links import is_linkish
from issues.fixes.tables.model import MAX_COLUMNS, Row, quoted, shown
from issues.problems import Refusal

_OF_SERIES = known.LINK | known.MEDIA | known.VIDEO | known.IMAGE | known.NEW  # the words of “url 2”, “image 2”
_YEARS = 1000  # “links 2026” does not number an image
_KEY_ROLES = (Role.BUNDLE, Role.POSITION, Role.REFERENCE)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that are read. `links` has one group, or two (for videos, for images) of which a row fills one."""

    bundle: Heading | None
    position: Heading | None
    reference: Heading | None
    order: Heading | None
    links: Sequence[Sequence[Heading]]
    other_links: Sequence[Heading] = ()  # link columns that are not sent
    width: int = 0
    takes_more: bool = False  # links beyond the last column are further images
    notes: Sequence[str] = ()


def is_header(row: Row) -> bool:
    """Whether a row names columns: no links or numbers in it, and words that we know."""
    keys, has_link, is_clear = _named(row)
    return keys + has_link >= 2 or is_clear


def is_full_header(row: Row) -> bool:
    """Whether a row names a link column and what the link is for."""
    keys, has_link, _is_clear = _named(row)
    return bool(keys and has_link)


def _named(row: Row) -> tuple[int, bool, bool]:
    """How many key columns the row names, whether a link column, and whether it surely does."""
    filled = [cell for cell in row.cells if cell.strip()]
    if len(row.cells) > MAX_COLUMNS or any(map(is_linkish, filled)) or any(cell.strip().isdecimal() for cell in filled):
        return 0, False, False
    roles = {understand(index, cell).role for index, cell in enumerate(row.cells) if len(cell) <= 60}
    keys = roles & {*_KEY_ROLES, Role.ORDER}
    return len(keys), Role.LINK in roles or Role.MEDIA in roles, Role.LINK in roles


def find_columns(header: Row, rows: Sequence[Row]) -> Columns:
    """The columns of this header. Raises Refusal, naming the columns, if one is missing or two could be meant."""
    headings = [_confirmed(understand(index, cell), rows) for index, cell in enumerate(header.cells)]
    headings += [Heading(index, "", Role.UNNAMED) for index in range(len(headings), max(map(_width, rows), default=0))]
    links, used_links = _choose_links(headings, rows)
    bundle, position = _choose(headings, Role.BUNDLE), _choose(headings, Role.POSITION)
    reference = _choose(headings, Role.REFERENCE, is_needed=not (bundle and position))
    if not (reference or (bundle and position)):
        raise _missing(headings, bundle, position)
    if position and not position.is_clear and not reference and _counts_rows(position, bundle, rows):
        raise Refusal(
            _("“{name}” seems to count the rows. Name the column of the positions “position”.").format(
                name=position.shown
            ),
            code="TABLE_COLUMNS",
        )
    order = _choose(headings, Role.ORDER, is_needed=False)
    chosen = [heading for heading in (bundle, position, reference, order) if heading]
    read = [*chosen, *used_links]
    left = [heading for heading in headings if heading not in read]
    return Columns(
        bundle,
        position,
        reference,
        order,
        links,
        other_links=[heading for heading in left if heading.role in {Role.LINK, Role.ELSEWHERE}],
        width=len(header.cells),
        takes_more=bool(used_links) and max(heading.index for heading in used_links) >= len(header.cells) - 1,
        notes=_notes(bundle, position, reference, order, used_links, left, rows),
    )


def _width(row: Row) -> int:
    filled = [index for index, cell in enumerate(row.cells) if cell.strip()]
    return max([*filled, *row.targets, -1]) + 1


def _cells(rows: Sequence[Row], index: int) -> list[str]:
    """What stands in a column, hyperlinks in place of their labels."""
    found = (row.targets.get(index) or (row.cells[index].strip() if index < len(row.cells) else "") for row in rows)
    return [cell for cell in found if cell]


def _confirmed(heading: Heading, rows: Sequence[Row]) -> Heading:
    """The heading, with what stands below it taken into account."""
    if heading.role not in {Role.MEDIA, Role.REFERENCE}:
        return heading
    cells = _cells(rows, heading.index)
    role = _role_by_cells(heading, cells)
    if role == heading.role:
        return heading
    return Heading(
        heading.index, heading.name, role, heading.age, heading.family, heading.number, is_clear=False,
        media=heading.media,
    )  # fmt: skip


def _role_by_cells(heading: Heading, cells: Sequence[str]) -> Role:
    has_links = any(map(is_linkish, cells))
    if heading.role == Role.REFERENCE:
        return Role.ELSEWHERE if has_links else Role.REFERENCE
    if has_links:
        return Role.MEDIA
    if cells and heading.media == "image" and all(map(is_order, cells)):
        return Role.ORDER
    if cells and heading.media == "video" and all(map(is_position, cells)):
        return Role.POSITION
    if heading.age == Age.NEW:
        # A column “new” without links still says that the others are not new, unless it only ticks something off.
        return Role.OTHER if cells and all(map(is_mark, cells)) else Role.MEDIA
    # An empty “image 2” says that an image is missing.
    return Role.MEDIA if not cells and heading.number is not None else Role.OTHER


def _choose(headings: Sequence[Heading], role: Role, *, is_needed: bool = True) -> Heading | None:
    """The one column of this role; a clear name wins. Raises Refusal if two are equally good."""
    found = [heading for heading in headings if heading.role == role]
    clear = [heading for heading in found if heading.is_clear] or found
    if len(clear) > 1 and role in {Role.BUNDLE, Role.REFERENCE}:
        named = {"bundle id": "id", "external ref": "external"}
        clear = [heading for heading in clear if heading.family & set(named.values())] or clear
    if len(clear) > 1:
        if not is_needed:
            return None
        raise _two(clear, _("Two columns could be the {what}: {names}. Keep one of them."), role)
    return clear[0] if clear else None


def _two(headings: Sequence[Heading], sentence: str, role: Role) -> Refusal:
    names = quoted([heading.shown for heading in headings])
    return Refusal(sentence.format(what=_what(role), names=names), code="TABLE_COLUMNS")


def _what(role: Role) -> str:
    return {
        Role.BUNDLE: _("bundle id"),
        Role.POSITION: _("position"),
        Role.REFERENCE: _("reference"),
        Role.ORDER: _("image number"),
    }.get(role, _("link"))


def _missing(headings: Sequence[Heading], bundle: Heading | None, position: Heading | None) -> Refusal:
    if bundle:
        sentence = _("The table has no column for the position. Add “position”, or “external_ref” instead of both.")
    elif position:
        sentence = _("The table has no column for the bundle id. Add “bundle_id”, or “external_ref” instead of both.")
    else:
        sentence = _("The table needs bundle_id and position, or external_ref, beside the link.")
    return Refusal(f"{sentence} {_found(headings)}", code="TABLE_COLUMNS")


def _found(headings: Sequence[Heading]) -> str:
    names = [heading.name for heading in headings if heading.name][:12]
    return _("Its columns are: {names}.").format(names=quoted(names)) if names else ""


def _counts_rows(position: Heading, bundle: Heading | None, rows: Sequence[Row]) -> bool:
    """“#” with 1, 2, 3, … while the bundles change is a row counter."""
    numbers = _cells(rows, position.index)
    bundles = set(_cells(rows, bundle.index)) if bundle else set()
    return len(numbers) > 2 and len(bundles) > 1 and numbers == [str(index) for index in range(1, len(numbers) + 1)]


# --- Links -------------------------------------------------------------------------------------------------


def _choose_links(
    headings: Sequence[Heading], rows: Sequence[Row]
) -> tuple[Sequence[Sequence[Heading]], Sequence[Heading]]:
    """The groups of link columns that hold the replacements, and all columns in them.

    The new ones win over all others. What is not said to be new counts only if nothing is, and never beside another
    of which the same is true. Old ones are never sent.
    """
    found = [heading for heading in headings if heading.role in {Role.LINK, Role.MEDIA}]
    by_age: dict[Age, list[Heading]] = {age: [entry for entry in found if entry.age == age] for age in Age}
    chosen = by_age[Age.NEW] or by_age[Age.UNSAID]
    unknown = [entry for entry in headings if entry.role == Role.UNKNOWN and _has_links(entry, rows)]
    maybe = [*chosen, *by_age[Age.UNCLEAR]]
    if unknown and maybe and not by_age[Age.NEW]:
        raise _two_links([*maybe, *unknown])
    if not by_age[Age.NEW] and by_age[Age.UNCLEAR]:
        if chosen:
            raise _two_links([*chosen, *by_age[Age.UNCLEAR]])
        raise _only(by_age[Age.UNCLEAR])
    if not chosen:
        raise _only(by_age[Age.OLD]) if by_age[Age.OLD] else _no_link(headings, rows)
    families = _families(chosen)
    if by_age[Age.NEW] and len(families) == 1 and not by_age[Age.OLD]:
        # “new_url, url2, url3”: the further images of the new link.
        families = _with_continuation(families, _families(by_age[Age.UNSAID]))
    families = _with_continuation(families[:1], families[1:])
    groups = [_in_order(family) for family in families]
    kinds = {group[0].media for group in groups}
    if len(groups) > 1 and not (len(groups) == len(kinds) == 2 and "image" in kinds):
        raise _two_links([group[0] for group in groups])
    if unnamed := [entry for entry in headings if entry.role == Role.UNNAMED and _has_links(entry, rows)]:
        groups = [_with_unnamed(groups, unnamed)]
    return groups, [heading for group in groups for heading in group]


def _has_links(heading: Heading, rows: Sequence[Row]) -> bool:
    return any(map(is_linkish, _cells(rows, heading.index)))


def _with_unnamed(groups: Sequence[Sequence[Heading]], unnamed: Sequence[Heading]) -> list[Heading]:
    """Columns without a name that follow the last link column hold further images. Raises Refusal for others."""
    last = max(heading.index for group in groups for heading in group)
    if len(groups) > 1 or unnamed[0].index < last:
        raise Refusal(
            _("Column {letter} holds links but has no name. Name it, for example “image 2”.").format(
                letter=unnamed[0].letter
            ),
            code="TABLE_COLUMNS",
        )
    return [*groups[0], *unnamed]


def _two_links(headings: Sequence[Heading]) -> Refusal:
    sentence = _("Two columns could be the {what}: {names}. Keep one of them, or name it “new url”.")
    return _two(headings, sentence, Role.LINK)


def _only(headings: Sequence[Heading]) -> Refusal:
    return Refusal(
        _("By its name, {names} holds the present link. Name the column of the replacements “new url”.").format(
            names=quoted([heading.shown for heading in headings])
        ),
        code="TABLE_COLUMNS",
    )


def _no_link(headings: Sequence[Heading], rows: Sequence[Row]) -> Refusal:
    holding = [entry for entry in headings if entry.name and _has_links(entry, rows)]
    if holding:
        sentence = _("Links stand in {names}, but its name does not say that they are the replacements. Name it “url”.")
        return Refusal(sentence.format(names=quoted([entry.shown for entry in holding])), code="TABLE_COLUMNS")
    return Refusal(
        " ".join([_("The table has no column for the link. Add “url”."), _found(headings)]), code="TABLE_COLUMNS"
    )


def _families(headings: Sequence[Heading]) -> list[list[Heading]]:
    """Columns whose names differ by a number alone."""
    found: dict[frozenset[str], list[Heading]] = {}
    for heading in headings:
        found.setdefault(frozenset(word.rstrip("s") for word in heading.family), []).append(heading)
    return list(found.values())


def _with_continuation(first: list[list[Heading]], others: list[list[Heading]]) -> list[list[Heading]]:
    """“url, image 2, image 3”: a family that begins at 2 goes on where a single first column ends."""
    result = [list(family) for family in first]
    for family in others:
        numbers = [heading.number for heading in family]
        begins_late = all(number is not None and number >= 2 for number in numbers)
        is_plain = family[0].family <= _OF_SERIES
        if begins_late and is_plain and len(result) == 1 and {heading.number for heading in result[0]} <= {None, 1}:
            result[0] += family
        elif family[0].age == first[0][0].age:
            result.append(family)
    return result


def _in_order(family: Sequence[Heading]) -> list[Heading]:
    """By number; the one without a number first. Raises Refusal if two have the same number."""
    numbers = [heading.number for heading in family if heading.number is not None]
    if len(numbers) != len(set(numbers)):
        twice = [heading for heading in family if heading.number is not None and numbers.count(heading.number) > 1]
        raise _two(twice, _("Two columns have the same number: {names}."), Role.LINK)
    wanted = range(min(numbers), min(numbers) + len(numbers)) if numbers else []
    is_whole = sorted(numbers) == list(wanted) and (not numbers or min(numbers) < 2 or len(numbers) < len(family))
    if not is_whole and (len(family) > 1 or numbers[0] < _YEARS):
        raise _two(
            family, _("The numbers of these columns have a gap: {names}. Give all images, from the first."), Role.LINK
        )
    return sorted(family, key=lambda heading: (heading.number is not None, heading.number or 0, heading.index))


# --- Sentences for the person ------------------------------------------------------------------------------


def _named_column(heading: Heading) -> str:
    if not heading.name:
        return _("column {letter}").format(letter=heading.letter)
    return _("“{name}” (column {letter})").format(name=shown(heading.name), letter=heading.letter)


def _notes(
    bundle: Heading | None,
    position: Heading | None,
    reference: Heading | None,
    order: Heading | None,
    links: Sequence[Heading],
    left: Sequence[Heading],
    rows: Sequence[Row],
) -> list[str]:
    parts = [
        (_("Bundle id"), [bundle] if bundle else []),
        (_("Position"), [position] if position else []),
        (_("Reference"), [reference] if reference else []),
        (_("New link"), links),
        (_("Image number"), [order] if order else []),
    ]
    said = [f"{what}: {', '.join(map(_named_column, headings))}" for what, headings in parts if headings]
    notes = ["; ".join(said) + "."]
    old = [heading for heading in left if heading.role in {Role.LINK, Role.MEDIA}]
    rest = [heading for heading in left if heading not in old and (heading.name or _cells(rows, heading.index))]
    if old:
        notes.append(_("Links that are not sent: {names}.").format(names=", ".join(map(_named_column, old))))
    if rest:
        notes.append(_("Columns that were ignored: {names}.").format(names=", ".join(map(_named_column, rest))))
    return notes
