"""Binary files, and the advice for each kind."""

import re
import zipfile
from collections.abc import Callable
from io import BytesIO

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from issues.problems import Refusal

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_SAVE = gettext_lazy("Save the table as .xlsx or as CSV UTF-8.")
_MARKUP = re.compile(r"<(?:!--|\?xml|!doctype|html|head|meta|body|table|style|div)", re.I)
_SIGNATURES = (
    (b"%PDF-", gettext_lazy("This is a PDF.")),
    (b"\x1f\x8b", gettext_lazy("This is a compressed file.")),
    (b"Rar!", gettext_lazy("This is a compressed file.")),
    (b"7z\xbc\xaf", gettext_lazy("This is a compressed file.")),
    (b"{\\rtf", gettext_lazy("This is a text document, not a table.")),
    (b"\x89PNG", gettext_lazy("This is a picture.")),
    (b"\xff\xd8\xff", gettext_lazy("This is a picture.")),
    (b"GIF8", gettext_lazy("This is a picture.")),
)


def is_spreadsheet(data: bytes) -> bool:
    """Whether these bytes are an .xlsx file. Raises Refusal, with advice, for other binary files."""
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _is_xlsx(data)
    if data.startswith(_OLE):
        if _ENCRYPTED in data:
            raise _refusal(_("This spreadsheet has a password. Remove it, and save the file again."))
        raise _refusal(_("This is a spreadsheet of the old .xls kind."), _SAVE)
    for signature, sentence in _SIGNATURES:
        if data.startswith(signature):
            raise _refusal(sentence, _SAVE)
    return False


def refuse_markup(text: str) -> None:
    """Raises Refusal for web pages, XML and JSON: text, but no table in rows and cells."""
    start = text[:2000].lstrip("\ufeff \t\r\n")
    if _MARKUP.match(start):
        raise _refusal(_("This is a web page or XML, not a table."), _SAVE)
    if re.match(r"\[\s*[\[{]|\{\s*\"", start):
        raise _refusal(_("This is JSON, not a table."), _SAVE)


def _is_xlsx(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = set(archive.namelist())
            kind = archive.read("mimetype")[:100] if "mimetype" in names and _is_small(archive) else b""
    except Exception as error:  # zipfile raises many kinds for strangers' bytes
        raise _refusal(_("This file is damaged."), _SAVE) from error
    if "xl/workbook.xml" in names:
        return True
    kinds: tuple[tuple[Callable[[str], bool], str], ...] = (
        (lambda name: name == "xl/workbook.bin", _("This is a spreadsheet of the .xlsb kind.")),
        (lambda name: name.endswith(".iwa") or name == "Index.zip", _("This is a file of Apple Numbers or Pages.")),
        (lambda name: name.startswith("word/"), _("This is a text document, not a table.")),
    )
    for matches, sentence in kinds:
        if any(map(matches, names)):
            raise _refusal(sentence, _SAVE)
    if b"opendocument" in kind:
        raise _refusal(_("This is an OpenDocument file."), _SAVE)
    raise _refusal(_("This is a ZIP archive. Unpack it, and choose the table in it."))


def _is_small(archive: zipfile.ZipFile) -> bool:
    return archive.getinfo("mimetype").file_size < 1000


def _refusal(*sentences: object) -> Refusal:
    return Refusal(" ".join(map(str, sentences)), code="TABLE_NO_TEXT")
