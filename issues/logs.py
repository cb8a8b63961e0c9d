"""Logs without secrets: keys, signatures, cookies, and the secrets of links are cut out of every line and report."""

import logging
import re
from contextvars import ContextVar
from typing import Any

from celery import current_task
from pythonjsonlogger.json import JsonFormatter

from issues.link_checks.masking import mask_log

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
    """`text` with what looks like a secret replaced by `***`, and links without their query and tokens."""
    text = mask_log(_SECRETS[0].sub("***", text))
    return _SECRETS[1].sub(r"\1\2***", text)


class ScrubFilter(logging.Filter):
    """Scrubs the message, its arguments and the traceback of each record, and adds the ids of request and task."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id.get()
        record.task_id, record.task = _task()
        record.msg = scrub(record.getMessage())
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = scrub(record.exc_text)
        return True


class ScrubbedJsonFormatter(JsonFormatter):
    """One JSON object a line. It formats tracebacks itself instead of taking the scrubbed text."""

    def formatException(self, ei: Any) -> Any:  # noqa: N802 - logging's name
        return scrub(str(super().formatException(ei)))


def _task() -> tuple[str, str]:
    """Id and name of the task that runs in this thread; dashes where none does."""
    request = current_task.request if current_task else None
    return (str(request.id), str(current_task.name)) if request is not None and request.id else ("-", "-")


def scrub_report(event: Any, hint: Any = None) -> Any:
    """What goes to Sentry, with every text in it scrubbed (`before_send`)."""
    if isinstance(event, str):
        return scrub(event)
    if isinstance(event, dict):
        return {
            name: "***" if isinstance(name, str) and _SECRET_NAMES.fullmatch(name) else scrub_report(value)
            for name, value in event.items()
        }
    if isinstance(event, list | tuple):
        return [scrub_report(value) for value in event]
    return event


_SECRET_NAMES = re.compile(r"(?i)cookies?|set-cookie|authorization|x-api-key|x-csrftoken|password|.*_key|.*secret.*")
