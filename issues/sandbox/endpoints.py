"""Webhook endpoints of the sandbox: registered, changed, tried out; the catalogue of types; deliveries and retries."""

import secrets
from typing import Any

from issues.sandbox.calls import Call
from issues.sandbox.coverage import paged
from issues.sandbox.http import Handler
from issues.sandbox.world import ApiFailure, World, stamp
from issues.tokportal import constants as c

SIGNATURE = {"header": "TokPortal-Signature", "scheme": "t=<unix seconds>,v1=<hex>", "algorithm": "hmac-sha256"}


def list_events(handler: Handler, app: Any, call: Call) -> tuple[int, Any]:
    """The catalogue: every type, and whether it is really emitted."""
    events = [
        {"type": kind, "emitted": emitted, "description": f"Sent for {kind}."}
        for kind, emitted in app.world.catalogue.items()
    ]
    return 200, {"data": {"events": events, "envelope": {}, "delivery": {"tolerance": 300}, "signature": SIGNATURE}}


def create_webhook(handler: Handler, app: Any, call: Call) -> tuple[int, Any]:
    body = call.json({"url", "events", "description", "enabled"})
    _check(app.world, body, needs_url=True)
    endpoint = {
        "id": f"wh_{secrets.token_hex(8)}",
        "owner": call.key.owner,
        "url": body["url"],
        "events": body.get("events") or list(app.world.catalogue),
        "description": body.get("description"),
        "enabled": body.get("enabled", True),
        "created_at": stamp(),
        "secret": f"whsec_{secrets.token_hex(24)}",
    }
    app.world.webhooks[endpoint["id"]] = endpoint
    return 201, {"data": {**_shown(endpoint), "signing_secret": endpoint["secret"]}}


def _check(world: World, body: dict[str, Any], *, needs_url: bool) -> None:
    url = body.get("url")
    if (needs_url or "url" in body) and not (
        isinstance(url, str) and url.startswith(("https://", "http://127.0.0.1", "http://localhost"))
    ):
        raise ApiFailure(400, c.VALIDATION_ERROR, "An HTTPS URL is required", {"field": "url"})
    events = body.get("events") or []
    if not isinstance(events, list) or set(events) - set(world.catalogue):
        raise ApiFailure(400, c.VALIDATION_ERROR, "Unknown event", {"field": "events"})


def _shown(endpoint: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in endpoint.items() if name not in {"secret", "owner"}}


def _endpoint(app: Any, call: Call, webhook_id: str) -> dict[str, Any]:
    found: dict[str, Any] | None = app.world.webhooks.get(webhook_id)
    if found is None or found["owner"] != call.key.owner:
        raise ApiFailure(404, "WEBHOOK_NOT_FOUND", "No such webhook")
    return found


def list_webhooks(handler: Handler, app: Any, call: Call) -> tuple[int, Any]:
    rows = [_shown(entry) for entry in app.world.webhooks.values() if entry["owner"] == call.key.owner]
    wanted = call.query.get("event")
    return paged(call, [row for row in rows if wanted is None or wanted in row["events"]])


def get_webhook(handler: Handler, app: Any, call: Call, webhook_id: str) -> tuple[int, Any]:
    return 200, {"data": _shown(_endpoint(app, call, webhook_id))}


def patch_webhook(handler: Handler, app: Any, call: Call, webhook_id: str) -> tuple[int, Any]:
    found = _endpoint(app, call, webhook_id)
    body = call.json({"url", "events", "description", "enabled"})
    _check(app.world, body, needs_url=False)
    found.update(body)
    return 200, {"data": _shown(found)}


def delete_webhook(handler: Handler, app: Any, call: Call, webhook_id: str) -> tuple[int, Any]:
    _endpoint(app, call, webhook_id)
    del app.world.webhooks[webhook_id]
    return 204, None


def test_webhook(handler: Handler, app: Any, call: Call, webhook_id: str) -> tuple[int, Any]:
    found = _endpoint(app, call, webhook_id)
    delivery = app.webhooks.deliver_to(found, "webhook.test", {"message": "It works"})
    return 200, {"data": _told(app.world, delivery)}


def list_deliveries(handler: Handler, app: Any, call: Call, webhook_id: str) -> tuple[int, Any]:
    """The latest first. `success` and `event_type` filter."""
    _endpoint(app, call, webhook_id)
    success = {"true": True, "false": False}.get(call.query.get("success", ""))
    rows = [
        _told(app.world, delivery)
        for delivery in reversed(app.webhooks.deliveries)
        if delivery["webhook_id"] == webhook_id
        and (success is None or delivery["success"] is success)
        and call.query.get("event_type") in (None, delivery["event_type"])
    ]
    return paged(call, rows)


def _told(world: World, delivery: dict[str, Any]) -> dict[str, Any]:
    hidden = set() if world.deliveries_tell_payload else {"payload"}
    return {name: value for name, value in delivery.items() if name not in hidden}


def retry_delivery(handler: Handler, app: Any, call: Call, webhook_id: str, delivery_id: str) -> tuple[int, Any]:
    found = _endpoint(app, call, webhook_id)
    for delivery in app.webhooks.deliveries:
        if delivery["id"] == delivery_id and delivery["webhook_id"] == webhook_id:
            app.world.record("redelivery", delivery_id=delivery_id)
            return 200, {"data": _told(app.world, app.webhooks.redeliver(found, delivery))}
    raise ApiFailure(404, "DELIVERY_NOT_FOUND", "No such delivery")
