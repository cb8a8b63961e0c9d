"""The nouns of the product; a file each."""

from issues.models.audit import AuditEvent, AuditHead
from issues.models.bundles import Bundle, Video
from issues.models.fixes import Fix, MediaFile
from issues.models.issues import Issue
from issues.models.sync import FlagRate, Heartbeat, SyncGauge, SyncMinute, SyncRun
from issues.models.teams import Membership, Team
from issues.models.users import User
from issues.models.webhooks import WebhookEndpoint, WebhookEvent
from issues.models.workspaces import RateBudget, Workspace

__all__ = [
    "AuditEvent",
    "AuditHead",
    "Bundle",
    "Fix",
    "FlagRate",
    "Heartbeat",
    "Issue",
    "MediaFile",
    "Membership",
    "RateBudget",
    "SyncGauge",
    "SyncMinute",
    "SyncRun",
    "Team",
    "User",
    "Video",
    "WebhookEndpoint",
    "WebhookEvent",
    "Workspace",
]
