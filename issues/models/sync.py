"""Runs of the sync."""

from django.db import models
from django.db.models import Q

from issues.enums import SyncState
from issues.models.workspaces import Workspace


class SyncRun(models.Model):
    """One sweep of a workspace, with what it cost and found."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="runs")
    fence = models.BigIntegerField()
    origin = models.CharField(max_length=10)
    state = models.CharField(max_length=12, choices=SyncState.choices, default=SyncState.RUNNING)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    bundles = models.PositiveIntegerField(default=0)
    bundles_to_read = models.PositiveIntegerField(null=True, blank=True)
    videos = models.PositiveIntegerField(default=0)
    issues_opened = models.PositiveIntegerField(default=0)
    issues_closed = models.PositiveIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)
    throttled = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    code = models.CharField(max_length=80, blank=True)  # why it failed, or the last bundle's error

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"], condition=Q(state=SyncState.RUNNING), name="sync_one_running_in_a_workspace"
            ),
        ]
        indexes = [
            # queries.workspaces: the last run of each workspace
            models.Index(fields=["workspace", "-started_at"], name="sync_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.workspace} {self.started_at:%Y-%m-%d %H:%M}"
