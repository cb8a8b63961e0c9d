"""Walk along a chain and compare every event with what was hashed. Some 10 µs an event: no model is made of it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from issues.audit.chain import VERSION
from issues.audit.checkpoints import Place
from issues.audit.personal import digests_within
from issues.audit.words import search_words
from issues.models import AuditEvent

# What the canonical text repeats of the columns, beside the changes. The first form had no digests and no words.
FIRST_FORM = (
    "team", "seq", "at", "verb", "origin", "actor_id", "actor_name", "workspace_id", "bundle_id", "position",
    "issue_id", "fix_id", "label", "request_id", "tokportal_request_id",
)  # fmt: skip
DIGESTS = ("actor_digest", "label_digest")
CHUNK = 5000

# Times and UUIDs as the canonical text spells them: made by the database, where that is cheapest.
_SPELLINGS = {
    "postgresql": {
        "at": """to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""",
        "uuid": "{0}::text",
    },
    "sqlite": {
        "at": "replace(substr(at || '.000000', 1, 26), ' ', 'T') || 'Z'",
        "uuid": (
            "substr({0},1,8)||'-'||substr({0},9,4)||'-'||substr({0},13,4)||'-'||substr({0},17,4)||'-'||substr({0},21)"
        ),
    },
}


@dataclass(slots=True)
class Walk:
    """How far a walk came. `first_bad` is the first number at which the chain does not hold; `reason` says why."""

    place: Place
    events: int = 0
    first_bad: int | None = None
    reason: str = ""
    digests: dict[str, int] = field(default_factory=dict)  # personal values → the first event that speaks of them


def _select() -> str:
    spelling = _SPELLINGS[connection.vendor]
    columns = []
    for name in (*FIRST_FORM, *DIGESTS):
        if name == "at":
            columns.append(spelling["at"])
        elif name in {"workspace_id", "fix_id"}:
            columns.append(spelling["uuid"].format(name))
        else:
            columns.append("team_id" if name == "team" else name)
    table = AuditEvent._meta.db_table
    # Column and table names are ours; what is asked for goes in as parameters.
    return (
        f"SELECT seq, previous_hash, hash, canonical, words, {', '.join(columns)} FROM {table} "  # noqa: S608
        "WHERE team_id = %s AND seq > %s AND seq <= %s ORDER BY seq LIMIT %s"
    )


def _rows(team_id: int, after: int, until: int) -> Iterator[tuple[Any, ...]]:
    """Chunks by number, each a statement of its own: no cursor stays open and no snapshot is held."""
    sql = _select()
    while True:
        with connection.cursor() as cursor:
            cursor.execute(sql, [team_id, after, until, CHUNK])
            rows = cursor.fetchall()
        yield from rows
        if len(rows) < CHUNK:
            return
        after = rows[-1][0]


def walk(team_id: int, start: Place, until: int) -> Walk:
    """Go from behind `start` up to number `until`, which must be there; stop at the first event that does not hold."""
    previous, expected, count, last_at = start.hash, start.seq + 1, 0, ""
    digests: dict[str, int] = {}
    names = (*FIRST_FORM, *DIGESTS)
    loads, sha256 = json.loads, hashlib.sha256
    for seq, previous_hash, own_hash, canonical, words, *columns in _rows(team_id, start.seq, until):
        reason = ""
        if seq != expected:
            reason = f"Event {expected} is missing."
        elif previous_hash != previous:
            reason = "It does not follow the event before it."
        elif sha256(f"{previous}\n{canonical}".encode()).hexdigest() != own_hash:
            reason = "Its text or its hash was altered."
        else:
            fields = loads(canonical)
            changes = fields.pop("changes")
            if fields.pop("v", 1) == VERSION:
                holds = fields == dict(zip(names, columns, strict=True)) and words == search_words(
                    verb=fields["verb"],
                    actor_digest=fields["actor_digest"],
                    label=fields["label"],
                    label_digest=fields["label_digest"],
                    bundle_id=fields["bundle_id"],
                    changes=changes,
                )
                for digest in (fields.get("actor_digest"), fields.get("label_digest")):
                    if digest and digest not in digests:
                        digests[digest] = seq
                if '"digest":' in canonical:
                    for digest in digests_within(changes):
                        digests.setdefault(digest, seq)
            else:
                holds = fields == dict(zip(FIRST_FORM, columns, strict=False)) and columns[-2:] == ["", ""]
            if not holds:
                reason = "Its columns are not what was hashed."
            elif fields["at"] < last_at and "actor_digest" in fields:
                reason = "It is dated before the event before it."
            last_at = fields["at"]
        if reason:
            bad = min(seq, expected)
            return Walk(Place(expected - 1, previous), count, bad, reason, digests)
        previous, expected, count = own_hash, expected + 1, count + 1
    missing = expected <= until
    reason = f"Event {expected} and what follows are missing." if missing else ""
    return Walk(Place(expected - 1, previous), count, expected if missing else None, reason, digests)
