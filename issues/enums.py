"""States, roles and verdicts, with their named groups: no view spells a list of states."""

from django.db.models import TextChoices


class Role(TextChoices):
    OWNER = "owner", "Owner"
    EDITOR = "editor", "Editor"
    VIEWER = "viewer", "Viewer"


CAN_EDIT = frozenset({Role.OWNER, Role.EDITOR})


class InvitationState(TextChoices):
    PENDING = "pending", "Pending"
    ACCEPTED = "accepted", "Accepted"
    REVOKED = "revoked", "Revoked"


class PersonalKind(TextChoices):
    PERSON = "person", "Name and address"
    BEHALF = "behalf", "For whom TokDash acts"
    MAIL = "mail", "E-mail address"
    PLACE = "place", "Network address and browser"
    NOTE = "note", "Note"


class CheckpointKind(TextChoices):
    SEAL = "seal", "Seal"
    CUT = "cut", "Cut"


class WorkspaceState(TextChoices):
    ACTIVE = "active", "Active"
    PAUSED = "paused", "Paused"
    KEY_REFUSED = "key_refused", "Key refused"


class IssueState(TextChoices):
    OPEN = "open", "Open"
    FIXING = "fixing", "Fixing"
    FIXED = "fixed", "Fixed"
    CLEARED = "cleared", "Cleared"
    MOOT = "moot", "Moot"


UNRESOLVED = frozenset({IssueState.OPEN, IssueState.FIXING})


class FixState(TextChoices):
    QUEUED = "queued", "Queued"
    UPLOADING = "uploading", "Uploading"
    FETCHING = "fetching", "Fetching"
    UPLOADED = "uploaded", "Uploaded"
    SENDING = "sending", "Sending"
    VERIFYING = "verifying", "Verifying"
    SUCCEEDED = "succeeded", "Verified"
    REJECTED = "rejected", "Rejected"
    SUPERSEDED = "superseded", "Superseded"
    NEEDS_HUMAN = "needs_human", "Needs a person"
    CANCELLED = "cancelled", "Cancelled"


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
    URL = "url", "Link"
    CAROUSEL_URLS = "carousel_urls", "Image links"
    VIDEO_FILE = "video_file", "Video file"
    IMAGE_FILES = "image_files", "Image files"
    REHOST = "rehost", "Copy to TokPortal"


UPLOAD_KINDS = frozenset({FixKind.VIDEO_FILE, FixKind.IMAGE_FILES})


class BulkState(TextChoices):
    PLANNED = "planned", "Planned"
    STARTED = "started", "Started"  # counting down, then under way
    UNDONE = "undone", "Taken back"


class RowState(TextChoices):
    CHECKING = "checking", "Checking"
    READY = "ready", "Ready"
    DOUBTED = "doubted", "Link is bad"  # sent only where a person insists
    REFUSED = "refused", "Cannot be sent"
    CHOSEN = "chosen", "Chosen"
    SENT = "sent", "Sent"


class MediaState(TextChoices):
    WAITING = "waiting", "Waiting"
    UPLOADED = "uploaded", "Uploaded"


class MediaKind(TextChoices):
    VIDEO = "video", "Video"
    IMAGE = "image", "Image"


class DeliveryState(TextChoices):
    WAITING = "waiting", "Waiting"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"


class ChannelKind(TextChoices):
    EMAIL = "email", "E-mail"
    SLACK = "slack", "Slack"
    DISCORD = "discord", "Discord"
    TEAMS = "teams", "Microsoft Teams"
    WEBHOOK = "webhook", "Webhook"


class NoticeKind(TextChoices):
    """What somebody can be told of."""

    NEW = "new", "New issues"
    OVERDUE = "overdue", "Issues that become late"
    FAILED = "failed", "Fixes that fail"
    ASSIGNED = "assigned", "Issues that are given to me"
    CALLED = "called", "Notes that call me"
    KEY_REFUSED = "key_refused", "Keys that TokPortal refuses"
    BEHIND = "behind", "Checks that are behind"
    REMINDER = "reminder", "Each morning: what is late and still open"


class Pace(TextChoices):
    """How soon what waits becomes a message."""

    SOON = "soon", "As soon as it happens"
    HOURLY = "hourly", "Once an hour"
    DAILY = "daily", "Once a day, at 8:00"


class Origin(TextChoices):
    """Where a change came from."""

    PAGE = "page", "Page"
    COMMAND = "command", "Command"
    SYNC = "sync", "Sync"
    TASK = "task", "Background"


class SyncState(TextChoices):
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    INTERRUPTED = "interrupted", "Interrupted"


class VerdictClass(TextChoices):
    """How sure we are, and of what."""

    DEAD = "dead", "Dead"
    BLOCKED = "blocked", "Blocked"
    WRONG = "wrong", "Not a media file"
    EXPIRING = "expiring", "Expiring"
    UNSURE = "unsure", "Unsure"
    OK = "ok", "Works"
