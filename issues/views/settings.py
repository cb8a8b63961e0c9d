"""Settings: workspaces and their keys."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from issues.access import load_editor, load_membership, load_owner, load_workspace
from issues.enums import WorkspaceState
from issues.forms import RotateForm, WorkspaceChangeForm, WorkspaceForm
from issues.models import Workspace
from issues.nudge import nudge
from issues.problems import Refusal
from issues.queries.freshness import freshness_of
from issues.sync import workspaces
from issues.sync.key_expiry import set_expiry
from issues.tokportal.constants import API_VERSION
from issues.views.chrome import MemberRequest, actor_of, render_page
from issues.views.errors import too_many
from issues.views.fresh import ask_again


@require_GET
@login_required
def workspace_list(request: MemberRequest, team_slug: str) -> HttpResponse:
    """The team's TokPortal accounts and how fresh each is."""
    request.membership = load_membership(request.user, team_slug)
    freshness = freshness_of(request.membership.team)
    return render_page(request, "settings/workspaces.html", {"freshness": freshness, "built_for": API_VERSION})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def workspace_connect(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Connect a TokPortal account; the key is checked at once."""
    request.membership = load_owner(request.user, team_slug)
    if again := ask_again(request, request.path if request.method == "POST" else ""):
        return again
    form = WorkspaceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            workspace = workspaces.connect_workspace(
                team=request.membership.team,
                base_url=settings.TOKPORTAL_BASE_URL,
                actor=actor_of(request),
                **form.cleaned_data,
            )
        except Refusal as refusal:
            form.add_error(None, refusal.sentence)
        else:
            nudge("issues.sync_workspace", str(workspace.pk))
            messages.success(
                request,
                _("Connected to {account}. The first look has begun.").format(
                    account=workspace.account_email or "TokPortal"
                ),
            )
            return redirect("workspaces", team_slug)
    return render_page(request, "settings/connect.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
@login_required
def workspace_try_key(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Whether TokPortal accepts a key, while it is pasted (`read_key` or `write_key`); nothing is saved."""
    request.membership = load_owner(request.user, team_slug)
    if stop := too_many(request, "try_key"):
        return stop
    text = request.POST.get("write_key" if request.POST.get("second") else "read_key", "")
    context: dict[str, object] = {}
    if text.strip():
        try:
            context["account"] = workspaces.check_key(settings.TOKPORTAL_BASE_URL, workspaces.clean_key(text))
        except Refusal as refusal:
            context["refusal"] = refusal.sentence
    return render_page(request, "settings/_key_check.html", context)


@require_GET
@login_required
def workspace_keys(request: MemberRequest, team_slug: str, workspace_id: UUID) -> HttpResponse:
    """A workspace's keys by fingerprint, its name and its bound."""
    request.membership = load_membership(request.user, team_slug)
    return _keys_page(request, load_workspace(request.membership, workspace_id))


def _keys_page(
    request: MemberRequest,
    workspace: Workspace,
    rotate: RotateForm | None = None,
    change: WorkspaceChangeForm | None = None,
) -> HttpResponse:
    names = ("name", "max_age_minutes", "low_credits")
    days = {name: getattr(workspace, name) for name in ("read_key_expires_on", "write_key_expires_on")}
    context = {
        "workspace": workspace,
        "rotate": rotate or RotateForm(initial=days),
        "change": change or WorkspaceChangeForm(initial={name: getattr(workspace, name) for name in names}),
    }
    failed = (rotate and rotate.errors) or (change and change.errors)
    return render_page(request, "settings/keys.html", context, status=422 if failed else 200)


@require_POST
@login_required
def workspace_change(request: MemberRequest, team_slug: str, workspace_id: UUID) -> HttpResponse:
    """Its name and interval."""
    request.membership = load_owner(request.user, team_slug)
    workspace = load_workspace(request.membership, workspace_id)
    form = WorkspaceChangeForm(request.POST)
    if form.is_valid():
        try:
            workspaces.change_workspace(workspace=workspace, actor=actor_of(request), **form.cleaned_data)
        except Refusal as refusal:
            form.add_error(None, refusal.sentence)
    if form.errors:
        return _keys_page(request, workspace, change=form)
    messages.success(request, _("Saved."))
    return redirect("workspace_keys", team_slug, workspace_id)


@require_POST
@login_required
def workspace_rotate(request: MemberRequest, team_slug: str, workspace_id: UUID) -> HttpResponse:
    """Replace a key; the new one is checked first."""
    request.membership = load_owner(request.user, team_slug)
    workspace = load_workspace(request.membership, workspace_id)
    if again := ask_again(request, reverse("workspace_keys", args=[team_slug, workspace_id])):
        return again
    form = RotateForm(request.POST)
    if form.is_valid():
        try:
            message = _replace_keys(request, workspace, form)
        except Refusal as refusal:
            form.add_error(None, refusal.sentence)
    if form.errors:
        return _keys_page(request, workspace, rotate=form)
    messages.success(request, message)
    return redirect("workspace_keys", team_slug, workspace_id)


def _replace_keys(request: MemberRequest, workspace: Workspace, form: RotateForm) -> str:
    """New keys, or only other days on which those that are there expire. Raises Refusal."""
    new = {which: form.cleaned_data[which] for which in ("read_key", "write_key")}
    expires, actor = form.expires(), actor_of(request)
    for which in new:
        # The form shows the former key's day: it says nothing of a new key.
        if new[which] and expires.get(which) == getattr(workspace, f"{which}_expires_on"):
            expires[which] = None
    if not any(new.values()) and set_expiry(workspace=workspace, expires=expires, actor=actor):
        return _("Saved.")
    workspaces.rotate_key(workspace=workspace, expires=expires, actor=actor, **new)
    nudge("issues.sync_workspace", str(workspace.pk))
    return _("The new key works and is in use.")


@require_POST
@login_required
def workspace_check(request: MemberRequest, team_slug: str, workspace_id: UUID) -> HttpResponse:
    """Ask TokPortal whether the key works."""
    request.membership = load_owner(request.user, team_slug)
    workspace = load_workspace(request.membership, workspace_id)
    try:
        if workspace.read_key is None:
            raise Refusal(_("The workspace has no key."), code="NO_KEY")
        account = workspaces.check_key(workspace.base_url, workspace.read_key)
    except Refusal as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(request, _("The key works: {who}.").format(who=account.email or _("TokPortal answers")))
    return redirect("workspace_keys", team_slug, workspace_id)


@require_POST
@login_required
def workspace_pause(request: MemberRequest, team_slug: str, workspace_id: UUID) -> HttpResponse:
    """Pause its sweeps, or resume them (`paused` is 1 or 0)."""
    request.membership = load_owner(request.user, team_slug)
    workspace = load_workspace(request.membership, workspace_id)
    paused = request.POST.get("paused") == "1"
    if workspace.state == WorkspaceState.KEY_REFUSED:
        messages.error(request, _("TokPortal refuses this workspace's key: replace it first."))
    else:
        workspaces.pause_workspace(workspace=workspace, paused=paused, actor=actor_of(request))
        messages.success(request, _("Paused: nothing is asked of TokPortal.") if paused else _("Resumed."))
    return redirect("workspace", team_slug, workspace_id)


@require_POST
@login_required
def workspace_sweep(request: MemberRequest, team_slug: str, workspace_id: UUID) -> HttpResponse:
    """Look at everything now instead of at the next time."""
    request.membership = load_editor(request.user, team_slug)
    workspace = load_workspace(request.membership, workspace_id)
    workspaces.want_everything_now(workspace=workspace, actor=actor_of(request))
    nudge("issues.sync_workspace", str(workspace.pk))
    messages.success(request, _("Looking at “{name}” now.").format(name=workspace.name))
    if request.POST.get("next") == "issues":
        return redirect("issues", team_slug)
    return redirect("workspace", team_slug, workspace_id)
