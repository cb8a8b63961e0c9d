"""Links as people may see them: without the secrets that many carry in their query."""

from urllib.parse import urlsplit

MAX_SHOWN = 200


def shown_url(url: str) -> str:
    """Host and path, and `?…` where a query was: what may stand in a list, a log, an export or the history."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return url.split("?")[0][:MAX_SHOWN]
    if not parts.scheme or not host:
        return url.split("?")[0][:MAX_SHOWN]
    text = f"{parts.scheme}://{host}{port}{parts.path}"
    text = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
    return f"{text}?…" if parts.query or parts.fragment else text


def host_of(url: str) -> str:
    """The host, or an empty string where there is none."""
    try:
        return (urlsplit(url.strip()).hostname or "").lower()
    except ValueError:
        return ""


def is_web_link(url: str) -> bool:
    """Whether this is one complete http(s) link: what can be sent to TokPortal at all."""
    if not url or len(url) > 4096 or any(ch.isspace() or ord(ch) < 32 or ch in "\\<>\"'“”‘’" for ch in url):
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme.lower() not in {"http", "https"} or not host or parts.username is not None:
        return False
    return url.lower().count("http://") + url.lower().count("https://") == 1 or "?" in url.split("://", 1)[1]
