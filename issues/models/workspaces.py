"""A connection of a team to TokPortal, and the rate budget of its keys."""

import uuid
from dataclasses import dataclass
from datetime import UTC, date, timedelta

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from issues.enums import WorkspaceState
from issues.models.teams import Team
from issues.sealed import SealedTextField, Secret
from issues.tokportal.api_version import is_newer_version

MIN_AGE_MINUTES, MAX_AGE_MINUTES = 5, 24 * 60
# Two periods of Coverage for one account, at TokPortal's list price.
DEFAULT_LOW_CREDITS = 50


EXPIRES_SOON_DAYS = 14


@dataclass(frozen=True, slots=True)
class ExpiringKey:
    """A key that expires soon. `days` is negative if the day has passed."""

    day: date
    days: int
    is_for_fixes: bool


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
    write_key_refused_code = models.CharField(max_length=80, blank=True)
    owners_told_at = models.DateTimeField(null=True, blank=True)  # of the refused key

    # What stands before a storage path in its public address, learned from image uploads (tokportal/storage_paths.py).
    storage_prefix = models.TextField(blank=True, default="", db_default="")

    # TokPortal does not tell when a key expires: an owner may say so, and the owners are reminded.
    read_key_expires_on = models.DateField(null=True, blank=True)
    write_key_expires_on = models.DateField(null=True, blank=True)
    # The last reminder that was sent for the key: so many days before it expires.
    read_key_reminded_days = models.SmallIntegerField(null=True, blank=True)
    write_key_reminded_days = models.SmallIntegerField(null=True, blank=True)

    account_email = models.CharField(max_length=254, blank=True)
    credits = models.FloatField(null=True, blank=True)
    credits_at = models.DateTimeField(null=True, blank=True)  # as of when
    low_credits = models.PositiveIntegerField(default=DEFAULT_LOW_CREDITS, db_default=DEFAULT_LOW_CREDITS)
    low_credits_told_at = models.DateTimeField(
        null=True, blank=True
    )  # null: the next fall below the limit sends a warning
    # What its responses say (`X-TokPortal-API-Version`, `-Stability`).
    api_version = models.CharField(max_length=40, blank=True, default="", db_default="")
    api_stability = models.CharField(max_length=40, blank=True, default="", db_default="")
    # Whether its fix call honours a dry run; null until one was tried.
    confirms_dry_run = models.BooleanField(null=True, blank=True)
    # No bundle that can be flagged goes unasked for longer, wherever the rate limit allows it.
    max_age_minutes = models.PositiveIntegerField(
        default=30, validators=[MinValueValidator(MIN_AGE_MINUTES), MaxValueValidator(MAX_AGE_MINUTES)]
    )
    # The runner that works on it now: its lease, so that two never do, and a dead one is followed by another.
    sync_fence = models.BigIntegerField(default=0)
    sync_lease_until = models.DateTimeField(null=True, blank=True)
    next_sync_at = models.DateTimeField(null=True, blank=True)  # when a runner is wanted
    reserved_until = models.DateTimeField(null=True, blank=True)  # a command waits for it: shifts keep away until then
    next_listing_at = models.DateTimeField(null=True, blank=True)
    next_full_listing_at = models.DateTimeField(null=True, blank=True)  # of all bundles in all statuses
    # Requests outside the sync (see sync/care.py).
    next_care_at = models.DateTimeField(null=True, blank=True)
    bans_at = models.DateTimeField(null=True, blank=True)  # when the bans were last read
    bans_since = models.CharField(max_length=64, blank=True, default="", db_default="")  # the latest `updated_at` seen
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="workspace_name_once_in_a_team"),
            models.CheckConstraint(condition=models.Q(state__in=WorkspaceState.values), name="workspace_state_known"),
        ]
        indexes = [
            # sync.shifts.due_workspaces
            models.Index(
                fields=["next_sync_at"], name="workspace_due", condition=models.Q(state=WorkspaceState.ACTIVE)
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
    def speaks_newer(self) -> bool:
        """Whether its TokPortal speaks a newer version of the API than this TokDash was built for."""
        return is_newer_version(self.api_version)

    @property
    def expiring_keys(self) -> list["ExpiringKey"]:
        """Its keys that expire within two weeks or have, as far as an owner said."""
        today = timezone.now().astimezone(UTC).date()
        told = (("read_key", self.read_key_expires_on), ("write_key", self.write_key_expires_on))
        found = [
            ExpiringKey(day, (day - today).days, which == "write_key")
            for which, day in told
            if day and getattr(self, f"{which}_fingerprint")
        ]
        return [key for key in found if key.days <= EXPIRES_SOON_DAYS]

    @property
    def has_warnings(self) -> bool:
        return self.has_low_credits or bool(self.expiring_keys)

    @property
    def has_low_credits(self) -> bool:
        """Whether fewer credits are left than the team wants to be warned of."""
        return self.credits is not None and self.credits < self.low_credits

    @property
    def max_age(self) -> timedelta:
        return timedelta(minutes=self.max_age_minutes)


class RateBudget(models.Model):
    """The shared budget of one key at one TokPortal, as one timestamp (see tokportal/budget.py).

    Times are Unix seconds by the database's clock, so that all machines agree.
    """

    key_hash = models.CharField(max_length=64, primary_key=True)
    tat = models.FloatField(default=0)
    limit_per_minute = models.PositiveIntegerField()
    blocked_until = models.FloatField(default=0)
    # The lanes' reserves.
    fix_tat = models.FloatField(default=0)
    sync_tat = models.FloatField(default=0)
    links_tat = models.FloatField(default=0)
    # The circuit breaker: failed reads in a row, and until when the patient lanes are closed.
    failures = models.PositiveIntegerField(default=0)
    open_until = models.FloatField(default=0)

    def __str__(self) -> str:
        return self.key_hash[:12]
