"""Links looked at for a person: what is typed, what is repaired, what stands in a slot."""

import threading
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from issues.access import load_editor, load_issue, load_membership
from issues.checks.store import fresh_verdicts, known_looks, look_at_links, media_kind_of, verdict_of
from issues.enums import FixKind
from issues.fixes.carousels import ImageCount
from issues.fixes.given_links import split_given
from issues.fixes.submit import repair_kinds
from issues.forms import MAX_LINKS_TEXT
from issues.link_checks.catalogue import Verdict
from issues.link_checks.paste import read
from issues.link_checks.urls import host_of
from issues.models import Issue, Video
from issues.nudge import nudge
from issues.tokportal.storage_paths import is_given_path, is_storage_path
from issues.triage.presence import claim, holder_of, note_presence, release
from issues.views.chrome import MemberRequest, actor_of, render_page

MAX_LINKS = 50
# Looks that a page waits for hold a thread of the web server: a few at a time, so that pages stay quick.
_looks = threading.BoundedSemaphore(3)
WINDOW = timedelta(minutes=1)
PERSON_LIMIT, TEAM_LIMIT, HOST_LIMIT = 60, 200, 60  # links a minute


@dataclass(frozen=True, slots=True)
class TypedLink:
    """A link as it was typed, with what we think of it; `looking` while its host is still to be asked."""

    number: int
    link: str
    verdict: Verdict
    looking: bool


def _typed(request: MemberRequest, issue: Issue) -> list[str]:
    """What is in the field, cleaned as it will be when it is sent."""
    lines = request.POST.get("links", "")[:MAX_LINKS_TEXT].splitlines()
    texts = split_given(lines, several=FixKind.CAROUSEL_URLS in repair_kinds(issue.video))[:MAX_LINKS]
    return [read(text).link or text for text in texts]


def _judged(issue: Issue, links: list[str]) -> list[TypedLink]:
    looks = known_looks(issue.team_id, links)
    fresh = fresh_verdicts(issue.team_id, links, needed_until=None)
    held = issue.video.links
    for number, link in enumerate(links):
        if is_storage_path(link) and not (issue.video.media_type == "carousel" and is_given_path(link, held)):
            fresh[number] = Verdict("malformed")  # by its form alone it could be anything
    return [
        TypedLink(number, link, found or verdict_of(link, looks.get(link), needed_until=None), looking=found is None)
        for number, (link, found) in enumerate(zip(links, fresh, strict=True), 1)
    ]


@require_POST
@login_required
def check_link(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """What the links in the form are, while they are typed: by their addresses at once, by asking their hosts after.

    A POST all the same: links carry secrets, and addresses of requests end up in logs.
    """
    request.membership = load_membership(request.user, team_slug)
    issue = load_issue(request.membership, pk)
    links = _typed(request, issue)
    if request.membership.can_edit:
        note_presence(issue=issue, user=request.user)
    return _answer(request, issue, links, ask=request.membership.can_edit)


def _count(issue: Issue, links: list[str]) -> ImageCount | None:
    """For a carousel: how many images there would be, if that differs."""
    count = ImageCount(len(issue.video.links), len(links))
    return count if issue.video.media_type == "carousel" and links and count.differs else None


def _answer(request: MemberRequest, issue: Issue, links: list[str], *, ask: bool) -> HttpResponse:
    judged = _judged(issue, links)
    context = {
        "issue": issue,
        "links": judged,
        "several": len(links) > 1,
        "count": _count(issue, links),
        "ask": ask and any(entry.looking for entry in judged),
        "text": "\n".join(links),
    }
    return render_page(request, "issues/_link_check.html", context)


@require_POST
@login_required
def link_look(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """Ask the hosts of typed links now; answers within some 15 seconds. 429 over a person's or team's limit."""
    request.membership = load_editor(request.user, team_slug)
    issue = load_issue(request.membership, pk)
    links = _typed(request, issue)
    unknown = [entry.link for entry in _judged(issue, links) if entry.looking][:8]
    if not _within_limits(request, issue, unknown):
        return _answer(request, issue, links, ask=False)
    if not _looks.acquire(timeout=2):
        return _answer(request, issue, links, ask=True)
    try:
        look_at_links(issue.workspace, unknown, expects=media_kind_of(issue.video), until=None)
    finally:
        _looks.release()
    return _answer(request, issue, links, ask=len(unknown) == 8)


def _within_limits(request: MemberRequest, issue: Issue, links: list[str]) -> bool:
    """Count these looks; False where a person, a team or a host has had its share of the minute."""
    minute = int(timezone.now().timestamp() // WINDOW.total_seconds())
    wanted = [
        (f"person:{request.user.pk}", PERSON_LIMIT, len(links)),
        (f"team:{issue.team_id}", TEAM_LIMIT, len(links)),
    ]
    wanted += [(f"host:{host}", HOST_LIMIT, 1) for link in links if (host := host_of(link))]
    for name, most, count in wanted:
        key = f"looks:{minute}:{name}"
        cache.add(key, 0, timeout=WINDOW.total_seconds() * 2)
        try:
            if cache.incr(key, count) > most:
                return False
        except ValueError:  # it has just run out
            continue
    return True


@require_POST
@login_required
def link_recheck(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """Look at the slot's links again, soon."""
    request.membership = load_editor(request.user, team_slug)
    issue = load_issue(request.membership, pk)
    if _within_limits(request, issue, issue.links[:MAX_LINKS]):
        Video.objects.filter(pk=issue.video_id).update(link_due_at=timezone.now())
        nudge("issues.check_links")
    return redirect("issue", team_slug, pk)


@require_GET
@login_required
def presence(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """Who is on it: asked again by the page; 204 while that is the same."""
    request.membership = load_membership(request.user, team_slug)
    issue = load_issue(request.membership, pk)
    holder = holder_of(issue)
    if request.htmx and request.GET.get("seen") == str(holder.pk if holder else ""):
        return HttpResponse(status=204)
    return render_page(request, "issues/_presence.html", {"issue": issue, "holder": holder})


@require_POST
@login_required
def issue_claim(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """Say that one is on it, or let go."""
    request.membership = load_editor(request.user, team_slug)
    issue = load_issue(request.membership, pk)
    change = release if request.POST.get("release") else claim
    change(issue=issue, actor=actor_of(request))
    if request.htmx:
        issue = load_issue(request.membership, pk)
        return render_page(request, "issues/_presence.html", {"issue": issue, "holder": holder_of(issue)})
    return redirect("issue", team_slug, pk)
