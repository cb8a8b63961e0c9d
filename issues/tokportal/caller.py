"""One call to TokPortal: a slot of the budget, the request, and an exception for everything that is not a 2xx."""

import json
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import requests

from issues.tokportal import constants as c
from issues.tokportal.answers import header_number, to_error
from issues.tokportal.api_version import ApiVersion, told_version
from issues.tokportal.budget import Budget, Lane, wait_for_slot
from issues.tokportal.errors import (
    BudgetWaitError,
    LostAnswerError,
    NotSentError,
    RateLimitedError,
    ServerError,
    UnreadableAnswerError,
)
from issues.tokportal.payloads import PayloadError
from issues.tokportal.transport import RawAnswer, new_session, send

_T = TypeVar("_T")

READ_TRIES = 3
DEFAULT_RETRY_AFTER = 5.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `read` bounds the silence between two bytes, `total` a whole call, `fix` a fix-download."""

    connect: float = 5.0
    read: float = 30.0
    total: float = 60.0
    fix: float = 300.0


@dataclass(slots=True)
class Usage:
    """What this client spent: requests sent, and how many were answered with 429."""

    requests: int = 0
    throttled: int = 0


class Caller:
    """What `TokPortalClient` is built on."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        budget: Budget,
        lane: Lane,
        client_name: str = "tokdash",
        timeouts: Timeouts | None = None,
        max_wait: float = 60.0,
        read_tries: int = READ_TRIES,
        on_request: Callable[[], None] | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._budget = budget
        self._lane = lane
        self._client_name = client_name
        self._timeouts = timeouts or Timeouts()
        self._max_wait = max_wait
        self._read_tries = read_tries
        self._on_request = on_request
        self._session = new_session()
        self.usage = Usage()
        self.api_version = ApiVersion()  # of the last answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._base_url}>"

    def close(self) -> None:
        self._session.close()

    def _read(self, path: str, params: dict[str, Any] | None = None, known_digest: str = "") -> RawAnswer:
        """A GET, repeated where that helps: no connection, lost or unreadable answer, 5xx, 429."""
        for attempt in range(1, self._read_tries + 1):
            try:
                answer = self._call("GET", path, params=params, known_digest=known_digest)
                if not isinstance(answer.body, dict) or "data" not in answer.body:
                    raise UnreadableAnswerError("no data in the answer", status=answer.status)
            except RateLimitedError as error:
                # The budget is blocked until then; the next call waits there, if it may wait so long.
                if attempt == self._read_tries or (error.retry_after or 0) > self._max_wait:
                    raise
            except (NotSentError, LostAnswerError, UnreadableAnswerError, ServerError) as error:
                if not isinstance(error, BudgetWaitError):
                    self._budget.fail()
                if attempt == self._read_tries or self._lane is Lane.INTERACTIVE:
                    raise
                time.sleep(random.uniform(0, 0.2 * 2**attempt))  # noqa: S311 - jitter, not a secret
            else:
                return answer
        raise AssertionError("unreachable")

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        json_body: dict[str, Any] | None = None,
        data: Any = None,
        headers: dict[str, str] | None = None,
        read_timeout: float | None = None,
        deadline: float | None = None,
        known_digest: str = "",
    ) -> RawAnswer:
        """Take a slot, send, and turn everything but a 2xx into an exception."""
        wait_for_slot(self._budget, self._lane, self._max_wait)
        if self._on_request:
            self._on_request()
        self.usage.requests += 1
        request_id = f"tokdash-{uuid.uuid4()}"
        all_headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # what arrives is what is counted against the size cap
            c.API_KEY_HEADER: self._api_key,
            c.CLIENT_HEADER: self._client_name,
            c.REQUEST_ID_HEADER: request_id,
            **(headers or {}),
        }
        if json_body is not None:
            data = json.dumps(json_body).encode()
            all_headers["Content-Type"] = "application/json"
        answer = send(
            self._session,
            requests.Request(method, f"{self._base_url}{path}", params=params, data=data, headers=all_headers),
            connect_timeout=self._timeouts.connect,
            read_timeout=read_timeout or self._timeouts.read,
            deadline=deadline or self._timeouts.total,
            known_digest=known_digest,
        )
        self.api_version = told_version(answer.headers) or self.api_version
        if answer.is_json and answer.status < 500:
            limit = header_number(answer, c.LIMIT_HEADER)
            self._budget.observe(limit=limit, remaining=header_number(answer, c.REMAINING_HEADER))
        if 200 <= answer.status < 300:
            if not answer.is_json and answer.body is None and method == "GET":
                raise UnreadableAnswerError("not JSON", status=answer.status)
            return answer
        error = to_error(answer)
        if isinstance(error, RateLimitedError):
            self.usage.throttled += 1
            # A cooldown of TokPortal's publishing says nothing about the key's rate limit.
            if error.code != c.CAPACITY_COOLDOWN:
                self._budget.block(error.retry_after or DEFAULT_RETRY_AFTER)
        raise error

    def _data_list(self, answer: RawAnswer) -> list[Any]:
        data = answer.body["data"]
        if not isinstance(data, list):
            raise UnreadableAnswerError("a list was expected", status=answer.status)
        return data

    def _data_object(self, answer: RawAnswer) -> dict[str, Any]:
        data = answer.body.get("data") if isinstance(answer.body, dict) else None
        if not isinstance(data, dict):
            raise UnreadableAnswerError("an object was expected", status=answer.status)
        return data

    def _parsed(self, answer: RawAnswer, parse: Callable[[dict[str, Any]], _T]) -> _T:
        try:
            return parse(self._data_object(answer))
        except PayloadError as error:
            raise UnreadableAnswerError(str(error), status=answer.status) from error
