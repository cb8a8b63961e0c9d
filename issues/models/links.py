"""What was seen of a link when it was last looked at."""

from django.db import models

from issues.enums import VerdictClass
from issues.models.bundles import Video
from issues.models.teams import Team


class LinkCheck(models.Model):
    """A team's latest look at one link. The link itself is not kept: its digest finds it, its masked form shows it."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="link_checks", db_index=False)
    digest = models.CharField(max_length=64)  # SHA-256 of the link
    shown_url = models.CharField(max_length=220)
    verdict = models.CharField(max_length=40)  # a code of link_checks.catalogue
    verdict_class = models.CharField(max_length=10, choices=VerdictClass.choices)
    fact = models.CharField(max_length=200, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    repaired = models.TextField(blank=True)
    evidence = models.JSONField(default=dict)  # status chain, type, length, kind, times; no secrets
    checked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "digest"], name="link_check_latest_of_a_link"),
        ]
        indexes = [
            # retention: looks at links that nobody asks about any more
            models.Index(fields=["checked_at"], name="link_check_old"),
        ]

    def __str__(self) -> str:
        return f"{self.shown_url}: {self.verdict}"


class PreparedFix(models.Model):
    """Links that wait for a video's flag; sent as soon as it is seen."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="prepared_fixes")
    video = models.ForeignKey(Video, models.CASCADE, related_name="prepared_fixes")
    links = models.JSONField()
    before = models.JSONField(null=True, blank=True)  # the slot's links at that time; null if it was not kept yet
    fewer_than = models.PositiveIntegerField(null=True, blank=True)  # see Fix.fewer_than
    actor = models.ForeignKey("issues.User", models.SET_NULL, null=True, related_name="+")
    actor_name = models.CharField(max_length=160)
    request_id = models.CharField(max_length=64, blank=True)
    keep_dates = models.BooleanField(null=True, blank=True)  # null: as the team does it
    unchecked = models.BooleanField(default=False, db_default=False)  # the person insisted on a bad link
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["video"],
                condition=models.Q(used_at__isnull=True, withdrawn_at__isnull=True),
                name="prepared_one_waiting_for_a_video",
            ),
        ]

    def __str__(self) -> str:
        return f"prepared for {self.video_id}"
