"""States, roles and verdicts, with their named groups: no view spells a list of states."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    OWNER = "owner", _("Owner")
    EDITOR = "editor", _("Editor")
    VIEWER = "viewer", _("Viewer")


CAN_EDIT = frozenset({Role.OWNER, Role.EDITOR})


class InvitationState(TextChoices):
    PENDING = "pending", _("Pending")
    ACCEPTED = "accepted", _("Accepted")
    REVOKED = "revoked", _("Revoked")


class PersonalKind(TextChoices):
    PERSON = "person", _("Name and address")
    BEHALF = "behalf", _("For whom TokDash acts")
    MAIL = "mail", _("E-mail address")
    PLACE = "place", _("Network address and browser")
    NOTE = "note", _("Note")


class CheckpointKind(TextChoices):
    SEAL = "seal", _("Seal")
    CUT = "cut", _("Cut")


class WorkspaceState(TextChoices):
    ACTIVE = "active", _("Active")
    PAUSED = "paused", _("Paused")
    KEY_REFUSED = "key_refused", _("Key refused")


class IssueState(TextChoices):
    OPEN = "open", _("Open")
    FIXING = "fixing", _("Fixing")
    FIXED = "fixed", _("Fixed")
    CLEARED = "cleared", _("Cleared")
    MOOT = "moot", _("Moot")


UNRESOLVED = frozenset({IssueState.OPEN, IssueState.FIXING})


class FixState(TextChoices):
    QUEUED = "queued", _("Queued")
    UPLOADING = "uploading", _("Uploading")
    FETCHING = "fetching", _("Fetching")
    UPLOADED = "uploaded", _("Uploaded")
    SENDING = "sending", _("Sending")
    VERIFYING = "verifying", _("Verifying")
    SUCCEEDED = "succeeded", _("Verified")
    REJECTED = "rejected", _("Rejected")
    SUPERSEDED = "superseded", _("Superseded")
    NEEDS_HUMAN = "needs_human", _("Needs a person")
    CANCELLED = "cancelled", _("Cancelled")


UNFINISHED = frozenset(
    {
        FixState.QUEUED, FixState.UPLOADING, FixState.FETCHING, FixState.UPLOADED, FixState.SENDING,
        FixState.VERIFYING,
    }
)  # fmt: skip
FINISHED = frozenset(set(FixState) - UNFINISHED)
# States in which a worker has something to do. An upload is somebody else's to drive: a browser's or a command's.
DRIVEN = UNFINISHED - {FixState.UPLOADING}
# Nothing has gone to TokPortal yet: such a fix can be taken back.
NOT_SENT_YET = UNFINISHED - {FixState.SENDING, FixState.VERIFYING}


class FixKind(TextChoices):
    URL = "url", _("Link")
    CAROUSEL_URLS = "carousel_urls", _("Image links")
    VIDEO_FILE = "video_file", _("Video file")
    IMAGE_FILES = "image_files", _("Image files")
    REHOST = "rehost", _("Copy to TokPortal")


UPLOAD_KINDS = frozenset({FixKind.VIDEO_FILE, FixKind.IMAGE_FILES})
CAROUSEL_KINDS = frozenset({FixKind.CAROUSEL_URLS, FixKind.IMAGE_FILES})


# TokPortal's words for a ban that holds (`status` of `GET /account-bans`; `banned`: told by an event alone). An appeal
# that is pending has no ban yet, and one that was accepted has ended it.
BANNED = frozenset({"banned", "appeal_refused", "no_appeal_banned"})
BAN_APPEALED = "appeal_pending"


class BulkState(TextChoices):
    PLANNED = "planned", _("Planned")
    STARTED = "started", _("Started")  # counting down, then under way
    UNDONE = "undone", _("Taken back")


class RowState(TextChoices):
    CHECKING = "checking", _("Checking")
    READY = "ready", _("Ready")
    DOUBTED = "doubted", _("Link is bad")  # sent only where a person insists
    REFUSED = "refused", _("Cannot be sent")
    CHOSEN = "chosen", _("Chosen")
    SENT = "sent", _("Sent")


class MediaState(TextChoices):
    WAITING = "waiting", _("Waiting")
    UPLOADED = "uploaded", _("Uploaded")


class MediaKind(TextChoices):
    VIDEO = "video", _("Video")
    IMAGE = "image", _("Image")


class DeliveryState(TextChoices):
    WAITING = "waiting", _("Waiting")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")


class ChannelKind(TextChoices):
    EMAIL = "email", _("E-mail")
    SLACK = "slack", "Slack"
    DISCORD = "discord", "Discord"
    TEAMS = "teams", "Microsoft Teams"
    WEBHOOK = "webhook", _("Webhook")


class NoticeKind(TextChoices):
    """What somebody can be told of."""

    NEW = "new", _("New issues")
    OVERDUE = "overdue", _("Issues that become late")
    FAILED = "failed", _("Fixes that fail")
    ASSIGNED = "assigned", _("Issues that are given to me")
    CALLED = "called", _("Notes that call me")
    KEY_REFUSED = "key_refused", _("Keys that TokPortal refuses")
    KEY_EXPIRES = "key_expires", _("Keys that expire soon")
    LOW_CREDITS = "low_credits", _("Few credits left")
    BEHIND = "behind", _("Checks that are behind")
    REMINDER = "reminder", _("Each morning: what is late and still open")


class Pace(TextChoices):
    """How soon what waits becomes a message."""

    SOON = "soon", _("As soon as it happens")
    HOURLY = "hourly", _("Once an hour")
    DAILY = "daily", _("Once a day, at 8:00")


class Origin(TextChoices):
    """Where a change came from."""

    PAGE = "page", _("Page")
    COMMAND = "command", _("Command")
    SYNC = "sync", _("Sync")
    TASK = "task", _("Background")


class SyncState(TextChoices):
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    INTERRUPTED = "interrupted", _("Interrupted")


class VerdictClass(TextChoices):
    """How sure we are, and of what."""

    DEAD = "dead", _("Dead")
    BLOCKED = "blocked", _("Blocked")
    WRONG = "wrong", _("Not a media file")
    EXPIRING = "expiring", _("Expiring")
    UNSURE = "unsure", _("Unsure")
    OK = "ok", _("Works")
