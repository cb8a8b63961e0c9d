"""A language in which every message stands between marks: what stands outside of them was never given to translators."""

import re
from html.parser import HTMLParser
from zoneinfo import available_timezones

from django.apps import apps
from django.utils import translation

from issues.models import User
from issues.outgoing.payloads import TYPES
from issues.templatetags import tokdash as tags
from issues.triage.notes import handle_of

OPEN, CLOSE = "⟦", "⟧"
# Attributes that a person reads or hears.
READ = {"aria-label", "title", "placeholder", "alt", "data-label", "data-confirm", "data-confirm-click", "label"}
# Names, units, keys and formats: the same in every language.
NAMES = {
    "TokDash", "TokPortal", "TikTok", "Instagram", "YouTube", "CSV", "JSON", "MP", "MOV", "OK", "UTC", "GET", "HTTPS", "URL", "https", "kB", "MB", "GB", "min", "am", "pm",
    "Discord", "Slack", "Microsoft", "Teams", "Webhook", "Deutsch", "English", "Français", "whsec", "Video", "old", "cdn", "example", "com", "colleague",
}  # fmt: skip
MONTHS = {"Jan", "Feb", "March", "April", "May", "June", "July", "Aug", "Sept", "Oct", "Nov", "Dec"}
ZONES = {word for name in available_timezones() for word in re.findall(r"[A-Za-z]{2,}", name)}
WORD = re.compile(r"[^\W\d_]{2,}")


def speak(monkeypatch):
    """From now on messages come in the language of marks."""
    for name in ("_title", "_posting", "_icon"):
        # They keep what was said before: otherwise a language never changes.
        monkeypatch.setattr(tags, name, getattr(tags, name).__wrapped__)

    def marked(message):
        return f"{OPEN}{message}{CLOSE}" if message else message

    monkeypatch.setattr(translation._trans, "gettext", marked, raising=False)
    monkeypatch.setattr(
        translation._trans, "ngettext", lambda one, many, count: marked(one if count == 1 else many), raising=False
    )
    monkeypatch.setattr(
        translation._trans,
        "pgettext",
        lambda context, message: marked(message) if context == "verb" else message,
        raising=False,
    )


class _Reader(HTMLParser):
    """The texts of a page as they are read, each with where it stands."""

    def __init__(self):
        super().__init__()
        self.texts, self._quiet = [], 0

    def handle_starttag(self, tag, attrs):
        self._quiet += tag in {"script", "style", "pre", "textarea"}
        self.texts += [(f"{tag}[{name}]", value) for name, value in attrs if name in READ and value]
        if tag == "template":
            self.texts += [(f"template[{name}]", value or "") for name, value in attrs if name.startswith("data-")]

    def handle_endtag(self, tag):
        self._quiet -= tag in {"script", "style", "pre", "textarea"}

    def handle_data(self, data):
        # Messages with markup in them are read as several pieces: the marks tell how deep each piece stands.
        if not self._quiet:
            self.texts.append(("text", data))


def texts_of(page):
    reader = _Reader()
    reader.feed(page)
    return reader.texts


def outside(page):
    """`(where, words)` of everything that stands outside of all marks."""
    found, depth = [], 0
    for where, text in texts_of(page):
        level, kept = depth if where == "text" else 0, []
        for character in text:
            level += (character == OPEN) - (character == CLOSE)
            if level == 0 and character != CLOSE:
                kept.append(character)
        depth = level if where == "text" else depth
        rest = re.sub(
            r"\b[0-9a-f]*\d[0-9a-f]*\b|https?://\S+|(^|(?<=-))[a-f]+(?=-|$|\b)", "", "".join(kept)
        )  # numbers, addresses
        if words := WORD.findall(rest):
            found.append((where, words))
    return found


def known_words():
    """All words that the database holds: what people and TokPortal have given."""
    words = NAMES | MONTHS | ZONES | {word for name in TYPES for word in WORD.findall(name)}
    words |= {handle_of(user) for user in User.objects.all()} | {
        word for user in User.objects.all() for word in WORD.findall(handle_of(user))
    }
    for model in apps.get_app_config("issues").get_models():
        for row in model._default_manager.all().values():
            words |= {word for value in row.values() for word in WORD.findall(str(value))}
    return words


def strangers(page, known):
    """What a person would read that neither translators nor the data have given."""
    return [(where, words) for where, words in outside(page) if set(words) - known]
