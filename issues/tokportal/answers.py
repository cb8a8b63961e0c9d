"""Read what surrounds an answer: its rate headers, its `Retry-After`, and the exception that an error stands for."""

import time
from email.utils import parsedate_to_datetime
from typing import Any

from issues.tokportal import constants as c
from issues.tokportal.errors import RateLimitedError, TokPortalError, UnreadableAnswerError, error_class
from issues.tokportal.transport import RawAnswer

MAX_RETRY_AFTER = 3600.0


def header_number(answer: RawAnswer, name: str) -> int | None:
    text = answer.headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _retry_after(answer: RawAnswer, details: dict[str, Any]) -> float | None:
    """Seconds to wait: the header is the word that counts, then the body; at most an hour."""
    header = answer.headers.get("Retry-After", "").strip()
    if header:
        try:
            return min(max(float(header), 0.0), MAX_RETRY_AFTER)
        except ValueError:
            try:
                moment = parsedate_to_datetime(header).timestamp()
            except (ValueError, TypeError):
                pass
            else:
                return min(max(moment - time.time(), 0.0), MAX_RETRY_AFTER)
    told = details.get("retry_after_seconds")
    if isinstance(told, int | float) and not isinstance(told, bool) and told >= 0:
        return min(float(told), MAX_RETRY_AFTER)
    return None


def to_error(answer: RawAnswer) -> TokPortalError:
    """The exception for an answer that is not 2xx."""
    body = answer.body if isinstance(answer.body, dict) else {}
    about = body.get("error")
    request_id = answer.headers.get(c.TOKPORTAL_REQUEST_ID_HEADER, "")[:128]
    if not isinstance(about, dict):
        if answer.status == 429:
            return RateLimitedError(
                status=429,
                request_id=request_id,
                code=c.RATE_LIMIT_EXCEEDED,
                retry_after=_retry_after(answer, {}),
            )
        if answer.status in (401, 403) and answer.is_json:
            return error_class("", answer.status)(status=answer.status, request_id=request_id)
        # A proxy's page, a redirect, an empty answer: TokPortal itself has not spoken.
        return UnreadableAnswerError("not TokPortal's form", status=answer.status, request_id=request_id)
    code = about.get("code")
    code = code if isinstance(code, str) else ""
    details = about.get("details")
    details = details if isinstance(details, dict) else {}
    message = about.get("message")
    return error_class(code, answer.status)(
        message if isinstance(message, str) else "",
        code=code[:80],
        status=answer.status,
        request_id=request_id,
        retry_after=_retry_after(answer, details),
        details=details,
    )
