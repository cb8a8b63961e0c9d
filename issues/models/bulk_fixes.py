"""Many fixes in one go: a plan that is looked at, counted down, sent, and reported row by row."""

import uuid

from django.conf import settings
from django.db import models

from issues.enums import BulkState, RowState
from issues.models.issues import Issue
from issues.models.teams import Team


class BulkFix(models.Model):
    """A plan. Its links are checked in the background; confirmed, it counts down before the first call goes out."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, models.CASCADE, related_name="bulk_fixes")
    state = models.CharField(max_length=10, choices=BulkState.choices, default=BulkState.PLANNED)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    actor_name = models.CharField(max_length=160)
    how = models.CharField(max_length=200)  # "find “a”, put “b”", or "table of 12 lines"
    notes = models.JSONField(default=list, db_default=[])  # sentences: how a table was read, and what was left out
    created_at = models.DateTimeField(auto_now_add=True)
    starts_at = models.DateTimeField(null=True, blank=True)  # when the countdown ends
    keep_dates = models.BooleanField(default=False, db_default=False)  # of rows that would be posted earlier
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["team", "-created_at"], name="bulk_of_team")]
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=BulkState.values), name="bulk_state_known"),
        ]

    def __str__(self) -> str:
        return self.how


class BulkRow(models.Model):
    """One fix of a plan: what it would replace by what, and what we think of it."""

    bulk = models.ForeignKey(BulkFix, models.CASCADE, related_name="rows")
    order = models.PositiveIntegerField()
    issue = models.ForeignKey(Issue, models.CASCADE, null=True, blank=True, related_name="+")
    label = models.CharField(max_length=700)
    before = models.JSONField(default=list)
    links = models.JSONField(default=list)
    lines = models.JSONField(default=list, db_default=[])  # of the table that it came from, counted from 1
    state = models.CharField(max_length=10, choices=RowState.choices, default=RowState.CHECKING)
    verdict = models.CharField(max_length=40, blank=True)
    verdict_class = models.CharField(max_length=10, blank=True)
    message = models.CharField(max_length=500, blank=True)  # why it cannot be sent
    fix = models.ForeignKey("issues.Fix", models.SET_NULL, null=True, blank=True, related_name="+")
    claimed_at = models.DateTimeField(null=True, blank=True)  # by whoever checks its links

    class Meta:
        ordering = ["order"]
        constraints = [models.UniqueConstraint(fields=["bulk", "order"], name="bulk_row_order_once")]
        indexes = [
            # fixes.bulk.check_rows
            models.Index(fields=["id"], name="bulk_row_checking", condition=models.Q(state="checking")),
            # fixes.bulk.send_chosen
            models.Index(fields=["id"], name="bulk_row_chosen", condition=models.Q(state="chosen")),
        ]

    def __str__(self) -> str:
        return self.label
