"""Links inside cells: found among other words, and told apart from each other."""

import re
from collections.abc import Sequence

from issues.link_checks.paste import links_in as links_of_text
from issues.tokportal.storage_paths import CAROUSEL_FOLDER, is_storage_path

# What TokPortal takes: web links, and its own storage paths.
LINK = rf"(?:https?://|{CAROUSEL_FOLDER})"
# A link begins where nothing or a separator stands before it. One inside another link does not:
# https://example.com/fetch/https://… or ?url=https://…
_BEGINNING = re.compile(rf"(?:^|(?<=[\s,;|<>()\[\]{{}}\"'“”„‘’«»`*]))(?={LINK})", re.I)
_STARTS = re.compile(rf"[\s<(\[{{\"'“”„‘’«»`*]*{LINK}", re.I)
_FORMULA_LINK = re.compile(rf"\s*=\s*[\w.]+\s*\(\s*[\"']{{0,2}}{LINK}", re.I)
_LINKISH = re.compile(r"[a-z][a-z0-9+.-]{1,15}://|\bwww\.|(?<![\w-])[\w-]{1,63}\.[a-z]{2,24}/\S", re.I)
# HYPERLINK and IMAGE in the languages of spreadsheets. Other functions put a link together from parts.
_LINK_FUNCTION = (
    r"[\w.]*(?:hyper|hiper|link|lien|colleg|odkaz|łącz|сылк|посил|länk|köprü|hivatk|image|imagen|bild|obraz)[\w.]*"
)
_FORMULA = re.compile(
    rf"""\s*=\s*{_LINK_FUNCTION}\s*\(\s*(["']{{1,2}})(?P<first>(?:[^"']|(?<=\w)')*)\1\s*(?:[;,][^&()]*|[;,]\s*"[^"]*"\s*)?\)?\s*""",
    re.S | re.I,
)
_NUMBERING = re.compile(r"(?:\(?#?\d{1,3}[.):]{0,2}|[-–—•*·+&]|and|und|et|y|e|i)\Z", re.I)
_MARKUP = re.compile(
    r"""!?\[[^\[\]]*\]\((?:[^()\s]|\([^()\s]*\))*(?:\s"[^"]*")?\)  # Markdown: [words](link "title")
    |<a\s[^<>]*>[^<>]*</a\s*>  # HTML
    |<[^<>\s|]+(?:\|[^<>]*)?>  # Slack: <link|words>""",
    re.I | re.X,
)
# A list as programs write it: ["https://…", "https://…"]
_LIST = re.compile(r"""\[\s*(?:"[^"\[\]]*"|'[^'\[\]]*')(?:\s*,\s*(?:"[^"\[\]]*"|'[^'\[\]]*'))*\s*\]""")
_LISTED = re.compile(r"""["']([^"']+)["']""")
_NOTHING = {"", "-", "–", "—", "/", ".", "n/a", "na", "none", "null", "nil", "nan", "keine", "keiner", "aucun"}
_ENDS = " \t\r\n,;|"
_INVISIBLE = dict.fromkeys(
    [0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF]
)
_SPACES = {0xA0: " ", 0x202F: " ", 0x2007: " ", 0x3000: " "}


def tidy(cell: str) -> str:
    """The cell without invisible characters and the spaces around it."""
    return cell.translate(_INVISIBLE | _SPACES).strip()


def starts_with_link(cell: str) -> bool:
    return bool(_STARTS.match(cell) or _FORMULA_LINK.match(cell))


def holds_link(cell: str) -> bool:
    """Whether a link stands anywhere in this cell."""
    return bool(_BEGINNING.search(cell) or _FORMULA_LINK.match(cell))


def is_empty(cell: str) -> bool:
    """Whether a cell says that nothing stands in it."""
    return cell.casefold() in _NOTHING


def is_linkish(cell: str) -> bool:
    """Whether somebody may have meant a link: one without https://, too."""
    return holds_link(cell) or bool(_LINKISH.search(cell))


def formula_text(cell: str) -> str | None:
    """The first text of a formula such as =HYPERLINK("https://…";"Download"), in any language; None for no formula.

    An empty string if the formula refers to other cells: then nobody knows what it would give.
    """
    if not cell.startswith("="):
        return None
    if found := re.fullmatch(r'=\s*"((?:[^"]|"")*)"', cell):
        return found[1].replace('""', '"')  # ="00123", which keeps the zeros
    found = _FORMULA.fullmatch(cell)
    return found["first"].strip() if found else ""


def links_in(cell: str) -> Sequence[str]:
    """The links of a cell, in order. Text that is none stays with the link before it, so that it is refused, not lost.

    Links are divided only where the next one begins: a comma or semicolon inside a link stays.
    """
    if _LIST.fullmatch(cell) and (items := _LISTED.findall(cell)):
        return items
    marked = _MARKUP.findall(cell)
    if marked and not _MARKUP.sub("", cell).strip(_ENDS):
        # Nothing but markup: each piece is the link that it leads to. Of anything else, nobody knows what is meant.
        found = [links_of_text(piece) for piece in marked]
        return [links[0] for links in found] if all(len(links) == 1 for links in found) else [cell]
    starts = [found.start() for found in _BEGINNING.finditer(cell)]
    if not starts and len(words := re.split(r"[\s,;|]+", cell.strip(_ENDS))) > 1 and all(map(is_storage_path, words)):
        return words
    if len(starts) < 2:
        return [cell] if cell else []
    pieces = [cell[: starts[0]] + cell[starts[0] : starts[1]]]
    pieces += [cell[start:end] for start, end in zip(starts[1:], [*starts[2:], len(cell)], strict=True)]
    if _NUMBERING.match(pieces[0][: starts[0]].strip(_ENDS)):
        pieces[0] = cell[starts[0] : starts[1]]
    return [_trimmed(piece, is_last=index == len(pieces) - 1) for index, piece in enumerate(pieces)]


def _trimmed(piece: str, *, is_last: bool) -> str:
    """Without the separator behind it, and without the next one's number: “https://…/1.jpg; 2)”."""
    piece = piece.strip(_ENDS)
    head, _, tail = piece.rpartition(" ") if " " in piece else piece.rpartition("\n")
    return head.strip(_ENDS) if head and not is_last and _NUMBERING.match(tail) else piece
