"""Which function of the sandbox answers which request."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from issues.sandbox import calls, coverage, endpoints, slots, uploads, windows
from issues.sandbox.calls import Call
from issues.sandbox.http import Handler
from issues.sandbox.world import ApiFailure

Route = Callable[..., tuple[int, Any]]
ROUTES: tuple[tuple[str, re.Pattern[str], Route], ...] = tuple(
    (method, re.compile(f"^{pattern}$"), function)
    for method, pattern, function in (
        ("GET", "/me", calls.get_me),
        ("GET", "/bundles", calls.list_bundles),
        ("GET", "/bundles/([^/]+)", calls.get_bundle),
        ("GET", "/bundles/([^/]+)/videos", calls.list_videos),
        ("GET", r"/bundles/([^/]+)/videos/(-?\d+)", calls.get_video),
        ("POST", r"/bundles/([^/]+)/videos/(-?\d+)/fix-download", calls.fix_download),
        ("PATCH", r"/bundles/([^/]+)/videos/(-?\d+)", windows.patch_video),
        ("PUT", r"/bundles/([^/]+)/videos/(-?\d+)", slots.configure),
        ("POST", "/upload/video", uploads.presign),
        ("POST", "/upload/image", uploads.presign),
        ("POST", "/upload/video/direct", uploads.upload_direct),
        ("POST", "/upload/image/direct", uploads.upload_direct),
        ("POST", "/upload/image/from-url", uploads.import_image),
        ("POST", "/bundles/([^/]+)/publish", coverage.publish),
        ("GET", "/accounts/([^/]+)/managed-subscription", coverage.get_managed_subscription),
        ("GET", "/account-bans", coverage.list_bans),
        ("GET", "/webhooks", endpoints.list_webhooks),
        ("POST", "/webhooks", endpoints.create_webhook),
        ("GET", "/webhooks/events", endpoints.list_events),
        ("GET", "/webhooks/((?!events$)[^/]+)", endpoints.get_webhook),
        ("PATCH", "/webhooks/((?!events$)[^/]+)", endpoints.patch_webhook),
        ("DELETE", "/webhooks/((?!events$)[^/]+)", endpoints.delete_webhook),
        ("POST", "/webhooks/([^/]+)/test", endpoints.test_webhook),
        ("GET", "/webhooks/([^/]+)/deliveries", endpoints.list_deliveries),
        ("POST", "/webhooks/([^/]+)/deliveries/([^/]+)/retry", endpoints.retry_delivery),
    )
)


def find_route(method: str, path: str) -> Callable[[Handler, Any, Call], tuple[int, Any]]:
    """The function for a request, with the parts of the path bound. Raises 404 or 405 as ApiFailure."""
    allowed = []
    for known, pattern, function in ROUTES:
        found = pattern.match(path)
        if not found:
            continue
        allowed.append(known)
        if known == method:
            parts = [unquote(part) for part in found.groups()]
            return lambda handler, app, call, f=function, p=parts: f(handler, app, call, *p)  # type: ignore[misc]
    if allowed:
        raise ApiFailure(405, "METHOD_NOT_ALLOWED", headers={"Allow": ", ".join(allowed)})
    raise ApiFailure(404, "NOT_FOUND", "No such path")
