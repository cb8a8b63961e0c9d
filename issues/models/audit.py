"""The history: events in a hash chain, one chain a team, sealed by signed checkpoints."""

import json
from functools import cached_property
from typing import Any

from django.db import models

from issues.enums import CheckpointKind, PersonalKind
from issues.models.teams import Team


class AuditEvent(models.Model):
    """One change, as it was. Never updated; deleted only behind a signed cut: the database refuses the rest.

    People and things are written down by id and frozen name, not as foreign keys: the record outlives them. A name or
    another value that belongs to a person stands here as a digest, and beside the chain as a PersonalValue, so that it
    can be erased while the chain holds. `canonical` is the text that was hashed, the changes are in it alone; the other
    columns repeat it for queries and are compared on verification.
    """

    team = models.ForeignKey(Team, models.PROTECT, related_name="events")
    seq = models.BigIntegerField()
    at = models.DateTimeField()  # never before the former event's, so a span of time is a span of numbers
    verb = models.CharField(max_length=40)
    origin = models.CharField(max_length=10)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=160, blank=True)  # of the system; a person's is a PersonalValue
    actor_digest = models.CharField(max_length=64, blank=True, default="")
    workspace_id = models.UUIDField(null=True)
    bundle_id = models.CharField(max_length=128, blank=True)  # TokPortal's
    position = models.PositiveIntegerField(null=True)
    issue_id = models.BigIntegerField(null=True)
    fix_id = models.UUIDField(null=True)
    label = models.CharField(max_length=700, blank=True)  # what it was about, frozen
    label_digest = models.CharField(max_length=64, blank=True, default="")
    request_id = models.CharField(max_length=64, blank=True)  # ours; groups one click's events
    tokportal_request_id = models.CharField(max_length=128, blank=True)
    words = models.TextField(blank=True, default="")  # what a search finds it by; from the canonical text
    canonical = models.TextField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "seq"], name="event_one_for_a_number")]
        indexes = [
            # queries.history: each filter alone, latest first. The words have one too, on PostgreSQL (migration 0005).
            models.Index(fields=["team", "verb", "-seq"], name="event_by_verb"),
            models.Index(fields=["team", "actor_id", "-seq"], name="event_by_actor"),
            models.Index(fields=["team", "bundle_id", "position", "-seq"], name="event_by_video"),
            models.Index(fields=["team", "workspace_id", "-seq"], name="event_by_workspace"),
            models.Index(fields=["team", "origin", "-seq"], name="event_by_origin"),
            models.Index(fields=["team", "request_id", "-seq"], name="event_by_request"),
            models.Index(
                fields=["team", "tokportal_request_id", "-seq"],
                condition=~models.Q(tokportal_request_id=""),
                name="event_by_tokportal_request",
            ),
            models.Index(fields=["team", "-at", "-seq"], name="event_by_time"),  # days to numbers
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.verb}"

    @cached_property
    def changes(self) -> dict[str, Any]:
        """Field → [before, after]."""
        found: dict[str, Any] = json.loads(self.canonical)["changes"]
        return found


class AuditHead(models.Model):
    """Where a team's chain ends. Locking this row orders the team's events; the database lets it only grow."""

    team = models.OneToOneField(Team, models.PROTECT, primary_key=True, related_name="audit_head")
    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="0" * 64)
    at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.team_id}: {self.seq}"


class PersonalValue(models.Model):
    """A value that belongs to a person, beside the chain. `digest` is SHA-256 over salt, a line feed, and the value.

    Erased, it loses value and salt: the digest in the chain then tells nothing, and the chain still holds.
    """

    team = models.ForeignKey(Team, models.PROTECT, related_name="personal_values")
    user_id = models.BigIntegerField(null=True)  # whom it is about, where that is a user
    kind = models.CharField(max_length=6, choices=PersonalKind.choices, default=PersonalKind.PERSON)
    digest = models.CharField(max_length=64)
    salt = models.CharField(max_length=32, blank=True)
    value = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "digest"], name="personal_value_once"),
            models.CheckConstraint(
                condition=models.Q(erased_at=None) | models.Q(value="", salt=""), name="personal_value_erased_is_empty"
            ),
        ]
        indexes = [models.Index(fields=["team", "user_id"], name="personal_value_by_user")]

    def __str__(self) -> str:
        return self.digest[:12]


class AuditCheckpoint(models.Model):
    """A signed word on where a chain stood. Append-only too; each one names the one before it.

    `text` is what was signed: JSON with sorted keys, without spaces (issues.audit.checkpoints). A cut says that what
    lies up to its number was let go of by the team's own rule.
    """

    team = models.ForeignKey(Team, models.PROTECT, related_name="checkpoints")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=5, choices=CheckpointKind.choices)
    seq = models.BigIntegerField()
    event_hash = models.CharField(max_length=64)
    at = models.DateTimeField()
    text = models.TextField()
    key_id = models.CharField(max_length=16)
    signature = models.CharField(max_length=128)  # Ed25519, hexadecimal

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "number"], name="checkpoint_one_for_a_number")]
        indexes = [models.Index(fields=["team", "kind", "-seq"], name="checkpoint_cuts")]  # the triggers

    def __str__(self) -> str:
        return f"{self.number} at {self.seq}"


class AuditWatch(models.Model):
    """What the unceasing verification knows of a team's chain; what it found stays until a whole walk finds nothing."""

    team = models.OneToOneField(Team, models.PROTECT, primary_key=True, related_name="audit_watch")
    checked_at = models.DateTimeField(null=True)
    walked_seq = models.BigIntegerField(default=0)  # how far the present walk over the whole chain has come
    walked_hash = models.CharField(max_length=64, default="0" * 64)
    whole_at = models.DateTimeField(null=True)  # when the last walk over the whole chain ended well
    bad_seq = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=200, blank=True)
    found_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.team_id}: {self.reason or 'holds'}"
