"""A few requests in flight for one key, to hide TokPortal's latency. The threads here know nothing of the database."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

from django.utils import timezone

from issues.models import Bundle, Workspace
from issues.problems import Refusal
from issues.sync.connection import client_for_key
from issues.tokportal.api_version import ApiVersion
from issues.tokportal.budget import Budget, Lane, Slot
from issues.tokportal.client import TokPortalClient
from issues.tokportal.errors import TokPortalError
from issues.tokportal.payloads import BundlePage, BundlePayload, VideoList

IN_FLIGHT = 6
PAGE_ROWS = 100
# Of what the answers say of the budget: how often it is passed on, and below which part of the limit at once.
TELL_SECONDS = 0.25
LOW = 0.45

Answer = BundlePage | BundlePayload | VideoList


class AskKind(Enum):
    PAGE = "page"  # one page of the listing
    BUNDLE = "bundle"  # a bundle itself
    VIDEOS = "videos"


@dataclass(slots=True, eq=False)
class Ask:
    """One question to TokPortal, and what came of it."""

    kind: AskKind
    page: int = 0
    status: str = ""  # the page lists this status alone
    bundle: Bundle | None = None
    tries: int = 0
    throttled: int = 0  # of those, answered with 429: they do not count
    asked_at: datetime = field(default_factory=timezone.now)
    answer: Answer | None = None
    error: TokPortalError | None = None
    crash: Exception | None = None

    @property
    def of(self) -> Bundle:
        """The bundle that is asked for. Only a page has none."""
        if self.bundle is None:
            raise ValueError("a page of the listing is about no bundle")
        return self.bundle


class _Paid:
    """A budget whose slot was taken before: what the answers say is kept for whoever holds the real one.

    Of several answers only what slows us down most is told: the least that is left.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limit: int | None = None
        self._remaining: int | None = None
        self._answered = False
        self._failures = 0
        self._block = 0.0
        self._told_at = 0.0
        self.last_limit: int | None = None

    def take(self, lane: Lane, ahead: int = 0) -> Slot:
        return Slot(0.0)

    def observe(self, *, limit: int | None, remaining: int | None) -> None:
        with self._lock:
            self._answered, self._failures = True, 0
            self._limit = limit or self._limit
            self.last_limit = limit or self.last_limit
            if remaining is not None:
                self._remaining = remaining if self._remaining is None else min(self._remaining, remaining)

    def fail(self) -> None:
        with self._lock:
            self._failures += 1

    def block(self, seconds: float) -> None:
        with self._lock:
            self._block = max(self._block, seconds)

    def pass_on(self, budget: Budget, *, now: bool) -> None:
        """Tell the shared budget: an answer first, then the failures after it, then how long to wait.

        What is of no consequence within a quarter of a second is told that often: an answer of many.
        """
        with self._lock:
            is_low = self._remaining is not None and self._limit and self._remaining < self._limit * LOW
            urgent = now or self._failures or self._block or is_low
            if not urgent and time.monotonic() - self._told_at < TELL_SECONDS:
                return
            self._told_at = time.monotonic()
            answered, limit, remaining = self._answered, self._limit, self._remaining
            failures, block = self._failures, self._block
            self._answered, self._limit, self._remaining, self._failures, self._block = False, None, None, 0, 0.0
        if answered:
            budget.observe(limit=limit, remaining=remaining)
        for _ in range(failures):
            budget.fail()
        if block:
            budget.block(block)


class Fetcher:
    """Sends what it is given and hands back what has come. Slots are the caller's business, and so are retries."""

    def __init__(self, workspace: Workspace) -> None:
        if workspace.read_key is None:
            raise Refusal(f"The workspace “{workspace.name}” has no key.", code="NO_KEY")
        self._base_url, self._key = workspace.base_url, workspace.read_key
        self._pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="fetch")
        self._local = threading.local()
        self._clients: list[TokPortalClient] = []
        self._paid = _Paid()
        self._done: SimpleQueue[Ask] = SimpleQueue()
        self.in_flight = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for client in self._clients:
            client.close()

    @property
    def is_full(self) -> bool:
        return self.in_flight >= IN_FLIGHT

    def send(self, ask: Ask) -> None:
        ask.asked_at, ask.answer, ask.error = timezone.now(), None, None
        self.in_flight += 1
        self._pool.submit(self._fetch, ask)

    def collect(self, timeout: float) -> list[Ask]:
        """What has been answered, after waiting at most `timeout` seconds for the first."""
        found: list[Ask] = []
        with suppress(Empty):
            if self.in_flight and timeout > 0:
                found.append(self._done.get(timeout=timeout))
            while True:
                found.append(self._done.get_nowait())
        self.in_flight -= len(found)
        for ask in found:
            if ask.crash is not None:
                raise ask.crash
        return found

    def report(self, budget: Budget, *, now: bool = False) -> None:
        """Tell the shared budget what the answers said of it."""
        self._paid.pass_on(budget, now=now)

    @property
    def limit(self) -> int | None:
        """The limit that TokPortal told last."""
        return self._paid.last_limit

    @property
    def api_version(self) -> ApiVersion:
        """The API version of TokPortal's last answer."""
        return next((client.api_version for client in self._clients if client.api_version.version), ApiVersion())

    def _client(self) -> TokPortalClient:
        client: TokPortalClient | None = getattr(self._local, "client", None)
        if client is None:
            client = client_for_key(self._base_url, self._key, Lane.SYNC, budget=self._paid, read_tries=1)
            self._local.client = client
            self._clients.append(client)
        return client

    def _fetch(self, ask: Ask) -> None:
        try:
            client = self._client()
            if ask.kind is AskKind.PAGE:
                only = {"status": ask.status} if ask.status else {}
                ask.answer = client.list_bundles(page=ask.page, per_page=PAGE_ROWS, **only)
            elif ask.kind is AskKind.BUNDLE:
                ask.answer = client.get_bundle(ask.of.tokportal_id)
            else:
                ask.answer = client.list_videos(ask.of.tokportal_id, known_digest=ask.of.answer_digest)
        except TokPortalError as error:
            ask.error = error
        except Exception as error:  # noqa: BLE001 - a bug: raised again where the answer is taken in
            ask.crash = error
        self._done.put(ask)
