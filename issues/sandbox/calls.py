"""The calls of the API: each takes an authenticated `Call` and gives status and body as the contract has them."""

import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from issues.sandbox import media
from issues.sandbox.coverage import charge, simulated
from issues.sandbox.data import folder_of, form_of, in_form, is_path
from issues.sandbox.http import Handler
from issues.sandbox.storage import Store
from issues.sandbox.world import ApiFailure, Bundle, Key, Video, World
from issues.tokportal import constants as c

MAX_IMAGES = 20
LIST_FILTERS = ("status", "bundle_type", "platform", "external_ref", "account_status")


@dataclass
class Call:
    """One authenticated request."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    headers: Any
    key: Key
    request_id: str
    ignores_dry_run: bool = False

    def json(self, known: set[str]) -> dict[str, Any]:
        """The JSON body; unknown fields are refused as TokPortal does."""
        try:
            data = json.loads(self.body or b"{}")
        except ValueError:
            raise ApiFailure(400, c.VALIDATION_ERROR, "The body is not JSON") from None
        if not isinstance(data, dict):
            raise ApiFailure(400, c.VALIDATION_ERROR, "The body must be an object")
        if unknown := set(data) - known:
            raise ApiFailure(400, c.UNKNOWN_FIELD, "Unknown field", {"fields": sorted(unknown)})
        return data

    @property
    def dry_run(self) -> bool:
        return (
            not self.ignores_dry_run
            and self.method != "GET"
            and self.headers.get(c.DRY_RUN_HEADER, "").lower() == "true"
        )


def error_body(code: str, message: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "details": details or {}}}


def _data(value: Any, status: int = 200) -> tuple[int, Any]:
    return status, {"data": value}


# --- Calls -------------------------------------------------------------------------------------------------


def get_me(handler: Handler, app: Any, call: Call) -> tuple[int, Any]:
    return _data(
        {"email": call.key.owner, "credits": app.world.credits[call.key.owner], "id": f"usr_{call.key.owner[:4]}"}
    )


def list_bundles(handler: Handler, app: Any, call: Call) -> tuple[int, Any]:
    try:
        page, per_page = int(call.query.get("page", "1")), int(call.query.get("per_page", c.DEFAULT_PER_PAGE))
    except ValueError:
        raise ApiFailure(400, c.VALIDATION_ERROR, "page and per_page are numbers") from None
    if page < 1 or not 1 <= per_page <= c.MAX_PER_PAGE:
        raise ApiFailure(400, c.VALIDATION_ERROR, "page from 1, per_page from 1 to 100")
    with app.world.lock:
        found = [
            entry
            for bundle in app.world.bundles.values()
            if bundle.owner == call.key.owner
            for entry in [bundle.to_json()]
            if all(str(entry.get(name) or "") == call.query[name] for name in LIST_FILTERS if name in call.query)
        ]
    shift = app.faults.take(frozenset({"shift_listing"}), "GET", call.path)
    if shift and page > 1:
        # A new bundle came in on top while the client was between two pages: entries move down.
        found = found[-int(shift.params.get("by", 1)) :] + found
    pages = (len(found) + per_page - 1) // per_page
    rows = found[(page - 1) * per_page : page * per_page]
    about = {"page": page, "per_page": per_page, "total": len(found), "total_pages": pages}
    return 200, {"data": rows, "pagination": about}


def get_bundle(handler: Handler, app: Any, call: Call, bundle_id: str) -> tuple[int, Any]:
    return _data(app.world.bundle(bundle_id, call.key.owner).to_json())


def list_videos(handler: Handler, app: Any, call: Call, bundle_id: str) -> tuple[int, Any]:
    with app.world.lock:
        bundle = app.world.bundle(bundle_id, call.key.owner)
        return _data([told(app, bundle, video) for video in bundle.videos])


def get_video(handler: Handler, app: Any, call: Call, bundle_id: str, position: str) -> tuple[int, Any]:
    with app.world.lock:
        bundle = app.world.bundle(bundle_id, call.key.owner)
        return _data(told(app, bundle, app.world.video(bundle, int(position))))


def fix_download(handler: Handler, app: Any, call: Call, bundle_id: str, position: str) -> tuple[int, Any]:
    world: World = app.world
    bundle = world.bundle(bundle_id, call.key.owner)
    video = world.video(bundle, int(position))
    body = call.json({"video_url", "carousel_images"})
    if len(body) != 1:
        raise ApiFailure(400, c.VALIDATION_ERROR, "Give exactly one of video_url and carousel_images")
    url, images = body.get("video_url"), body.get("carousel_images")
    is_refused_story = video.video_type == "story" and not world.takes_story_videos
    if url is not None and (not video.is_made_of_a_video or is_refused_story or not isinstance(url, str) or not url):
        raise ApiFailure(400, c.VALIDATION_ERROR, "video_url is for videos")
    if images is not None and (
        video.video_type != "carousel"
        or not isinstance(images, list)
        or not 1 <= len(images) <= MAX_IMAGES
        or not all(isinstance(image, str) and image for image in images)
    ):
        raise ApiFailure(400, c.VALIDATION_ERROR, f"carousel_images takes 1 to {MAX_IMAGES} images, for carousels only")
    if not video.download_issue:
        raise ApiFailure(409, c.VIDEO_NO_DOWNLOAD_ISSUE, "This video has no download issue")
    if bundle.status in c.NOT_FLAGGABLE_STATUSES:
        raise ApiFailure(409, c.BUNDLE_INVALID_STATUS, "The bundle is not with a manager", {"status": bundle.status})
    if app.faults.take(frozenset({"ignore_dry_run"}), "POST", call.path):
        call.ignores_dry_run = True
    credits = charge(world, call, bundle)
    if call.dry_run:
        return simulated(world, call, told(app, bundle, video), credits)
    if world.fix_seconds:
        time.sleep(world.fix_seconds)
    for source in [url] if url is not None else images or []:
        if not fetched(app, source):
            raise ApiFailure(500, c.UPLOAD_FAILED, "Failed to download or store the replacement")
    with world.lock:
        if not video.download_issue:
            raise ApiFailure(409, c.VIDEO_NO_DOWNLOAD_ISSUE, "This video has no download issue")
        keep = app.faults.take(frozenset({"flag_stays"}), "POST", call.path) is not None
        world.finish_fix(
            bundle,
            video,
            video_url=_own_copy(app, bundle, video, "mp4") if url is not None else None,
            images=_own_images(app, bundle, video, images) if images else None,
            keep_flag=keep,
        )
        world.record(
            "fix",
            bundle_id=bundle.id,
            position=video.position,
            body=body,
            idempotency_key=call.headers.get(c.IDEMPOTENCY_HEADER),
            request_id=call.request_id,
        )
        return _data(told(app, bundle, video))


def _place_of(app: Any, source: str) -> tuple[Store, str] | None:
    """Where a URL or storage path lies on this TokPortal's own stores; `None` for any other."""
    for store in (app.store, app.images):
        if key := store.key_of(source):
            return store, key
    return (app.images, source) if is_path(source) else None


def fetched(app: Any, source: str) -> bool:
    """Whether TokPortal gets the file: really, from its own stores (URL or storage path); by the rules elsewhere."""
    place = _place_of(app, source)
    if place is None:
        return not app.world.cannot_be_fetched(source)
    store, key = place
    try:
        with urllib.request.urlopen(store.public_url(key), timeout=10) as answer:  # noqa: S310 - our own store
            size = 0
            while chunk := answer.read(65536):
                size += len(chunk)
    except (urllib.error.URLError, OSError):
        return False
    return size > 0


def _own_copy(app: Any, bundle: Bundle, video: Video, ending: str) -> str:
    """A small object on the store stands for TokPortal's own copy, so that its URL answers."""
    url: str = app.store.store(
        f"copies/{bundle.id}/{video.position}-{secrets.token_hex(4)}.{ending}", media.mp4(200_000)
    )
    return url


def _own_images(app: Any, bundle: Bundle, video: Video, images: Sequence[str]) -> list[str]:
    """TokPortal's copies of the images, told as storage paths, public URLs or both; a storage path stays as it is."""
    paths = []
    for number, source in enumerate(images, 1):
        path = source if is_path(source) else f"{folder_of(bundle)}/photo-{number}-{secrets.token_hex(4)}.jpg"
        if path != source:
            app.images.add_samples([path], media.jpeg(60_000))
        paths.append(path)
    return in_form(app.world.carousel_form or form_of(video), paths, [app.images.public_url(path) for path in paths])


def told(app: Any, bundle: Bundle, video: Video) -> dict[str, Any]:
    """A slot as the API tells it."""
    entry = bundle.video_json(video)
    if app.world.image_objects and video.carousel_images:
        entry["carousel_images"] = [
            {"order": number, "storage_path": image, "public_url": app.images.public_url(image)}
            if is_path(image)
            else {"order": number, "url": image}
            for number, image in enumerate(video.carousel_images, 1)
        ]
    return entry
