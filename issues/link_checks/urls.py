"""Links: what they are made of, and which can be sent. `shown_url` is here for those who look for it here."""

from urllib.parse import urlsplit

from issues.link_checks.masking import shown_url as shown_url


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
