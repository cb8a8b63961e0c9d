"""Error pages: plain words and the request id."""

from allauth.core import ratelimit
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.urls import reverse
from django.utils.translation import gettext as _

from issues.access import SecondFactorMissing

# Each is short, says what to do, and names the request for whoever looks into the log.


def _page(
    request: HttpRequest, status: int, title: str, text: str, way_on: tuple[str, str] | None = None
) -> HttpResponse:
    # Without the request's context processors: whatever broke must not break this page too.
    content = loader.render_to_string(
        "errors/page.html",
        {
            "request": request,
            "status": status,
            "title": title,
            "text": text,
            "request_id": getattr(request, "request_id", ""),
            "way_on": way_on,
        },
    )
    return HttpResponse(content, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 400, _("That did not look right"), _("The browser sent something that cannot be understood."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, SecondFactorMissing):
        text = _(
            "The team “{exception}” asks a second factor of everybody. Set up an authenticator app or a passkey."
        ).format(exception=exception)
        return _page(request, 403, _("A second factor is needed"), text, (reverse("mfa_index"), _("Set one up")))
    return _page(request, 403, _("Your role does not allow this"), _("Ask an owner of the team for another role."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _page(request, 403, _("This page was open for too long"), _("Go back, reload the page and try again."))


def too_many(request: HttpRequest, action: str) -> HttpResponse | None:
    """Count an action against the person's limit (ACCOUNT_RATE_LIMITS); an answer where that is used up."""
    if ratelimit.consume(request, action=action, user=request.user):
        return None
    return _page(request, 429, _("That was a lot at once"), _("Wait some minutes, then go on."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(
        request, 404, _("There is nothing here"), _("The link may be old, or belong to a team you are not in.")
    )


def server_error(request: HttpRequest) -> HttpResponse:
    return _page(
        request, 500, _("Something broke on our side"), _("Nothing that you saved is lost. Try again in a minute.")
    )
