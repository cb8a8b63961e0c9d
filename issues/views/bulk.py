"""Many fixes in one go: plan, look, send, take back."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from issues.access import load_bulk, load_editor, load_membership
from issues.enums import IssueState
from issues.fixes import bulk
from issues.fixes.tables import MAX_BYTES
from issues.forms import dates_wish_of
from issues.link_checks.urls import MAX_LENGTH
from issues.models import BulkFix, Issue, Team
from issues.problems import Refusal
from issues.queries.bulk import read_plan
from issues.queries.filters import IssueFilters
from issues.queries.queue import matching_issues
from issues.views.chrome import MemberRequest, actor_of, render_page


def _chosen(request: MemberRequest, team: Team) -> list[Issue]:
    """The open issues that were ticked, or all that match the filters."""
    said = request.POST if request.method == "POST" else request.GET
    if said.get("all"):
        found = matching_issues(request.membership, IssueFilters.parse(said)).filter(state=IssueState.OPEN)
        return list(found[: bulk.MAX_ROWS + 1])
    keys = [int(text) for text in said.getlist("issue") if text.isdecimal() and len(text) < 19][: bulk.MAX_ROWS + 1]
    found = Issue.objects.filter(team=team, state=IssueState.OPEN, pk__in=keys)
    return list(found.select_related("video__bundle", "workspace").order_by("deadline", "pk"))


@require_GET
@login_required
def bulk_new(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Choose how: one pattern for the chosen issues, or a table."""
    request.membership = load_membership(request.user, team_slug)
    return _form(request)


def _form(request: MemberRequest, refusal: str = "") -> HttpResponse:
    team = request.membership.team
    issues = _chosen(request, team)
    hosts: dict[str, int] = {}
    for issue in issues:
        if issue.host:  # the one that failed: a carousel's other images are fine where they are
            hosts[issue.host] = hosts.get(issue.host, 0) + 1
    said = request.POST if request.method == "POST" else request.GET
    context = {
        "issues": issues,
        "hosts": sorted(hosts.items(), key=lambda pair: -pair[1])[:12],
        "said": said,
        "all": bool(said.get("all")),
        "filters": IssueFilters.parse(said),
        "refusal": refusal,
        "recent": team.bulk_fixes.exclude(state="planned").order_by("-created_at")[:5],
        "most": bulk.MAX_ROWS,
    }
    return render_page(request, "bulk/new.html", context, status=422 if refusal else 200)


@require_POST
@login_required
def bulk_plan(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Make a plan; nothing is sent yet."""
    request.membership = load_editor(request.user, team_slug)
    team, actor = request.membership.team, actor_of(request)
    try:
        if request.POST.get("how") == "table":
            plan = bulk.plan_table(team=team, text=_table(request), actor=actor)
        else:
            plan = bulk.plan_pattern(
                team=team,
                issues=_chosen(request, team),
                find=request.POST.get("find", "")[:MAX_LENGTH],
                put=request.POST.get("put", "")[:MAX_LENGTH],
                actor=actor,
            )
    except Refusal as refusal:
        return _form(request, refusal.sentence)
    return redirect("bulk", team_slug, plan.pk)


def _table(request: MemberRequest) -> str | bytes:
    """What was pasted, or the file that was chosen. Raises Refusal for both: one of them would be lost."""
    file = request.FILES.get("file")
    pasted = request.POST.get("table", "")
    if file is None:
        return pasted
    if pasted.strip():
        raise Refusal(_("You pasted a table and chose a file. Send one of them."), code="TWO_TABLES")
    return bytes(file.read(MAX_BYTES + 1))


@require_GET
@login_required
def bulk_detail(request: MemberRequest, team_slug: str, bulk_id: UUID) -> HttpResponse:
    """The plan; while it moves the page asks again, and 204 says that nothing has changed."""
    request.membership = load_membership(request.user, team_slug)
    return _plan_page(request, load_bulk(request.membership, bulk_id))


def _plan_page(request: MemberRequest, plan: BulkFix, refusal: str = "") -> HttpResponse:
    view = read_plan(plan)
    if request.htmx and not refusal and request.GET.get("seen") == view.seen:
        return HttpResponse(status=204)
    template = "bulk/_plan.html" if request.htmx else "bulk/detail.html"
    context = {"plan": view, "refusal": refusal}
    return render_page(request, template, context, status=422 if refusal else 200)


@require_POST
@login_required
def bulk_start(request: MemberRequest, team_slug: str, bulk_id: UUID) -> HttpResponse:
    """Begin the countdown for the ticked rows."""
    request.membership = load_editor(request.user, team_slug)
    plan = load_bulk(request.membership, bulk_id)
    orders = [int(text) for text in request.POST.getlist("row") if text.isdecimal() and len(text) < 7]
    try:
        wish = dates_wish_of(request.POST)
        plan = bulk.start(
            bulk=plan,
            orders=orders,
            insist=request.POST.get("insist") == "1",
            keep_dates=request.membership.team.keeps_dates if wish is None else wish,
            actor=actor_of(request),
        )
    except Refusal as refusal:
        return _plan_page(request, plan, refusal.sentence)
    return _plan_page(request, plan) if request.htmx else redirect("bulk", team_slug, plan.pk)


@require_POST
@login_required
def bulk_undo(request: MemberRequest, team_slug: str, bulk_id: UUID) -> HttpResponse:
    """Take all of them back while the countdown runs."""
    request.membership = load_editor(request.user, team_slug)
    plan = load_bulk(request.membership, bulk_id)
    try:
        count = bulk.undo(bulk=plan, actor=actor_of(request))
    except Refusal as refusal:
        return _plan_page(request, plan, refusal.sentence)
    if request.htmx:
        plan.refresh_from_db()
        return _plan_page(request, plan)
    messages.success(
        request,
        ngettext(
            "{count} fix was taken back. Nothing was sent.", "{count} fixes were taken back. Nothing was sent.", count
        ).format(count=count),
    )
    return redirect("bulk", team_slug, plan.pk)
