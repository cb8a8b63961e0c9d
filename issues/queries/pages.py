"""Keyset pages: the next page begins after the last row, so depth costs nothing and rows do not shift."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

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


Logged = TypeVar("Logged", bound=Model)


def latest_first(found: QuerySet[Logged], by: str, after: str, size: int) -> Page[Logged]:
    """A page of a log, by its moments (`by`, never null), the latest first."""
    cursor = decode_cursor(after, 2) if after else None
    if cursor and isinstance(cursor[0], str):
        try:
            last = datetime.fromisoformat(cursor[0]).astimezone(UTC)
            found = found.filter(Q(**{f"{by}__lt": last}) | Q(**{by: last, "pk__lt": cursor[1]}))
        except (ValueError, OverflowError, ValidationError):
            pass  # not a cursor of ours
    rows = list(found.order_by(f"-{by}", "-pk")[: size + 1])
    if len(rows) <= size:
        return Page(rows)
    moment: Any = getattr(rows[size - 1], by)
    return Page(rows[:size], encode_cursor(moment.isoformat(), str(rows[size - 1].pk)))
