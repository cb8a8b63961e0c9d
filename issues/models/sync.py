"""What the sync leaves behind: its rounds, minutes and gauges, what it has learned, and the pulse of the workers."""

from django.db import models
from django.db.models import Q

from issues.enums import SyncState
from issues.models.workspaces import Workspace


class SyncRun(models.Model):
    """One round: a complete listing, and the looks from its beginning until the next one begins."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="runs")
    fence = models.BigIntegerField()
    origin = models.CharField(max_length=10)
    state = models.CharField(max_length=12, choices=SyncState.choices, default=SyncState.RUNNING)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    # The listing goes on where the former runner stopped.
    statuses = models.JSONField(null=True, blank=True)  # those that are still to be listed; null: everything is listed
    next_page = models.PositiveIntegerField(default=1)
    listed_at = models.DateTimeField(null=True, blank=True)  # when the listing was complete
    bundles = models.PositiveIntegerField(default=0)
    bundles_to_read = models.PositiveIntegerField(null=True, blank=True)
    looks = models.PositiveIntegerField(default=0)
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
            # queries.sync: the last rounds of a workspace
            models.Index(fields=["workspace", "-started_at"], name="sync_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.workspace} {self.started_at:%Y-%m-%d %H:%M}"


class SyncMinute(models.Model):
    """What was asked and found for a workspace within one minute."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="minutes")
    minute = models.DateTimeField()
    requests = models.PositiveIntegerField(default=0)
    throttled = models.PositiveIntegerField(default=0)  # answers 429
    errors = models.PositiveIntegerField(default=0)
    looks = models.PositiveIntegerField(default=0)
    videos = models.PositiveIntegerField(default=0)
    opened = models.PositiveIntegerField(default=0)
    closed = models.PositiveIntegerField(default=0)
    # Flags that a former look did not have, and the time since that look, summed over them.
    gaps = models.PositiveIntegerField(default=0)
    gap_seconds = models.FloatField(default=0)
    expected_delay = models.FloatField(null=True, blank=True)  # seconds, as at the end of the minute

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "minute"], name="sync_minute_once")]
        indexes = [models.Index(fields=["minute"], name="sync_minute_age")]  # retention.tidy

    def __str__(self) -> str:
        return f"{self.workspace_id} {self.minute:%H:%M}"


class SyncGauge(models.Model):
    """How a workspace's sync stands, as its runner last measured it. Seconds."""

    workspace = models.OneToOneField(Workspace, models.CASCADE, primary_key=True, related_name="gauge")
    measured_at = models.DateTimeField()
    limit_per_minute = models.PositiveIntegerField(default=0)
    flaggable = models.PositiveIntegerField(default=0)  # bundles that can be flagged
    never_looked = models.PositiveIntegerField(default=0)  # of those
    overdue = models.PositiveIntegerField(default=0)  # of those, asked longer ago than the workspace's bound
    silent = models.PositiveIntegerField(default=0)  # of those, gave no usable answer when they were asked last
    oldest_look_at = models.DateTimeField(null=True, blank=True)  # every one was looked at since; null: not yet
    expected_delay = models.FloatField(null=True, blank=True)
    best_delay = models.FloatField(null=True, blank=True)  # the lower bound of any order of asking
    last_answer_at = models.DateTimeField(null=True, blank=True)
    trouble_code = models.CharField(max_length=80, blank=True)  # why nothing can be asked; empty: all is well
    trouble_since = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.workspace_id}: {self.flaggable}"


class FlagRate(models.Model):
    """What was observed of the videos in one situation: how long they were watched, and how often one was flagged.

    Both fade by half in a month (retention.fade), so that what was true last year does not decide for ever.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="flag_rates")
    situation = models.CharField(max_length=60)
    watched_seconds = models.FloatField(default=0)  # summed over videos
    flags = models.FloatField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "situation"], name="flag_rate_once")]

    def __str__(self) -> str:
        return self.situation


class Heartbeat(models.Model):
    """When a worker last took a message from a queue."""

    queue = models.CharField(max_length=20, primary_key=True)
    beat_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.queue
