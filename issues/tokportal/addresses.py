"""TokPortal's base URL in one form: `APP.tokportal.com:443//api/ext/` becomes `app.tokportal.com/api/ext`."""

import re
from urllib.parse import urlsplit, urlunsplit

_DEFAULT_PORTS = {"https": 443, "http": 80}


def canonical_base_url(url: str) -> str:
    """Lower-case scheme and host, no default port, single slashes, none at the end. Other text comes back trimmed."""
    text = url.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return text
    host = _host_of(parts.hostname)
    if not host or not parts.scheme:
        return text.rstrip("/")
    scheme = parts.scheme.lower()
    where = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS.get(scheme):
        where = f"{where}:{port}"
    if parts.username is not None:
        where = f"{parts.netloc.rpartition('@')[0]}@{where}"
    path = re.sub(r"/{2,}", "/", parts.path).rstrip("/")
    return urlunsplit((scheme, where, path, parts.query, ""))


def host_of_limit(base_url: str) -> str:
    """What TokPortal's rate limit belongs to, besides the key: the host, with its port unless that is the usual one."""
    try:
        parts = urlsplit(canonical_base_url(base_url))
        port = parts.port
    except ValueError:
        return base_url
    host = _host_of(parts.hostname)
    return f"{host}:{port}" if host and port else host or base_url


def _host_of(host: str | None) -> str:
    """Lower case, without the dot of a fully qualified name, international names in ASCII."""
    name = (host or "").rstrip(".").lower()
    try:
        return name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        return name
