"""The cookies of one check: some hosts give a file only to those who come back with theirs. Never stored."""

import re
from http.client import HTTPMessage

from issues.link_checks.ssrf import Target

MAX_COOKIES = 30
# RFC 6265, and the spaces and quotes that hosts use all the same. No line end can get into a request.
_PAIR = re.compile(r"\s*([\w!#$%&'*+.^`|~-]{1,100})\s*=\s*([ -+\--:<-~]{0,2000}?)\s*(?:;|$)", re.ASCII)


class CookieJar:
    """Gives each host its own cookies back, as a browser would; a domain's to the hosts below it."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str], str] = {}

    def note(self, target: Target, headers: HTTPMessage) -> None:
        for line in headers.get_all("Set-Cookie", [])[:MAX_COOKIES]:
            text = str(line)[:4096]
            found = _PAIR.match(text)
            if found and len(self._cookies) < MAX_COOKIES:
                self._cookies[self._domain(target.host, text), found[1]] = found[2]

    def _domain(self, host: str, text: str) -> str:
        found = re.search(r"(?i);\s*domain\s*=\s*\.?([a-z0-9.-]+)", text)
        domain = found[1].lower() if found else ""
        return domain if "." in domain and host.endswith(f".{domain}") else host

    def line_for(self, target: Target) -> str:
        """The value of a `Cookie` header, empty if there is none to send."""
        pairs = [
            f"{name}={value}"
            for (domain, name), value in self._cookies.items()
            if target.host == domain or target.host.endswith(f".{domain}")
        ]
        return "; ".join(pairs)[:8192]
