"""HTTP below the client: requests with a wall-clock deadline and a cap on the size of an answer.

requests' read timeout starts anew with every byte; a server that sends one byte a second would hold a worker for
ever. A watchdog therefore closes the socket at the deadline, whatever is being read.
"""

import hashlib
import heapq
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from issues.tokportal.errors import LostAnswerError, NotSentError, TokPortalError, UnreadableAnswerError

UNCHANGED: dict[str, Any] = {"data": None}
MAX_ANSWER_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 64 * 1024

_current = threading.local()


class _WatchedMixin:
    """A connection that tells the watchdog of this thread which socket to close."""

    def request(self, *args: Any, **kwargs: Any) -> Any:
        _current.connection = self
        return super().request(*args, **kwargs)  # type: ignore[misc]


class _WatchedHTTP(_WatchedMixin, HTTPConnection):
    pass


class _WatchedHTTPS(_WatchedMixin, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class _Adapter(HTTPAdapter):
    """requests' adapter without retries of its own, over watched connections."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


def new_session(pool_size: int = 10) -> requests.Session:
    """A keep-alive session. A proxy of the environment is used; credentials from a .netrc never are."""
    session = requests.Session()
    session.auth = _no_auth
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(pool_connections=pool_size, pool_maxsize=pool_size, max_retries=0))
    return session


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _Watchdog:
    """One thread for the process that closes the sockets of requests that have outlived their deadline."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, _Watch]] = []
        self._wakes = threading.Condition()
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    def watch(self, seconds: float) -> "_Watch":
        watch = _Watch(_current.__dict__)
        at = time.monotonic() + seconds
        with self._wakes:
            if self._thread is None or not self._thread.is_alive():  # a forked child has no thread
                self._thread = threading.Thread(target=self._run, daemon=True, name="deadlines")
                self._thread.start()
            is_soonest = not self._waiting or at < self._waiting[0][0]
            heapq.heappush(self._waiting, (at, next(self._numbers), watch))
            if is_soonest:
                self._wakes.notify()
        return watch

    def _run(self) -> None:
        with self._wakes:
            while True:
                while self._waiting and self._waiting[0][2].is_over:
                    heapq.heappop(self._waiting)
                if not self._waiting:
                    self._wakes.wait()
                    continue
                left = self._waiting[0][0] - time.monotonic()
                if left > 0:
                    self._wakes.wait(left)
                else:
                    heapq.heappop(self._waiting)[2].bite()


class _Watch:
    """One request under watch. The connection is not known yet when it begins: the thread's locals have it."""

    def __init__(self, holder: dict[str, Any]) -> None:
        self._holder = holder
        self._lock = threading.Lock()
        self.is_over = False

    def end(self) -> None:
        with self._lock:
            self.is_over = True

    def bite(self) -> None:
        with self._lock:  # not while the request ends: its socket may already serve the next one
            socket = None if self.is_over else getattr(self._holder.get("connection"), "sock", None)
            if socket is not None:
                with suppress(OSError):
                    socket.shutdown(2)


_watchdog = _Watchdog()


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Close the socket that this thread uses when `seconds` have passed."""
    _current.connection = None
    watch = _watchdog.watch(seconds)
    try:
        yield
    finally:
        watch.end()
        _current.connection = None


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """A whole answer: `body` is decoded JSON, or `None` for an empty one."""

    status: int
    headers: CaseInsensitiveDict[str]
    body: Any
    is_json: bool
    digest: str = ""  # SHA-256 of its bytes


def send(
    session: requests.Session,
    request: requests.Request,
    *,
    connect_timeout: float,
    read_timeout: float,
    deadline: float,
    known_digest: str = "",
) -> RawAnswer:
    """Send one request and read the whole answer, at most `deadline` seconds by the clock.

    A 200 with the bytes of `known_digest` is not parsed again: its body is `UNCHANGED`.

    Raises NotSentError where nothing went out, LostAnswerError where the fate is unknown, UnreadableAnswerError for
    an answer of over 16 MiB. Redirects are not followed: they would carry the key elsewhere.
    """
    prepared = session.prepare_request(request)
    settings = _environment_of(session, str(prepared.url))
    started = time.monotonic()
    try:
        with _deadline(deadline):
            response = session.send(
                prepared, timeout=(connect_timeout, read_timeout), allow_redirects=False, **settings
            )
            with response:
                content = _read_all(response, started + deadline)
    except requests.exceptions.ConnectTimeout as error:
        raise NotSentError("connecting took too long", code="CONNECT_TIMEOUT") from error
    except requests.exceptions.ConnectionError as error:
        raise _connection_error(error) from error
    except (
        requests.exceptions.InvalidURL,
        requests.exceptions.MissingSchema,
        requests.exceptions.InvalidSchema,
    ) as error:
        raise NotSentError("not a usable address", code="BAD_ADDRESS") from error
    except (
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        OSError,
        ValueError,
        AttributeError,
    ) as error:
        # AttributeError: http.client trips over a socket that the watchdog closed under it.
        raise LostAnswerError(type(error).__name__) from error
    if known_digest and response.status_code == 200 and hashlib.sha256(content).hexdigest() == known_digest:
        return RawAnswer(200, response.headers, UNCHANGED, True, known_digest)
    return _decode(response.status_code, response.headers, content)


def _environment_of(session: requests.Session, url: str) -> Any:
    """Proxies and certificates of the environment, read once for each host: reading them costs as much as parsing."""
    known: dict[str, Any] = session.__dict__.setdefault("environment_by_host", {})
    host = urlsplit(url).netloc
    if host not in known:
        known[host] = session.merge_environment_settings(url, {}, True, None, None)
    return known[host]


def _read_all(response: requests.Response, until: float) -> bytes:
    too_large = UnreadableAnswerError("an answer of over 16 MiB", status=response.status_code)
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > MAX_ANSWER_BYTES:
        raise too_large
    content = bytearray()
    for chunk in response.iter_content(CHUNK_BYTES):
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise too_large
        if time.monotonic() > until:
            raise LostAnswerError("the answer took too long", status=response.status_code)
    return bytes(content)


def _connection_error(error: requests.exceptions.ConnectionError) -> TokPortalError:
    """Nothing was sent if the connection could not be made; after that the fate is unknown."""
    reason = error.args[0] if error.args else None
    reason = getattr(reason, "reason", reason)
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        return NotSentError("the name does not resolve", code="NAME_NOT_FOUND")
    if isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError):
        return NotSentError("no connection", code="CONNECTION_REFUSED")
    if isinstance(error, requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return NotSentError("no secure connection", code="TLS_FAILED")
    return LostAnswerError("the connection broke off")


def _decode(status: int, headers: CaseInsensitiveDict[str], content: bytes) -> RawAnswer:
    if not content.strip():
        return RawAnswer(status, headers, None, is_json=False)
    try:
        return RawAnswer(status, headers, json.loads(content), True, hashlib.sha256(content).hexdigest())
    except (ValueError, RecursionError):
        return RawAnswer(status, headers, None, is_json=False)


class SizedStream:
    """A body of a known length, read in chunks; requests sends it with a Content-Length and never holds it whole."""

    def __init__(
        self,
        source: IO[bytes] | Iterator[bytes],
        size: int,
        on_progress: Callable[[int], None] | None,
    ) -> None:
        self._source = source
        self._size = size
        self._on_progress = on_progress
        self._sent = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(CHUNK_BYTES):
            yield chunk

    def read(self, amount: int = CHUNK_BYTES) -> bytes:
        read = getattr(self._source, "read", None)
        chunk: bytes = read(CHUNK_BYTES) if read else next(self._source, b"")
        self._sent += len(chunk)
        if self._on_progress and chunk:
            self._on_progress(self._sent)
        return chunk


class SizedFile:
    """A file of a known length inside a multipart form. `len` is what is left: the form's encoder goes by it.

    The encoder would ask a source that ends early again and again, so that is an error here.
    """

    def __init__(
        self, source: IO[bytes] | Iterator[bytes], size: int, on_progress: Callable[[int], None] | None = None
    ) -> None:
        self._stream = SizedStream(source, size, on_progress)
        self.len = size

    def read(self, amount: int = -1) -> bytes:
        chunk = self._stream.read()
        if self.len and not chunk:
            raise OSError("the file ended before its announced length")
        self.len = max(self.len - len(chunk), 0)
        return chunk


def is_secure_or_local(url: str) -> bool:
    """Whether a base URL may carry a key: HTTPS, or plain HTTP to this very machine (the sandbox)."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"})
