"""What will break next, and replacements prepared for it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from issues.access import load_editor, load_membership, load_video
from issues.fixes.carousels import FewerImagesError, ImageCount
from issues.fixes.given_links import split_given
from issues.fixes.prepared import prepare, withdraw
from issues.forms import LinksForm, dates_wish_of, number_of
from issues.models import Video
from issues.problems import Refusal
from issues.queries.at_risk import list_at_risk
from issues.views.chrome import MemberRequest, actor_of, render_page


@require_GET
@login_required
def at_risk(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Upcoming videos that are not flagged and whose links are dead or end too soon."""
    request.membership = load_membership(request.user, team_slug)
    return _page(request)


def _page(request: MemberRequest, refusal: Refusal | None = None, video: Video | None = None) -> HttpResponse:
    typed = request.POST.get("links", "")
    context = {
        "risk": list_at_risk(request.membership.team, after=request.GET.get("after", "")),
        "refusal": refusal.sentence if refusal else "",
        "refused_id": video.pk if video else 0,
        "can_insist": bool(refusal and refusal.can_insist),
        "suggestion": refusal.suggestion if refusal else "",
        "fewer": None,
        "typed": typed,
        "keeps_dates": request.membership.team.keeps_dates if (wish := dates_wish_of(request.POST)) is None else wish,
    }
    agreed = number_of(request.POST.get("fewer"))
    if isinstance(refusal, FewerImagesError):
        context |= {"fewer": refusal.count, "fewer_agreed": False}
    elif video and agreed is not None:
        after = len(split_given(typed.splitlines(), several=True))
        context |= {"fewer": ImageCount(len(video.links), after), "fewer_agreed": True}
    return render_page(request, "at_risk/list.html", context, status=422 if refusal else 200)


@require_POST
@login_required
def video_prepare(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """Keep a replacement until the flag comes."""
    request.membership = load_editor(request.user, team_slug)
    video = load_video(request.membership, pk)
    form = LinksForm(request.POST)
    if not form.is_valid():
        return _page(request, Refusal(_("Paste a link.")), video)
    try:
        prepare(
            video=video,
            links=form.cleaned_data["links"],
            actor=actor_of(request),
            unchecked=request.POST.get("unchecked") == "1",
            fewer_than=number_of(request.POST.get("fewer")),
            keep_dates=dates_wish_of(request.POST),
        )
    except Refusal as refusal:
        return _page(request, refusal, video)
    messages.success(request, _("Prepared: it is sent as soon as “{video}” is flagged.").format(video=video))
    return redirect("at_risk", team_slug)


@require_POST
@login_required
def video_withdraw(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """Take a prepared replacement back."""
    request.membership = load_editor(request.user, team_slug)
    withdraw(video=load_video(request.membership, pk), actor=actor_of(request))
    messages.success(request, _("The prepared replacement was withdrawn."))
    return redirect("at_risk", team_slug)
