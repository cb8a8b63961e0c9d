"""`PUT` of a video slot: configures it whole, its media too, in some statuses only.

What is sent replaces what was there: a field that is left out is cleared. TokPortal documents the fields and that not
every status allows it; which ones do is our guess.
"""

import uuid
from dataclasses import replace
from typing import Any

from issues.sandbox.calls import MAX_IMAGES, Call, told
from issues.sandbox.coverage import charge, simulated
from issues.sandbox.http import Handler
from issues.sandbox.windows import STARTS, window_of
from issues.sandbox.world import ApiFailure, Bundle, Video, World, stamp
from issues.tokportal import constants as c

EDITABLE = ("pending", "configured", "pending_corrections")
MEDIA = ("video_url", "carousel_images", "story_image_url")
MEDIA_OF = {"video": ("video_url",), "carousel": ("carousel_images",), "story": ("video_url", "story_image_url")}
KEPT = ("name", "description", "external_ref")
FIELDS = {
    "video_type", *KEPT, *STARTS, "target_publish_end_date", "video_url", "carousel_images", "story_image_url",
    "story_repost_url", "tiktok_sound_url", "instagram_content_type", "instagram_audio_name", "instagram_location",
    "instagram_collaborators", "instagram_add_to_story", "editing_instructions", "ai_content_disclaimer",
    "disclose_as_ads", "volume_original_sound", "volume_added_sound", "instant_repost_as_story",
}  # fmt: skip


def configure(handler: Handler, app: Any, call: Call, bundle_id: str, position: str) -> tuple[int, Any]:
    world: World = app.world
    bundle = world.bundle(bundle_id, call.key.owner)
    body = call.json(FIELDS)
    with world.lock:
        video = _slot(world, bundle, int(position))
        if bundle.status in c.ENDED_STATUSES:
            raise ApiFailure(409, c.BUNDLE_INVALID_STATUS, "This bundle has ended", {"status": bundle.status})
        if video.status not in EDITABLE:
            about = {"current_status": video.status, "allowed_statuses": list(EDITABLE)}
            raise ApiFailure(409, c.INVALID_STATUS_TRANSITION, "This slot can no longer be configured", about)
        fields = _checked(bundle, body) | window_of(world, bundle, video, body)
        credits = charge(world, call, bundle)
        if call.dry_run:
            return simulated(world, call, told(app, bundle, replace(video, **fields)), credits)
        for name, value in fields.items():
            setattr(video, name, value)
        video.updated_at = bundle.updated_at = stamp()
        if video not in bundle.videos:
            bundle.videos.append(video)
            bundle.videos.sort(key=lambda entry: entry.position)
        world.record("configure", bundle_id=bundle.id, position=video.position, body=body)
        return 200, {"data": told(app, bundle, video)}


def _slot(world: World, bundle: Bundle, position: int) -> Video:
    """The slot's video, or a new one for a slot that has none yet."""
    try:
        return world.video(bundle, position)
    except ApiFailure as failure:
        if failure.code != c.VIDEO_NOT_FOUND:
            raise
        return Video(position, str(uuid.uuid4()), "", status="pending", created_at=stamp())


def _checked(bundle: Bundle, body: dict[str, Any]) -> dict[str, Any]:
    """What the slot holds afterwards. Raises ApiFailure for what TokPortal would refuse."""
    kind = body.get("video_type")
    if kind not in MEDIA_OF or (kind == "story" and bundle.platform == "youtube"):
        raise _invalid("video_type")
    for name in MEDIA:
        if body.get(name) and name not in MEDIA_OF[kind]:
            raise _invalid(name)
    given = [name for name in MEDIA_OF[kind] if body.get(name)]
    if len(given) != 1 or not _is_media(body[given[0]], given[0]):
        raise _invalid(MEDIA_OF[kind][0])
    if kind != "story" and not isinstance(body.get("description"), str):
        raise _invalid("description")
    if not any(body.get(name) for name in STARTS):
        raise _invalid("target_publish_date")
    media = {name: body[name] if name in given else None for name in MEDIA}
    return {
        "video_type": kind,
        "status": "configured",
        **media,
        **{name: body.get(name) or ("" if name != "external_ref" else None) for name in KEPT},
    }


def _is_media(value: Any, name: str) -> bool:
    if name != "carousel_images":
        return isinstance(value, str)
    return (
        isinstance(value, list)
        and len(value) <= MAX_IMAGES
        and all(isinstance(image, str) and image for image in value)
    )


def _invalid(field: str) -> ApiFailure:
    return ApiFailure(400, c.VALIDATION_ERROR, f"{field} is missing or does not fit", {"field": field})
