"""How a workspace's sync stands, its webhooks, and "check now"."""

from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from issues.access import load_bundle, load_editor, load_issue, load_membership, load_owner, load_workspace
from issues.models import Bundle
from issues.problems import Refusal
from issues.queries.sync import sync_page, webhooks_page
from issues.sync import endpoints
from issues.sync.delivered import want_coverage
from issues.sync.looks import check_now
from issues.sync.planner import hurry
from issues.triage.notes import note_seen
from issues.views.chrome import MemberRequest, actor_of, render_page

WATCHED_EVERY = timedelta(seconds=30)
CHECKED_JUST_NOW = timedelta(seconds=3)


# --- The sync page -------------------------------------------------------------------------------------------


@require_GET
@login_required
def workspace_detail(request: MemberRequest, team_slug: str, workspace_id: UUID) -> HttpResponse:
    """One workspace: how soon a flag is seen, what it costs, what stands in the way. The figures refresh themselves."""
    request.membership = load_membership(request.user, team_slug)
    workspace = load_workspace(request.membership, workspace_id)
    template = "settings/_sync.html" if request.htmx else "settings/workspace.html"
    return render_page(request, template, {"workspace": workspace, "page": sync_page(workspace)})


# --- Webhooks ------------------------------------------------------------------------------------------------


@require_GET
@login_required
def workspace_webhooks(request: MemberRequest, team_slug: str, workspace_id: UUID) -> HttpResponse:
    """The endpoint at TokPortal and what came in."""
    request.membership = load_membership(request.user, team_slug)
    workspace = load_workspace(request.membership, workspace_id)
    context = {
        "workspace": workspace,
        "hooks": webhooks_page(workspace, request.GET.get("after", "")),
        "endpoint_url": endpoints.endpoint_url(workspace),
    }
    return render_page(request, "settings/webhooks.html", context)


@require_POST
@login_required
def webhook_register(request: MemberRequest, team_slug: str, workspace_id: UUID) -> HttpResponse:
    """Register the endpoint at TokPortal, or give it a new secret."""
    request.membership = load_owner(request.user, team_slug)
    workspace = load_workspace(request.membership, workspace_id)
    try:
        endpoint = endpoints.register_endpoint(workspace=workspace, actor=actor_of(request))
    except Refusal as refusal:
        messages.error(request, refusal.sentence)
    else:
        changed = endpoint.former_until is not None
        messages.success(
            request, _("The secret was changed.") if changed else _("TokPortal delivers its events here now.")
        )
    return redirect("workspace_webhooks", team_slug, workspace_id)


@require_POST
@login_required
def webhook_test(request: MemberRequest, team_slug: str, workspace_id: UUID) -> HttpResponse:
    """Let TokPortal send a test event, and see whether it arrives."""
    request.membership = load_owner(request.user, team_slug)
    workspace = load_workspace(request.membership, workspace_id)
    try:
        arrived = endpoints.try_endpoint(workspace=workspace)
    except Refusal as refusal:
        messages.error(request, refusal.sentence)
    else:
        if arrived:
            messages.success(request, _("The test event has arrived, signed as it should be."))
        else:
            messages.error(request, _("TokPortal sent a test event, but it did not arrive. Is this address reachable?"))
    return redirect("workspace_webhooks", team_slug, workspace_id)


@require_POST
@login_required
def webhook_remove(request: MemberRequest, team_slug: str, workspace_id: UUID) -> HttpResponse:
    """Delete the endpoint at TokPortal."""
    request.membership = load_owner(request.user, team_slug)
    workspace = load_workspace(request.membership, workspace_id)
    try:
        endpoints.remove_endpoint(workspace=workspace, actor=actor_of(request))
    except Refusal as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(request, _("TokPortal delivers no events here any more."))
    return redirect("workspace_webhooks", team_slug, workspace_id)


# --- Check now -----------------------------------------------------------------------------------------------


def _check(request: MemberRequest, bundle: Bundle) -> None:
    if bundle.last_checked_at and timezone.now() - bundle.last_checked_at < CHECKED_JUST_NOW:
        messages.success(request, _("Checked just now."))
        return
    try:
        tally = check_now(bundle, actor=actor_of(request))
    except Refusal as refusal:
        messages.error(request, refusal.sentence)
        return
    found = []
    if tally.opened:
        found.append(ngettext("{count} new flag", "{count} new flags", tally.opened).format(count=tally.opened))
    if tally.closed:
        found.append(ngettext("{count} flag gone", "{count} flags gone", tally.closed).format(count=tally.closed))
    messages.success(request, _("Checked: {found}.").format(found=", ".join(found) or _("nothing new")))


@require_POST
@login_required
def bundle_check(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """Ask TokPortal for the bundle now."""
    request.membership = load_editor(request.user, team_slug)
    _check(request, load_bundle(request.membership, pk))
    return redirect("bundle", team_slug, pk)


@require_POST
@login_required
def issue_check(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """Ask TokPortal for the issue's bundle now."""
    request.membership = load_editor(request.user, team_slug)
    issue = load_issue(request.membership, pk)
    bundle = issue.video.bundle
    bundle.workspace = issue.workspace
    _check(request, bundle)
    return redirect("issue", team_slug, pk)


@require_POST
@login_required
def bundle_watch(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """Somebody has the bundle, or an issue of it, open: it is worth a look, if it was not looked at lately.

    `issue`: which one; a note that called this person there is seen.
    """
    request.membership = load_membership(request.user, team_slug)
    bundle = load_bundle(request.membership, pk)
    now = timezone.now()
    if bundle.heat is not None and (bundle.last_checked_at is None or now - bundle.last_checked_at > WATCHED_EVERY):
        hurry(bundle.workspace, [bundle.tokportal_id], now)
    want_coverage(bundle)
    number = request.POST.get("issue", "")
    if number.isdecimal() and len(number) < 19:
        note_seen(issue=load_issue(request.membership, int(number)), user=request.user)
    return HttpResponse(status=204)
