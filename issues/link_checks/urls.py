"""The one grammar for links, typed, redirected or sent: what a browser's address bar accepts (WHATWG URL).

A link is read and encoded as browsers do it. Everything that decides about a link (the rules for known hosts, the guard
against inward addresses, the request itself) uses the normalised parts.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from ada_url import URL

from issues.link_checks.masking import shown_url as shown_url

MAX_LENGTH = 8192  # characters, after normalisation
_MAX_TYPED = 4 * MAX_LENGTH


class MalformedError(ValueError):
    """Not one complete web link, or one that programs read in different ways."""


@dataclass(frozen=True, slots=True)
class WebLink:
    """A web link as a browser reads it; every part is ASCII."""

    href: str
    scheme: str  # http or https
    host: str  # lower case; without brackets for IPv6, without a final dot
    port: int | None  # None: the default of the scheme
    path: str  # begins with a slash
    query: str  # without the question mark
    fragment: str

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


# What stands between the scheme and the path. Browsers end it at a backslash or "#" too, other programs do not.
_AUTHORITY = re.compile(r"(?i)(?:https?:([/\\]*)|([/\\]{2,}))([^/?]*)")
_TABS_AND_LINES = str.maketrans("", "", "\t\r\n")
_C0_AND_SPACE = "".join(map(chr, range(33)))
# What RFC 3986 allows in a link, besides the percent sign: a link of these needs no encoding.
_PLAIN = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")
# What browsers leave as it is in some parts of a link, and stricter programs refuse. Both forms mean the same.
_ENCODED = str.maketrans({sign: f"%{ord(sign):02X}" for sign in "|^{}`\\"})


def parse_link(text: str, base: str = "") -> WebLink:
    """Read a link as a browser does; `base` is the address of the page that a relative one stands on.

    Raises MalformedError for what is no web link, for user information, and for what other programs may read otherwise.
    """
    if len(text) > _MAX_TYPED:
        raise MalformedError("length")
    try:
        url = URL(text, base or None)
        href = url.href.translate(_ENCODED)
    except ValueError as error:
        raise MalformedError("unreadable") from error
    if url.protocol not in {"http:", "https:"}:
        raise MalformedError("scheme")
    if url.username or url.password:
        raise MalformedError("user info")
    _refuse_two_readings(text)
    if len(href) > MAX_LENGTH:
        raise MalformedError("length")
    host = url.hostname.strip("[]")
    if url.port == "0" or not host:
        raise MalformedError("port" if host else "host")
    return WebLink(
        href=href,
        scheme=url.protocol[:-1],
        host=host.removesuffix("."),
        port=int(url.port) if url.port else None,
        path=url.pathname.translate(_ENCODED),
        query=url.search[1:].translate(_ENCODED),
        fragment=url.hash[1:].translate(_ENCODED),
    )


def _refuse_two_readings(text: str) -> None:
    found = _AUTHORITY.match(text.lstrip(_C0_AND_SPACE).translate(_TABS_AND_LINES))
    if not found:
        return
    authority = found[3]
    if "\\" in (found[1] or found[2] or ""):  # written with backslashes throughout
        authority = authority.partition("\\")[0]
    if any(sign in authority for sign in "@%\\"):
        raise MalformedError("two readings")


def sendable_form(text: str) -> str:
    """The link as it is sent: byte for byte as given if a browser would send it so, else encoded as a browser does.

    Raises MalformedError.
    """
    link = parse_link(text)
    start = f"{link.scheme}://{link.origin}"
    return text if text.lower().startswith(start) and _PLAIN.fullmatch(text) else link.href


def host_of(url: str) -> str:
    """The host as a browser reads it; an empty string if there is none."""
    try:
        return parse_link(url).host
    except MalformedError:
        pass
    try:
        return (urlsplit(url.strip()).hostname or "").lower()
    except ValueError:
        return ""


def is_web_link(text: str) -> bool:
    """Whether a browser reads this as a complete http(s) link."""
    try:
        parse_link(text)
    except MalformedError:
        return False
    return True
