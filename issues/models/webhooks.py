"""TokPortal's events to us."""

from django.db import models

from issues.models.workspaces import Workspace
from issues.sealed import SealedTextField


class WebhookEndpoint(models.Model):
    """Our endpoint as it is registered at TokPortal for a workspace. The signing secret is told only once."""

    workspace = models.OneToOneField(Workspace, models.CASCADE, primary_key=True, related_name="webhook")
    tokportal_id = models.CharField(max_length=128)
    url = models.URLField(max_length=300)
    secret = SealedTextField()
    # While a secret is changed, deliveries that were signed with the former one are still on their way.
    former_secret = SealedTextField(blank=True)
    former_until = models.DateTimeField(null=True, blank=True)
    registered_at = models.DateTimeField()
    events = models.JSONField(default=list, blank=True, db_default=[])  # the types that TokPortal delivers here
    catalogue_at = models.DateTimeField(null=True, blank=True)  # when TokPortal's list of types was last read
    deliveries_at = models.DateTimeField(null=True, blank=True)  # what failed before was looked up
    last_refused_at = models.DateTimeField(null=True, blank=True)
    last_refusal = models.CharField(max_length=40, blank=True)

    def __str__(self) -> str:
        return self.url


class WebhookEvent(models.Model):
    """An event that was verified and taken. `(workspace, event_id)` makes repeated deliveries one."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="webhook_events")
    event_id = models.CharField(max_length=128)
    event_type = models.CharField(max_length=64)
    bundle_id = models.CharField(max_length=128, blank=True)  # TokPortal's
    saved_account_id = models.CharField(max_length=128, blank=True, default="", db_default="")
    position = models.PositiveIntegerField(null=True, blank=True)
    status = models.CharField(max_length=64, blank=True)
    sent_at = models.CharField(max_length=64, blank=True)  # as TokPortal writes it
    received_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "event_id"], name="webhook_event_once")]
        indexes = [
            # queries.webhooks: the last ones of a workspace
            models.Index(fields=["workspace", "-received_at"], name="webhook_latest"),
            models.Index(fields=["received_at"], name="webhook_age"),  # retention.tidy
        ]

    def __str__(self) -> str:
        return self.event_id
