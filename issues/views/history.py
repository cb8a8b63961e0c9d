"""The history: reading it, one event, notes, exports."""

from collections.abc import Iterator

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from issues.access import events_of, load_editor, load_issue, load_membership
from issues.audit import Event, Verb, record
from issues.audit.evidence import evidence_of
from issues.audit.export import csv_lines, json_lines
from issues.audit.signing import signing_keys
from issues.enums import Origin
from issues.models import Team, Workspace
from issues.problems import Refusal
from issues.queries.history import (
    HistoryFilters,
    bounds_of,
    find_events,
    neighbours_of,
    page_of,
    proof_of,
)
from issues.queries.history_lines import read_events
from issues.triage.notes import write_note
from issues.views.chrome import MemberRequest, actor_of, render_page
from issues.views.errors import too_many
from issues.views.fresh import ask_again

FORMATS = {"csv": (csv_lines, "text/csv; charset=utf-8"), "jsonl": (json_lines, "application/x-ndjson")}
PACKAGE = "zip"


@require_GET
@login_required
def history(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Who did what, latest first."""
    request.membership = load_membership(request.user, team_slug)
    team = request.membership.team
    filters = HistoryFilters.parse(request.GET)
    bounds = bounds_of(team, filters)
    context = {
        "filters": filters,
        "bounds": bounds,
        "page": page_of(find_events(team, filters, bounds), request.GET.get("after", "")),
        "verbs": Verb.choices,
        "origins": Origin.choices,
        "workspaces": Workspace.objects.filter(team=team).order_by("name"),
    }
    return render_page(request, "history/list.html", context)


@require_GET
@login_required
def history_proof(request: MemberRequest, team_slug: str) -> HttpResponse:
    """What is known of the record's soundness, the public key, and the evidence package."""
    request.membership = load_membership(request.user, team_slug)
    context = {"proof": proof_of(request.membership.team), "public_key": signing_keys()[0].public_hex}
    return render_page(request, "history/proof.html", context)


@require_GET
@login_required
def history_event(request: MemberRequest, team_slug: str, seq: int) -> HttpResponse:
    """One event at an address that stays, with its neighbours."""
    request.membership = load_membership(request.user, team_slug)
    event = get_object_or_404(events_of(request.membership.team), seq=seq)
    context = {"event": event, "lines": read_events([event]), "beside": neighbours_of(event)}
    return render_page(request, "history/event.html", context)


@require_POST
@login_required
def history_note(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Write a note into the journal; `issue` says about which issue."""
    request.membership = load_editor(request.user, team_slug)
    number = request.POST.get("issue", "")
    issue = load_issue(request.membership, int(number)) if number.isdecimal() and len(number) < 19 else None
    try:
        write_note(
            team=request.membership.team, text=request.POST.get("text", ""), actor=actor_of(request), issue=issue
        )
        messages.success(request, _("The note is in the history."))
    except Refusal as refusal:
        messages.error(request, refusal.sentence)
    return redirect("issue", team_slug, issue.pk) if issue else redirect("history", team_slug)


@require_POST
@login_required
def export(request: MemberRequest, team_slug: str, kind: str) -> HttpResponse | StreamingHttpResponse:
    """What the page's filters show, as a file, latest first; `zip` is the whole record with all that proves it.

    That somebody exported is itself written down.
    """
    request.membership = load_membership(request.user, team_slug)
    if kind not in FORMATS and kind != PACKAGE:
        raise Http404
    if again := ask_again(request, reverse("history", args=[team_slug])):
        return again
    if stop := too_many(request, "export"):
        return stop
    team = request.membership.team
    filters = HistoryFilters.parse(request.GET)
    with transaction.atomic():
        changes = {"format": [None, kind], "filter": [None, request.GET.urlencode() or None]}
        record(team.pk, actor_of(request), [Event(Verb.HISTORY_EXPORTED, label=team.name, changes=changes)])
    content_type, pieces = _file_of(team, filters, kind)
    response = StreamingHttpResponse(pieces, content_type=content_type)
    name = f"tokdash-history-{team.slug}-{timezone.now():%Y%m%d-%H%M}.{kind}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    if kind == PACKAGE:
        response["Content-Encoding"] = "identity"  # compressed already
    return response


def _file_of(team: Team, filters: HistoryFilters, kind: str) -> tuple[str, Iterator[str] | Iterator[bytes]]:
    if kind == PACKAGE:
        return "application/zip", evidence_of(team)
    write, content_type = FORMATS[kind]
    return content_type, write(find_events(team, filters))
