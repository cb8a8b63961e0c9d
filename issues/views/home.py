"""The way in, and the person's own profile."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from issues.access import teams_of
from issues.forms import ProfileForm
from issues.members import change_profile
from issues.models import User
from issues.views.chrome import MemberRequest, actor_of, render_page


@require_GET
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """To the issues of the person's team, or to a choice of several."""
    memberships = list(teams_of(cast("User", request.user)))
    if len(memberships) == 1:
        return redirect("issues", memberships[0].team.slug)
    return render_page(request, "teams.html", {"memberships": memberships})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def profile(request: MemberRequest) -> HttpResponse:
    """Name, time zone and language."""
    user = request.user
    if request.method == "POST":
        form = ProfileForm(request.POST)
        if form.is_valid():
            change_profile(user=user, actor=actor_of(request), **form.cleaned_data)
            messages.success(request, _("Saved."))
            return redirect("profile")
    else:
        form = ProfileForm(initial={"name": user.name, "time_zone": user.time_zone, "language": user.language})
    return render_page(request, "profile.html", {"form": form}, status=422 if form.errors else 200)
