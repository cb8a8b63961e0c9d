"""Which addresses our server may ask on a stranger's word: an allow rule for normalised hosts and IP addresses.

The rule is an allow rule, because `ipaddress.is_private` alone lets much through (Python 3.11 misses NAT64, 6to4,
site-local, IPv4-compatible). Everything refused has one wording, so that nobody finds out by trying what is behind our
walls.
"""

import ipaddress
import re
from dataclasses import dataclass

from issues.link_checks.urls import MalformedError, WebLink, parse_link

PORTS = frozenset({80, 443, 8080, 8443})
DEFAULT_PORTS = {"http": 80, "https": 443}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

__all__ = ["Address", "MalformedError", "NotPublicError", "PortError", "Target", "is_public", "parse_target"]


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

    @classmethod
    def of(cls, link: WebLink) -> "Target":
        """The target of a link, by its normalised parts. No rule is applied here."""
        path = f"{link.path}?{link.query}" if link.query else link.path
        return cls(link.scheme, link.host, link.port or DEFAULT_PORTS[link.scheme], path)

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.origin}{self.path}"

    def join(self, location: str) -> str:
        """The URL that a redirect leads to, as a browser reads it. Raises MalformedError or NotPublicError."""
        link = parse_link(location, self.url)
        if link.host != self.host:
            _refuse_unusual_address(link.host, location)
        return link.href


_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LOCAL_ENDINGS = (
    "localhost", "local", "lan", "internal", "intranet", "home", "corp", "private", "home.arpa", "localdomain", "onion",
)  # fmt: skip
# A host whose last label is a number: what a browser takes for an IPv4 address, or refuses as a broken one.
_NUMBER_AT_END = re.compile(r"(?i)\s*https?:[/\\]*(?:[^/\\?#@]*\.)?(?:\d+|0x[0-9a-f]*)\.?(?::\d*)?(?:[/\\?#]|$)")


def parse_target(url: str) -> Target:
    """Where a link leads, if we may ask there.

    Raises MalformedError, PortError, or NotPublicError if the address alone shows that.
    """
    try:
        link = parse_link(url)
    except MalformedError:
        if _NUMBER_AT_END.match(url):
            raise NotPublicError("address") from None
        raise
    _refuse_by_name(link.host)
    _refuse_unusual_address(link.host, url)
    target = Target.of(link)
    if target.port not in PORTS:
        raise PortError(str(target.port))
    return target


def _refuse_unusual_address(host: str, text: str) -> None:
    """Refuse an IPv4 address that is not written as four decimal numbers: nobody writes a media link so."""
    if re.fullmatch(r"[\d.]+", host) and not re.search(rf"(?<![\w.]){re.escape(host)}(?![\w])", text):
        raise NotPublicError("address")


def _refuse_by_name(host: str) -> None:
    """Names and addresses that need no resolving to be refused."""
    address = _address(host)
    if address is not None:
        if not is_public(address):
            raise NotPublicError("address")
        return
    labels = host.split(".")
    if not host or len(host) > 253 or not all(_NAME.fullmatch(label) for label in labels):
        raise MalformedError("name")
    if re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1]):
        raise NotPublicError("address")
    if len(labels) < 2 or any(host == ending or host.endswith(f".{ending}") for ending in _LOCAL_ENDINGS):
        raise NotPublicError("name")


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


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
