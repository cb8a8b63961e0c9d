"""The nouns of the product; a file each."""

from issues.models.accounts import Account
from issues.models.audit import AuditCheckpoint, AuditEvent, AuditHead, AuditWatch, PersonalValue
from issues.models.bulk_fixes import BulkFix, BulkRow
from issues.models.bundles import Bundle, Video
from issues.models.fixes import Fix, MediaFile
from issues.models.issues import Issue, Mention
from issues.models.links import LinkCheck, PreparedFix
from issues.models.notices import Channel, Message, Notice
from issues.models.outgoing import Hook, HookDelivery, OutgoingCursor
from issues.models.saved import SavedView
from issues.models.sync import FlagRate, Heartbeat, SyncGauge, SyncMinute, SyncRun
from issues.models.teams import Invitation, Membership, Team
from issues.models.users import User
from issues.models.webhooks import WebhookEndpoint, WebhookEvent
from issues.models.workspaces import RateBudget, Workspace

__all__ = [
    "Account",
    "AuditCheckpoint",
    "AuditEvent",
    "AuditHead",
    "AuditWatch",
    "BulkFix",
    "BulkRow",
    "Bundle",
    "Channel",
    "Fix",
    "FlagRate",
    "Heartbeat",
    "Hook",
    "HookDelivery",
    "Invitation",
    "Issue",
    "LinkCheck",
    "MediaFile",
    "Membership",
    "Mention",
    "Message",
    "Notice",
    "OutgoingCursor",
    "PersonalValue",
    "PreparedFix",
    "RateBudget",
    "SavedView",
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
