"""The control interface: what a test or a trainer does to the sandbox from outside.

| call | effect |
|---|---|
| `GET /_sandbox/state` | settings, bundles with their videos, webhook deliveries |
| `GET /_sandbox/ledger?kind=fix` | the effects so far: fix, patch, put, presign, replay, throttled |
| `POST /_sandbox/flag` `{bundle_id, position, comment, ...}` | flag a video; further fields are set on it |
| `POST /_sandbox/clear` `{bundle_id, position}` | take the flag back |
| `POST /_sandbox/bundle` `{bundle_id, remove?, ...}` | change a bundle's fields, or remove it |
| `POST /_sandbox/faults` `{kind, ...}` / `DELETE` | inject a fault (see faults.py) / remove all |
| `POST /_sandbox/keys` `{key, owner?, scopes?, revoked?}` | add or change a key |
| `POST /_sandbox/settings` `{latency?, fix_seconds?, rate?, clock_offset?, store_speed?}` | s, s, 1/min, s, bytes/s |
| ... `{lead_days?}` | how many days ahead a window must begin that is set by `PATCH` |
| ... `{carousel_form?, image_objects?, takes_story_videos?}` | how images are told; whether stories take a video |
| ... `{api_version?, api_stability?}` | what every response says of the API |
| ... `{credits?, capacity_cooldown?, deliveries_tell_payload?}` | the agency's; s (publishing only); in the list |
| `POST /_sandbox/account` `{account_id, status?, is_due?, blocked_reason?, credits?, event?}` | its Coverage |
| `POST /_sandbox/ban` `{account_id, status?, bundle_id?, resolution?, event?}` | a report of `GET /account-bans` |
| `POST /_sandbox/catalogue` `{type, emitted?}` | a type in `GET /webhooks/events` |
| `POST /_sandbox/refuse` `{seconds}` | refuse connections for so long |
| `POST /_sandbox/event` `{type, data, times?, event_id?, seconds_off?, bad_signature?}` | deliver a webhook |
"""

import json
import threading
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import parse_qs

from issues.sandbox import coverage
from issues.sandbox.data import OWNER
from issues.sandbox.http import Handler
from issues.sandbox.world import ApiFailure, stamp
from issues.tokportal import constants as c


def handle(handler: Handler, app: Any) -> None:
    """Answer one control call."""
    name = handler.url_path.removeprefix("/_sandbox/")
    try:
        if handler.command == "GET":
            query = {key: values[-1] for key, values in parse_qs(handler.url_query).items()}
            answer = _read(app, name, query)
        else:
            body = json.loads(handler.read_body() or b"{}")
            answer = _change(app, name, handler.command, body)
    except (KeyError, ValueError, TypeError, ApiFailure) as error:
        handler.send_json(400, {"error": f"{type(error).__name__}: {error}"})
        return
    handler.send_json(200, answer)


def _read(app: Any, name: str, query: dict[str, str]) -> Any:
    world = app.world
    with world.lock:
        if name == "ledger":
            return [entry for entry in world.ledger if query.get("kind") in (None, entry["kind"])]
        if name == "counts":
            throttled = sum(entry["kind"] == "throttled" for entry in world.ledger)
            return {"requests": world.requests, "throttled": throttled}
        if name == "state":
            return {
                "bundles": [
                    {**bundle.to_json(), "owner": bundle.owner, "videos": [video.to_json() for video in bundle.videos]}
                    for bundle in world.bundles.values()
                ],
                "deliveries": app.webhooks.deliveries,
                "rate": world.rate,
                "latency": world.latency,
            }
    raise KeyError(name)


def _change(app: Any, name: str, method: str, body: dict[str, Any]) -> Any:
    world = app.world
    if name == "flag":
        world.flag(body.pop("bundle_id"), int(body.pop("position")), body.pop("comment", None), **body)
    elif name == "clear":
        world.clear(body["bundle_id"], int(body["position"]))
    elif name == "bundle":
        _change_bundle(app, body)
    elif name == "faults" and method == "DELETE":
        app.faults.clear()
    elif name == "faults":
        app.faults.add(body)
    elif name == "keys":
        if body["key"] not in world.keys:
            world.add_key(body["key"], body.get("owner", OWNER), tuple(body.get("scopes", ["*"])))
        world.keys[body["key"]].revoked = bool(body.get("revoked", False))
    elif name == "settings":
        for field in ("latency", "fix_seconds", "clock_offset", "store_speed"):
            if field in body:
                setattr(world, field, float(body[field]))
        if "carousel_form" in body:
            world.carousel_form = str(body["carousel_form"])
        for field in ("image_objects", "takes_story_videos"):
            if field in body:
                setattr(world, field, bool(body[field]))
        for field in ("api_version", "api_stability"):
            if field in body:
                setattr(world, field, str(body[field]))
        world.capacity_cooldown = float(body.get("capacity_cooldown", world.capacity_cooldown))
        world.deliveries_tell_payload = bool(body.get("deliveries_tell_payload", world.deliveries_tell_payload))
        if "credits" in body:
            world.credits[OWNER] = float(body["credits"])
        if "rate" in body:
            world.rate = int(body["rate"])
        if "lead_days" in body:
            world.lead_days = int(body["lead_days"])
    elif name == "refuse":
        threading.Thread(target=app.refuse_connections, args=(float(body["seconds"]),), daemon=True).start()
    elif name == "account":
        return coverage.change_account(app, body)
    elif name == "ban":
        return coverage.add_ban(app, body)
    elif name == "catalogue":
        world.catalogue[body["type"]] = bool(body.get("emitted", True))
    elif name == "event":
        return _send_events(app, body)
    else:
        raise KeyError(name)
    return {"ok": True}


def _change_bundle(app: Any, body: dict[str, Any]) -> None:
    """Change or remove a bundle; a new status is told by webhook where TokPortal has an event for it."""
    world = app.world
    with world.lock:
        if body.pop("remove", False):
            del world.bundles[body["bundle_id"]]
            return
        bundle = world.bundles[body.pop("bundle_id")]
        former = bundle.status
        for field, value in body.items():
            setattr(bundle, field, value)
        bundle.updated_at = stamp()
    kind = f"bundle.{bundle.status}"
    if bundle.status != former and kind in c.WEBHOOK_EVENTS:
        about = {"bundle_id": bundle.id, "status": bundle.status, "previous_status": former}
        app.webhooks.emit(kind, about, bundle.owner)


def _send_events(app: Any, body: dict[str, Any]) -> list[dict[str, Any]]:
    options = {key: body[key] for key in ("event_id", "seconds_off", "bad_signature") if key in body}
    return [
        app.webhooks.deliver_to(endpoint, body["type"], body.get("data", {}), **options)
        for endpoint in list(app.world.webhooks.values())
        for _ in range(int(body.get("times", 1)))
    ]


class SandboxControl:
    """The control interface as Python, over HTTP: works for a sandbox in this process or in another."""

    def __init__(self, origin: str) -> None:
        self.origin = origin.rstrip("/")

    def _ask(self, method: str, name: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the sandbox's own origin
            f"{self.origin}/_sandbox/{name}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ValueError(error.read().decode()) from error

    def state(self) -> Any:
        return self._ask("GET", "state")

    def ledger(self, kind: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("GET", f"ledger?kind={kind}" if kind else "ledger")
        return found

    def counts(self) -> dict[str, int]:
        """Authenticated requests so far, and how many of them were answered with 429."""
        found: dict[str, int] = self._ask("GET", "counts")
        return found

    def flag(self, bundle_id: str, position: int, comment: str | None = "broken", **fields: Any) -> None:
        self._ask("POST", "flag", {"bundle_id": bundle_id, "position": position, "comment": comment, **fields})

    def clear(self, bundle_id: str, position: int) -> None:
        self._ask("POST", "clear", {"bundle_id": bundle_id, "position": position})

    def change_bundle(self, bundle_id: str, **fields: Any) -> None:
        self._ask("POST", "bundle", {"bundle_id": bundle_id, **fields})

    def remove_bundle(self, bundle_id: str) -> None:
        self._ask("POST", "bundle", {"bundle_id": bundle_id, "remove": True})

    def fault(self, kind: str, **params: Any) -> None:
        self._ask("POST", "faults", {"kind": kind, **params})

    def clear_faults(self) -> None:
        self._ask("DELETE", "faults")

    def key(self, key: str, **fields: Any) -> None:
        self._ask("POST", "keys", {"key": key, **fields})

    def account(self, account_id: str, **fields: Any) -> dict[str, Any]:
        """Change the Coverage of an account (see sandbox/coverage.py)."""
        changed: dict[str, Any] = self._ask("POST", "account", {"account_id": account_id, **fields})
        return changed

    def ban(self, account_id: str, **fields: Any) -> dict[str, Any]:
        added: dict[str, Any] = self._ask("POST", "ban", {"account_id": account_id, **fields})
        return added

    def catalogue(self, kind: str, *, emitted: bool = True) -> None:
        self._ask("POST", "catalogue", {"type": kind, "emitted": emitted})

    def settings(self, **fields: float | str) -> None:
        self._ask("POST", "settings", dict(fields))

    def refuse(self, seconds: float) -> None:
        self._ask("POST", "refuse", {"seconds": seconds})

    def event(self, kind: str, data: dict[str, Any] | None = None, **options: Any) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = self._ask("POST", "event", {"type": kind, "data": data or {}, **options})
        return sent

    def videos(self, **wanted: Any) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """(bundle, video) pairs of the agency whose video fields equal `wanted`."""
        return [
            (bundle, video)
            for bundle in self.state()["bundles"]
            if bundle["owner"] == OWNER
            for video in bundle["videos"]
            if all(video[name] == value for name, value in wanted.items())
        ]
