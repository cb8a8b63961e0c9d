"""Teams and who belongs to them."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower

from issues.enums import CAN_EDIT, InvitationState, Role

# Shorter, and the record would be gone before a client asks for it.
MIN_HISTORY_DAYS = 90


class Team(models.Model):
    """A client team: everything else belongs to exactly one."""

    name = models.CharField(max_length=120, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    requires_two_factor = models.BooleanField(default=False)
    history_days = models.PositiveIntegerField(null=True)  # how long events are kept; None: for ever
    # Whether people are offered to keep the planned dates, with the box ticked, where a fix would post earlier.
    keeps_dates = models.BooleanField(default=True, db_default=True)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="teams")

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(history_days=None) | models.Q(history_days__gte=MIN_HISTORY_DAYS),
                name="team_history_long_enough",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A user's role in a team."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)
    # What the queue shows this person first; none: everything open.
    default_view = models.ForeignKey("issues.SavedView", models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "user"], name="membership_once_in_a_team"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.team}"

    @property
    def can_edit(self) -> bool:
        return self.role in CAN_EDIT

    @property
    def is_owner(self) -> bool:
        return self.role == Role.OWNER


class Invitation(models.Model):
    """A way into a team for whoever reads the mail. Its link is signed, expires, and works once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=10, choices=Role.choices)
    state = models.CharField(max_length=10, choices=InvitationState.choices, default=InvitationState.PENDING)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "team",
                Lower("email"),
                condition=models.Q(state=InvitationState.PENDING),
                name="invitation_one_pending_for_an_address",
            ),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="invitation_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.email} · {self.team}"
