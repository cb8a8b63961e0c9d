"""One attempt to end an issue, and the files that belong to it."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from issues.enums import DRIVEN, FINISHED, NOT_SENT_YET, UNFINISHED, FixKind, FixState, MediaKind, MediaState
from issues.models.issues import Issue
from issues.models.teams import Team
from issues.tokportal.days import PublishWindow


class Fix(models.Model):
    """The row is the queue entry: the worker that holds its lease drives it on (see fixes/lifecycle.py)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, models.CASCADE, related_name="fixes")
    issue = models.ForeignKey(Issue, models.CASCADE, related_name="fixes")
    kind = models.CharField(max_length=20, choices=FixKind.choices)
    state = models.CharField(max_length=20, choices=FixState.choices, default=FixState.QUEUED)

    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="fixes")
    actor_name = models.CharField(max_length=160)
    origin = models.CharField(max_length=10)
    request_id = models.CharField(max_length=64, blank=True)

    unchecked = models.BooleanField(default=False)  # the person insists on links that we think are bad
    dry_run = models.BooleanField(default=False)
    # The person agreed to send fewer images than this many, which the slot held then. Null: nobody agreed to that.
    fewer_than = models.PositiveIntegerField(null=True, blank=True)
    bulk = models.ForeignKey("issues.BulkFix", models.SET_NULL, null=True, blank=True, related_name="fixes")
    prepared = models.OneToOneField("issues.PreparedFix", models.SET_NULL, null=True, blank=True, related_name="fix")

    # What is sent: the exact text, the same under the same key on every retry. Empty until the upload is done.
    idempotency_key = models.CharField(max_length=80, unique=True)
    request_body = models.TextField(blank=True)
    typed = models.JSONField(default=list, blank=True)  # the links as the person gave them, for the form

    # The queue.
    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    next_try_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)  # sends whose outcome stayed open
    waits = models.PositiveIntegerField(default=0)  # rounds in which nothing could be sent
    verify_tries = models.PositiveIntegerField(default=0)

    # The outcome.
    code = models.CharField(max_length=80, blank=True)  # TokPortal's or our own; fixes.outcomes has the sentences
    code_details = models.JSONField(default=dict, blank=True)
    tokportal_request_id = models.CharField(max_length=128, blank=True)
    by_observation = models.BooleanField(default=False)  # success seen in the read-back, not in an answer
    video_url = models.TextField(blank=True)
    date_before = models.CharField(max_length=64, blank=True)
    end_date_before = models.CharField(max_length=64, blank=True)
    target_publish_date = models.CharField(max_length=64, blank=True)
    target_publish_end_date = models.CharField(max_length=64, blank=True)

    # The planned dates, brought back after a fix that posts earlier (see fixes/dates.py).
    keep_dates = models.BooleanField(default=False, db_default=False)
    dates_body = models.TextField(blank=True, default="", db_default="")  # the exact PATCH; empty: none is needed
    dates_tries = models.PositiveIntegerField(default=0, db_default=0)
    dates_kept = models.BooleanField(default=False, db_default=False)  # the planned dates hold at the end
    dates_code = models.CharField(max_length=80, blank=True, default="", db_default="")  # why they do not
    dates_details = models.JSONField(null=True, blank=True)  # TokPortal's details of that error

    created_at = models.DateTimeField(auto_now_add=True)
    first_sent_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["issue"],
                condition=Q(state__in=[s.value for s in sorted(UNFINISHED)]),
                name="fix_one_unfinished_for_an_issue",
            ),
            models.CheckConstraint(condition=Q(state__in=FixState.values), name="fix_state_known"),
            models.CheckConstraint(
                condition=~Q(state__in=["sending", "verifying", "succeeded"]) | ~Q(request_body=""),
                name="fix_body_stored_before_sending",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in sorted(UNFINISHED)], finished_at__isnull=True)
                | Q(state__in=[s.value for s in sorted(FINISHED)], finished_at__isnull=False),
                name="fix_finished_has_a_time",
            ),
        ]
        indexes = [
            # fixes.claims.due_fixes
            models.Index(
                fields=["next_try_at"], name="fix_due", condition=Q(state__in=[s.value for s in sorted(DRIVEN)])
            ),
            # fixes.uploads.cancel_abandoned
            models.Index(fields=["lease_until"], name="fix_uploading", condition=Q(state="uploading")),
            # queries.issues: the fixes of an issue, latest first
            models.Index(fields=["issue", "-created_at"], name="fix_of_issue"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for {self.issue_id}"

    @property
    def dates_earliest(self) -> str:
        """The earliest date that TokPortal allows, as it says it."""
        return str((self.dates_details or {}).get("earliest_allowed") or "")

    @property
    def planned_window(self) -> PublishWindow:
        """The publish days before the fix."""
        return PublishWindow.parse(self.date_before, self.end_date_before)

    @property
    def window(self) -> PublishWindow:
        """The publish days that hold after the fix."""
        return PublishWindow.parse(self.target_publish_date, self.target_publish_end_date)

    @property
    def is_unfinished(self) -> bool:
        return self.state in UNFINISHED

    @property
    def can_be_cancelled(self) -> bool:
        return self.state in NOT_SENT_YET


class MediaFile(models.Model):
    """A file on its way to TokPortal's store. The presigned URL is a secret and never stored."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    fix = models.ForeignKey(Fix, models.CASCADE, related_name="media")
    order = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=MediaKind.choices)
    state = models.CharField(max_length=10, choices=MediaState.choices, default=MediaState.WAITING)
    filename = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()  # bytes
    public_url = models.TextField(blank=True)
    storage_path = models.TextField(blank=True)
    uploaded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["order"]
        constraints = [
            models.UniqueConstraint(fields=["fix", "order"], name="media_order_once_in_a_fix"),
            models.CheckConstraint(
                condition=Q(state="waiting") | ~Q(public_url="", storage_path=""), name="media_uploaded_has_a_place"
            ),
        ]

    def __str__(self) -> str:
        return self.filename

    @property
    def is_linked(self) -> bool:
        """Whether it is a link or storage path between files, rather than a file."""
        return not self.size and not self.content_type

    @property
    def source(self) -> str:
        """What fix-download takes for it: the public URL of a video, the storage path of an image."""
        if self.kind == MediaKind.VIDEO:
            return self.public_url
        return self.storage_path or self.public_url
