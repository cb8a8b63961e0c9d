"""Write the history out: CSV for people with spreadsheets, JSON lines for programs. Streamed, some rows at a time."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from issues.audit.chain import moment_text
from issues.audit.personal import People, people_of
from issues.models import AuditEvent

COLUMNS = (
    "seq", "at", "verb", "actor", "origin", "label", "workspace_id", "bundle_id", "position", "issue_id", "fix_id",
    "changes", "request_id", "tokportal_request_id", "hash",
)  # fmt: skip
CHUNK = 500

# A spreadsheet takes a cell that begins so for a formula; the full-width forms are folded by some.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe_cell(value: object) -> str:
    """A CSV cell that no spreadsheet takes for a formula: risky ones get a leading apostrophe."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _row(event: AuditEvent, people: People) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "at": moment_text(event.at),
        "verb": event.verb,
        "actor": people.name(event),
        "origin": event.origin,
        "label": people.label(event),
        "workspace_id": str(event.workspace_id) if event.workspace_id else None,
        "bundle_id": event.bundle_id,
        "position": event.position,
        "issue_id": event.issue_id,
        "fix_id": str(event.fix_id) if event.fix_id else None,
        "changes": people.changes(event),
        "request_id": event.request_id,
        "tokportal_request_id": event.tokportal_request_id,
        "hash": event.hash,
    }


def _with_people(
    events: Iterable[AuditEvent], *, as_recorded: bool = False
) -> Iterator[tuple[AuditEvent, dict[str, Any]]]:
    """Each event with its readable row; the values beside the chain are looked up for a chunk at a time."""
    rest = iter(events)
    while chunk := list(islice(rest, CHUNK)):
        people = people_of(chunk[0].team_id, chunk, as_recorded=as_recorded)
        for event in chunk:
            yield event, _row(event, people)


def csv_lines(events: Iterable[AuditEvent]) -> Iterator[str]:
    """The export as CSV, a line at a time, the header first."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)

    def flush() -> str:
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text

    writer.writerow(COLUMNS)
    yield flush()
    for _, row in _with_people(events):
        row["changes"] = json.dumps(row["changes"], ensure_ascii=False) if row["changes"] else ""
        writer.writerow([safe_cell(row[name]) for name in COLUMNS])
        yield flush()


def json_lines(events: Iterable[AuditEvent], *, as_recorded: bool = False) -> Iterator[str]:
    """The export as JSON lines with everything that was hashed: enough to check the chain without us.

    `as_recorded`: the readable part exactly as it was hashed, too. The evidence package needs that: its program
    compares the two.
    """
    for event, row in _with_people(events, as_recorded=as_recorded):
        yield (
            json.dumps({**row, "canonical": event.canonical, "previous_hash": event.previous_hash}, ensure_ascii=False)
            + "\n"
        )
