"""The sandbox's state: accounts, bundles, videos, the ledger of effects. No HTTP here."""

import hashlib
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from issues.sandbox.hosts import FAILING_HOSTS
from issues.tokportal import constants as c


class ApiFailure(Exception):
    """An error answer in TokPortal's form."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str = "",
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status, self.code, self.message = status, code, message or code
        self.details, self.headers = details or {}, headers or {}
        super().__init__(code)


@dataclass
class Key:
    """An API key. `owner` decides which bundles are its own."""

    owner: str
    scopes: frozenset[str] = frozenset({"*"})
    revoked: bool = False
    # The token bucket of the key.
    tokens: float = 0.0
    refilled_at: float = 0.0


@dataclass
class Video:
    position: int
    id: str
    name: str
    video_type: str = "video"
    status: str = "configured"
    description: str = ""
    external_ref: str | None = None
    video_url: str | None = None
    carousel_images: list[str] | None = None
    story_image_url: str | None = None
    platform_url: str | None = None
    target_publish_date: str | None = None
    target_publish_end_date: str | None = None
    download_issue: bool = False
    download_issue_comment: str | None = None
    created_at: str = ""
    updated_at: str = ""

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)

    @property
    def is_made_of_a_video(self) -> bool:
        """A story is made of a video or of a picture, never of both."""
        return self.video_type == "video" or (self.video_type == "story" and not self.story_image_url)


@dataclass
class Bundle:
    id: str
    owner: str
    title: str
    platform: str
    country: str
    status: str
    bundle_type: str = "account_and_videos"
    external_ref: str | None = None
    videos: list[Video] = field(default_factory=list)
    slots: int = 0  # ordered slots; some may have no video yet
    created_at: str = ""
    updated_at: str = ""
    saved_account: str = ""  # another account than the one that its id gives
    says_start_date: bool = False  # its answers call the first day `target_publish_start_date`

    @property
    def saved_account_id(self) -> str | None:
        """The delivered account; there is none before a manager has taken the bundle."""
        if self.saved_account or self.status in c.ENDED_STATUSES | {"accepted"}:
            return self.saved_account or f"acc_{self.id[:8]}"
        return None

    def video_json(self, video: Video) -> dict[str, Any]:
        """A video as the API answers it. Dates are kept as days here; TokPortal writes them as midnight UTC."""
        answer = video.to_json()
        for name in ("target_publish_date", "target_publish_end_date"):
            answer[name] = as_midnight(answer[name])
        if self.says_start_date:
            answer["target_publish_start_date"] = answer.pop("target_publish_date")
        return answer

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "external_ref": self.external_ref,
            "bundle_type": self.bundle_type,
            "platform": self.platform,
            "country": self.country,
            "status": self.status,
            "account_status": "in_review" if self.status in {"accepted", "in_review"} else "pending",
            "videos_quantity": max(self.slots, len(self.videos)),
            "videos_configured_count": sum(video.status != "pending" for video in self.videos),
            "is_published": self.status not in {"draft", "pending_setup"},
            "account_configured": self.status != "draft",
            "auto_finalize_videos": False,
            "saved_account_id": self.saved_account_id,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }


def as_midnight(text: str | None) -> str | None:
    """`2026-02-22` as TokPortal answers it. What is no bare date stays as a test has set it."""
    return f"{text}T00:00:00Z" if text and len(text) == 10 else text


def stamp(moment: datetime | None = None) -> str:
    return (moment or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class World:
    """All state behind one lock. Methods raise ApiFailure as TokPortal would answer."""

    def __init__(self, *, rate: int = c.DEFAULT_LIMIT_PER_MINUTE) -> None:
        self.lock = threading.RLock()
        self.rate = rate
        self.keys: dict[str, Key] = {}
        self.bundles: dict[str, Bundle] = {}
        self.credits: dict[str, float] = {}
        self.accounts: dict[str, Any] = {}  # of coverage.Coverage, by saved_account_id
        self.bans: list[dict[str, Any]] = []  # the latest first
        self.catalogue: dict[str, bool] = dict.fromkeys(c.WEBHOOK_EVENTS, True)  # type: whether it is emitted
        self.deliveries_tell_payload = True
        self.capacity_cooldown = 0.0  # seconds for which nothing can be published
        self.broken_urls: set[str] = set()
        self.ledger: list[dict[str, Any]] = []
        self.replays: dict[tuple[str, str], dict[str, Any]] = {}
        self.webhooks: dict[str, dict[str, Any]] = {}
        self.requests = 0  # authenticated ones, those over the limit included
        self.api_version, self.api_stability = c.API_VERSION, "stable"
        self.latency = 0.0  # seconds added to each answer
        self.fix_seconds = 0.0  # how long a fix-download takes
        self.store_speed = 0.0  # bytes a second that the object store takes of one PUT; 0: as fast as it can
        self.carousel_form = ""  # of fixed carousels: "paths", "urls", "mixed"; empty: as data.form_of says
        self.image_objects = False  # images of carousels are told as objects
        self.takes_story_videos = True  # whether a fix may give a story another video
        self.lead_days = 2  # how far ahead a window must begin that is set by PATCH
        self.clock_offset = 0.0  # seconds by which TokPortal's clock is off

    # --- Keys and the bucket -------------------------------------------------------------------------------

    def add_key(self, key: str, owner: str, scopes: tuple[str, ...] = ("*",)) -> None:
        self.keys[key] = Key(owner, frozenset(scopes), tokens=float(self.rate), refilled_at=time.monotonic())
        self.credits.setdefault(owner, 420.0)

    def authenticate(self, key: str | None, method: str) -> Key:
        if not key:
            raise ApiFailure(401, c.AUTH_MISSING_KEY, "Missing API key")
        found = self.keys.get(key)
        if found is None:
            raise ApiFailure(401, c.AUTH_INVALID_KEY, "Invalid API key")
        if found.revoked:
            raise ApiFailure(401, c.AUTH_REVOKED_KEY, "This API key was revoked")
        if "*" not in found.scopes and ("read" if method == "GET" else "write") not in found.scopes:
            raise ApiFailure(403, c.INSUFFICIENT_SCOPE, "The key lacks the scope for this call")
        return found

    def spend(self, key: Key) -> dict[str, str]:
        """Take a token; the rate headers. Raises 429 when the bucket is empty."""
        with self.lock:
            now = time.monotonic()
            per_second = self.rate / 60.0
            key.tokens = min(self.rate, key.tokens + (now - key.refilled_at) * per_second)
            key.refilled_at = now
            empty = key.tokens < 1.0
            if not empty:
                key.tokens -= 1.0
            full_at = time.time() + self.clock_offset + (self.rate - key.tokens) / per_second
            headers = {
                c.LIMIT_HEADER: str(self.rate),
                c.REMAINING_HEADER: str(int(key.tokens)),
                c.RESET_HEADER: str(int(full_at)),
            }
            self.requests += 1
            if empty:
                wait = max(1, int((1.0 - key.tokens) / per_second + 0.999))
                self.record("throttled")
                raise ApiFailure(
                    429,
                    c.RATE_LIMIT_EXCEEDED,
                    "Too many requests",
                    {"retry_after_seconds": wait},
                    {**headers, "Retry-After": str(wait)},
                )
            return headers

    # --- Reading -------------------------------------------------------------------------------------------

    def bundle(self, bundle_id: str, owner: str) -> Bundle:
        found = self.bundles.get(bundle_id)
        if found is None:
            raise ApiFailure(404, c.BUNDLE_NOT_FOUND, "Bundle not found")
        if found.owner != owner:
            raise ApiFailure(403, c.BUNDLE_NOT_OWNED, "This bundle belongs to another user")
        return found

    def video(self, bundle: Bundle, position: int) -> Video:
        if position < 1 or position > max(bundle.slots, len(bundle.videos)):
            raise ApiFailure(
                400, c.VIDEO_POSITION_OUT_OF_RANGE, "Position out of range", {"videos_quantity": len(bundle.videos)}
            )
        for video in bundle.videos:
            if video.position == position:
                return video
        raise ApiFailure(404, c.VIDEO_NOT_FOUND, "Video not found at this position")

    # --- Changing ------------------------------------------------------------------------------------------

    def record(self, kind: str, **about: Any) -> None:
        with self.lock:
            self.ledger.append({"seq": len(self.ledger) + 1, "at": stamp(), "kind": kind, **about})

    def flag(self, bundle_id: str, position: int, comment: str | None, **changes: Any) -> None:
        with self.lock:
            video = self.video(self.bundles[bundle_id], position)
            video.download_issue, video.download_issue_comment = True, comment
            for name, value in changes.items():
                setattr(video, name, value)
            video.updated_at = stamp()

    def clear(self, bundle_id: str, position: int) -> None:
        with self.lock:
            video = self.video(self.bundles[bundle_id], position)
            video.download_issue, video.download_issue_comment = False, None
            video.updated_at = stamp()

    def finish_fix(
        self, bundle: Bundle, video: Video, *, video_url: str | None, images: list[str] | None, keep_flag: bool = False
    ) -> None:
        """The effect of a fix: own copy, flag cleared, dates moved to tomorrow and the day after."""
        with self.lock:
            today = (datetime.now(UTC) + timedelta(seconds=self.clock_offset)).date()
            if video_url is not None:
                video.video_url = video_url
            if images is not None:
                video.carousel_images = images
            if not keep_flag:
                video.download_issue, video.download_issue_comment = False, None
            video.target_publish_date = (today + timedelta(days=1)).isoformat()
            video.target_publish_end_date = (today + timedelta(days=2)).isoformat()
            video.updated_at = bundle.updated_at = stamp()

    def cannot_be_fetched(self, url: str) -> bool:
        """Whether this TokPortal fails to download a URL that is not on its own store."""
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").lower()
        except ValueError:
            return True
        return (
            parts.scheme not in {"http", "https"}
            or not host
            or host.endswith(".invalid")
            or host in FAILING_HOSTS
            or url in self.broken_urls
        )


def body_digest(method: str, path: str, body: bytes) -> str:
    return hashlib.sha256(f"{method} {path}\n".encode() + body).hexdigest()
