"""The history: events in a hash chain, one chain a team."""

from django.db import models

from issues.models.teams import Team


class AuditEvent(models.Model):
    """One change, as it was. Never updated, never deleted: the database refuses both.

    People and things are written down by id and frozen name, not as foreign keys: the record outlives them.
    `canonical` is the text that was hashed; the other columns repeat it for queries and are compared on verification.
    """

    team = models.ForeignKey(Team, models.PROTECT, related_name="events")
    seq = models.BigIntegerField()
    at = models.DateTimeField()
    verb = models.CharField(max_length=40)
    origin = models.CharField(max_length=10)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=160)
    workspace_id = models.UUIDField(null=True)
    bundle_id = models.CharField(max_length=128, blank=True)  # TokPortal's
    position = models.PositiveIntegerField(null=True)
    issue_id = models.BigIntegerField(null=True)
    fix_id = models.UUIDField(null=True)
    label = models.CharField(max_length=700)  # what it was about, frozen
    changes = models.JSONField(default=dict)  # field → [before, after]
    request_id = models.CharField(max_length=64, blank=True)  # ours; groups one click's events
    tokportal_request_id = models.CharField(max_length=128, blank=True)
    canonical = models.TextField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "seq"], name="event_one_for_a_number")]
        indexes = [
            # queries.history: one verb, one person, one video, latest first
            models.Index(fields=["team", "verb", "-seq"], name="event_by_verb"),
            models.Index(fields=["team", "actor_id", "-seq"], name="event_by_actor"),
            models.Index(fields=["team", "bundle_id", "position", "-seq"], name="event_by_video"),
            models.Index(fields=["team", "-at"], name="event_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.verb}"


class AuditHead(models.Model):
    """Where a team's chain ends. Locking this row orders the team's events."""

    team = models.OneToOneField(Team, models.PROTECT, primary_key=True, related_name="audit_head")
    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="0" * 64)

    def __str__(self) -> str:
        return f"{self.team_id}: {self.seq}"
