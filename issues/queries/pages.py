"""Keyset pages: the next page begins after the last row, so depth costs nothing and rows do not shift."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows and the cursor of the page behind them, empty where there is none."""

    rows: Sequence[Row]
    after: str = ""


def encode_cursor(*parts: str | int | None) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode_cursor(text: str, size: int) -> list[str | int | None] | None:
    """The cursor's parts, or `None` for one that is not ours (the first page is shown then)."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return None
    valid = isinstance(parts, list) and len(parts) == size
    return parts if valid and all(part is None or isinstance(part, str | int) for part in parts) else None
