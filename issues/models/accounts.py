"""Delivered accounts of TokPortal: whether it may work on them, and what that costs."""

from django.db import models
from django.db.models import Q

from issues.enums import BANNED
from issues.models.workspaces import Workspace


class Account(models.Model):
    """A delivered account, as TokPortal described it last. Its bundles carry `saved_account_id`."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="accounts")
    tokportal_id = models.CharField(max_length=128)

    # Coverage, of `GET /accounts/:id/managed-subscription`.
    coverage_status = models.CharField(max_length=64, blank=True)  # TokPortal's word; "none": it has no Coverage
    may_work = models.BooleanField(null=True, blank=True)  # TokPortal's `task_access`; null: unknown
    period_ends_at = models.DateTimeField(null=True, blank=True)  # when it renews
    period_credits = models.FloatField(null=True, blank=True)  # what a period costs
    reactivation_credits = models.FloatField(null=True, blank=True)  # what it costs to renew it now, if it has lapsed
    coverage_at = models.DateTimeField(null=True, blank=True)  # as of when
    coverage_wanted_at = models.DateTimeField(null=True, blank=True)  # somebody wants it asked; null: nobody
    coverage_code = models.CharField(max_length=80, blank=True)  # why it could not be asked last

    # What a fix would cost, of a dry run.
    fix_credits = models.FloatField(null=True, blank=True)
    fix_credits_at = models.DateTimeField(null=True, blank=True)

    # The latest report of `GET /account-bans`, or an event.
    ban_status = models.CharField(max_length=64, blank=True)
    ban_resolution = models.CharField(max_length=64, blank=True)
    ban_at = models.DateTimeField(null=True, blank=True)  # as of when

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "tokportal_id"], name="account_once_in_a_workspace"),
        ]
        indexes = [
            # sync.care: whose Coverage is wanted
            models.Index(
                fields=["workspace", "coverage_wanted_at"],
                name="account_wanted",
                condition=Q(coverage_wanted_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.tokportal_id

    @property
    def is_banned(self) -> bool:
        return self.ban_status in BANNED
