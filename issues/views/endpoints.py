"""Settings: the team's own endpoints, which are told what happens."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from issues.access import load_delivery, load_hook, load_membership, load_owner
from issues.forms import HookForm
from issues.models import Hook
from issues.outgoing import hooks
from issues.problems import Refusal
from issues.queries.hooks import deliveries_of, hooks_of
from issues.views.chrome import MemberRequest, actor_of, render_page
from issues.views.fresh import ask_again


@require_GET
@login_required
def hook_list(request: MemberRequest, team_slug: str) -> HttpResponse:
    """The team's endpoints and how they fare."""
    request.membership = load_membership(request.user, team_slug)
    return _list_page(request, HookForm())


def _list_page(request: MemberRequest, form: HookForm) -> HttpResponse:
    context = {"form": form, "entries": hooks_of(request.membership.team)}
    return render_page(request, "settings/hooks.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def hook_add(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Add one; its secret is on the answer's page and nowhere afterwards."""
    request.membership = load_owner(request.user, team_slug)
    if again := ask_again(request, reverse("hooks", args=[team_slug])):
        return again
    form = HookForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        try:
            hook, secret = hooks.add_hook(
                team=request.membership.team, name=data["name"], url=data["url"], types=data["types"],
                actor=actor_of(request),
            )  # fmt: skip
        except Refusal as refusal:
            form.add_error(None, refusal.sentence)
        else:
            return _hook_page(request, hook, secret=secret)
    return _list_page(request, form)


@require_GET
@login_required
def hook_detail(request: MemberRequest, team_slug: str, hook_id: UUID) -> HttpResponse:
    """One endpoint with its delivery log."""
    request.membership = load_membership(request.user, team_slug)
    return _hook_page(request, load_hook(request.membership, hook_id))


def _hook_page(
    request: MemberRequest, hook: Hook, form: HookForm | None = None, secret: str = "", status: int = 200
) -> HttpResponse:
    values = {"name": hook.name, "url": hook.url, "types": hook.types}
    context = {
        "hook": hook,
        "form": form or HookForm(initial=values),
        "deliveries": deliveries_of(hook, request.GET.get("after", "")),
        "secret": secret,
    }
    response = render_page(request, "settings/hook.html", context, status=422 if form and form.errors else status)
    if secret:
        response["Cache-Control"] = "no-store"
    return response


@require_POST
@login_required
def hook_change(request: MemberRequest, team_slug: str, hook_id: UUID) -> HttpResponse:
    """Name, address, kinds of events; or stop and go on (`active`)."""
    request.membership = load_owner(request.user, team_slug)
    hook = load_hook(request.membership, hook_id)
    if again := ask_again(request, reverse("hook", args=[team_slug, hook_id])):
        return again
    active = request.POST.get("active")
    given = {"name": hook.name, "url": hook.url, "types": hook.types}
    form = HookForm(given if active is not None else request.POST)
    if form.is_valid():
        try:
            hooks.change_hook(
                hook=hook, is_active=hook.is_active if active is None else active == "1", actor=actor_of(request),
                **form.cleaned_data,
            )  # fmt: skip
        except Refusal as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(request, _("Saved."))
            return redirect("hook", team_slug, hook_id)
    return _hook_page(request, hook, form)


@require_POST
@login_required
def hook_secret(request: MemberRequest, team_slug: str, hook_id: UUID) -> HttpResponse:
    """A new signing secret, shown once."""
    request.membership = load_owner(request.user, team_slug)
    hook = load_hook(request.membership, hook_id)
    if again := ask_again(request, reverse("hook", args=[team_slug, hook_id])):
        return again
    secret = hooks.change_secret(hook=hook, actor=actor_of(request))
    return _hook_page(request, hook, secret=secret)


@require_POST
@login_required
def hook_remove(request: MemberRequest, team_slug: str, hook_id: UUID) -> HttpResponse:
    """Let go of an endpoint."""
    request.membership = load_owner(request.user, team_slug)
    hook = load_hook(request.membership, hook_id)
    if again := ask_again(request, reverse("hook", args=[team_slug, hook_id])):
        return again
    hooks.remove_hook(hook=hook, actor=actor_of(request))
    messages.success(request, _("“{name}” is told no more.").format(name=hook.name))
    return redirect("hooks", team_slug)


@require_POST
@login_required
def hook_try(request: MemberRequest, team_slug: str, hook_id: UUID) -> HttpResponse:
    """Send a test event."""
    request.membership = load_owner(request.user, team_slug)
    hook = load_hook(request.membership, hook_id)
    hooks.send_test(hook=hook, actor=actor_of(request))
    messages.success(request, _("A test event is on its way; the log below shows what becomes of it."))
    return redirect("hook", team_slug, hook_id)


@require_POST
@login_required
def hook_replay(request: MemberRequest, team_slug: str, delivery_id: UUID) -> HttpResponse:
    """Deliver an event once more."""
    request.membership = load_owner(request.user, team_slug)
    delivery = load_delivery(request.membership, delivery_id)
    hooks.replay(delivery=delivery, actor=actor_of(request))
    messages.success(request, _("It is delivered once more, under the same event id."))
    return redirect("hook", team_slug, delivery.hook_id)
