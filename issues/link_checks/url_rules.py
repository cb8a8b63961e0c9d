"""What a link's address alone tells: rules for known hosts and the end of temporary links. No network.

Each verdict is a code of the catalogue; sentences are made here when shown, never stored. What the address cannot tell
is `not_checked`: we do not accuse.
"""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import SplitResult, parse_qs, urlsplit

from issues.link_checks.catalogue import Verdict, worst_of
from issues.link_checks.ssrf import MalformedError, NotPublicError, PortError, parse_target
from issues.link_checks.urls import is_web_link
from issues.tokportal.storage_paths import is_given_path


def judge_links(links: Sequence[str], *, video_type: str, needed_until: datetime | None, now: datetime) -> Verdict:
    """The verdict on a slot: that of its link, or for a carousel of its worst image."""
    if video_type == "story":
        return Verdict("story_not_repairable")
    if not links:
        return Verdict("no_link")
    held = frozenset() if video_type == "video" else frozenset(links)
    return worst_of([judge_link(link, needed_until=needed_until, now=now, held=held) for link in links])


def judge_link(
    url: str, *, needed_until: datetime | None, now: datetime, held: Collection[str] = frozenset()
) -> Verdict:
    """Look at one link's address. `needed_until`: until when it must work (a day is added for safety).

    `held`: what a carousel holds, so that its storage paths are known as such.
    """
    text = url.strip()
    if not text:
        return Verdict("no_link")
    if is_given_path(text, held):
        return Verdict("tokportal_file")
    try:
        if not is_web_link(text):
            raise MalformedError("link")
        host = parse_target(text).host
    except MalformedError:
        return Verdict("malformed", repaired=_completed(text))
    except NotPublicError:
        return Verdict("private_address")
    except PortError:
        return Verdict("odd_port")
    parts = urlsplit(text)
    return _known_host(host, parts) or _temporary(parts, needed_until=needed_until, now=now) or Verdict("not_checked")


def _completed(text: str) -> str:
    """The link without stray quotes and spaces around it, with a scheme: offered where it becomes a link so."""
    trimmed = text.strip(" \t\r\n\"'“”‘’<>,;")
    candidates = [trimmed]
    if "://" not in trimmed and re.match(r"^[\w-]+(\.[\w-]+)+(/|$)", trimmed):
        candidates.append(f"https://{trimmed.replace(' ', '%20')}")
    elif trimmed.lower().startswith(("http://", "https://")):
        candidates.append(trimmed.replace(" ", "%20"))
    return next((candidate for candidate in candidates if candidate != text and is_web_link(candidate)), "")


_TRANSFER_HOSTS = (
    "wetransfer.com", "we.tl", "fromsmash.com", "swisstransfer.com", "icloud.com", "app.box.com", "frame.io", "f.io",
    "loom.com", "vimeo.com", "canva.com", "notion.so", "notion.site", "transfernow.net",
)  # fmt: skip
_SOCIAL_HOSTS = (
    "tiktok.com", "instagram.com", "youtube.com", "youtu.be", "facebook.com", "fb.watch", "x.com", "twitter.com",
)  # fmt: skip


def _on(host: str, names: Sequence[str]) -> bool:
    return any(host == name or host.endswith(f".{name}") for name in names)


def _known_host(host: str, parts: SplitResult) -> Verdict | None:
    """What the well-known hosts' addresses mean."""
    path, query = parts.path, parse_qs(parts.query)
    if host == "drive.google.com":
        return _drive(path, query)
    if host == "docs.google.com" and re.match(r"^/(document|spreadsheets|presentation|forms)/", path):
        return Verdict("document_link")
    if _on(host, ("dropbox.com",)) and not host.startswith("dl."):
        return _dropbox(parts, query)
    if host == "1drv.ms" or host == "onedrive.live.com":
        is_folder = "/f/" in path or "/:f:" in path
        return Verdict("folder_link" if is_folder else "onedrive_page")
    if _on(host, ("sharepoint.com",)):
        return Verdict("folder_link" if path.startswith("/:f:") else "sharepoint_login")
    if _on(host, _TRANSFER_HOSTS) and not host.startswith("player."):
        return Verdict("transfer_page")
    if _on(host, _SOCIAL_HOSTS):
        return Verdict("social_post_page")
    return None


def _drive(path: str, query: dict[str, list[str]]) -> Verdict | None:
    if "/folders/" in path or path.startswith("/drive/"):
        return Verdict("folder_link")
    found = re.match(r"^/file/d/([\w-]+)", path)
    file_id = found[1] if found else query.get("id", [""])[0] if path == "/open" else ""
    if file_id:
        return Verdict("drive_view_page", repaired=f"https://drive.google.com/uc?export=download&id={file_id}")
    return None


def _dropbox(parts: SplitResult, query: dict[str, list[str]]) -> Verdict | None:
    if parts.path.startswith(("/scl/fo/", "/sh/")):
        return Verdict("folder_link")
    if parts.path.startswith("/scl/fi/") and "rlkey" not in query:
        return Verdict("dropbox_incomplete")
    if query.get("dl") == ["1"] or query.get("raw") == ["1"]:
        return None
    kept = [piece for piece in parts.query.split("&") if piece and not piece.startswith("dl=")]
    return Verdict("dropbox_preview", repaired=parts._replace(query="&".join([*kept, "dl=1"])).geturl())


def link_end(url: str) -> datetime | None:
    """When a temporary link runs out, read off its query; `None` where it says nothing of it.

    S3 and R2 (`X-Amz-*`), Google Cloud (`X-Goog-*`), CloudFront and S3 v2 (`Expires`), Azure (`se`), Discord (`ex`,
    hexadecimal), `oe` (hexadecimal), `x-expires`, `expire`.
    """
    try:
        query = {name.lower(): values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    except ValueError:
        return None
    for prefix in ("x-amz", "x-goog"):
        if f"{prefix}-date" in query and f"{prefix}-expires" in query:
            try:
                start = datetime.strptime(query[f"{prefix}-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                return start + timedelta(seconds=int(query[f"{prefix}-expires"]))
            except (ValueError, OverflowError):
                return None
    if "se" in query and "sig" in query:
        try:
            moment = datetime.fromisoformat(query["se"])
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    for name, base in (("expires", 10), ("x-expires", 10), ("expire", 10), ("ex", 16), ("oe", 16)):
        if name in query and (name != "ex" or "hm" in query):
            try:
                return datetime.fromtimestamp(int(query[name], base), UTC)
            except (ValueError, OverflowError, OSError):
                return None
    return None


def _temporary(parts: SplitResult, *, needed_until: datetime | None, now: datetime) -> Verdict | None:
    end = link_end(parts.geturl())
    if end is None:
        return None
    if end <= now:
        return Verdict("signature_expired", until=end)
    if needed_until is not None and end < needed_until + timedelta(days=1):
        return Verdict("signature_expires_soon", until=end)
    if "x-amz-security-token" in parts.query.lower():
        return Verdict("signature_short_lived", until=end)
    return None


_ABOUT_CONTENT = re.compile(
    r"(?i)no sound|no audio|without sound|muted|wrong video|bad quality|low quality|blurry|pixelat|watermark"
    r"|sem som|mudo|sin sonido|sans son|pas de son|mauvaise vid|kein ton|ohne ton|falsches video|senza audio"
    r"|geen geluid|bez dźwięku|inget ljud|音が"
)


def is_about_content(comment: str | None) -> bool:
    """Whether the manager complains about what is in the video rather than about its link."""
    return bool(comment and _ABOUT_CONTENT.search(comment))
