"""One exchange with a host: resolved, connected, sent, and its head read, each within its time and size.

No library does all of this (requests-hardened lets `[::127.0.0.1]`, any port and an endless drip through), so the bytes
go over our own socket; http.client only parses the answer.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from issues.link_checks.resolver import NameFailedError, NameMissingError, NamesUnavailableError, Network
from issues.link_checks.ssrf import Address, NotPublicError, Target

CONNECT_SECONDS = 3.0
FIRST_BYTE_SECONDS = 5.0
TOTAL_SECONDS = 14.5  # so that with what stands around it no check takes 15
HEADER_BYTES = 32 * 1024
MAX_INTERIM = 5  # answers like "103 Early Hints" before the real one


class FetchError(Exception):
    """Why no answer could be had; `code` is one of the catalogue's."""

    def __init__(self, code: str, detail: str = "", *, sets_cookie: bool = False) -> None:
        self.code, self.detail, self.sets_cookie = code, detail, sets_cookie
        super().__init__(f"{code} {detail}".strip())


class TooSlowError(OSError):
    """The wall clock or the first byte's has run out."""


class _TooMuchError(OSError):
    """Headers beyond all measure."""


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
                raise TooSlowError("headers")
            if self.headers_left <= 0:
                raise _TooMuchError("headers")
            view = memoryview(buffer)[: min(len(buffer), self.headers_left)]
        else:
            left, view = TOTAL_SECONDS, memoryview(buffer)
        try:
            self._connection.settimeout(self._clock.left(left))
        except FetchError as error:
            raise TooSlowError("in all") from error
        try:
            count = self._connection.recv_into(view)
        except TimeoutError as error:
            raise TooSlowError("silence") from error
        if self.in_headers:
            self.headers_left -= count
        return count


class _Socket:
    """What http.client wants of a socket to read an answer; one buffer for all answers of a connection."""

    def __init__(self, wire: _Wire) -> None:
        self._file = io.BufferedReader(wire, 16 * 1024)

    def makefile(self, mode: str) -> io.BufferedIOBase:
        return self._file


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


@contextmanager
def exchange(network: Network, target: Target, clock: Clock, request: bytes) -> Iterator[http.client.HTTPResponse]:
    """Send one request and read the answer's head; the body is read by the caller."""
    with _connect(network, target, clock) as connection:
        wire = _Wire(connection, clock)
        try:
            connection.settimeout(clock.left(CONNECT_SECONDS))
            connection.sendall(request)
            response = _begin(_Socket(wire), request.partition(b" ")[0].decode())
        except (TooSlowError, TimeoutError) as error:
            raise FetchError("timeout", "first byte") from error
        except (_TooMuchError, http.client.HTTPException, ValueError) as error:
            is_cut = isinstance(error, http.client.RemoteDisconnected)
            raise FetchError("connection_failed" if is_cut else "not_http") from error
        except OSError as error:
            raise FetchError("connection_failed") from error
        wire.in_headers = False
        try:
            yield response
        finally:
            response.close()


def _begin(connection: _Socket, method: str) -> http.client.HTTPResponse:
    """The head of the real answer; interim ones, like "103 Early Hints", go before it."""
    for _ in range(MAX_INTERIM):
        response = http.client.HTTPResponse(connection, method=method)  # type: ignore[arg-type]
        response.begin()
        if not 100 <= response.status < 200:
            return response
        # Its file is the connection's: forget it, so that nobody closes it.
        response.fp = None  # type: ignore[assignment]
    raise http.client.HTTPException("interim answers only")
