"""A connection of a team to TokPortal, and the rate budget of its keys."""

import uuid
from datetime import timedelta

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from issues.enums import WorkspaceState
from issues.models.teams import Team
from issues.sealed import SealedTextField, Secret

MIN_SWEEP_MINUTES, MAX_SWEEP_MINUTES = 5, 24 * 60


class Workspace(models.Model):
    """A TokPortal account: base URL and key. The keys are write-only in the interface."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, models.CASCADE, related_name="workspaces")
    name = models.CharField(max_length=80)
    base_url = models.URLField(max_length=300)
    state = models.CharField(max_length=20, choices=WorkspaceState.choices, default=WorkspaceState.ACTIVE)

    # One key for everything, or a read key for the sync and a second one for fixes.
    read_key = SealedTextField(blank=True)
    write_key = SealedTextField(blank=True)
    read_key_fingerprint = models.CharField(max_length=12, blank=True)
    write_key_fingerprint = models.CharField(max_length=12, blank=True)
    read_key_set_at = models.DateTimeField(null=True, blank=True)
    write_key_set_at = models.DateTimeField(null=True, blank=True)
    key_refused_code = models.CharField(max_length=80, blank=True)

    account_email = models.CharField(max_length=254, blank=True)
    credits = models.FloatField(null=True, blank=True)
    sweep_minutes = models.PositiveIntegerField(
        default=30, validators=[MinValueValidator(MIN_SWEEP_MINUTES), MaxValueValidator(MAX_SWEEP_MINUTES)]
    )
    # The sweep that runs now: its lease, so that two never run at once and a dead one is taken over.
    sweep_fence = models.BigIntegerField(default=0)
    sweep_lease_until = models.DateTimeField(null=True, blank=True)
    next_sweep_at = models.DateTimeField(null=True, blank=True)
    last_swept_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="workspace_name_once_in_a_team"),
            models.CheckConstraint(condition=models.Q(state__in=WorkspaceState.values), name="workspace_state_known"),
        ]
        indexes = [
            # sync.runner.due_workspaces
            models.Index(
                fields=["next_sweep_at"], name="workspace_due", condition=models.Q(state=WorkspaceState.ACTIVE)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def fix_key(self) -> Secret | None:
        """The key that fixes are sent with."""
        key: Secret | None = self.write_key or self.read_key
        return key

    @property
    def sweep_interval(self) -> timedelta:
        return timedelta(minutes=self.sweep_minutes)


class RateBudget(models.Model):
    """The shared budget of one key at one TokPortal, as one timestamp (see tokportal/budget.py).

    `tat` and `blocked_until` are Unix seconds by the database's clock, so that all machines agree.
    """

    key_hash = models.CharField(max_length=64, primary_key=True)
    tat = models.FloatField(default=0)
    limit_per_minute = models.PositiveIntegerField()
    blocked_until = models.FloatField(default=0)

    def __str__(self) -> str:
        return self.key_hash[:12]
