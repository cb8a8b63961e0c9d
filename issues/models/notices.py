"""Who is told of what, and where: channels, what waits for them, and the messages that went out."""

import uuid

from django.db import models
from django.db.models import Q

from issues.enums import ChannelKind, DeliveryState, NoticeKind, Pace
from issues.models.issues import Issue
from issues.models.teams import Membership, Team
from issues.models.workspaces import Workspace
from issues.sealed import SealedTextField


class Channel(models.Model):
    """A way to tell a member or (without an owner) the team: where to, of what, how often, and when not."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, models.CASCADE, related_name="channels")
    owner = models.ForeignKey(Membership, models.CASCADE, null=True, blank=True, related_name="channels")
    kind = models.CharField(max_length=10, choices=ChannelKind.choices)
    name = models.CharField(max_length=80)
    target = SealedTextField(blank=True)  # an address that whoever knows it can post to; e-mail: empty is the owner's
    notices = models.JSONField(default=list)  # of NoticeKind
    only_mine = models.BooleanField(default=False)  # issues that are the owner's or nobody's
    pace = models.CharField(max_length=10, choices=Pace.choices, default=Pace.SOON)
    quiet_from = models.TimeField(null=True, blank=True)  # in `time_zone`
    quiet_until = models.TimeField(null=True, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)  # empty: its owner's, else UTC
    language = models.CharField(max_length=8, blank=True)  # of LANGUAGES; empty: its owner's, else English
    is_active = models.BooleanField(default=True)
    due_at = models.DateTimeField(null=True, blank=True)  # when what waits is put into a message
    reminded_on = models.DateField(null=True, blank=True)
    last_message_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "created_at"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=ChannelKind.values), name="channel_kind_known"),
            models.CheckConstraint(
                condition=Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="channel_quiet_hours_whole",
            ),
        ]
        indexes = [models.Index(fields=["due_at"], name="channel_due", condition=Q(due_at__isnull=False))]

    def __str__(self) -> str:
        return self.name


class Message(models.Model):
    """One message of a channel: what it says, and what became of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="messages")
    subject = models.CharField(max_length=200)
    body = models.TextField()
    count = models.PositiveIntegerField(default=0)  # of what it tells
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    code = models.CharField(max_length=60, blank=True)  # why the last try failed
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=DeliveryState.values), name="message_state_known"),
        ]
        indexes = [
            # notify.post.send_due
            models.Index(fields=["next_try_at"], name="message_due", condition=Q(state="waiting")),
            models.Index(fields=["channel", "-created_at"], name="message_latest"),  # queries.channels
            models.Index(fields=["created_at"], name="message_age"),  # retention.tidy
        ]

    def __str__(self) -> str:
        return self.subject


class Notice(models.Model):
    """One thing that a channel is to be told. `key` says which, so that it is told once."""

    channel = models.ForeignKey(Channel, models.CASCADE, related_name="pending")
    kind = models.CharField(max_length=12, choices=NoticeKind.choices)
    key = models.CharField(max_length=160)
    issue = models.ForeignKey(Issue, models.CASCADE, null=True, blank=True, related_name="+")
    workspace = models.ForeignKey(Workspace, models.CASCADE, null=True, blank=True, related_name="+")
    detail = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True, blank=True)  # told, or no longer worth telling
    message = models.ForeignKey(Message, models.SET_NULL, null=True, blank=True, related_name="notices")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "key"], name="notice_once")]
        indexes = [
            # notify.compose: what waits for a channel
            models.Index(fields=["channel", "id"], name="notice_waiting", condition=Q(settled_at__isnull=True)),
            models.Index(fields=["created_at"], name="notice_age"),  # retention.tidy
        ]

    def __str__(self) -> str:
        return self.key
