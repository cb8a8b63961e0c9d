"""What a link's address alone tells: rules for known hosts and the end of temporary links. No network.

Each verdict is a code of the catalogue; sentences are made here when shown, never stored. What the address cannot tell
is `not_checked`: we do not accuse.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import SplitResult, parse_qs, urlsplit

from issues.enums import VerdictClass
from issues.links.urls import is_web_link

Cls = VerdictClass


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the catalogue: how sure, what to say, what to do."""

    cls: VerdictClass
    say: str
    advice: str


CATALOGUE: dict[str, Rule] = {
    "no_link": Rule(Cls.DEAD, "There is no link in this slot.", "Give a link or upload the file."),
    "malformed": Rule(Cls.DEAD, "This is not a complete web link.", "Give the whole link, beginning with https://."),
    "private_address": Rule(Cls.DEAD, "Only your own network can open this link.", "Upload the file instead."),
    "signature_expired": Rule(
        Cls.DEAD, "This temporary link has run out.", "Upload the file, or give a link that lasts."
    ),
    "signature_expires_soon": Rule(
        Cls.EXPIRING, "This link works for now, but ends before the video is posted.", "Replace it now."
    ),
    "signature_short_lived": Rule(
        Cls.EXPIRING, "This temporary link can stop earlier than it says.", "Upload the file to be safe."
    ),
    "drive_view_page": Rule(
        Cls.WRONG, "It opens Google Drive's player, not the file.", "Use the direct download form of the same file."
    ),
    "folder_link": Rule(Cls.WRONG, "It leads to a folder: which video is meant?", "Give the file's own link."),
    "document_link": Rule(Cls.WRONG, "It leads to a document, not to a video.", "Give the video's link."),
    "dropbox_preview": Rule(
        Cls.WRONG, "It opens Dropbox's page, not the file.", "Use the download form of the same link (dl=1)."
    ),
    "dropbox_incomplete": Rule(Cls.BLOCKED, "A part of this Dropbox link is missing.", "Copy the link again."),
    "onedrive_page": Rule(Cls.WRONG, "It opens a OneDrive page, not the file.", "Upload the file instead."),
    "sharepoint_login": Rule(Cls.BLOCKED, "A company login stands in front of the file.", "Upload the file instead."),
    "transfer_page": Rule(
        Cls.WRONG, "It opens a page that people have to click through.", "Give a direct link or upload the file."
    ),
    "social_post_page": Rule(Cls.WRONG, "It is a published post, not the file.", "Upload the original file."),
    "story_not_repairable": Rule(
        Cls.UNSURE, "TokPortal has no way to replace a story's picture.", "Talk to the manager or TokPortal's support."
    ),
    "carousel_partial": Rule(Cls.WRONG, "Some images have a bad link.", "Replace just those; the whole list is sent."),
    "not_checked": Rule(
        Cls.UNSURE, "Its address shows nothing wrong.", "Open it yourself, or upload the file to be sure."
    ),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What we think of a link. `until` is the end of a temporary link, `repaired` a form of it that may work."""

    code: str
    until: datetime | None = None
    repaired: str = ""
    index: int | None = None  # in a carousel: which image, from 1
    count: int = 1

    @property
    def cls(self) -> VerdictClass:
        return CATALOGUE[self.code].cls

    @property
    def is_bad(self) -> bool:
        return self.cls in {Cls.DEAD, Cls.BLOCKED, Cls.WRONG}

    @property
    def sentence(self) -> str:
        """One sentence for a person; the time of an end is in UTC here, pages show it in the person's zone."""
        text = CATALOGUE[self.code].say
        if self.code == "signature_expired" and self.until:
            text = f"This temporary link ran out on {self.until:%-d %B %Y, %H:%M} UTC."
        elif self.code == "signature_expires_soon" and self.until:
            text = f"This link ends on {self.until:%-d %B, %H:%M} UTC, before the video is posted."
        return f"Image {self.index} of {self.count}: {text}" if self.index else text

    @property
    def advice(self) -> str:
        return CATALOGUE[self.code].advice


def judge_links(links: Sequence[str], *, video_type: str, needed_until: datetime | None, now: datetime) -> Verdict:
    """The verdict on a slot: that of its link, or for a carousel of its worst image."""
    if video_type == "story":
        return Verdict("story_not_repairable")
    if not links:
        return Verdict("no_link")
    verdicts = [judge_link(link, needed_until=needed_until, now=now) for link in links]
    worst = max(range(len(verdicts)), key=lambda number: (_SEVERITY[verdicts[number].cls], -number))
    found = verdicts[worst]
    if len(links) > 1 and found.code != "not_checked":
        return Verdict(found.code, found.until, found.repaired, index=worst + 1, count=len(links))
    return found


_SEVERITY = {Cls.OK: 0, Cls.UNSURE: 1, Cls.EXPIRING: 2, Cls.BLOCKED: 3, Cls.WRONG: 4, Cls.DEAD: 5}


def judge_link(url: str, *, needed_until: datetime | None, now: datetime) -> Verdict:
    """Look at one link's address. `needed_until`: until when it must work (a day is added for safety)."""
    text = url.strip()
    if not text:
        return Verdict("no_link")
    if not is_web_link(text):
        return Verdict("malformed", repaired=_completed(text))
    parts = urlsplit(text)
    host = (parts.hostname or "").lower().rstrip(".")
    if _is_private(host):
        return Verdict("private_address")
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


_LOCAL_ENDINGS = (".local", ".lan", ".internal", ".intranet", ".home", ".corp", ".localhost")


def _is_private(host: str) -> bool:
    if host == "localhost" or host.endswith(_LOCAL_ENDINGS):
        return True
    if re.fullmatch(r"(0x[0-9a-f]+|\d+)(\.(0x[0-9a-f]+|\d+)){0,2}|0[0-7x][0-9a-fx.]*", host):
        return True  # decimal, octal and hexadecimal spellings of an address
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host and ":" not in host
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    shared = ipaddress.ip_network("100.64.0.0/10")
    return not address.is_global or address.is_multicast or (address.version == 4 and address in shared)


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
