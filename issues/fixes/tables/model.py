"""What a table is, before and after it was understood."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issues.link_checks.masking import mask_secrets

MAX_LINES = 1000
MAX_CHARACTERS = 1_000_000
MAX_BYTES = 4_000_000  # of a file: UTF-32 needs four bytes for a character
MAX_COLUMNS = 200
MAX_CELL = 40_000  # characters: twenty images with long links fit


@dataclass(frozen=True, slots=True)
class Row:
    """A row of cells as it stands in the text or sheet. `problem` is a sentence if it cannot be read."""

    number: int  # the line of the text, or the row of the sheet, counted from 1
    cells: Sequence[str]
    targets: Mapping[int, str] = field(default_factory=dict)  # hyperlinks under cells, by column
    problem: str = ""

    @property
    def is_blank(self) -> bool:
        return not any(cell.strip() for cell in self.cells) and not self.targets


@dataclass(frozen=True, slots=True)
class Grid:
    """The rows of a table, with sentences about how they were read."""

    rows: Sequence[Row]
    notes: Sequence[str] = ()
    # Whether the cells are certain. In text with commas, a comma in a link may have cut the link in two.
    is_exact: bool = False


@dataclass(frozen=True, slots=True)
class TableLine:
    """What the table wants for one video. `problem` is a sentence if nothing can be sent."""

    number: int  # the first line that it came from
    bundle_id: str = ""
    position: int = 0
    external_ref: str = ""
    links: tuple[str, ...] = ()
    problem: str = ""
    numbers: tuple[int, ...] = ()  # all lines that it came from, in the order of their images
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        place = self.external_ref or f"{self.bundle_id} #{self.position}"
        lines = lines_text(self.numbers or (self.number,))
        return f"{lines}: {place}" if place.strip(" #0") else lines


@dataclass(frozen=True, slots=True)
class Table:
    """A table that was understood: its lines, and sentences about what was chosen, ignored and skipped."""

    lines: Sequence[TableLine]
    notes: Sequence[str] = ()


def lines_text(numbers: Sequence[int]) -> str:
    """“Line 3”, “Lines 3–5”, “Lines 3, 7”."""
    return ngettext("Line {numbers}", "Lines {numbers}", len(numbers)).format(numbers=span_of(numbers))


def span_of(numbers: Sequence[int]) -> str:
    """Line numbers in few characters: “3–5, 9”."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{first}–{last}" if last > first else str(first) for first, last in runs)


def shown(text: str, most: int = 60) -> str:
    """A piece of somebody's table, short enough for a sentence."""
    text = mask_secrets(" ".join(text.split()))
    return text if len(text) <= most else text[: most - 1] + "…"


def quoted(names: Sequence[str]) -> str:
    """“Notes”, “Caption”"""
    return ", ".join(_("“{name}”").format(name=shown(name)) for name in names)
