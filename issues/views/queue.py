"""The queue: its list, what is done with its rows, and the views that people keep."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import quote_etag
from django.utils.translation import get_language, gettext, ngettext
from django.views.decorators.http import require_GET, require_POST

from issues.access import load_editor, load_membership, load_person, load_view
from issues.enums import VerdictClass
from issues.models import Membership, User
from issues.problems import Refusal
from issues.queries.filters import IssueFilters
from issues.queries.freshness import Freshness, freshness_of, videos_checked
from issues.queries.kept import kept
from issues.queries.onboarding import first_steps
from issues.queries.queue import IssueList, choices_of, clusters_of, editors_of, list_issues, matching_issues
from issues.triage.assigning import MAX_AT_ONCE, assign
from issues.triage.saved import choose_default, remove_view, save_view
from issues.triage.snoozing import CHOICES, moment_of, snooze, wake
from issues.views.chrome import MemberRequest, actor_of, render_page
from issues.wording import hour_text


@require_GET
@login_required
def issue_list(request: MemberRequest, team_slug: str) -> HttpResponse:
    """The queue. Asked again by itself (`part=list`), it answers 304 while nothing that is shown has changed."""
    request.membership = load_membership(request.user, team_slug)
    if not request.META["QUERY_STRING"] and (default := request.membership.default_view):
        return redirect(f"{request.path}?{default.query or 'state=open'}")
    if request.GET.get("part") == "list":
        return _list_part(request, IssueFilters.parse(request.GET), request.GET.get("after", ""))
    if request.GET.get("part") == "steps":
        return _steps_part(request)
    filters = IssueFilters.parse(request.GET)
    context = _list_context(request.membership, filters, request.GET.get("after", ""))
    freshness = cast("Freshness", context["freshness"])
    choices = choices_of(request.membership.team, [entry.workspace for entry in freshness.workspaces])
    context |= {
        "choices": choices,
        "verdict_choices": VerdictClass.choices,
        "steps": first_steps(request.membership, freshness, choices.people),
        "clusters": clusters_of(request.membership.team) if filters.tab == "open" and not filters.host else [],
        **triage_context(choices.people),
    }
    return render_page(request, "issues/list.html", context)


def _steps_part(request: MemberRequest) -> HttpResponse:
    """The first steps alone; once the first look is complete, the page anew."""
    team = request.membership.team
    steps = first_steps(request.membership, freshness_of(team), editors_of(team))
    if steps is None or steps.current != 2:
        return _to(request, reverse("issues", args=[team.slug]))
    return render_page(request, "issues/_first_steps.html", {"steps": steps})


def triage_context(people: Sequence[User]) -> dict[str, object]:
    """What the dialogs to assign and to snooze offer."""
    return {"people_to_assign": people, "snooze_choices": [(value, gettext(label)) for value, label in CHOICES.items()]}


def _list_context(membership: Membership, filters: IssueFilters, after: str) -> dict[str, object]:
    freshness = kept(membership.team, "freshness", partial(freshness_of, membership.team))
    shown = list_issues(membership, filters, after=after)
    picking = filters.tab in {"open", "snoozed"} and membership.can_edit
    has_mine = any(row.assignee and row.assignee.pk == membership.user_id for row in shown.page.rows)
    return {
        "filters": filters,
        "after": after,
        "picking": picking,
        "list": shown,
        # All that the rows show (templates/jinja2/issues/queue_rows.html).
        "rows_show": (
            membership.team.slug,
            filters.address,
            shown.digest,
            picking,
            len(freshness.workspaces) > 1,
            membership.user_id if has_mine else None,
        ),
        "freshness": freshness,
        "videos_checked": partial(videos_checked, membership.team),  # only where nothing is open is it told
        "etag": _fingerprint(membership, shown, freshness),
    }


def _list_part(request: MemberRequest, filters: IssueFilters, after: str) -> HttpResponse:
    """The list alone, or 304 where the page has it already."""
    context = _list_context(request.membership, filters, after)
    etag = quote_etag(str(context["etag"]))
    known = get_conditional_response(request, etag=etag)
    response = HttpResponse(status=304) if known else render_page(request, "issues/_list.html", context)
    response["ETag"] = etag
    patch_cache_control(response, private=True, no_cache=True)
    return response


def _fingerprint(membership: Membership, shown: IssueList, freshness: Freshness) -> str:
    """Changes with what the list shows, and once a minute, so that "2 h left" never grows old."""
    counts = [tab.count for tab in shown.tabs]
    views = [(view.name, view.count, view.is_default) for view in shown.views]
    looks = [(entry.status, entry.looked if entry.status == "never" else 0) for entry in freshness.workspaces]
    looks.append(("paused", bool(freshness.paused_since)))
    minute = int(timezone.now().timestamp() // 60)
    who = (membership.pk, membership.role, get_language(), timezone.get_current_timezone_name())
    seen = (who, shown.digest, counts, views, looks, minute)
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]


# --- What is done with rows ---------------------------------------------------------------------------------


def _chosen(request: MemberRequest, filters: IssueFilters) -> list[int]:
    """The issues that were ticked, or all that match the filters."""
    if request.POST.get("all"):
        found = matching_issues(request.membership, filters).values_list("pk", flat=True)
        return list(found[: MAX_AT_ONCE + 1])
    return [int(text) for text in request.POST.getlist("issue") if text.isdecimal() and len(text) < 19]


@require_POST
@login_required
def issue_act(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Assign, snooze or bring back one issue or many (`do`); then the list again, or the issue's page (`stay`)."""
    request.membership = load_editor(request.user, team_slug)
    filters = IssueFilters.parse(request.POST)
    keys = _chosen(request, filters)
    try:
        said = _act(request, keys)
    except Refusal as refusal:
        return _refused(request, filters, refusal.sentence)
    stay = request.POST.get("stay", "")
    if stay.isdecimal() and len(stay) < 19:
        messages.success(request, said)
        return _to(request, f"{reverse('issue', args=[team_slug, int(stay)])}?{filters.address}")
    if not request.htmx:
        messages.success(request, said)
        return _to(request, f"{reverse('issues', args=[team_slug])}?{filters.address}")
    # Loaded again: what was just done is an event more (see issues.queries.kept).
    request.membership = load_editor(request.user, team_slug)
    context = _list_context(request.membership, filters, request.POST.get("after", ""))
    response = render_page(request, "issues/_list.html", context)
    response["HX-Trigger"] = json.dumps({"acted": {"text": said}})
    return response


def _act(request: MemberRequest, keys: list[int]) -> str:
    """Do it; returns what was done as a sentence. Raises Refusal."""
    what, team, actor = request.POST.get("do"), request.membership.team, actor_of(request)
    if not keys:
        raise Refusal(gettext("Select issues first."), code="NOTHING_CHOSEN")
    if what == "assign":
        to = _assignee(request)
        count = assign(team=team, keys=keys, to=to, actor=actor)
        if to == request.user:
            said = ngettext("{count} issue is yours now.", "{count} issues are yours now.", count)
        elif to:
            said = ngettext("{count} issue goes to {name} now.", "{count} issues go to {name} now.", count)
        else:
            said = ngettext("{count} issue is nobody’s now.", "{count} issues are nobody’s now.", count)
        return said.format(count=count, name=to.get_full_name() if to else "")
    if what == "snooze":
        until = _until(request)
        count = snooze(team=team, keys=keys, until=until, actor=actor)
        kept = len(set(keys)) - count
        said = ngettext("{count} issue snoozed until {moment}.", "{count} issues snoozed until {moment}.", count)
        said = said.format(count=count, moment=hour_text(timezone.localtime(until)))
        if not kept:
            return said
        rest = ngettext("{count} is due too soon for that.", "{count} are due too soon for that.", kept)
        return f"{said} {rest.format(count=kept)}"
    if what == "wake":
        count = wake(team=team, keys=keys, actor=actor)
        return ngettext("{count} issue back in the queue.", "{count} issues back in the queue.", count).format(
            count=count
        )
    raise Refusal(gettext("This is not known here."), code="UNKNOWN_ACTION")


def _assignee(request: MemberRequest) -> User | None:
    to = request.POST.get("to", "")
    if to == "me":
        return request.user
    return load_person(request.membership, int(to)) if to.isdecimal() and len(to) < 19 else None


def _until(request: MemberRequest) -> datetime:
    """The choice of the dialog, or the moment that was typed, in the person's time zone."""
    typed = request.POST.get("until", "")
    if not typed:
        return moment_of(request.POST.get("for", ""))
    try:
        moment = datetime.fromisoformat(typed)
        return moment if moment.tzinfo else timezone.make_aware(moment)
    except (ValueError, OverflowError) as error:
        raise Refusal(gettext("This is no date and time."), code="SNOOZE_UNKNOWN") from error


def _refused(request: MemberRequest, filters: IssueFilters, sentence: str) -> HttpResponse:
    if request.htmx:
        response = HttpResponse(status=422)
        response["HX-Reswap"] = "none"
        response["HX-Trigger"] = json.dumps({"refused": {"text": sentence}})
        return response
    messages.error(request, sentence)
    return _to(request, f"{reverse('issues', args=[request.membership.team.slug])}?{filters.address}")


def _to(request: MemberRequest, url: str) -> HttpResponse:
    """Another page, for HTMX by its header."""
    if request.htmx:
        response = HttpResponse(status=204)
        response["HX-Redirect"] = url
        return response
    return redirect(url)


# --- Views that people keep ---------------------------------------------------------------------------------


@require_POST
@login_required
def view_save(request: MemberRequest, team_slug: str) -> HttpResponse:
    """Keep the filters under a name, for oneself or (editors) for the team."""
    request.membership = load_membership(request.user, team_slug)
    is_team = request.POST.get("team") == "1"
    if is_team:
        request.membership = load_editor(request.user, team_slug)
    filters = IssueFilters.parse(request.POST)
    try:
        view = save_view(
            membership=request.membership,
            name=request.POST.get("name", ""),
            query=filters.address,
            is_team=is_team,
            actor=actor_of(request),
        )
        if request.POST.get("default") == "1":
            choose_default(membership=request.membership, view=view)
        messages.success(request, gettext("“{name}” is saved.").format(name=view.name))
    except Refusal as refusal:
        messages.error(request, refusal.sentence)
    return redirect(f"{reverse('issues', args=[team_slug])}?{filters.address or 'state=open'}")


@require_POST
@login_required
def view_remove(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """Let go of a view; one of the team's only as an editor."""
    request.membership = load_membership(request.user, team_slug)
    view = load_view(request.membership, pk)
    if view.owner_id is None and not request.membership.can_edit:
        raise PermissionDenied
    remove_view(view=view, actor=actor_of(request))
    messages.success(request, gettext("“{name}” is removed.").format(name=view.name))
    return redirect(f"{reverse('issues', args=[team_slug])}?state=open")


@require_POST
@login_required
def view_default(request: MemberRequest, team_slug: str) -> HttpResponse:
    """What the queue shows first (`view`); empty: everything open."""
    request.membership = load_membership(request.user, team_slug)
    number = request.POST.get("view", "")
    view = load_view(request.membership, int(number)) if number.isdecimal() and len(number) < 19 else None
    choose_default(membership=request.membership, view=view)
    messages.success(
        request,
        gettext("The queue opens with “{name}” for you.").format(name=view.name)
        if view
        else gettext("The queue opens with all."),
    )
    return redirect(f"{reverse('issues', args=[team_slug])}?{view.query if view else 'state=open'}")
