"""Signed webhooks of the sandbox, delivered over HTTP from a thread of their own."""

import hashlib
import hmac
import json
import secrets
import threading
import time
import urllib.error
import urllib.request
from typing import Any

from issues.sandbox.world import World, stamp
from issues.tokportal import constants as c


def sign(secret: str, body: bytes, moment: int) -> str:
    """The `TokPortal-Signature` header: HMAC-SHA256 over `<t>.` and the raw body."""
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


class Webhooks:
    """Sends events to the endpoints that want them and keeps each delivery's outcome."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.deliveries: list[dict[str, Any]] = []

    def emit(self, kind: str, data: dict[str, Any], owner: str) -> None:
        """Deliver in the background to every enabled endpoint of the owner."""
        for endpoint in list(self._world.webhooks.values()):
            if endpoint["owner"] == owner and endpoint["enabled"] and kind in endpoint["events"]:
                threading.Thread(target=self.deliver_to, args=(endpoint, kind, data), daemon=True).start()

    def deliver_to(
        self,
        endpoint: dict[str, Any],
        kind: str,
        data: dict[str, Any],
        *,
        event_id: str = "",
        seconds_off: float = 0,
        bad_signature: bool = False,
    ) -> dict[str, Any]:
        """POST one event and wait for the answer. `seconds_off` shifts the signed time, for tests of late ones."""
        event_id = event_id or f"evt_{secrets.token_hex(12)}"
        payload = {"id": event_id, "type": kind, "api_version": c.API_VERSION, "created_at": stamp(), "data": data}
        delivery = {
            "id": f"del_{secrets.token_hex(8)}", "webhook_id": endpoint["id"], "event_id": event_id,
            "event_type": kind, "type": kind, "attempts": 0, "created_at": stamp(), "payload": payload,
        }  # fmt: skip
        self._send(endpoint, delivery, seconds_off=seconds_off, bad_signature=bad_signature)
        self.deliveries.append(delivery)
        return delivery

    def redeliver(self, endpoint: dict[str, Any], delivery: dict[str, Any]) -> dict[str, Any]:
        """Send what was sent before once more: the same event id, a fresh signature."""
        self._send(endpoint, delivery)
        return delivery

    def _send(
        self,
        endpoint: dict[str, Any],
        delivery: dict[str, Any],
        *,
        seconds_off: float = 0,
        bad_signature: bool = False,
    ) -> None:
        body = json.dumps(delivery["payload"]).encode()
        moment = int(time.time() + self._world.clock_offset + seconds_off)
        signature = sign("wrong" if bad_signature else endpoint["secret"], body, moment)
        request = urllib.request.Request(  # noqa: S310 - checked when the endpoint was made
            endpoint["url"],
            data=body,
            headers={
                "Content-Type": "application/json",
                "TokPortal-Event-Id": delivery["event_id"],
                "TokPortal-Event-Type": delivery["event_type"],
                "TokPortal-Signature": signature,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                status = answer.status
        except urllib.error.HTTPError as error:
            status = error.code
        except OSError:
            status = 0
        delivery |= {"status": status, "status_code": status, "success": 200 <= status < 300}
        delivery["attempts"] += 1
