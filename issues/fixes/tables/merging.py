"""Rows of the same carousel become one line, with the images in order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issues.fixes.tables.model import TableLine, span_of


@dataclass(frozen=True, slots=True)
class Reading:
    """What one row says."""

    number: int
    bundle_id: str = ""
    position: int = 0
    external_ref: str = ""
    links: tuple[str, ...] = ()
    order: int | None = None  # of its image in the carousel
    problem: str = ""
    key_problem: str = ""  # why it names no video
    is_nameless: bool = False
    notes: tuple[str, ...] = ()

    def refused(self, problem: str) -> "Reading":
        return replace(self, problem=self.problem or problem)

    def with_links(self, links: Sequence[str]) -> "Reading":
        problem = self.key_problem if links else _("There is no link in this line.")
        return replace(self, links=tuple(links), problem=self.problem or problem)

    @property
    def key(self) -> tuple[str, int, str] | None:
        """The video that the row names; None if it names none."""
        if self.key_problem or not (self.external_ref or (self.bundle_id and self.position)):
            return None
        return (self.bundle_id, self.position, self.external_ref)


def merge(readings: Sequence[Reading]) -> list[TableLine]:
    """One line for each video, in the order of their first rows. Rows that name no video stay lines of their own."""
    groups: dict[object, list[tuple[int, Reading]]] = {}
    last: object = None
    orphans: dict[object, int] = {}
    for at, reading in enumerate(readings):
        key: object = reading.key or ("line", reading.number)
        groups.setdefault(key, []).append((at, reading))
        if reading.is_nameless and reading.links:
            if last is not None:
                orphans.setdefault(last, reading.number)
        else:
            last = key if reading.key else None
    return [_line(members, orphans.get(key)) for key, members in groups.items()]


def _line(members: Sequence[tuple[int, Reading]], orphan: int | None) -> TableLine:
    problem = _why_not(members)
    if not problem and orphan:
        problem = _(
            "Line {number} below has a link but names no video. If it belongs here, repeat the bundle and position."
        ).format(number=orphan)
    readings = [reading for _at, reading in members]
    if not problem and len(readings) > 1 and readings[0].order is not None:
        readings = sorted(readings, key=lambda reading: reading.order or 0)
    first = min(readings, key=lambda reading: reading.number)
    numbers = tuple(reading.number for reading in readings)
    links = tuple(link for reading in readings for link in reading.links)
    notes = [note for reading in readings for note in reading.notes]
    if len(numbers) > 1:
        notes.append(
            ngettext(
                "Lines {lines} were put together: {count} image.",
                "Lines {lines} were put together: {count} images.",
                len(links),
            ).format(lines=span_of(numbers), count=len(links))
        )
    return TableLine(
        first.number, first.bundle_id, first.position, first.external_ref, links, problem, numbers, tuple(notes)
    )


def _why_not(members: Sequence[tuple[int, Reading]]) -> str:
    """Why these rows of one video cannot be sent; an empty string if they can."""
    readings = [reading for _at, reading in members]
    for reading in readings:
        if reading.problem:
            if len(readings) == 1:
                return reading.problem
            return _("Line {number}: {problem}").format(number=reading.number, problem=reading.problem)
    orders = [reading.order for reading in readings]
    numbered = sorted(order for order in orders if order is not None)
    numbers = span_of([reading.number for reading in readings])
    if numbered and len(numbered) < len(orders):
        return _("Some of the lines {numbers} have an image number, others have none.").format(numbers=numbers)
    if numbered and numbered not in (list(range(len(numbered))), list(range(1, len(numbered) + 1))):
        return _("The image numbers do not run from 1 to {count}. A fix sends all images of a carousel.").format(
            count=len(numbered)
        )
    places = [at for at, _reading in members]
    if not numbered and places != list(range(places[0], places[0] + len(places))):
        return _("Lines {numbers} name the same video, but others stand between them.").format(numbers=numbers)
    if not numbered and len({reading.links for reading in readings}) < len(readings):
        return _("Lines {numbers} are the same. Remove one, or number the images.").format(numbers=numbers)
    return ""
