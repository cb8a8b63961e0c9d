"""Bundles and their slots."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from issues.access import load_bundle, load_membership
from issues.queries.bundles import SHOWN, BundleFilters, Standing, list_bundles, tiles_of
from issues.queries.freshness import freshness_of
from issues.views.chrome import MemberRequest, render_page


@require_GET
@login_required
def bundle_list(request: MemberRequest, team_slug: str) -> HttpResponse:
    """All bundles, by title."""
    request.membership = load_membership(request.user, team_slug)
    team = request.membership.team
    filters = BundleFilters.parse(request.GET)
    page = list_bundles(team, filters, after=request.GET.get("after", ""))
    context = {
        "filters": filters,
        "page": page,
        "shown": [(value, gettext(label)) for value, label in SHOWN.items()],
        "freshness": freshness_of(team),
    }
    return render_page(request, "bundles/list.html", context)


@require_GET
@login_required
def bundle_detail(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """One bundle: each slot a tile."""
    request.membership = load_membership(request.user, team_slug)
    bundle = load_bundle(request.membership, pk)
    tiles = tiles_of(bundle)
    context = {"bundle": bundle, "tiles": tiles, "standing": Standing.of(tiles)}
    return render_page(request, "bundles/detail.html", context)
