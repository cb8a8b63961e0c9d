"""Write the history: explicit calls inside the domain function's transaction, its last statement before commit."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from issues.audit.actors import Actor, Personal
from issues.audit.personal import keep_values
from issues.audit.verbs import Verb
from issues.audit.words import search_words
from issues.link_checks.masking import mask_secrets, mask_values
from issues.models import AuditEvent, AuditHead, Issue, Video, Workspace

# field → [before, after]; links in it are masked first (link_checks.masking.shown_url), secrets are "set" or
# "changed", what belongs to a person is a Personal. What is written stays for good, so `record` masks every text again.
Changes = dict[str, list[Any]]

GENESIS = "0" * 64
# The form of the canonical text. The first one had no "v", and people's names in it.
VERSION = 2


@dataclass(frozen=True, slots=True)
class Event:
    """One event to be written."""

    verb: Verb
    label: str | Personal
    changes: Changes = field(default_factory=dict)
    workspace_id: UUID | None = None
    bundle_id: str = ""
    position: int | None = None
    issue_id: int | None = None
    fix_id: UUID | None = None
    tokportal_request_id: str = ""

    @classmethod
    def about_issue(
        cls,
        verb: Verb,
        issue: Issue,
        changes: Changes | None = None,
        *,
        fix_id: UUID | None = None,
        tokportal_request_id: str = "",
    ) -> "Event":
        """An event of a video's story. The issue's video and bundle must be loaded."""
        video = issue.video
        return cls(
            verb,
            label=f"{video} · {video.bundle} #{video.position}",
            changes=changes or {},
            workspace_id=issue.workspace_id,
            bundle_id=video.bundle.tokportal_id,
            position=video.position,
            issue_id=issue.pk,
            fix_id=fix_id,
            tokportal_request_id=tokportal_request_id,
        )

    @classmethod
    def about_video(cls, verb: Verb, video: Video, changes: Changes | None = None) -> "Event":
        """An event of a video that has no issue. Its bundle must be loaded."""
        return cls(
            verb,
            label=f"{video} · {video.bundle} #{video.position}",
            changes=changes or {},
            workspace_id=video.bundle.workspace_id,
            bundle_id=video.bundle.tokportal_id,
            position=video.position,
        )

    @classmethod
    def about_workspace(cls, verb: Verb, workspace: Workspace, changes: Changes | None = None) -> "Event":
        return cls(verb, label=workspace.name, changes=changes or {}, workspace_id=workspace.pk)


def canonical_text(event: AuditEvent, changes: Changes) -> str:
    """The text that is hashed: JSON with sorted keys, without spaces, times in UTC with microseconds."""
    return json.dumps(
        {
            "v": VERSION,
            "team": event.team_id,
            "seq": event.seq,
            "at": moment_text(event.at),
            "verb": event.verb,
            "origin": event.origin,
            "actor_id": event.actor_id,
            "actor_name": event.actor_name,
            "actor_digest": event.actor_digest,
            "workspace_id": str(event.workspace_id) if event.workspace_id else None,
            "bundle_id": event.bundle_id,
            "position": event.position,
            "issue_id": event.issue_id,
            "fix_id": str(event.fix_id) if event.fix_id else None,
            "label": event.label,
            "label_digest": event.label_digest,
            "changes": changes,
            "request_id": event.request_id,
            "tokportal_request_id": event.tokportal_request_id,
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )


def moment_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def chain_hash(previous: str, canonical: str) -> str:
    """SHA-256 over the former event's hash, a line feed, and the canonical text; hexadecimal."""
    return hashlib.sha256(f"{previous}\n{canonical}".encode()).hexdigest()


def record(team_id: int, actor: Actor, events: Sequence[Event]) -> None:
    """Append events to the team's chain. Must be the last statement of the transaction: it locks the chain's head."""
    if not events:
        return
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("history is written inside the transaction of the change")
    who = actor.personal
    digests = keep_values(team_id, _personal_values([who, *((event.label, event.changes) for event in events)]))
    drafts = [_draft(team_id, actor, event, digests, digests[who] if who else "") for event in events]
    # Nothing that can wait is done from here on: every other writer of the team stands behind this lock.
    head = AuditHead.objects.select_for_update().get(team_id=team_id)
    # A clock that was set back must not put an event before the former one.
    at = max(timezone.now(), head.at) if head.at else timezone.now()
    for row, changes in drafts:
        row.seq, row.at, row.previous_hash = head.seq + 1, at, head.hash
        row.canonical = canonical_text(row, changes)
        row.hash = chain_hash(head.hash, row.canonical)
        head.seq, head.hash = row.seq, row.hash
    AuditEvent.objects.bulk_create([row for row, _ in drafts], batch_size=500)
    AuditHead.objects.filter(team_id=team_id).update(seq=head.seq, hash=head.hash, at=at)


def _personal_values(value: Any) -> Iterator[Personal]:
    if isinstance(value, Personal):
        yield value
    elif isinstance(value, dict):
        yield from _personal_values(list(value.values()))
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _personal_values(entry)


def _draft(
    team_id: int, actor: Actor, event: Event, digests: dict[Personal, str], who: str
) -> tuple[AuditEvent, Changes]:
    """An event as it will be written, but for its place in the chain."""

    def plain(value: object) -> object:
        return {"digest": digests[value]} if isinstance(value, Personal) else str(value)

    changes: Changes = mask_values(json.loads(json.dumps(event.changes, default=plain).replace("\\u0000", "")))
    label = "" if isinstance(event.label, Personal) else mask_secrets(event.label)[:700].replace("\x00", "")
    label_digest = digests[event.label] if isinstance(event.label, Personal) else ""
    row = AuditEvent(
        team_id=team_id,
        verb=event.verb.value,
        origin=actor.origin.value,
        actor_id=actor.user.pk if actor.user else None,
        actor_name="" if who else actor.name,
        actor_digest=who,
        workspace_id=event.workspace_id,
        bundle_id=event.bundle_id,
        position=event.position,
        issue_id=event.issue_id,
        fix_id=event.fix_id,
        label=label,
        label_digest=label_digest,
        request_id=actor.request_id,
        tokportal_request_id=event.tokportal_request_id,
        words=search_words(
            verb=event.verb.value,
            actor_digest=who,
            label=label,
            label_digest=label_digest,
            bundle_id=event.bundle_id,
            changes=changes,
        ),
    )
    return row, changes
