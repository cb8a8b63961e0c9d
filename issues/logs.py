"""Logs without secrets: keys, signatures, cookies and presigned queries are cut out of every line."""

import logging
import re
from contextvars import ContextVar

# The id that the error page shows, so that a line can be found by it.
current_request_id: ContextVar[str] = ContextVar("current_request_id", default="-")

_SECRETS = (
    re.compile(r"\b(?:sk_|tok_live_|whsec_)[A-Za-z0-9_-]{8,}"),
    re.compile(
        r"(?i)\b(X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token|X-Goog-Signature|Signature|sig|rlkey|hm|authkey"
        r"|token|x-api-key|api_key|password|cookie|sessionid|set-cookie|authorization)(['\"]?\s*[=:]\s*['\"]?)[^\s&'\",;]+"
    ),
)


def scrub(text: str) -> str:
    """`text` with what looks like a secret replaced by `***`."""
    text = _SECRETS[0].sub("***", text)
    return _SECRETS[1].sub(r"\1\2***", text)


class ScrubFilter(logging.Filter):
    """Scrubs the message, its arguments and the traceback of each record, and adds the request's id."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id.get()
        record.msg = scrub(record.getMessage())
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = scrub(record.exc_text)
        return True
