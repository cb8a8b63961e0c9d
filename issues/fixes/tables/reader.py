"""From bytes or text to a table: what the page and the command call."""

from django.utils.translation import gettext as _

from issues.fixes.tables.decoding import clean_text, decode
from issues.fixes.tables.dialect import read_text
from issues.fixes.tables.file_kinds import is_spreadsheet, refuse_markup
from issues.fixes.tables.model import MAX_BYTES, MAX_CHARACTERS, Table
from issues.fixes.tables.rows import table_of
from issues.fixes.tables.spreadsheet import read_spreadsheet
from issues.problems import Refusal


def read_table(source: str | bytes) -> Table:
    """The table in a file's bytes or in a pasted text.

    Any input gives a table or a Refusal with a sentence, never another exception. Lines that cannot be used are in
    the table, with the reason.
    """
    if isinstance(source, bytes):
        if len(source) > MAX_BYTES:
            raise _too_large()
        if is_spreadsheet(source):
            return table_of(read_spreadsheet(source))
        decoded = decode(source)
    else:
        decoded = clean_text(source)
    if len(decoded.text) > MAX_CHARACTERS:
        raise _too_large()
    refuse_markup(decoded.text)
    return table_of(read_text(decoded.text, decoded.notes))


def _too_large() -> Refusal:
    return Refusal(_("The table is too large."), code="TABLE_TOO_LARGE")
