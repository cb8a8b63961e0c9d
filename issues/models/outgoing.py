"""What TokDash tells others by itself: endpoints of the team's own systems, and each delivery to them."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from issues.enums import DeliveryState
from issues.models.teams import Team
from issues.sealed import SealedTextField


class OutgoingCursor(models.Model):
    """Up to where a team's history has been told. The history is the outbox: nothing is announced past it."""

    team = models.OneToOneField(Team, models.CASCADE, primary_key=True, related_name="outgoing_cursor")
    seq = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.team_id}: {self.seq}"


class Hook(models.Model):
    """An endpoint of the team's own systems. Its secret is shown once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, models.CASCADE, related_name="hooks")
    name = models.CharField(max_length=80)
    url = models.CharField(max_length=500)
    secret = SealedTextField()
    types = models.JSONField(default=list)  # of outgoing.payloads.TYPES
    is_active = models.BooleanField(default=True)
    stopped_code = models.CharField(max_length=40, blank=True)  # why TokDash itself stopped it
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "created_at"]
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="hook_name_once_in_a_team")]

    def __str__(self) -> str:
        return self.name


class HookDelivery(models.Model):
    """One event for one endpoint: its exact body, and what became of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    hook = models.ForeignKey(Hook, models.CASCADE, related_name="deliveries")
    event_id = models.CharField(max_length=80)  # the same at every try and replay
    event_type = models.CharField(max_length=40)
    body = models.TextField()
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    status = models.PositiveIntegerField(null=True, blank=True)  # of the last answer
    code = models.CharField(max_length=40, blank=True)  # why there was none
    seconds = models.FloatField(null=True, blank=True)  # that the last try took
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["hook", "event_id"], name="hook_delivery_once"),
            models.CheckConstraint(condition=Q(state__in=DeliveryState.values), name="hook_delivery_state_known"),
        ]
        indexes = [
            # outgoing.deliver.due_deliveries
            models.Index(fields=["next_try_at"], name="hook_delivery_due", condition=Q(state="waiting")),
            # queries.hooks: the last ones of an endpoint
            models.Index(fields=["hook", "-created_at"], name="hook_delivery_latest"),
            models.Index(fields=["created_at"], name="hook_delivery_age"),  # retention.tidy
        ]

    def __str__(self) -> str:
        return f"{self.event_type} · {self.hook_id}"
