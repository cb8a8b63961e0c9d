"""What a search finds an event by: the words of its label and of the values in its changes, lower case."""

import re
from typing import Any

_BREAKS = re.compile(r"[\W_]+")
MAX_WORDS = 200
MAX_LENGTH = 64  # of a word; a digest is as long


def words_in(text: str) -> list[str]:
    """The words of a text, as they are kept and as they are searched for: letters and digits of any script."""
    return [word[:MAX_LENGTH] for word in _BREAKS.split(text.lower()) if word]


def search_words(
    *, verb: str, actor_digest: str, label: str, label_digest: str, bundle_id: str, changes: dict[str, Any]
) -> str:
    """The words of an event, each once, separated by spaces. Values that belong to a person count by their digest."""
    parts = [verb, actor_digest, label, label_digest, bundle_id]
    _collect(changes, parts)
    return " ".join(list(dict.fromkeys(words_in(" ".join(parts))))[:MAX_WORDS])


def _collect(value: Any, parts: list[str]) -> None:
    if isinstance(value, str):
        parts.append(value)
    elif isinstance(value, dict):
        for name in sorted(value):  # the canonical text is sorted, too
            _collect(value[name], parts)
    elif isinstance(value, list):
        for entry in value:
            _collect(entry, parts)
    elif value is not None and not isinstance(value, bool):
        parts.append(str(value))
