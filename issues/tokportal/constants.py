"""The words of TokPortal's contract: headers, error codes, groups of statuses. Shared with the sandbox."""

# The version of TokPortal's API that TokDash was built for (the `X-TokPortal-API-Version` of every response).
API_VERSION = "2026-05-25"
DEFAULT_BASE_URL = "https://app.tokportal.com/api/ext"

API_KEY_HEADER = "X-API-Key"
CLIENT_HEADER = "X-TokPortal-Client"
REQUEST_ID_HEADER = "X-Request-ID"
TOKPORTAL_REQUEST_ID_HEADER = "X-TokPortal-Request-ID"
IDEMPOTENCY_HEADER = "Idempotency-Key"
DRY_RUN_HEADER = "X-TokPortal-Dry-Run"
API_VERSION_HEADER = "X-TokPortal-API-Version"
API_STABILITY_HEADER = "X-TokPortal-API-Stability"
LIMIT_HEADER = "X-RateLimit-Limit"
REMAINING_HEADER = "X-RateLimit-Remaining"
RESET_HEADER = "X-RateLimit-Reset"

MAX_PER_PAGE = 100
DEFAULT_PER_PAGE = 25
DEFAULT_LIMIT_PER_MINUTE = 120

# The six errors of the fix call.
BUNDLE_NOT_FOUND = "BUNDLE_NOT_FOUND"
BUNDLE_NOT_OWNED = "BUNDLE_NOT_OWNED"
VIDEO_NOT_FOUND = "VIDEO_NOT_FOUND"
VIDEO_POSITION_OUT_OF_RANGE = "VIDEO_POSITION_OUT_OF_RANGE"
VIDEO_NO_DOWNLOAD_ISSUE = "VIDEO_NO_DOWNLOAD_ISSUE"
UPLOAD_FAILED = "UPLOAD_FAILED"

# Possible on any call.
AUTH_MISSING_KEY = "AUTH_MISSING_KEY"
AUTH_INVALID_KEY = "AUTH_INVALID_KEY"
AUTH_REVOKED_KEY = "AUTH_REVOKED_KEY"
INSUFFICIENT_SCOPE = "INSUFFICIENT_SCOPE"
VALIDATION_ERROR = "VALIDATION_ERROR"
UNKNOWN_FIELD = "UNKNOWN_FIELD"
INVALID_DATE = "INVALID_DATE"
INSUFFICIENT_CREDITS = "INSUFFICIENT_CREDITS"
INVALID_STATUS_TRANSITION = "INVALID_STATUS_TRANSITION"
YOUTUBE_DELAYED = "YOUTUBE_DELAYED"
MANAGED_ACCOUNT_TASK_BLOCKED = "MANAGED_ACCOUNT_TASK_BLOCKED"
BUNDLE_INVALID_STATUS = "BUNDLE_INVALID_STATUS"
VIDEOS_PER_DAY_EXCEEDED = "VIDEOS_PER_DAY_EXCEEDED"
INVALID_DATE = "INVALID_DATE"
RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
IDEMPOTENCY_NOT_ALLOWED = "IDEMPOTENCY_KEY_NOT_ALLOWED_FOR_SENSITIVE_RESPONSE"
IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
# A 429 about TokPortal's capacity to publish. It says nothing about the key's rate limit.
CAPACITY_COOLDOWN = "capacity_cooldown"

BUNDLE_STATUSES = (
    "draft",
    "pending_setup",
    "published",
    "published_priority",
    "accepted",
    "in_review",
    "finalized",
    "completed",
    "cancelled",
    "archived",
)
# Before a bundle is published no manager can flag it; afterwards none has a reason to. A status that we do not
# know might be either, so it is asked: a flag seen too late costs more than a request.
NOT_FLAGGABLE_STATUSES = frozenset({"draft", "pending_setup", "completed", "cancelled", "archived"})
ENDED_STATUSES = frozenset({"completed", "cancelled", "archived"})

VIDEO_STATUSES = (
    "pending",
    "configured",
    "published",
    "accepted",
    "in_review",
    "pending_corrections",
    "finalized",
    "cancelled",
)
# The official client names the first two alone; the documentation has the third as well.
PLATFORMS = ("tiktok", "instagram", "youtube")
BUNDLE_TYPES = ("account_only", "account_and_videos", "videos_only")

# Every event type of the official client and of the documentation. New ones may come: the catalogue tells.
WEBHOOK_EVENTS = (
    "webhook.test",
    "bundle.created",
    "bundle.published",
    "bundle.cancelled",
    "bundle.archived",
    "account.configured",
    "account.published",
    "account.in_review",
    "account.pending_corrections",
    "account.finalized",
    "account.remade",
    "account.banned",
    "account.ban_appeal.submitted",
    "account.ban_appeal.resolved",
    "account.ban_resolution.decided",
    "account.distribution_warning",
    "account.revealed",
    "video.configured",
    "video.in_review",
    "video.published",
    "video.pending_corrections",
    "video.finalized",
    "video.not_recommended",
    "video.ai_labeled",
    "video.sound_restricted",
    "warming.session_started",
    "warming.term_verified",
    "warming.session_completed",
    "subscription.renewed",
    "subscription.lapsed",
    "subscription.cancelled",
    "subscription.reactivated",
    "subscription.ended",
    "credits.restored",
)
WEBHOOK_TOLERANCE_SECONDS = 300
