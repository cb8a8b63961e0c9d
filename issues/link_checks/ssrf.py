"""Which addresses our server may ask on a stranger's word: a strict parse, and an allow rule for IP addresses.

The rule is an allow rule, because `ipaddress.is_private` alone lets much through (Python 3.11 misses NAT64, 6to4,
site-local, IPv4-compatible). Everything refused has one wording, so that nobody finds out by trying what is behind our
walls.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

MAX_LENGTH = 2048  # characters
PORTS = frozenset({80, 443, 8080, 8443})
DEFAULT_PORTS = {"http": 80, "https": 443}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class MalformedError(ValueError):
    """Not one complete web link that two parsers read alike."""


class PortError(ValueError):
    """A public host at a port that we do not ask: nothing is known of it."""


class NotPublicError(ValueError):
    """It leads, or may lead, somewhere that only this network can reach."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request may go, once its host is resolved to public addresses."""

    scheme: str
    host: str  # lower case, ASCII; without brackets for IPv6
    port: int
    path: str  # with its query, percent-encoded, beginning with a slash

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.origin}{self.path}"

    def join(self, location: str) -> str:
        """The URL that a redirect leads to."""
        return urljoin(self.url, location.strip())


_FORBIDDEN = re.compile(
    r"[\x00-\x20\x7f\\\"<>^`{|}“”‘’\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
)
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LOCAL_ENDINGS = (
    "localhost", "local", "lan", "internal", "intranet", "home", "corp", "private", "home.arpa", "localdomain", "onion",
)  # fmt: skip


def parse_target(url: str) -> Target:
    """Read a link strictly. Raises MalformedError, PortError, or NotPublicError where the address alone shows that."""
    if not url or len(url) > MAX_LENGTH or _FORBIDDEN.search(url):
        raise MalformedError("characters")
    try:
        mine = urlsplit(url)
        port = mine.port
        theirs = parse_url(url)
    except (ValueError, LocationParseError) as error:
        raise MalformedError("unreadable") from error
    scheme = mine.scheme.lower()
    if scheme not in DEFAULT_PORTS or not url[len(scheme) :].startswith("://"):
        raise MalformedError("scheme")
    if mine.username is not None or mine.password is not None or theirs.auth is not None or "@" in mine.netloc:
        raise MalformedError("user info")
    host = _ascii_host(mine.hostname or "")
    their_host = _ascii_host((theirs.host or "").strip("[]"))
    if host != their_host or port != theirs.port or (theirs.scheme or "").lower() != scheme:
        raise MalformedError("two readings")
    if port == 0 or mine.netloc.endswith(":"):
        raise MalformedError("port")
    _refuse_by_name(host)
    number = port or DEFAULT_PORTS[scheme]
    if number not in PORTS:
        raise PortError(str(number))
    path = mine.path or "/"
    whole = f"{path}?{mine.query}" if mine.query else path
    return Target(scheme, host, number, quote(whole, safe="/:?#[]@!$&'()*+,;=-._~%"))


def _ascii_host(host: str) -> str:
    host = host.lower()
    if "%" in host:
        raise MalformedError("zone id")
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii").lower()
        except UnicodeError as error:
            raise MalformedError("name") from error
    return host[:-1] if host.endswith(".") else host


def _refuse_by_name(host: str) -> None:
    """Names and addresses that need no resolving to be refused."""
    if ":" in host:
        try:
            address = ipaddress.ip_address(host)
        except ValueError as error:
            raise MalformedError("IPv6") from error
        if not is_public(address):
            raise NotPublicError("address")
        return
    labels = host.split(".")
    if not host or len(host) > 253 or not all(_NAME.fullmatch(label) for label in labels):
        raise MalformedError("name")
    if re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1]):
        # The last label is a number: an IPv4 address in some spelling. Only the canonical one is read.
        try:
            address = ipaddress.IPv4Address(host)
        except ValueError as error:
            raise NotPublicError("address") from error
        if not is_public(address):
            raise NotPublicError("address")
        return
    if len(labels) < 2 or any(host == ending or host.endswith(f".{ending}") for ending in _LOCAL_ENDINGS):
        raise NotPublicError("name")


_BLOCKED_V4 = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # Azure's wire server: global by the tables, yet only reachable from inside
    )
)  # fmt: skip
_GLOBAL_V6 = ipaddress.ip_network("2000::/3")
_BLOCKED_V6 = tuple(
    ipaddress.ip_network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    )
)  # fmt: skip


def is_public(address: Address) -> bool:
    """Whether anybody on the internet could reach it (IANA's special-purpose registries, read 2026-11)."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _BLOCKED_V4)
    if address.scope_id is not None:
        return False
    return address in _GLOBAL_V6 and not any(address in network for network in _BLOCKED_V6)
