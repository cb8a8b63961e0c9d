"""One exception tree for everything that can go wrong with a call to TokPortal.

What a caller needs to know first is `outcome`: was the request certainly not acted on, certainly refused, or is
it unknown? A write whose outcome is unknown is never simply sent again under a new key.
"""

from enum import Enum
from typing import Any

from issues.tokportal import constants as c


class Outcome(Enum):
    """What is certain about the effect of a failed request."""

    NOT_SENT = "not_sent"  # nothing reached TokPortal
    REFUSED = "refused"  # TokPortal answered and says that it changed nothing
    UNKNOWN = "unknown"  # it may or may not have taken effect


class TokPortalError(Exception):
    """Base of the tree. `str()` is for logs; people are shown the sentences of our own pages."""

    outcome = Outcome.UNKNOWN
    retryable = False
    default_code = "TOKPORTAL_ERROR"

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "",
        status: int = 0,
        request_id: str = "",
        retry_after: float | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        self.code = code or self.default_code
        self.message = message
        self.status = status  # 0 where no answer came
        self.request_id = request_id  # TokPortal's, what its support asks for
        self.retry_after = retry_after  # seconds
        self.details = details or {}
        super().__init__(f"{self.code} ({status or 'no answer'}): {message}")


class NotSentError(TokPortalError):
    """No connection: name not resolved, refused, timed out before a byte went out."""

    outcome = Outcome.NOT_SENT
    retryable = True
    default_code = "NOT_SENT"


class BudgetWaitError(NotSentError):
    """Our own limiter had no slot within the time that the caller could wait."""

    default_code = "BUDGET_WAIT"


class LostAnswerError(TokPortalError):
    """The request went out and no whole answer came: timeout, reset, broken off."""

    retryable = True
    default_code = "LOST_ANSWER"


class UnreadableAnswerError(TokPortalError):
    """An answer that is not TokPortal's: HTML of a proxy, broken JSON, far too large, a redirect."""

    retryable = True
    default_code = "UNREADABLE_ANSWER"


class ApiError(TokPortalError):
    """An error that TokPortal reports in its own form."""

    outcome = Outcome.REFUSED
    default_code = "API_ERROR"


class KeyRefusedError(ApiError):
    """401: the key is missing, unknown or revoked."""


class ForbiddenError(ApiError):
    """403: the key lacks the scope, or the bundle is another user's."""


class NotFoundError(ApiError):
    """404."""


class InvalidRequestError(ApiError):
    """400 and other 4xx: TokPortal does not accept what was asked."""


class PaymentRequiredError(ApiError):
    """402."""


class ConflictError(ApiError):
    """409: the state at TokPortal does not allow it."""


class IdempotencyConflictError(ConflictError):
    """409 about the idempotency key: the first request under it is still being worked on."""

    outcome = Outcome.UNKNOWN
    retryable = True


class RateLimitedError(ApiError):
    """429: wait `retry_after` seconds."""

    retryable = True


class ServerError(ApiError):
    """5xx without a code that says that nothing happened."""

    outcome = Outcome.UNKNOWN
    retryable = True


class UploadFailedError(ServerError):
    """500 UPLOAD_FAILED: TokPortal could not download or store the replacement. It says so: nothing changed."""

    outcome = Outcome.REFUSED
    retryable = False


class StorageRefusedError(TokPortalError):
    """The object store refused the bytes. Nothing is published by a PUT, so it may start again with a new URL."""

    outcome = Outcome.REFUSED
    retryable = True
    default_code = "STORAGE_REFUSED"


_BY_STATUS: dict[int, type[ApiError]] = {
    401: KeyRefusedError,
    402: PaymentRequiredError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitedError,
}
# The code decides where it is known, whatever the status says.
_BY_CODE: dict[str, type[ApiError]] = {
    c.UPLOAD_FAILED: UploadFailedError,
    c.BUNDLE_NOT_FOUND: NotFoundError,
    c.VIDEO_NOT_FOUND: NotFoundError,
    c.BUNDLE_NOT_OWNED: ForbiddenError,
    c.VIDEO_NO_DOWNLOAD_ISSUE: ConflictError,
    c.VIDEO_POSITION_OUT_OF_RANGE: InvalidRequestError,
    c.AUTH_MISSING_KEY: KeyRefusedError,
    c.AUTH_INVALID_KEY: KeyRefusedError,
    c.AUTH_REVOKED_KEY: KeyRefusedError,
    c.RATE_LIMIT_EXCEEDED: RateLimitedError,
    c.IDEMPOTENCY_NOT_ALLOWED: InvalidRequestError,
}


def error_class(code: str, status: int) -> type[ApiError]:
    """The exception for an error answer: by its code where we know it, else by its status."""
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status == 409 and "IDEMPOTENCY" in code:
        return IdempotencyConflictError
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return ServerError if status >= 500 else InvalidRequestError
