"""Single cells: positions, ids and references, as spreadsheets and people write them."""

import re
from dataclasses import dataclass

from django.utils.translation import gettext as _

from issues.fixes.tables.links import formula_text, tidy
from issues.fixes.tables.model import shown
from issues.link_checks.masking import shown_url

MAX_POSITION = 100_000
_POSITION = re.compile(
    r"[#'’‘\"\s.]*(?:(?:slot|position|pos|platz|place|posici[oó]n|posi[cç][aã]o|posizione|positie|pozycja|video|vid|number|"
    r"nummer|n[uú]mero|no|nr|n[°ºo]?)\b[\s.:#°º-]*)?#?\s*0*(\d{1,6})(?:[.,]0{1,2})?[\s.)\"']*",
    re.I,
)
_SCIENTIFIC = re.compile(r"-?\d(?:[.,]\d+)?E\+?\d{2,3}", re.I)
_DASHBOARD = re.compile(
    r"https?://(?:[\w-]+\.)*tokportal\.com(?::\d+)?/(?:[\w.~-]+/)*bundles?/([\w-]{4,128})(?:[/?#]\S*)?", re.I
)
_OF_HOW_MANY = re.compile(r"\s*(?:/|of|von|sur|de|di|van|z)\s*\d{1,3}$", re.I)
_MARK = re.compile(
    r"yes|no|y|n|x|true|false|ja|nein|j|oui|non|si|sí|sim|não|nee|tak|nie|ok|done|✓|✔|✅|\d[\d./:\- T]*Z?", re.I
)
_AROUND = (("**", "**"), ("`", "`"), ("'", "'"), ("’", "’"), ("‘", "’"), ("“", "”"), ("„", "“"), ("„", "”"), ("«", "»"))
_FLOAT = re.compile(r"(\d{1,15})\.0")


@dataclass(frozen=True, slots=True)
class Key:
    """An id or reference, or a sentence that says why the cell holds none."""

    text: str = ""
    problem: str = ""


def position_of(cell: str) -> int | None:
    """1 for “1”, “1.0”, “1,0”, “#1”, “'1” and “Slot 1”; None for anything else."""
    found = _POSITION.fullmatch(_plain(cell))
    number = int(found[1]) if found else 0
    return number if 1 <= number <= MAX_POSITION else None


def is_position(cell: str) -> bool:
    return position_of(cell) is not None


def order_of(cell: str) -> int | None:
    """The number of an image in its carousel: “2”, “0” where somebody counts from 0, “2/4”, “2 of 4”."""
    text = _OF_HOW_MANY.sub("", tidy(cell))
    return 0 if text == "0" else position_of(text)


def is_order(cell: str) -> bool:
    return order_of(cell) is not None


def is_mark(cell: str) -> bool:
    """Whether a cell ticks something off instead of holding something: “yes”, “x”, a date."""
    return bool(_MARK.fullmatch(tidy(cell)))


def bundle_of(cell: str) -> Key:
    """The bundle's id, also out of a link to TokPortal's page of the bundle."""
    text = _plain(cell)
    found = _DASHBOARD.fullmatch(text)
    if found:
        return Key(found[1])
    if "://" in text:
        return Key(problem=_("“{value}” is no bundle id.").format(value=shown(shown_url(text), 80)))
    key = _key(text, 128)
    number = _FLOAT.fullmatch(key.text)
    return Key(number[1]) if number else key


def reference_of(cell: str) -> Key:
    return _key(_plain(cell), 255)


def _key(text: str, most: int) -> Key:
    if text.startswith("="):
        return Key(problem=_("A cell holds a formula instead of its result. Paste values only."))
    if _SCIENTIFIC.fullmatch(text) and ("+" in text or "." in text or "," in text):
        sentence = _("The spreadsheet has turned the id into “{value}”. Format the column as text, and enter it again.")
        return Key(problem=sentence.format(value=text))
    if len(text) > most:
        return Key(problem=_("“{value}” is too long for an id.").format(value=shown(text, 40)))
    return Key(" ".join(text.split()))


def _plain(cell: str) -> str:
    """The text of a cell, without the marks that spreadsheets and Markdown put around it."""
    text = tidy(cell)
    formula = formula_text(text)
    if formula:
        text = formula
    if text.startswith(("'", "’")) and not text.endswith(("'", "’")):
        text = text[1:]
    for first, last in _AROUND:
        if len(text) > len(first + last) and text.startswith(first) and text.endswith(last):
            text = text[len(first) : -len(last)]
    return text.strip()
