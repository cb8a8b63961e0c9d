"""What every page has around it."""

from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_htmx.middleware import HtmxDetails

from issues import pulse
from issues.access import teams_of
from issues.audit import Actor
from issues.enums import Origin
from issues.models import Membership, User


class MemberRequest(HttpRequest):
    """A request of somebody who is logged in, as our views see it."""

    htmx: HtmxDetails
    request_id: str
    membership: Membership
    user: User


def chrome(request: HttpRequest) -> dict[str, Any]:
    """Template context: the membership that the view has loaded, and the person's teams for the switcher."""
    membership = getattr(request, "membership", None)
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"membership": None}
    return {
        "membership": membership,
        "has_sign_on": bool(settings.OIDC_SERVER),
        "paused_since": pulse.paused_since,
        "team": membership.team if membership else None,
        "teams": lambda: [entry.team for entry in teams_of(cast("User", user))],
    }


def actor_of(request: MemberRequest) -> Actor:
    """The person who clicked, for the history."""
    return Actor.person(request.user, Origin.PAGE, request.request_id)


def render_page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """Render, with the form's status: 422 re-renders what was typed."""
    return render(request, template, context, status=status)
