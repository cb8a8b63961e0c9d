"""Write the history: explicit calls inside the domain function's transaction, its last statement before commit."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from issues.audit.actors import Actor
from issues.audit.verbs import Verb
from issues.models import AuditEvent, AuditHead, Issue, Video, Workspace

# field → [before, after]; links in it are shortened first (links.urls.shown_url), secrets are "set" or "changed".
Changes = dict[str, list[Any]]

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Event:
    """One event to be written."""

    verb: Verb
    label: str
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


def canonical_text(event: AuditEvent) -> str:
    """The text that is hashed: JSON with sorted keys, without spaces, times in UTC with microseconds."""
    return json.dumps(
        {
            "team": event.team_id,
            "seq": event.seq,
            "at": moment_text(event.at),
            "verb": event.verb,
            "origin": event.origin,
            "actor_id": event.actor_id,
            "actor_name": event.actor_name,
            "workspace_id": str(event.workspace_id) if event.workspace_id else None,
            "bundle_id": event.bundle_id,
            "position": event.position,
            "issue_id": event.issue_id,
            "fix_id": str(event.fix_id) if event.fix_id else None,
            "label": event.label,
            "changes": event.changes,
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
    head = AuditHead.objects.select_for_update().get(team_id=team_id)
    at = timezone.now()
    rows = []
    for event in events:
        row = AuditEvent(
            team_id=team_id,
            seq=head.seq + 1,
            at=at,
            verb=event.verb.value,
            origin=actor.origin.value,
            actor_id=actor.user.pk if actor.user else None,
            actor_name=actor.name,
            workspace_id=event.workspace_id,
            bundle_id=event.bundle_id,
            position=event.position,
            issue_id=event.issue_id,
            fix_id=event.fix_id,
            label=event.label[:700].replace("\x00", ""),
            changes=json.loads(json.dumps(event.changes, default=str).replace("\\u0000", "")),
            request_id=actor.request_id,
            tokportal_request_id=event.tokportal_request_id,
            previous_hash=head.hash,
        )
        row.canonical = canonical_text(row)
        row.hash = chain_hash(head.hash, row.canonical)
        head.seq, head.hash = row.seq, row.hash
        rows.append(row)
    AuditEvent.objects.bulk_create(rows, batch_size=500)
    head.save(update_fields=["seq", "hash"])
