"""TokPortal's answers as typed objects, tolerant of the unknown.

Fields may be missing, null, of another type, or new; enum values may be new. Nothing of that is an error: what
cannot be read becomes the empty value, what is unknown is kept in `extra`. Only an object without its identity
(`id` of a bundle, `position` of a video) is refused, since there is nothing to attach it to.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Self

from issues.tokportal.api_version import ApiVersion
from issues.tokportal.days import PublishWindow


class PayloadError(ValueError):
    """An object that lacks its identity."""


def _text(value: object, limit: int = 20_000) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    return _storable(str(value))[:limit]


plain_text = _text  # for service_payloads


def _storable(text: str) -> str:
    """Without NUL and lone surrogates, which JSON allows and no database stores."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _storable_json(value: Any) -> Any:
    """The same for everything inside a JSON value."""
    if isinstance(value, str):
        return _storable(value)
    if isinstance(value, dict):
        return {_storable(key): _storable_json(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_storable_json(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _integer(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 2**31 else None
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        return _integer(int(value)) if len(value) < 12 else None
    if isinstance(value, float) and value.is_integer():
        return _integer(int(value))
    return None


def _flag(value: object) -> bool:
    """Only a clear yes is a yes: `"false"`, 0 and null are not."""
    return value is True or value == 1 or (isinstance(value, str) and value.strip().lower() == "true")


def _is_text(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool) or value in (0, 1) or str(value).strip().lower() in {"true", "false"}


def _is_list(value: object) -> bool:
    return isinstance(value, list)


# Where an object of `carousel_images` may name its image. The storage path first: a fix can send it back.
_IMAGE_KEYS = ("storage_path", "path", "public_url", "url", "image_url")


def _image(value: object) -> str:
    """An entry of `carousel_images`: a link or storage path, or an object that holds one."""
    if isinstance(value, dict):
        return next((text for key in _IMAGE_KEYS if (text := _text(value.get(key), 8192).strip())), "")
    return _text(value, 8192)


_Check = Callable[[object], bool]


def _told(data: Mapping[str, Any], checks: Mapping[str, _Check], nullable: frozenset[str]) -> frozenset[str]:
    """The fields that an answer really tells: there, of the right type, and null only where null means something.

    What is not told leaves the mirror as it is: a field that is missing once must not wipe what we know.
    """
    return frozenset(
        name
        for name, check in checks.items()
        if name in data and (name in nullable if data[name] is None else check(data[name]))
    )


def _take(data: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """What is not among `names`: kept, so that nothing of TokPortal's is lost."""
    return {_storable(key): _storable_json(value) for key, value in data.items() if key not in names}


@dataclass(frozen=True, slots=True)
class AccountPayload:
    """`GET /me`: whose key it is, and the credits left (`None` where not told)."""

    email: str
    credits: float | None
    api: ApiVersion = field(default_factory=ApiVersion)  # from the response's headers

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        amount = data.get("credits")
        is_number = isinstance(amount, int | float) and not isinstance(amount, bool)
        return cls(email=_text(data.get("email"), 254), credits=float(amount) if is_number else None)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class BundlePayload:
    """One bundle of `GET /bundles`."""

    id: str
    title: str = ""
    external_ref: str = ""
    bundle_type: str = ""
    platform: str = ""
    country: str = ""
    status: str = ""
    saved_account_id: str = ""
    videos_quantity: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    told: frozenset[str] = frozenset()  # the fields that the answer really tells

    _CHECKS: ClassVar[dict[str, _Check]] = {
        **dict.fromkeys(
            ("title", "external_ref", "bundle_type", "platform", "country", "status", "saved_account_id"), _is_text
        ),
        "videos_quantity": lambda value: _integer(value) is not None,
    }
    _NULLABLE: ClassVar[frozenset[str]] = frozenset({"external_ref", "country", "videos_quantity", "saved_account_id"})

    @classmethod
    def parse(cls, data: object) -> Self:
        if not isinstance(data, dict) or not _text(data.get("id")):
            raise PayloadError("a bundle without an id")
        return cls(
            id=_text(data["id"], 128),
            title=_text(data.get("title"), 500),
            external_ref=_text(data.get("external_ref"), 255),
            bundle_type=_text(data.get("bundle_type"), 64),
            platform=_text(data.get("platform"), 64),
            country=_text(data.get("country"), 64),
            status=_text(data.get("status"), 64),
            saved_account_id=_text(data.get("saved_account_id"), 128),
            videos_quantity=_integer(data.get("videos_quantity")),
            extra=_take(data, ("id", *cls._CHECKS)),
            told=_told(data, cls._CHECKS, cls._NULLABLE) | {"extra"},
        )


@dataclass(frozen=True, slots=True)
class VideoPayload:
    """One video slot, the same in every answer that carries one (list, single, fix-download)."""

    position: int
    id: str = ""
    status: str = ""
    video_type: str = ""
    name: str = ""
    description: str = ""
    external_ref: str = ""
    video_url: str = ""
    carousel_images: tuple[str, ...] = ()
    story_image_url: str = ""
    platform_url: str = ""
    target_publish_date: str = ""
    target_publish_end_date: str = ""
    start_date_name: str = "target_publish_date"  # what this answer calls the first day
    download_issue: bool = False
    download_issue_comment: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    told: frozenset[str] = frozenset()  # the fields that the answer really tells

    _CHECKS: ClassVar[dict[str, _Check]] = {
        **dict.fromkeys(
            ("status", "video_type", "name", "description", "external_ref", "video_url", "story_image_url",
             "platform_url", "target_publish_date", "target_publish_start_date", "target_publish_end_date",
             "download_issue_comment"),
            _is_text,
        ),
        "carousel_images": _is_list,
        "download_issue": _is_flag,
    }  # fmt: skip
    # Null says "none" here. For the others it says nothing: a slot does not lose its type, its media or its flag so.
    _NULLABLE: ClassVar[frozenset[str]] = frozenset(
        {"description", "external_ref", "platform_url", "target_publish_date", "target_publish_start_date",
         "target_publish_end_date", "download_issue_comment"}
    )  # fmt: skip

    @classmethod
    def parse(cls, data: object) -> Self:
        position = _integer(data.get("position")) if isinstance(data, dict) else None
        if not isinstance(data, dict) or position is None or position < 1:
            raise PayloadError("a video without a position")
        images = data.get("carousel_images")
        comment = data.get("download_issue_comment")
        told = _told(data, cls._CHECKS, cls._NULLABLE)
        if data.get("video_type") == "story" and "video_url" in data and "story_image_url" in data:
            # A story is made of one of them: null for the other says that there is none, not that nothing is said.
            told |= {"video_url", "story_image_url"} if told & {"video_url", "story_image_url"} else frozenset()
        only_start = "target_publish_start_date" in told and "target_publish_date" not in told
        if only_start:
            told |= {"target_publish_date"}
        return cls(
            position=position,
            id=_text(data.get("id"), 128),
            status=_text(data.get("status"), 64),
            video_type=_text(data.get("video_type"), 64),
            name=_text(data.get("name"), 500),
            description=_text(data.get("description")),
            external_ref=_text(data.get("external_ref"), 255),
            video_url=_text(data.get("video_url"), 8192),
            carousel_images=tuple(map(_image, images)) if isinstance(images, list) else (),
            story_image_url=_text(data.get("story_image_url"), 8192),
            platform_url=_text(data.get("platform_url"), 8192),
            # Some answers call the first day `target_publish_start_date`.
            target_publish_date=_text(data.get("target_publish_date"), 64)
            or _text(data.get("target_publish_start_date"), 64),
            target_publish_end_date=_text(data.get("target_publish_end_date"), 64),
            start_date_name="target_publish_start_date" if only_start else "target_publish_date",
            download_issue=_flag(data.get("download_issue")),
            download_issue_comment=None if comment is None else _text(comment),
            extra=_take(data, ("id", "position", *cls._CHECKS)),
            told=told | {"extra"},
        )

    @property
    def tells_flag(self) -> bool:
        """Whether the answer says anything about the flag at all."""
        return "download_issue" in self.told

    @property
    def window(self) -> PublishWindow:
        """The days on which the manager may post it."""
        return PublishWindow.parse(self.target_publish_date, self.target_publish_end_date)

    @property
    def deadline(self) -> datetime | None:
        """The end of the publish window: after it the manager is late."""
        return self.window.deadline


@dataclass(frozen=True, slots=True)
class BundlePage:
    """One page of the listing. `total_pages` is what TokPortal says; it may lie."""

    bundles: tuple[BundlePayload, ...]
    received: int  # entries in the answer, unreadable ones included
    page: int
    per_page: int
    total: int | None
    total_pages: int | None


@dataclass(frozen=True, slots=True)
class VideoList:
    """All slots of a bundle; `unreadable` counts entries without a position, which were left out.

    `digest` is the SHA-256 of the answer's bytes. `unchanged`: it equals the one that the caller knew, so nothing was
    read out of the answer.
    """

    videos: tuple[VideoPayload, ...]
    unreadable: int = 0
    digest: str = ""
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class FixAnswer:
    """The 2xx answer of fix-download. `dry_run` only where TokPortal says so itself: else it was a real write."""

    video: VideoPayload | None
    dry_run: bool
    request_id: str
    credits: float | None = None  # what a dry run says that it would cost


@dataclass(frozen=True, slots=True)
class PresignedUpload:
    """Where to PUT the bytes. `upload_url` is a secret: never stored, never logged."""

    upload_url: str = field(repr=False)
    public_url: str = ""
    storage_path: str = ""
    expires_in: int | None = None  # seconds, where TokPortal tells

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        if not _text(data.get("upload_url")):
            raise PayloadError("a presigned upload without its URL")
        return cls(
            upload_url=_text(data["upload_url"], 8192),
            public_url=_text(data.get("public_url"), 8192),
            storage_path=_text(data.get("storage_path"), 2048),
            expires_in=_integer(data.get("expires_in")),
        )


@dataclass(frozen=True, slots=True)
class DirectUpload:
    """The answer of a multipart upload. `size_bytes` is what TokPortal stored."""

    public_url: str
    storage_path: str
    size_bytes: int | None

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        size = data.get("size_bytes")
        return cls(
            public_url=_text(data.get("public_url"), 8192),
            storage_path=_text(data.get("storage_path"), 2048),
            size_bytes=size if isinstance(size, int) and not isinstance(size, bool) else None,
        )


@dataclass(frozen=True, slots=True)
class WebhookPayload:
    """An endpoint that is registered at TokPortal. `signing_secret` comes only with the answer to its creation."""

    id: str
    url: str = ""
    enabled: bool = True
    signing_secret: str = field(default="", repr=False)

    @classmethod
    def parse(cls, data: object) -> Self:
        if not isinstance(data, dict) or not _text(data.get("id")):
            raise PayloadError("a webhook without an id")
        return cls(
            id=_text(data["id"], 128),
            url=_text(data.get("url"), 8192),
            enabled=data.get("enabled") is not False,
            signing_secret=_text(data.get("signing_secret"), 512),
        )


@dataclass(frozen=True, slots=True)
class EventPayload:
    """What an event of TokPortal's says. Only its id is needed; the rest is a hint."""

    id: str
    type: str = ""
    created_at: str = ""
    bundle_id: str = ""
    position: int | None = None
    status: str = ""
    saved_account_id: str = ""

    @classmethod
    def parse(cls, data: object) -> Self:
        if not isinstance(data, dict) or not _text(data.get("id")):
            raise PayloadError("an event without an id")
        about = data.get("data")
        about = about if isinstance(about, dict) else {}
        position = _integer(about.get("position"))
        return cls(
            id=_text(data["id"], 128),
            type=_text(data.get("type"), 64),
            created_at=_text(data.get("created_at"), 64),
            bundle_id=_text(about.get("bundle_id"), 128),
            position=position if position is not None and position > 0 else None,
            status=_text(about.get("status"), 64),
            saved_account_id=_text(about.get("saved_account_id") or about.get("account_id"), 128),
        )
