"""Small middleware: a request id for every answer, and the person's time zone and language for every page."""

import re
import uuid
import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from issues.audit.actors import new_request_id
from issues.health import readiness
from issues.logs import current_request_id
from issues.views.hooks import tokportal_webhook

GetResponse = Callable[[HttpRequest], HttpResponse]
_SAFE_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")


class MachineMiddleware:
    """Answers what machines ask, before everything that is there for people: sessions, cookies, host names, redirects.

    `/healthz` and `/readyz` come from inside, where nobody knows our host name nor HTTPS. Webhooks come by the
    hundred and are known by their signature alone.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._answer(request)
        if response is None:
            return self.get_response(request)
        response["Content-Length"] = str(len(response.content))
        return response

    def _answer(self, request: HttpRequest) -> HttpResponse | None:
        if request.path.startswith(HOOKS):
            return _hook(request)
        if request.method not in {"GET", "HEAD"}:
            return None
        if request.path == "/healthz":
            return HttpResponse("ok\n", content_type="text/plain")
        if request.path == "/readyz":
            is_ready, parts = readiness()
            return JsonResponse({"ready": is_ready, **parts}, status=200 if is_ready else 503)
        return None


HOOKS = "/webhooks/tokportal/"


def _hook(request: HttpRequest) -> HttpResponse:
    try:
        workspace_id = uuid.UUID(request.path[len(HOOKS) :].removesuffix("/"))
    except ValueError:
        return JsonResponse({"received": False}, status=404)
    return tokportal_webhook(request, workspace_id)


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


class PersonMiddleware:
    """Pages are in the person's language: that of the profile, else the browser's (`Accept-Language`), else English.

    Times are in his zone: the one of the profile, else the browser's (cookie `tz`), else UTC.

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
        language = getattr(request.user, "language", "") or translation.get_language_from_request(request)
        try:
            with translation.override(language):
                response = self.get_response(request)
        finally:
            timezone.deactivate()
        patch_vary_headers(response, ("Accept-Language",))
        response.headers.setdefault("Content-Language", language)
        is_htmx = bool(getattr(request, "htmx", False))
        if is_htmx and response.status_code == 302 and not request.user.is_authenticated:
            response["HX-Redirect"] = request.headers.get("HX-Current-URL", "/")
            response.status_code = 200
            del response["Location"]
        return response
