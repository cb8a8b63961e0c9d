"""Small middleware: a request id for every answer, and the person's time zone for every page."""

import re
import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from issues.audit.actors import new_request_id
from issues.logs import current_request_id

GetResponse = Callable[[HttpRequest], HttpResponse]
_SAFE_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")


class HealthMiddleware:
    """Answers `/healthz` before anything else: whoever asks from inside knows neither our host name nor HTTPS."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz" and request.method in {"GET", "HEAD"}:
            return HttpResponse("ok\n", content_type="text/plain")
        return self.get_response(request)


class RequestIdMiddleware:
    """Gives each request an id (the proxy's `X-Request-ID` where it sent a safe one) and repeats it in the answer."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request.request_id = given if _SAFE_ID.match(given) else new_request_id()  # type: ignore[attr-defined]
        current_request_id.set(request.request_id)  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        return response


class MemberZoneMiddleware:
    """Times are shown in the person's zone: the one of the profile, else the browser's (cookie `tz`), else UTC.

    An expired log-in during an HTMX request answers with a redirect of the whole page, so that no log-in form lands in
    a table cell.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = getattr(request.user, "time_zone", "") or request.COOKIES.get("tz", "")
        try:
            timezone.activate(zoneinfo.ZoneInfo(name)) if name else timezone.deactivate()
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            timezone.deactivate()
        try:
            response = self.get_response(request)
        finally:
            timezone.deactivate()
        is_htmx = bool(getattr(request, "htmx", False))
        if is_htmx and response.status_code == 302 and not request.user.is_authenticated:
            response["HX-Redirect"] = request.headers.get("HX-Current-URL", "/")
            response.status_code = 200
            del response["Location"]
        return response
