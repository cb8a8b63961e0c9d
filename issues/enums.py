"""States, roles and verdicts, with their named groups: no view spells a list of states."""

from django.db.models import TextChoices


class Role(TextChoices):
    OWNER = "owner", "Owner"
    EDITOR = "editor", "Editor"
    VIEWER = "viewer", "Viewer"


CAN_EDIT = frozenset({Role.OWNER, Role.EDITOR})


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

    @property
    def meaning(self) -> str:
        """One plain sentence for the page."""
        return {
            IssueState.OPEN: "The manager cannot download the media.",
            IssueState.FIXING: "A fix is on its way.",
            IssueState.FIXED: "Fixed from here and read back from TokPortal.",
            IssueState.CLEARED: "The flag went away without a fix from here.",
            IssueState.MOOT: "The bundle ended, so nothing is left to fix.",
        }[self]


UNRESOLVED = frozenset({IssueState.OPEN, IssueState.FIXING})
RESOLVED = frozenset({IssueState.FIXED, IssueState.CLEARED, IssueState.MOOT})


class FixState(TextChoices):
    QUEUED = "queued", "Queued"
    UPLOADING = "uploading", "Uploading"
    UPLOADED = "uploaded", "Uploaded"
    SENDING = "sending", "Sending"
    VERIFYING = "verifying", "Verifying"
    SUCCEEDED = "succeeded", "Verified"
    REJECTED = "rejected", "Rejected"
    SUPERSEDED = "superseded", "Superseded"
    NEEDS_HUMAN = "needs_human", "Needs a person"
    CANCELLED = "cancelled", "Cancelled"


UNFINISHED = frozenset({FixState.QUEUED, FixState.UPLOADING, FixState.UPLOADED, FixState.SENDING, FixState.VERIFYING})
FINISHED = frozenset(set(FixState) - UNFINISHED)
# States in which a worker has something to do. An upload is somebody else's to drive: a browser's or a command's.
DRIVEN = frozenset({FixState.QUEUED, FixState.UPLOADED, FixState.SENDING, FixState.VERIFYING})
NOT_SENT_YET = frozenset({FixState.QUEUED, FixState.UPLOADING, FixState.UPLOADED})


class FixKind(TextChoices):
    URL = "url", "Link"
    CAROUSEL_URLS = "carousel_urls", "Image links"
    VIDEO_FILE = "video_file", "Video file"
    IMAGE_FILES = "image_files", "Image files"


UPLOAD_KINDS = frozenset({FixKind.VIDEO_FILE, FixKind.IMAGE_FILES})


class MediaState(TextChoices):
    WAITING = "waiting", "Waiting"
    UPLOADED = "uploaded", "Uploaded"


class MediaKind(TextChoices):
    VIDEO = "video", "Video"
    IMAGE = "image", "Image"


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


class VideoType(TextChoices):
    """The types that we can repair; a new one of TokPortal's is stored and shown as it is."""

    VIDEO = "video", "Video"
    CAROUSEL = "carousel", "Carousel"
    STORY = "story", "Story"


class VerdictClass(TextChoices):
    """How sure we are, and of what."""

    DEAD = "dead", "Dead"
    BLOCKED = "blocked", "Blocked"
    WRONG = "wrong", "Not a media file"
    EXPIRING = "expiring", "Expiring"
    UNSURE = "unsure", "Not checked"
    OK = "ok", "Works"
