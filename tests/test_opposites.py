"""Translations of states never say the opposite: what was undone is not "resumed", a raised flag is not "lifted"."""

import re
from pathlib import Path

import polib
import pytest

FOLDER = Path(__file__).resolve().parent.parent / "issues" / "locale"
# What an English text says → what no translation of it may say.
NEVER = {
    "fr": {
        r"(?i)\btaken back\b|\btook back\b|\bundo": r"(?i)\brepri[st]|\breprend|\breprise",
        r"(?i)^raised$": r"(?i)lev[ée]",
        r"(?i)\bpaused?\b": r"(?i)\brepri[st]|\breprendre",
        r"(?i)\bresumed?\b": r"(?i)\bpause|\bannul",
        r"(?i)\bsnoozed?\b": r"(?i)\bréveill",
    },
    "de": {
        r"(?i)\btaken back\b|\btook back\b|\bundo": r"(?i)fortgesetzt|wieder aufgenommen",
        r"(?i)^raised$": r"(?i)aufgehoben|gelöscht",
        r"(?i)\bpaused?\b": r"(?i)fortgesetzt|fortsetzen",
        r"(?i)\bresumed?\b": r"(?i)angehalten|zurückgenommen",
        r"(?i)\bsnoozed?\b": r"(?i)geweckt",
    },
}
# Two states that a person must be able to tell apart.
PAIRS = (
    ("raised", "cleared"),
    ("Taken back", "Resumed."),
    ("Undo", "Resume"),
    ("Pause", "Resume"),
    ("Verified", "Verifying"),
)


def entries(language):
    return [
        (entry.msgid, text)
        for entry in polib.pofile(str(FOLDER / language / "LC_MESSAGES" / "django.po"))
        for text in (entry.msgstr, *entry.msgstr_plural.values())
        if text and not entry.obsolete
    ]


@pytest.mark.parametrize("language", NEVER)
def test_no_translation_says_the_opposite(language):
    wrong = [
        (msgid, text)
        for msgid, text in entries(language)
        for english, never in NEVER[language].items()
        if re.search(english, msgid) and re.search(never, text)
    ]

    assert wrong == []


@pytest.mark.parametrize("language", NEVER)
def test_states_that_differ_have_words_that_differ(language):
    said = dict(entries(language))

    assert [
        pair for pair in PAIRS if all(one in said for one in pair) and said[pair[0]].lower() == said[pair[1]].lower()
    ] == []
