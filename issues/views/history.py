"""The history and its export."""

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from issues.access import load_membership
from issues.audit import Event, Verb, record
from issues.audit.export import csv_lines, json_lines
from issues.enums import Origin
from issues.models import Workspace
from issues.queries.history import HistoryFilters, find_events, page_of
from issues.views.chrome import MemberRequest, actor_of, render_page

FORMATS = {"csv": (csv_lines, "text/csv; charset=utf-8"), "jsonl": (json_lines, "application/x-ndjson")}


@require_GET
@login_required
def history(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Who did what, latest first."""
    request.membership = load_membership(request.user, team_slug)
    team = request.membership.team
    filters = HistoryFilters.parse(request.GET)
    context = {
        "filters": filters,
        "page": page_of(find_events(team, filters), request.GET.get("after", "")),
        "verbs": Verb.choices,
        "origins": Origin.choices,
        "workspaces": Workspace.objects.filter(team=team).order_by("name"),
    }
    return render_page(request, "history/list.html", context)


@require_POST
@login_required
def export(request: MemberRequest, team_slug: str, kind: str) -> HttpResponse | StreamingHttpResponse:
    """What the page's filters show, as a file, latest first. That somebody exported is itself written down."""
    request.membership = load_membership(request.user, team_slug)
    if kind not in FORMATS:
        raise Http404
    team = request.membership.team
    filters = HistoryFilters.parse(request.GET)
    events = find_events(team, filters)
    write, content_type = FORMATS[kind]
    with transaction.atomic():
        changes = {"format": [None, kind], "filter": [None, request.GET.urlencode() or None]}
        record(team.pk, actor_of(request), [Event(Verb.HISTORY_EXPORTED, label=team.name, changes=changes)])
    response = StreamingHttpResponse(write(events.iterator(chunk_size=1000)), content_type=content_type)
    name = f"tokdash-history-{team.slug}-{timezone.now():%Y%m%d-%H%M}.{kind}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
