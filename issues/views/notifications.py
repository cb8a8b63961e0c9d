"""Settings: who is told of what, where, and when not."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from issues.access import load_channel, load_membership
from issues.forms import ChannelForm
from issues.models import Channel
from issues.notify import channels
from issues.problems import Refusal
from issues.queries.channels import channels_of, messages_of, where_of
from issues.views.chrome import MemberRequest, actor_of, render_page
from issues.views.fresh import ask_again


@require_GET
@login_required
def notification_list(request: MemberRequest, team_slug: str) -> HttpResponse:
    """One's own channels and the team's."""
    request.membership = load_membership(request.user, team_slug)
    return _list_page(request, ChannelForm(is_own=True))


def _list_page(request: MemberRequest, form: ChannelForm) -> HttpResponse:
    context = {
        "form": form,
        "mine": channels_of(request.membership, of_team=False),
        "ours": channels_of(request.membership, of_team=True),
    }
    return render_page(request, "settings/notifications.html", context, status=422 if form.errors else 200)


def _writable(request: MemberRequest, team_slug: str, channel_id: UUID) -> Channel:
    """The channel, if it is one's own, or the team's and one is an owner."""
    request.membership = load_membership(request.user, team_slug)
    channel = load_channel(request.membership, channel_id)
    if channel.owner_id is None and not request.membership.is_owner:
        raise PermissionDenied
    return channel


@require_POST
@login_required
def channel_add(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Add a channel of one's own, or (owners, `team`) of the team."""
    request.membership = load_membership(request.user, team_slug)
    is_team = request.POST.get("team") == "1"
    if is_team and not request.membership.is_owner:
        raise PermissionDenied
    # What the team is told goes to an address outside: whoever sets that confirms who he is, as for endpoints.
    if is_team and (again := ask_again(request, reverse("notifications", args=[team_slug]))):
        return again
    form = ChannelForm(request.POST, is_own=not is_team)
    if form.is_valid():
        try:
            channel = channels.add_channel(
                team=request.membership.team,
                owner=None if is_team else request.membership,
                wishes=form.wishes(),
                actor=actor_of(request),
            )
        except Refusal as refusal:
            form.add_error("target" if refusal.code == "TARGET" else None, refusal.sentence)
        else:
            messages.success(request, _("Saved. Try it with a test message."))
            return redirect("channel", team_slug, channel.pk)
    return _list_page(request, form)


@require_GET
@login_required
def channel_detail(request: MemberRequest, team_slug: str, channel_id: UUID) -> HttpResponse:
    """One channel with what went out."""
    request.membership = load_membership(request.user, team_slug)
    return _channel_page(request, load_channel(request.membership, channel_id))


def _channel_page(request: MemberRequest, channel: Channel, form: ChannelForm | None = None) -> HttpResponse:
    context = {
        "channel": channel,
        "where": where_of(channel),
        "form": form or ChannelForm.of(channel),
        "sent": messages_of(channel, request.GET.get("after", "")),
        "can_change": channel.owner_id is not None or request.membership.is_owner,
    }
    return render_page(request, "settings/channel.html", context, status=422 if form and form.errors else 200)


@require_POST
@login_required
def channel_change(request: MemberRequest, team_slug: str, channel_id: UUID) -> HttpResponse:
    """How it is to be; or stop and go on (`active`)."""
    channel = _writable(request, team_slug, channel_id)
    back = reverse("channel", args=[team_slug, channel_id])
    if channel.owner_id is None and (again := ask_again(request, back)):
        return again
    form = ChannelForm(request.POST, is_own=channel.owner_id is not None, kind=channel.kind)
    if form.is_valid():
        try:
            channels.change_channel(
                channel=channel,
                wishes=form.wishes(),
                is_active=request.POST.get("active") == "1",
                actor=actor_of(request),
            )
        except Refusal as refusal:
            form.add_error("target" if refusal.code == "TARGET" else None, refusal.sentence)
        else:
            messages.success(request, _("Saved."))
            return redirect("channel", team_slug, channel_id)
    return _channel_page(request, channel, form)


@require_POST
@login_required
def channel_remove(request: MemberRequest, team_slug: str, channel_id: UUID) -> HttpResponse:
    """Let go of a channel."""
    channel = _writable(request, team_slug, channel_id)
    channels.remove_channel(channel=channel, actor=actor_of(request))
    messages.success(request, _("Nothing goes to “{name}” any more.").format(name=channel.name))
    return redirect("notifications", team_slug)


@require_POST
@login_required
def channel_try(request: MemberRequest, team_slug: str, channel_id: UUID) -> HttpResponse:
    """Send a test message."""
    channel = _writable(request, team_slug, channel_id)
    channels.try_channel(channel=channel, actor=actor_of(request))
    messages.success(request, _("A test message is on its way; the log shows what becomes of it."))
    return redirect("channel", team_slug, channel_id)
