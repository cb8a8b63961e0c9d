"""One episode of a flagged video."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone

from issues.enums import UNRESOLVED, IssueState
from issues.models.bundles import Video
from issues.models.teams import Team
from issues.models.workspaces import Workspace
from issues.tokportal.days import PublishWindow


def window_of_issue(deadline: datetime | None, first: str, last: str) -> PublishWindow:
    """The video's publish window, as long as the issue's deadline is its end; else what the deadline alone says."""
    window = PublishWindow.parse(first, last)
    return window if window.deadline == deadline else PublishWindow.until(deadline)


class Issue(models.Model):
    """Opened when a sync first sees the flag, closed when it is gone. A video flagged again gets a new one."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="issues")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="issues")
    video = models.ForeignKey(Video, models.CASCADE, related_name="issues")
    former = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="later")
    episode = models.PositiveIntegerField(default=1)  # 2: flagged again for the first time
    state = models.CharField(max_length=10, choices=IssueState.choices, default=IssueState.OPEN)
    comment = models.TextField(null=True, blank=True)  # noqa: DJ001 - the manager's words; null: none
    links = models.JSONField(default=list)  # the media links as they were when it was flagged
    deadline = models.DateTimeField(null=True, blank=True)
    verdict = models.CharField(max_length=40, blank=True)  # a code of links.verdicts
    verdict_class = models.CharField(max_length=10, blank=True)
    host = models.CharField(
        max_length=255, blank=True
    )  # of the link that failed: what breaks together is repaired together
    # Of its video and bundle, so that filters and search read this table alone; kept by sync.described.
    platform = models.CharField(max_length=64, blank=True, default="", db_default="")
    country = models.CharField(max_length=64, blank=True, default="", db_default="")
    words = models.TextField(blank=True, default="", db_default="")  # names, references, comment, host; lower case
    # Whose it is, and until when nobody wants to see it.
    assignee = models.ForeignKey("issues.User", models.SET_NULL, null=True, blank=True, related_name="+")
    snoozed_until = models.DateTimeField(null=True, blank=True)
    # Who said "I am on it", and when; it holds for a while.
    claimed_by = models.ForeignKey("issues.User", models.SET_NULL, null=True, blank=True, related_name="+")
    claimed_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    # Seconds between the last look without this flag and the one that saw it: it waited no longer. Null: a first look.
    seen_within = models.FloatField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["video"],
                condition=Q(state__in=[s.value for s in sorted(UNRESOLVED)]),
                name="issue_one_open_for_a_video",
            ),
            models.CheckConstraint(condition=Q(state__in=IssueState.values), name="issue_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in sorted(UNRESOLVED)], closed_at__isnull=True)
                | Q(state__in=["fixed", "cleared", "moot"], closed_at__isnull=False),
                name="issue_closed_when_resolved",
            ),
        ]
        indexes = [
            # queries.issues: the queue, most urgent first
            models.Index(
                fields=["team", "deadline", "id"],
                name="issue_queue",
                condition=Q(state__in=[s.value for s in sorted(UNRESOLVED)]),
            ),
            # queries.issues: what is one person's, or nobody's
            models.Index(
                fields=["team", "assignee", "deadline"],
                name="issue_of_assignee",
                condition=Q(state__in=[s.value for s in sorted(UNRESOLVED)]),
            ),
            # queries.clusters: what fails alike
            models.Index(
                fields=["team", "host", "verdict"],
                name="issue_by_host",
                condition=Q(state__in=[s.value for s in sorted(UNRESOLVED)]),
            ),
            # queries.insights: what was seen in a period
            models.Index(fields=["team", "opened_at"], name="issue_opened"),
            # queries.queue: those of a tab that have ended, latest first; counted by it alone
            models.Index(fields=["team", "state", "-closed_at", "-id"], name="issue_ended"),
            # queries.queue: all of a team, the latest that ended first
            models.Index(fields=["team", "-closed_at", "-id"], name="issue_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.video.bundle} #{self.video.position}"

    @property
    def window(self) -> PublishWindow:
        """The days on which the manager may post the video."""
        return window_of_issue(self.deadline, self.video.target_publish_date, self.video.target_publish_end_date)

    @property
    def is_unresolved(self) -> bool:
        return self.state in UNRESOLVED

    @property
    def is_snoozed(self) -> bool:
        return self.state == IssueState.OPEN and bool(self.snoozed_until and self.snoozed_until > timezone.now())


class Mention(models.Model):
    """A note called somebody to an issue, and he has not opened it since."""

    issue = models.ForeignKey(Issue, models.CASCADE, related_name="mentions")
    user = models.ForeignKey("issues.User", models.CASCADE, related_name="+")
    by = models.ForeignKey("issues.User", models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.user} · {self.issue}"
