"""The nouns of the product; a file each."""

from issues.models.audit import AuditEvent, AuditHead
from issues.models.bundles import Bundle, Video
from issues.models.fixes import Fix, MediaFile
from issues.models.issues import Issue
from issues.models.sync import SyncRun
from issues.models.teams import Membership, Team
from issues.models.users import User
from issues.models.workspaces import RateBudget, Workspace

__all__ = [
    "AuditEvent",
    "AuditHead",
    "Bundle",
    "Fix",
    "Issue",
    "MediaFile",
    "Membership",
    "RateBudget",
    "SyncRun",
    "Team",
    "User",
    "Video",
    "Workspace",
]
