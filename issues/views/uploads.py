"""What the uploader in the page talks to. Each answer is small JSON; errors carry one sentence for the person."""

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from issues.access import load_editor, load_fix, load_issue, load_media
from issues.fixes import uploads
from issues.fixes.carousels import FewerImagesError
from issues.fixes.dates import keeps_dates
from issues.fixes.given_links import LinkRefusal
from issues.fixes.link_gate import BadLinkError
from issues.problems import Refusal
from issues.views.chrome import MemberRequest, actor_of

CHUNK = 64 * 1024
MAX_PIECES = 1200  # of a file: its beginning and end, the heads of its boxes, its index


def _refused(refusal: Refusal, status: int = 422) -> JsonResponse:
    answer: dict[str, object] = {"code": refusal.code, "message": refusal.sentence}
    if isinstance(refusal, FewerImagesError):
        answer |= {"before": refusal.count.before, "after": refusal.count.after}
    elif isinstance(refusal, BadLinkError | LinkRefusal):
        answer["can_insist"] = refusal.can_insist
    return JsonResponse(answer, status=status)


@dataclass(frozen=True, slots=True)
class _Announced:
    """What the browser announces: files, with links between them in a carousel, and what the person agreed to."""

    files: list[uploads.FileFacts | str]
    insist: bool  # doubtful files
    unchecked: bool  # bad links
    fewer_than: int | None  # how many images the carousel had when they agreed to fewer
    keeps_dates: bool | None  # `None`: not asked


def _announced(text: bytes) -> _Announced:
    """Raises Refusal for anything that is not such a list."""
    try:
        said: Any = json.loads(text)
        fewer = said.get("fewer")
        agreed = fewer if isinstance(fewer, int) and not isinstance(fewer, bool) and 0 < fewer < 10**6 else None
        wish = said.get("keep_dates")
        return _Announced(
            files=[_entry(entry) for entry in said["files"]],
            insist=said.get("insist") is True,
            unchecked=said.get("unchecked") is True,
            fewer_than=agreed,
            keeps_dates=wish if isinstance(wish, bool) else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise Refusal(_("Choose a file."), code="FILE_MISSING") from error


def _entry(entry: Any) -> uploads.FileFacts | str:
    if "link" in entry:
        return str(entry["link"])
    return uploads.FileFacts(
        filename=str(entry["name"])[-255:] or "file",
        size=int(entry["size"]),
        pieces=[(int(piece["at"]), b64decode(str(piece["bytes"]))) for piece in entry["pieces"][:MAX_PIECES]],
    )


@require_POST
@login_required
def begin(request: MemberRequest, team_slug: str, pk: int) -> HttpResponse:
    """Announce files; answers with the addresses of each file's steps."""
    request.membership = load_editor(request.user, team_slug)
    issue = load_issue(request.membership, pk)
    try:
        said = _announced(request.body)
        fix = uploads.begin_upload(
            issue=issue,
            files=said.files,
            actor=actor_of(request),
            insist=said.insist,
            unchecked=said.unchecked,
            fewer_than=said.fewer_than,
            keep_dates=keeps_dates(issue.video, request.membership.team, said.keeps_dates),
        )
    except Refusal as refusal:
        return _refused(refusal)

    def url(name: str, key: UUID) -> str:
        return reverse(name, args=[team_slug, key])

    return JsonResponse(
        {
            "fix": str(fix.pk),
            "alive": url("upload_alive", fix.pk),
            "cancel": url("fix_cancel", fix.pk),
            "files": [
                {
                    "presign": url("upload_presign", media.pk),
                    "relay": url("upload_relay", media.pk),
                    "done": url("upload_done", media.pk),
                    "content_type": media.content_type,
                    "direct": uploads.goes_direct(media),
                }
                for media in fix.media.all()
            ],
        },
        status=201,
    )


@require_POST
@login_required
def presign(request: MemberRequest, team_slug: str, media_id: UUID) -> HttpResponse:
    """A fresh upload URL for the browser. It is a secret: in this answer alone, never cached."""
    request.membership = load_editor(request.user, team_slug)
    media = load_media(request.membership, media_id)
    try:
        place = uploads.presign_for_browser(media)
    except Refusal as refusal:
        return _refused(refusal)
    response = JsonResponse({"upload_url": place.upload_url, "content_type": media.content_type})
    response["Cache-Control"] = "no-store"
    return response


@require_http_methods(["PUT"])
@login_required
def relay(request: MemberRequest, team_slug: str, media_id: UUID) -> HttpResponse:
    """The bytes through us, for where the browser's own PUT to the store is refused. Streamed."""
    request.membership = load_editor(request.user, team_slug)
    media = load_media(request.membership, media_id)
    if request.META.get("CONTENT_LENGTH") != str(media.size):
        return _refused(Refusal(_("The file changed while it was uploaded. Choose it again."), code="FILE_CHANGED"))

    def chunks() -> Iterator[bytes]:
        while chunk := request.read(CHUNK):
            yield chunk

    try:
        uploads.relay(media, chunks())
    except Refusal as refusal:
        return _refused(refusal, status=502)
    return JsonResponse({"ok": True})


@require_POST
@login_required
def done(request: MemberRequest, team_slug: str, media_id: UUID) -> HttpResponse:
    """The file is in the store. With the last one the fix is sent."""
    request.membership = load_editor(request.user, team_slug)
    media = load_media(request.membership, media_id)
    try:
        fix = uploads.note_uploaded(media=media, actor=actor_of(request))
    except Refusal as refusal:
        return _refused(refusal)
    return JsonResponse({"state": fix.state})


@require_POST
@login_required
def alive(request: MemberRequest, team_slug: str, fix_id: UUID) -> HttpResponse:
    """The upload goes on; 409 where it was cancelled meanwhile."""
    request.membership = load_editor(request.user, team_slug)
    fix = load_fix(request.membership, fix_id)
    return JsonResponse({}, status=200 if uploads.keep_alive(fix) else 409)
