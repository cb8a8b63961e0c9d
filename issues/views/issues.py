"""An issue, and the fix panel in it."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from issues.access import load_editor, load_fix, load_issue, load_membership
from issues.enums import FixKind, FixState
from issues.fixes import rehost
from issues.fixes.carousels import FewerImagesError, ImageCount
from issues.fixes.date_outcomes import dates_problem_of, dates_result
from issues.fixes.dates import keeps_dates
from issues.fixes.given_links import split_given
from issues.fixes.link_gate import NEVER_SENT
from issues.fixes.outcomes import outcome_of_fix
from issues.fixes.price import ask_price
from issues.fixes.submit import repair_kinds, submit_links
from issues.fixes.uploads import cancel_fix
from issues.forms import LinksForm, dates_wish_of, number_of
from issues.link_checks.paste import MAX_TEXT
from issues.models import Fix, Issue
from issues.problems import Refusal
from issues.queries.filters import IssueFilters
from issues.queries.issues import IssueStory, latest_fix, read_issue, steps_of
from issues.queries.queue import editors_of
from issues.triage.notes import handle_of, people_to_call
from issues.triage.presence import holder_of
from issues.views.chrome import MemberRequest, actor_of, render_page
from issues.views.queue import triage_context
from issues.wording import price_sentence


@require_GET
@login_required
def issue_detail(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """One issue: both voices, the fix panel, the story."""
    request.membership = load_membership(request.user, team_slug)
    issue = load_issue(request.membership, pk)
    if request.htmx and request.GET.get("seen") == _fingerprint_of(issue, latest_fix(issue)):
        return HttpResponse(status=204)
    return _issue_page(request, issue)


def _fingerprint_of(issue: Issue, fix: Fix | None) -> str:
    """Changes with every step of a fix, and with every look at the links."""
    looked = issue.video.link_checked_at
    step = f"{fix.pk}.{fix.state}.{fix.tries}.{fix.waits}.{fix.dates_tries}" if fix else "none"
    return f"{issue.state}.{step}.{looked.timestamp() if looked else 0:.0f}"


def _panel_context(
    request: MemberRequest, issue: Issue, form: LinksForm | None = None, refusal: Refusal | None = None
) -> dict[str, object]:
    filters = IssueFilters.parse(request.GET)
    story = read_issue(request.membership, issue, filters)
    fix = story.fix
    return {
        "story": story,
        "issue": issue,
        "fix": fix,
        "seen": _fingerprint_of(issue, fix),
        "steps": steps_of(fix) if fix and fix.is_unfinished else [],
        "outcome": outcome_of_fix(fix.code, fix.code_details) if fix and fix.code else None,
        "kinds": [kind.value for kind in repair_kinds(story.video)],
        "typed": _typed(request, story),
        "untyped": _untyped(story),
        "draft": f"issue-{issue.pk}",  # under which the browser keeps what is typed
        "keep_dates": _keeps_dates(request, issue),
        "dates_result": dates_result(fix) if fix else "",
        "dates_problem": dates_problem_of(fix) if fix else "",
        "form": form,
        "refusal": refusal.sentence if refusal else "",
        **_fewer_images(request, story, refusal),
        "can_insist": refusal.can_insist if refusal else _may_insist(fix),
        "suggestion": refusal.suggestion if refusal else "",
        "holder": holder_of(issue),
        "can_edit": request.membership.can_edit,
        "back": filters.address,
        "handles": [(handle_of(user), user.get_full_name()) for user in people_to_call(issue.team)],
        **triage_context(editors_of(issue.team) if request.membership.can_edit else []),
    }


def _may_insist(fix: Fix | None) -> bool:
    """Whether the latest fix was refused for its link, and the person may send it all the same."""
    code = fix.code if fix and fix.typed else ""
    return code.startswith("LINK_") and code.removeprefix("LINK_").lower() not in NEVER_SENT


def _fewer_images(request: MemberRequest, story: IssueStory, refusal: Refusal | None) -> dict[str, object]:
    """The question whether the carousel may lose images, once it was asked; with the answer, if the form comes back."""
    agreed = number_of(request.POST.get("fewer")) if request.method == "POST" else None
    if isinstance(refusal, FewerImagesError):
        return {"fewer": refusal.count, "fewer_agreed": False}
    if agreed is None or story.video.media_type != "carousel":
        return {"fewer": None}
    count = ImageCount(len(story.video.links), len(split_given(_typed(request, story).splitlines(), several=True)))
    return {"fewer": count if count.is_fewer else None, "fewer_agreed": True}


def _typed(request: MemberRequest, story: IssueStory) -> str:
    """What stands in the field: what was just typed, else what stood there before."""
    return str(request.POST.get("links", _untyped(story)))


def _untyped(story: IssueStory) -> str:
    """What stands in the field before somebody types: the failed attempt before, else a carousel's own links."""
    fix = story.fix
    if fix and fix.typed and fix.state != FixState.SUCCEEDED:
        return "\n".join(fix.typed)
    return "\n".join(story.video.links) if FixKind.CAROUSEL_URLS in repair_kinds(story.video) else ""


def _issue_page(
    request: MemberRequest, issue: Issue, form: LinksForm | None = None, refusal: Refusal | None = None
) -> HttpResponse:
    context = _panel_context(request, issue, form, refusal)
    status = 422 if refusal or (form and form.errors) else 200
    is_fragment = bool(request.htmx and request.htmx.target == "fix-panel")
    template = "issues/_panel.html" if is_fragment else "issues/detail.html"
    return render_page(request, template, {**context, "is_fragment": is_fragment}, status=status)


def _keeps_dates(request: MemberRequest, issue: Issue) -> bool:
    """Whether this fix brings the planned dates back: as the form says, or else as the team does it."""
    return keeps_dates(issue.video, request.membership.team, dates_wish_of(request.POST))


@require_POST
@login_required
def submit_fix(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """A fix by link or links."""
    request.membership = load_editor(request.user, team_slug)
    issue = load_issue(request.membership, pk)
    form = LinksForm(request.POST)
    if not form.is_valid():
        return _issue_page(request, issue, form)
    try:
        submit_links(
            issue=issue,
            links=form.cleaned_data["links"],
            actor=actor_of(request),
            unchecked=request.POST.get("unchecked") == "1",
            dry_run=request.POST.get("dry_run") == "1",
            fewer_than=number_of(request.POST.get("fewer")),
            keep_dates=_keeps_dates(request, issue),
        )
    except Refusal as refusal:
        return _issue_page(request, load_issue(request.membership, pk), form, refusal)
    return _after_change(request, team_slug, pk)


@require_POST
@login_required
def issue_price(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """What a fix would cost, by a dry run; only if this TokPortal is known to confirm dry runs."""
    request.membership = load_editor(request.user, team_slug)
    issue = load_issue(request.membership, pk)
    price = ask_price(issue=issue, actor=actor_of(request))
    context = {"issue": issue, "price_said": price_sentence(price.credits), "price_refused": price.refused}
    return render_page(request, "issues/_price.html", context)


@require_POST
@login_required
def submit_copy(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """Copy a link that works to TokPortal's store, and fix with that."""
    request.membership = load_editor(request.user, team_slug)
    issue = load_issue(request.membership, pk)
    try:
        rehost.submit_copy(
            issue=issue,
            link=request.POST.get("link", "")[:MAX_TEXT],
            actor=actor_of(request),
            keep_dates=_keeps_dates(request, issue),
        )
    except Refusal as refusal:
        return _issue_page(request, load_issue(request.membership, pk), None, refusal)
    return _after_change(request, team_slug, pk)


def _after_change(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """The panel for HTMX, the whole page by redirect without it."""
    if request.htmx:
        return _issue_page(request, load_issue(request.membership, pk))
    back = IssueFilters.parse(request.GET).address
    return redirect(reverse("issue", args=[team_slug, pk]) + (f"?{back}" if back else ""))


@require_POST
@login_required
def cancel(request: MemberRequest, team_slug: str, fix_id: UUID) -> HttpResponse:
    """Take back a fix that was not sent yet."""
    request.membership = load_editor(request.user, team_slug)
    fix = load_fix(request.membership, fix_id)
    try:
        cancel_fix(fix=fix, actor=actor_of(request))
    except Refusal as refusal:
        return _issue_page(request, load_issue(request.membership, fix.issue_id), None, refusal)
    return _after_change(request, team_slug, fix.issue_id)
