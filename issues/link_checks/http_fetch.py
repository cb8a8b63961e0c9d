"""One guarded GET or POST: every hop parsed, resolved and refused again, every byte counted, a wall clock over it all.

No library does all of this (requests-hardened lets `[::127.0.0.1]`, any port and an endless drip through), so the bytes
go over our own socket; http.client only parses the answer.
"""

import http.client
import io
import socket
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from issues.link_checks.masking import shown_url
from issues.link_checks.resolver import NameFailedError, NameMissingError, NamesUnavailableError, Network
from issues.link_checks.ssrf import Address, MalformedError, NotPublicError, PortError, Target

CONNECT_SECONDS = 3.0
FIRST_BYTE_SECONDS = 5.0
TOTAL_SECONDS = 14.5  # so that with what stands around it no check takes 15
HEADER_BYTES = 32 * 1024
BODY_BYTES = 1024 * 1024
MAX_HOPS = 5
POST_ANSWER_BYTES = 4096
REDIRECTS = frozenset({301, 302, 303, 307, 308})
USER_AGENT = "TokDash link check (the account team asks whether this file can be downloaded)"


class FetchError(Exception):
    """Why no answer could be had; `code` is one of the catalogue's."""

    def __init__(self, code: str, detail: str = "") -> None:
        self.code, self.detail = code, detail
        super().__init__(f"{code} {detail}".strip())


class _TooSlowError(OSError):
    """The wall clock or the first byte's has run out."""


class _TooMuchError(OSError):
    """Headers beyond all measure."""


@dataclass(slots=True)
class Hop:
    """One request of a chain, as evidence: `url` is shown without its secrets."""

    url: str
    status: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {"url": self.url, "status": self.status, "seconds": round(self.seconds, 3)}


@dataclass(slots=True)
class Answer:
    """The last answer of a chain. `body` is at most 1 MiB and never decompressed here."""

    target: Target
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    is_whole: bool  # all bytes that were announced for this answer have come, or as many as we take
    hops: list[Hop] = field(default_factory=list)
    seconds: float = 0.0
    body_seconds: float = 0.0

    @property
    def content_type(self) -> str:
        return str(self.headers.get("Content-Type", "")).split(";")[0].strip().lower()[:100]

    @property
    def total(self) -> int | None:
        """The size of the whole file in bytes, where the host tells it."""
        if self.status == 206:
            size = str(self.headers.get("Content-Range", "")).rpartition("/")[2].strip()
            return int(size) if size.isdigit() else None
        length = str(self.headers.get("Content-Length", "")).strip()
        return int(length) if length.isdigit() else None

    @property
    def takes_ranges(self) -> bool:
        return self.status == 206

    def text(self, most: int = 64 * 1024) -> str:
        """The beginning of the body as text, decompressed within bounds."""
        body = self.body
        if str(self.headers.get("Content-Encoding", "")).lower() in {"gzip", "x-gzip", "deflate"}:
            try:
                body = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, most)
            except zlib.error:
                return ""
        return body[:most].decode("utf-8", "replace")


class Clock:
    """A wall clock for everything that one check does."""

    def __init__(self, seconds: float = TOTAL_SECONDS) -> None:
        self._end = time.monotonic() + seconds

    def left(self, most: float = TOTAL_SECONDS) -> float:
        """Seconds that the next step may take. Raises FetchError once the time is over."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise FetchError("timeout", "in all")
        return min(left, most)


class _Wire(io.RawIOBase):
    """The receiving side of a socket: each read within the time that is left, headers within their size."""

    def __init__(self, connection: socket.socket, clock: Clock) -> None:
        self._connection, self._clock = connection, clock
        self.first_byte_until = time.monotonic() + FIRST_BYTE_SECONDS
        self.headers_left = HEADER_BYTES
        self.in_headers = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.in_headers:
            left = self.first_byte_until - time.monotonic()
            if left <= 0:
                raise _TooSlowError("headers")
            if self.headers_left <= 0:
                raise _TooMuchError("headers")
            view = memoryview(buffer)[: min(len(buffer), self.headers_left)]
        else:
            left, view = TOTAL_SECONDS, memoryview(buffer)
        try:
            self._connection.settimeout(self._clock.left(left))
        except FetchError as error:
            raise _TooSlowError("in all") from error
        try:
            count = self._connection.recv_into(view)
        except TimeoutError as error:
            raise _TooSlowError("silence") from error
        if self.in_headers:
            self.headers_left -= count
        return count


class _Socket:
    """What http.client wants of a socket to read an answer."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._wire, 16 * 1024)


def _resolve(network: Network, target: Target) -> list[Address]:
    try:
        return network.resolve(target)
    except NotPublicError as error:
        raise FetchError("private_address") from error
    except NamesUnavailableError as error:
        raise FetchError("names_unavailable") from error
    except NameMissingError as error:
        raise FetchError("dns_missing") from error
    except NameFailedError as error:
        raise FetchError("dns_failed") from error


def _connect(network: Network, target: Target, clock: Clock) -> socket.socket:
    """A connection to one of the host's addresses, TLS included. Raises FetchError."""
    addresses = _resolve(network, target)
    connection: socket.socket | None = None
    for address in addresses[:3]:
        try:
            connection = network.connect(address, target.port, clock.left(CONNECT_SECONDS))
            break
        except TimeoutError:
            continue
        except OSError as error:
            if address == addresses[:3][-1]:
                raise FetchError("connection_failed") from error
    if connection is None:
        raise FetchError("timeout", "connect")
    if target.scheme == "http":
        return connection
    try:
        connection.settimeout(clock.left(CONNECT_SECONDS))
        return network.tls().wrap_socket(connection, server_hostname=target.host)
    except ssl.SSLCertVerificationError as error:
        connection.close()
        raise FetchError("tls_bad", _about_certificate(error)) from error
    except TimeoutError as error:
        connection.close()
        raise FetchError("timeout", "tls") from error
    except (OSError, ValueError) as error:
        connection.close()
        raise FetchError("tls_failed") from error


def _about_certificate(error: ssl.SSLCertVerificationError) -> str:
    """OpenSSL's verdict in plain words (X509_V_ERR_* numbers)."""
    words = {9: "it is not valid yet", 10: "it has expired", 18: "nobody vouches for it", 62: "it is for another name"}
    return words.get(error.verify_code, "its chain is incomplete or not trusted")


def _get(target: Target, first: int, last: int | None) -> bytes:
    """The bytes of a GET."""
    asked = "" if last is None else f"Range: bytes={first}-{last}\r\n"
    return (
        f"GET {target.path.partition('#')[0]} HTTP/1.1\r\nHost: {target.origin}\r\n"
        f"User-Agent: {USER_AGENT}\r\nAccept: video/*, image/*, */*;q=0.5\r\nAccept-Encoding: identity\r\n"
        f"{asked}Connection: close\r\n\r\n"
    ).encode("ascii")


@contextmanager
def _exchange(
    network: Network, target: Target, clock: Clock, request: bytes
) -> Iterator[tuple[http.client.HTTPResponse, _Wire]]:
    """Send one request and read the answer's head; the body is read by the caller."""
    with _connect(network, target, clock) as connection:
        wire = _Wire(connection, clock)
        method = request.partition(b" ")[0].decode()
        response = http.client.HTTPResponse(_Socket(wire), method=method)  # type: ignore[arg-type]
        try:
            connection.settimeout(clock.left(CONNECT_SECONDS))
            connection.sendall(request)
            response.begin()
        except (_TooSlowError, TimeoutError) as error:
            raise FetchError("timeout", "first byte") from error
        except (_TooMuchError, http.client.HTTPException, ValueError) as error:
            is_cut = isinstance(error, http.client.RemoteDisconnected)
            raise FetchError("connection_failed" if is_cut else "not_http") from error
        except OSError as error:
            raise FetchError("connection_failed") from error
        wire.in_headers = False
        try:
            yield response, wire
        finally:
            response.close()


def _read(response: http.client.HTTPResponse, most: int) -> tuple[bytes, bool]:
    """At most `most` bytes of the body; whether all that was announced has come, as far as we read."""
    pieces: list[bytes] = []
    size = 0
    try:
        while size < most and (piece := response.read1(min(65536, most - size))):
            pieces.append(piece)
            size += len(piece)
    except http.client.IncompleteRead as error:
        return b"".join([*pieces, error.partial])[:most], False
    except _TooSlowError:
        return b"".join(pieces), True  # slow, not short: judged by its speed
    except (OSError, http.client.HTTPException, ValueError):
        return b"".join(pieces), False
    # `length`: what Content-Length announced and has not come; None for chunks, which tell their end themselves.
    return b"".join(pieces), size >= most or not response.length


def fetch(
    url: str,
    network: Network,
    clock: Clock,
    *,
    first: int = 0,
    last: int | None = BODY_BYTES - 1,
    most: int = BODY_BYTES,
    hops: list[Hop] | None = None,
) -> Answer:
    """GET bytes `first` to `last` of a link, following at most five redirects.

    Raises FetchError. The hops that were made stand in `hops` also then.
    """
    started = time.monotonic()
    hops = [] if hops is None else hops
    with open_link(url, network, clock, first=first, last=last, hops=hops) as (response, target):
        body_started = time.monotonic()
        body, is_whole = _read(response, most)
        now = time.monotonic()
        return Answer(
            target, response.status, response.headers, body, is_whole, hops, now - started, now - body_started
        )


def post(url: str, network: Network, clock: Clock, *, body: bytes, headers: Mapping[str, str]) -> Answer:
    """POST a body under the same guard; redirects are not followed, and little of the answer is read.

    Raises FetchError. The headers are our own: no line of a stranger's may be in them.
    """
    started = time.monotonic()
    target = _parse(network, url)
    lines = {"Host": target.origin, **headers, "Content-Length": str(len(body)), "Connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    request = f"POST {target.path.partition('#')[0]} HTTP/1.1\r\n{head}\r\n".encode("ascii") + body
    with _exchange(network, target, clock, request) as (response, _):
        body_started = time.monotonic()
        found, is_whole = _read(response, POST_ANSWER_BYTES)
        now = time.monotonic()
        return Answer(target, response.status, response.headers, found, is_whole, [], now - started, now - body_started)


@contextmanager
def open_link(
    url: str, network: Network, clock: Clock, *, first: int = 0, last: int | None = None, hops: list[Hop] | None = None
) -> Iterator[tuple[http.client.HTTPResponse, Target]]:
    """Likewise, with the last answer open for reading: what is streamed stays under the clock."""
    hops = [] if hops is None else hops
    target = _parse(network, url)
    seen: set[str] = set()
    while True:
        hop = Hop(shown_url(target.url))
        hops.append(hop)
        started = time.monotonic()
        try:
            with _exchange(network, target, clock, _get(target, first, last)) as (response, _):
                hop.status, hop.seconds = response.status, time.monotonic() - started
                location = response.headers.get("Location")
                if response.status not in REDIRECTS or not location:
                    yield response, target
                    return
        finally:
            hop.seconds = hop.seconds or time.monotonic() - started
        seen.add(target.url)
        try:
            following = network.parse(_readable(target.join(location)))
        except NotPublicError as error:
            raise FetchError("private_address") from error
        except ValueError as error:
            raise FetchError("redirect_nowhere") from error
        if following.url in seen:
            raise FetchError("redirect_loop")
        if len(hops) > MAX_HOPS:
            raise FetchError("redirect_many")
        if target.scheme == "https" and following.scheme == "http":
            raise FetchError("redirect_downgrade")
        target = following


def _readable(location: str) -> str:
    """A Location header is latin-1 on the wire, and hosts put spaces and raw UTF-8 into it."""
    with suppress(UnicodeError):
        location = location.encode("latin-1").decode("utf-8")
    return location.replace(" ", "%20")


def _parse(network: Network, url: str) -> Target:
    try:
        return network.parse(url)
    except MalformedError as error:
        raise FetchError("malformed", str(error)) from error
    except PortError as error:
        raise FetchError("odd_port") from error
    except NotPublicError as error:
        raise FetchError("private_address") from error
