"""How the checker reaches hosts: the real internet, or the sandbox's stand-in for it."""

import ipaddress
import json
import socket
import ssl
import threading
import time
import urllib.request
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.conf import settings

from issues.link_checks.ssrf import Address, NotPublicError, Target, is_public, parse_target
from issues.link_checks.urls import MalformedError, parse_link

DNS_SECONDS = 2.0
MAX_LOOKUPS = 64  # at a time; the system's resolver cannot be interrupted, so its threads are counted
# Where none of these has an address, this machine cannot resolve names at all, and no link is to blame.
WELL_KNOWN = ("app.tokportal.com", "www.google.com", "cloudflare.com", "example.com")
KNOWN_FOR_SECONDS = 60.0


class NameMissingError(Exception):
    """NXDOMAIN, or a name without an address."""


class NameFailedError(Exception):
    """The resolver did not answer in time, or could not say."""


class NamesUnavailableError(NameFailedError):
    """This machine cannot resolve names at all."""


class Network(Protocol):
    """What the checker needs of the world."""

    def parse(self, url: str) -> Target:
        """Where a link leads. Raises MalformedError or NotPublicError."""

    def resolve(self, target: Target) -> list[Address]:
        """The host's addresses, each of them public.

        Raises NameMissingError, NameFailedError, or NotPublicError where one of them is not public.
        """

    def connect(self, address: Address, port: int, timeout: float) -> socket.socket:
        """A TCP connection to this very address. Raises OSError."""

    def tls(self) -> ssl.SSLContext:
        """How certificates are checked."""


_lookups = threading.BoundedSemaphore(MAX_LOOKUPS)


def _lookup(host: str, seconds: float) -> list[Address]:
    """getaddrinfo with a time limit."""
    if not _lookups.acquire(timeout=seconds):
        raise NameFailedError("busy")
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)
        finally:
            _lookups.release()

    thread = threading.Thread(target=run, daemon=True, name="lookup")
    thread.start()
    thread.join(seconds)
    if not found:
        raise NameFailedError("timeout")
    if isinstance(found[0], socket.gaierror):
        missing = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
        kind = NameMissingError if found[0].errno in missing else NameFailedError
        raise kind(str(found[0])) from found[0]
    if isinstance(found[0], Exception):
        raise NameFailedError(str(found[0])) from found[0]
    addresses = dict.fromkeys(ipaddress.ip_address(entry[4][0].split("%")[0]) for entry in found[0])
    return list(addresses)


class Internet:
    """The real thing, without any proxy."""

    def __init__(self) -> None:
        self._tls = ssl.create_default_context()
        self._names_work: tuple[float, bool] | None = None
        self._lock = threading.Lock()

    def parse(self, url: str) -> Target:
        return parse_target(url)

    def resolve(self, target: Target) -> list[Address]:
        if literal := _literal(target.host):
            return public_only([literal])
        if self._names_work and not self._names_work[1] and time.monotonic() - self._names_work[0] < KNOWN_FOR_SECONDS:
            raise NamesUnavailableError
        try:
            addresses = _lookup(target.host, DNS_SECONDS)
        except (NameMissingError, NameFailedError) as error:
            if not self._can_resolve_anything():
                raise NamesUnavailableError from error
            raise
        self._names_work = (time.monotonic(), True)
        return public_only(addresses)

    def _can_resolve_anything(self) -> bool:
        with self._lock:
            if self._names_work is None or time.monotonic() - self._names_work[0] > KNOWN_FOR_SECONDS:
                self._names_work = (time.monotonic(), any(map(_has_address, WELL_KNOWN)))
            return self._names_work[1]

    def connect(self, address: Address, port: int, timeout: float) -> socket.socket:
        connection = socket.create_connection((str(address), port), timeout)
        if ipaddress.ip_address(connection.getpeername()[0].split("%")[0]) != address:
            connection.close()
            raise ConnectionError("another peer")
        return connection

    def tls(self) -> ssl.SSLContext:
        return self._tls


def _has_address(name: str) -> bool:
    try:
        return bool(_lookup(name, DNS_SECONDS / 2))
    except (NameMissingError, NameFailedError):
        return False


def public_only(addresses: list[Address]) -> list[Address]:
    """The addresses, if all are public: one bad one refuses the name, whichever would have been taken."""
    if not addresses:
        raise NameMissingError("no address")
    if not all(map(is_public, addresses)):
        raise NotPublicError("address")
    return addresses


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Map:
    plain_port: int
    tls_port: int
    direct: frozenset[str]  # host:port of the sandbox's own object store
    tls: ssl.SSLContext


class OutsideWorld:
    """The sandbox's loopback server in place of the internet (`TOKDASH_OUTSIDE_WORLD`; refused in production).

    Its `/_names/<host>` answers what a resolver would, and every connection ends at its ports. So the guard's rules are
    the real ones: a name that it gives a private address is refused. The sandbox's object store, which stands for
    TokPortal's public one, is the one loopback address that may be asked.
    """

    def __init__(self, origin: str) -> None:
        self._origin = origin.rstrip("/")
        self._host = urlsplit(origin).hostname or ""
        self._known: _Map | None = None

    def _ask(self, path: str) -> Any:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self._origin}/{path}", timeout=5) as answer:
                return json.load(answer)
        except (OSError, ValueError) as error:
            raise NameFailedError("the outside world does not answer") from error

    def _map(self) -> _Map:
        if self._known is None:
            about = self._ask("_world")
            tls = ssl.create_default_context(cadata=about["authority"])
            self._known = _Map(about["plain_port"], about["tls_port"], frozenset(about["direct"]), tls)
        return self._known

    def parse(self, url: str) -> Target:
        try:
            link = parse_link(url)
            if link.scheme == "http" and link.origin in self._map().direct:
                return Target.of(link)
        except (MalformedError, NameFailedError):
            pass
        return parse_target(url)

    def _is_direct(self, host: str, port: int) -> bool:
        return f"{host}:{port}" in self._map().direct

    def resolve(self, target: Target) -> list[Address]:
        if literal := _literal(target.host):
            return [literal] if self._is_direct(target.host, target.port) else public_only([literal])
        answer = self._ask(f"_names/{target.host}")
        if answer.get("error") == "missing":
            raise NameMissingError(target.host)
        if answer.get("error"):
            raise NameFailedError(target.host)
        return public_only([ipaddress.ip_address(text) for text in answer["addresses"]])

    def connect(self, address: Address, port: int, timeout: float) -> socket.socket:
        if self._is_direct(str(address), port):
            return socket.create_connection((str(address), port), timeout)
        inside = self._map().tls_port if port in {443, 8443} else self._map().plain_port
        return socket.create_connection((self._host, inside), timeout)

    def tls(self) -> ssl.SSLContext:
        return self._map().tls


_lock = threading.Lock()
_networks: dict[str, Network] = {}


def forget() -> None:
    """Let go of what was learned about networks, as a restart would."""
    with _lock:
        _networks.clear()


def current_network() -> Network:
    """The network of this installation, as the settings say."""
    origin = settings.TOKDASH_OUTSIDE_WORLD
    with _lock:
        if origin not in _networks:
            _networks[origin] = OutsideWorld(origin) if origin else Internet()
        return _networks[origin]
