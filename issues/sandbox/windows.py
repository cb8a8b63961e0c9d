"""`PATCH` of a video slot, the only call that sets a publish window: with lead time and a limit for each day.

How long the lead is, and which status each refusal has, are our guesses.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from issues.sandbox.calls import Call, told
from issues.sandbox.coverage import charge, simulated
from issues.sandbox.http import Handler
from issues.sandbox.world import ApiFailure, Bundle, Video, World, stamp
from issues.tokportal import constants as c

MAX_VIDEOS_ON_A_DAY = 3
STARTS = ("target_publish_date", "target_publish_start_date")
_DATES = frozenset({*STARTS, "target_publish_end_date"})
_TEXTS = frozenset({"name", "description", "external_ref"})


def patch_video(handler: Handler, app: Any, call: Call, bundle_id: str, position: str) -> tuple[int, Any]:
    """Change the fields that are given, and nothing else."""
    world: World = app.world
    bundle = world.bundle(bundle_id, call.key.owner)
    video = world.video(bundle, int(position))
    body = call.json({*_DATES, *_TEXTS})
    if not body:
        raise ApiFailure(400, c.VALIDATION_ERROR, "Give at least one field")
    if bundle.status in c.ENDED_STATUSES:
        raise ApiFailure(409, c.BUNDLE_INVALID_STATUS, "The bundle has ended", {"status": bundle.status})
    changes: dict[str, Any] = {name: value for name, value in body.items() if name in _TEXTS}
    with world.lock:
        if _DATES & set(body):
            changes |= window_of(world, bundle, video, body)
        price = charge(world, call, bundle)
        if call.dry_run:
            return simulated(world, call, told(app, bundle, replace(video, **changes)), price)
        if app.faults.take(frozenset({"dates_ignored"}), "PATCH", call.path) is None:
            for name, value in changes.items():
                setattr(video, name, value)
            video.updated_at = bundle.updated_at = stamp()
        world.record(
            "patch",
            bundle_id=bundle.id,
            position=video.position,
            body=body,
            idempotency_key=call.headers.get(c.IDEMPOTENCY_HEADER),
            request_id=call.request_id,
        )
        return 200, {"data": told(app, bundle, video)}


def window_of(world: World, bundle: Bundle, video: Video, body: dict[str, Any]) -> dict[str, str]:
    """The two days that the body asks for. Raises what TokPortal refuses."""
    if len(set(STARTS) & set(body)) > 1:
        raise ApiFailure(400, c.VALIDATION_ERROR, "Give one start date", {"fields": list(STARTS)})
    start_text = next((body[name] for name in STARTS if name in body), video.target_publish_date)
    start = _day(start_text)
    end_text = body.get("target_publish_end_date")
    end = _day(end_text) if end_text is not None else start + timedelta(days=1)
    today = (datetime.now(UTC) + timedelta(seconds=world.clock_offset)).date()
    earliest = today + timedelta(days=world.lead_days)
    if start < earliest:
        raise ApiFailure(
            400, c.INVALID_DATE, "The date is too early", {"earliest_allowed": earliest.isoformat()}
        )  # fmt: skip
    if end < start:
        raise ApiFailure(400, c.VALIDATION_ERROR, "The window ends before it starts")
    same_day = [
        other
        for other in bundle.videos
        if other is not video
        and other.status != "cancelled"
        and (other.target_publish_date or "")[:10] == start.isoformat()
    ]
    if len(same_day) >= MAX_VIDEOS_ON_A_DAY:
        about = {"date": start.isoformat(), "current_count": len(same_day)}
        raise ApiFailure(409, c.VIDEOS_PER_DAY_EXCEEDED, "Too many videos on this day", about)
    return {"target_publish_date": start.isoformat(), "target_publish_end_date": end.isoformat()}


def _day(text: Any) -> date:
    try:
        return datetime.fromisoformat(str(text)).date()
    except ValueError:
        raise ApiFailure(400, c.VALIDATION_ERROR, "Enter a valid date", {"value": str(text)[:40]}) from None
