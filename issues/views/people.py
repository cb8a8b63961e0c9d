"""Settings: the team's people and rules; and the way in by invitation."""

from uuid import UUID

from allauth.account.utils import perform_login
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from issues import erasing, invitations, members
from issues.access import load_invitation, load_member, load_membership, load_owner
from issues.audit import Actor
from issues.enums import Origin, Role
from issues.forms import InviteForm, JoinForm, RoleForm, TeamForm
from issues.models import Invitation, User
from issues.nudge import nudge
from issues.problems import Refusal
from issues.queries.people import former_members, invitations_of, members_of
from issues.views.chrome import MemberRequest, actor_of, render_page
from issues.views.errors import too_many
from issues.views.fresh import ask_again

# --- Members -----------------------------------------------------------------------------------------------


def _members_page(request: MemberRequest, form: InviteForm) -> HttpResponse:
    team = request.membership.team
    context = {
        "form": form,
        "members": members_of(team),
        "invitations": invitations_of(team) if request.membership.is_owner else [],
        "former": former_members(team) if request.membership.is_owner else [],
        "roles": Role.choices,
    }
    return render_page(request, "settings/members.html", context, status=422 if form.errors else 200)


def _fresh_owner(request: MemberRequest, team_slug: str, page: str = "members") -> HttpResponse | None:
    """Load the owner; an answer where he has to confirm first that it is him."""
    request.membership = load_owner(request.user, team_slug)
    return ask_again(request, reverse(page, args=[team_slug]))


@require_GET
@login_required
def member_list(request: MemberRequest, team_slug: str) -> HttpResponse:
    """The team's people and their roles."""
    request.membership = load_membership(request.user, team_slug)
    return _members_page(request, InviteForm())


@require_POST
@login_required
def member_invite(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Invite a person by e-mail."""
    if again := _fresh_owner(request, team_slug) or too_many(request, "invite"):
        return again
    form = InviteForm(request.POST)
    if not form.is_valid():
        return _members_page(request, form)
    data = form.cleaned_data
    try:
        invitations.invite(
            team=request.membership.team, email=data["email"], role=Role(data["role"]), actor=actor_of(request)
        )
    except Refusal as refusal:
        form.add_error("email", refusal.sentence)
        return _members_page(request, form)
    nudge("issues.mail_invitations")
    messages.success(request, _("{email} gets an e-mail with a link to join.").format(email=data["email"]))
    return redirect("members", team_slug)


@require_POST
@login_required
def invitation_revoke(request: MemberRequest, team_slug: str, invitation_id: UUID) -> HttpResponse:
    """Withdraw an invitation."""
    request.membership = load_owner(request.user, team_slug)
    found = load_invitation(request.membership, invitation_id)
    if again := ask_again(request, reverse("members", args=[team_slug])):
        return again
    invitations.revoke(invitation=found, actor=actor_of(request))
    messages.success(request, _("The invitation of {email} works no more.").format(email=found.email))
    return redirect("members", team_slug)


@require_POST
@login_required
def member_role(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """Give a member another role."""
    request.membership = load_owner(request.user, team_slug)
    member = load_member(request.membership, pk)
    if again := ask_again(request, reverse("members", args=[team_slug])):
        return again
    form = RoleForm(request.POST)
    if form.is_valid():
        try:
            members.change_role(membership=member, role=Role(form.cleaned_data["role"]), actor=actor_of(request))
            messages.success(
                request,
                _("The role of {user} is now: {role}.").format(
                    user=member.user, role=Role(form.cleaned_data["role"]).label
                ),
            )
        except Refusal as refusal:
            messages.error(request, refusal.sentence)
    return redirect("members", team_slug)


@require_POST
@login_required
def member_remove(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """Take a member out of the team, at once."""
    request.membership = load_owner(request.user, team_slug)
    member = load_member(request.membership, pk)
    if again := ask_again(request, reverse("members", args=[team_slug])):
        return again
    try:
        members.remove_member(membership=member, actor=actor_of(request))
        messages.success(request, _("{user} is not in the team any more.").format(user=member.user))
    except Refusal as refusal:
        messages.error(request, refusal.sentence)
    if member.user_id == request.user.pk:
        return redirect("home")
    return redirect("members", team_slug)


@require_POST
@login_required
def member_erase(request: MemberRequest, team_slug: str, user_id: int) -> HttpResponse:
    """Erase the personal data of a former member from the team's record."""
    if again := _fresh_owner(request, team_slug):
        return again
    try:
        gone = erasing.erase_from_team(team=request.membership.team, user_id=user_id, actor=actor_of(request))
        messages.success(request, _("Erased.") if gone else _("There was nothing left to erase."))
    except Refusal as refusal:
        messages.error(request, refusal.sentence)
    return redirect("members", team_slug)


# --- The team itself -----------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def team_rules(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Name, second factor, how long history is kept; and handing over the ownership."""
    request.membership = load_owner(request.user, team_slug)
    team = request.membership.team
    if request.method == "POST":
        if again := ask_again(request, request.path):
            return again
        form = TeamForm(request.POST)
        if form.is_valid():
            try:
                members.change_rules(team=team, actor=actor_of(request), **form.cleaned_data)
            except Refusal as refusal:
                form.add_error(None, refusal.sentence)
            else:
                messages.success(request, _("Saved."))
                return redirect("team_rules", team_slug)
    else:
        form = TeamForm(initial={name: getattr(team, name) for name in TeamForm.base_fields})
    others = [member for member in members_of(team) if member.pk != request.membership.pk]
    context = {"form": form, "others": others}
    return render_page(request, "settings/team.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def team_hand_over(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Make another member (`member`) the owner in one's own place."""
    if again := _fresh_owner(request, team_slug, "team_rules"):
        return again
    number = request.POST.get("member", "")
    if not number.isdecimal() or len(number) > 18:
        messages.error(request, _("Choose another member of the team."))
        return redirect("team_rules", team_slug)
    to = load_member(request.membership, int(number))
    try:
        members.hand_over(owner=request.membership, to=to, actor=actor_of(request))
        messages.success(request, _("{user} owns the team now; you are an editor.").format(user=to.user))
    except Refusal as refusal:
        messages.error(request, refusal.sentence)
    return redirect("members", team_slug)


# --- The way in ----------------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: MemberRequest, token: str) -> HttpResponse:
    """The page behind an invitation's link: join, or first choose a password, or first log in."""
    try:
        found = invitations.open_invitation(token)
    except Refusal as refusal:
        return render_page(request, "invitation.html", {"refusal": refusal.sentence}, status=410)
    if bool(request.user.is_authenticated):
        return _join(request, found)
    if User.objects.filter(email__iexact=found.email).exists():
        return render_page(request, "invitation.html", {"invitation": found, "next": request.path})
    return _join_as_new(request, found)


def _join(request: MemberRequest, found: Invitation) -> HttpResponse:
    refusal = ""
    if request.method == "POST":
        try:
            invitations.accept(invitation=found, user=request.user, actor=actor_of(request))
            messages.success(request, _("You are in the team “{team}” now.").format(team=found.team))
            return redirect("issues", found.team.slug)
        except Refusal as error:
            refusal = error.sentence
    is_mine = request.user.email.lower() == found.email.lower()
    context = {"invitation": found, "is_mine": is_mine, "sentence": refusal}
    return render_page(request, "invitation.html", context, status=422 if refusal else 200)


def _join_as_new(request: MemberRequest, found: Invitation) -> HttpResponse:
    form = JoinForm(request.POST or None, email=found.email)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        user, _is_new = members.get_or_create_user(email=found.email, name=data["name"], password=data["password"])
        try:
            actor = Actor.person(user, Origin.PAGE, request.request_id)
            invitations.accept(invitation=found, user=user, actor=actor)
        except Refusal as refusal:
            return render_page(request, "invitation.html", {"refusal": refusal.sentence}, status=410)
        answer: HttpResponse = perform_login(
            request, user, email_verification="none", redirect_url=reverse("issues", args=[found.team.slug])
        )
        return answer
    return render_page(request, "invitation.html", {"invitation": found, "form": form}, 422 if form.errors else 200)
