"""From the bytes of a file to text. Any bytes give text or a sentence, never an exception of another kind."""

import codecs
import re
from dataclasses import dataclass

from django.utils.translation import gettext as _

from issues.problems import Refusal

# UTF-32 first: its mark for little endian begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE = 4096
_CONTROLS = re.compile("[\x01-\x08\x0e-\x1b\x1f\x7f]")
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Decoded:
    text: str
    notes: tuple[str, ...] = ()


def decode(data: bytes) -> Decoded:
    """The text of a file: by its byte order mark, as UTF-8, else by the encoding that spreadsheets fall back to.

    Raises Refusal if it is no text.
    """
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return _clean(_strictly(data[len(mark) :], codec))
    wide = _wide_codec(data)
    if wide:
        return _clean(_strictly(data, wide))
    try:
        return _clean(data.decode("utf-8"))
    except UnicodeDecodeError:
        return _guessed(data)


def clean_text(text: str) -> Decoded:
    """Pasted text, without the characters that no database takes."""
    return _clean(text)


def _wide_codec(data: bytes) -> str:
    """UTF-16 or UTF-32 without a mark: most text has a NUL in each character, always at the same place."""
    sample = data[:_SAMPLE]
    if len(sample) < 4 or sample.count(0) < len(sample) // 4:
        return ""
    at = [sample[place::4].count(0) for place in range(4)]
    quarter = len(sample) // 4
    if at[1] + at[2] + at[3] > 2.6 * quarter and len(data) % 4 == 0:
        return "utf-32-le"
    if at[0] + at[1] + at[2] > 2.6 * quarter and len(data) % 4 == 0:
        return "utf-32-be"
    return "utf-16-le" if at[1] + at[3] > at[0] + at[2] else "utf-16-be"


def _strictly(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        raise _no_text() from error


def _guessed(data: bytes) -> Decoded:
    """Neither UTF-8 nor marked. Excel for Mac's "CSV (Macintosh)" is the one with CR alone at its line ends."""
    is_mac = b"\r" in data and b"\n" not in data
    codec, name = ("mac_roman", "Mac Roman") if is_mac else ("cp1252", "Windows-1252")
    decoded = _clean(_strictly(data, codec))
    note = _(
        "The file is not UTF-8. It was read as {encoding}: check letters with accents, or save the file as CSV UTF-8."
    ).format(encoding=name)
    return Decoded(decoded.text, (*decoded.notes, note))


def _clean(text: str) -> Decoded:
    """Raises Refusal for binary data, which some encodings decode, too."""
    sample = text[:_SAMPLE]
    if len(_CONTROLS.findall(sample)) > max(4, len(sample) // 50):
        raise _no_text()
    notes = []
    if "\0" in text:
        text = text.replace("\0", "")
        notes.append(_("The text held NUL characters. They were left out."))
    if "\ufffd" in text or _SURROGATES.search(text):
        text = _SURROGATES.sub("\ufffd", text)
        notes.append(_("Some characters were lost before the text came here. Save the file as CSV UTF-8."))
    return Decoded(text.replace("\ufeff", ""), tuple(notes))


def _no_text() -> Refusal:
    return Refusal(
        _("The file cannot be read as text. In your spreadsheet, save it as CSV UTF-8 or as .xlsx."),
        code="TABLE_NO_TEXT",
    )
