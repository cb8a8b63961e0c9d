"""The search box in the head of every page, and its page of results."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.views.decorators.http import require_GET

from issues.access import load_membership
from issues.queries.search import MAX_TEXT, search
from issues.views.chrome import MemberRequest, render_page

SUGGESTED, LISTED = 5, 50


@require_GET
@login_required
def search_all(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Issues, videos and bundles that match `q`; a few of each below the box (`part=found`), or the page."""
    request.membership = load_membership(request.user, team_slug)
    is_part = request.GET.get("part") == "found"
    text = request.GET.get("q", "")
    found = search(request.membership.team, text, limit=SUGGESTED if is_part else LISTED)
    context = {"found": found, "search_text": text[:MAX_TEXT]}
    return render_page(request, "search/_found.html" if is_part else "search/page.html", context)
