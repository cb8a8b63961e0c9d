"""Which function of the sandbox answers which request."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from issues.sandbox import calls, slots, uploads
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
        ("PUT", r"/bundles/([^/]+)/videos/(-?\d+)", slots.configure),
        ("POST", "/upload/video", uploads.presign),
        ("POST", "/upload/image", uploads.presign),
        ("POST", "/upload/video/direct", uploads.upload_direct),
        ("POST", "/upload/image/direct", uploads.upload_direct),
        ("POST", "/upload/image/from-url", uploads.import_image),
        ("GET", "/webhooks", calls.list_webhooks),
        ("POST", "/webhooks", calls.create_webhook),
        ("GET", "/webhooks/([^/]+)", calls.get_webhook),
        ("PATCH", "/webhooks/([^/]+)", calls.patch_webhook),
        ("DELETE", "/webhooks/([^/]+)", calls.delete_webhook),
        ("POST", "/webhooks/([^/]+)/test", calls.test_webhook),
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
