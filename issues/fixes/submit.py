"""Take a fix from a person: check, store the exact body, and hand it to the workers."""

import json
import uuid
from collections.abc import Collection, Sequence
from functools import partial

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from issues.audit import Actor, Changes, Event, Verb, record
from issues.crash import crash_point
from issues.enums import CAROUSEL_KINDS, UPLOAD_KINDS, FixKind, FixState, IssueState
from issues.fixes.carousels import ImageCount, refuse_fewer_images
from issues.fixes.given_links import sendable_link, split_given
from issues.fixes.link_gate import refuse_bad_links
from issues.link_checks.masking import shown_url
from issues.models import Fix, Issue, Video
from issues.nudge import nudge
from issues.problems import Refusal
from issues.tokportal.storage_paths import is_given_path

MAX_IMAGES = 20


class FixUnderwayError(Refusal):
    """Somebody else's fix of this issue is on its way, or it was ended already."""

    code = "FIX_UNDERWAY"


def repair_kinds(video: Video) -> tuple[FixKind, ...]:
    """How this slot can be repaired: none for a story made of a picture, which fix-download has no field for.

    For a story made of a video `video_url` is the plain reading; TokPortal's answer decides.
    """
    if video.media_type == "carousel" or (video.media_type not in {"video", "story"} and video.carousel_images):
        return (FixKind.CAROUSEL_URLS, FixKind.IMAGE_FILES)
    if video.media_type == "story":
        return ()
    return (FixKind.URL, FixKind.VIDEO_FILE)


def body_of(kind: FixKind, sources: Sequence[str]) -> str:
    """The exact text that fix-download gets: `video_url` for a video, `carousel_images` in order for a carousel."""
    if kind in {FixKind.URL, FixKind.VIDEO_FILE, FixKind.REHOST}:
        return json.dumps({"video_url": sources[0]})
    return json.dumps({"carousel_images": list(sources)})


def check_links(
    kind: FixKind, links: Sequence[str], *, held: Collection[str] = (), unchecked: bool = False
) -> list[str]:
    """The links in the form that is sent. Raises Refusal with a sentence for what cannot be sent.

    A carousel takes storage paths too: those in TokPortal's folder, and those that the slot holds (`held`).
    `unchecked`: the person insists on what a browser reads as a link.
    """
    is_carousel = kind in CAROUSEL_KINDS
    given = split_given(links, several=is_carousel)
    if not given:
        raise Refusal(_("Paste a link, or upload a file."), code="LINK_MISSING")
    if len(given) > MAX_IMAGES:
        raise Refusal(_("A carousel takes at most {count} images.").format(count=MAX_IMAGES), code="TOO_MANY_IMAGES")
    sent = []
    for number, text in enumerate(given, 1):
        about = _("Image {number}: ").format(number=number) if len(given) > 1 else ""
        is_path = is_carousel and is_given_path(text, held)
        sent.append(text if is_path else sendable_link(text, about=about, unchecked=unchecked))
    return sent


def submit_links(
    *,
    issue: Issue,
    links: Sequence[str],
    actor: Actor,
    unchecked: bool = False,
    dry_run: bool = False,
    fewer_than: int | None = None,
    **fields: object,
) -> Fix:
    """A fix by link (video) or links (carousel, in order). Saved first, sent by a worker.

    `unchecked`: send links all the same that certainly are bad, unless they could lead into a network. `fewer_than`:
    the person agreed to send fewer images than this number, which the slot holds. `dry_run`: ask TokPortal to simulate;
    if it does not confirm that it did, it was a real fix and is treated as one. Raises Refusal for links that cannot be
    sent, BadLinkError for bad ones, FewerImagesError if the carousel would lose images, FixUnderwayError if somebody
    was faster.
    """
    kind = link_kind(issue.video)
    cleaned = check_links(kind, links, held=issue.video.links, unchecked=unchecked)
    if kind in CAROUSEL_KINDS:
        refuse_fewer_images(ImageCount(len(issue.video.links), len(cleaned)), fewer_than)
    refuse_bad_links(issue.video, cleaned, unchecked=unchecked)
    return create_fix(
        issue=issue, kind=kind, actor=actor, body=body_of(kind, cleaned), typed=cleaned, unchecked=unchecked,
        dry_run=dry_run, fewer_than=fewer_than, **fields,
    )  # fmt: skip


def link_kind(video: Video) -> FixKind:
    """How links repair this slot. Raises Refusal for a story made of a picture."""
    return _kind_for(video, files=False)


def _kind_for(video: Video, *, files: bool) -> FixKind:
    for kind in repair_kinds(video):
        if (kind in UPLOAD_KINDS) == files:
            return kind
    raise Refusal(
        _("TokPortal has no way to replace a story's picture. Ask the manager or TokPortal's support."),
        code="STORY_NOT_REPAIRABLE",
    )


def upload_kind(video: Video) -> FixKind:
    """How files repair this slot. Raises Refusal for a story made of a picture."""
    return _kind_for(video, files=True)


def create_fix(*, issue: Issue, kind: FixKind, actor: Actor, body: str, typed: Sequence[str], **fields: object) -> Fix:
    """The row of a new fix, queued where it has a body, uploading where it has none yet."""
    with transaction.atomic():
        current = Issue.objects.select_for_update(of=("self",)).select_related("video__bundle").get(pk=issue.pk)
        _refuse_unless_open(current)
        video = current.video
        state = FixState.QUEUED if body else FixState.UPLOADING
        fix = Fix(
            team_id=current.team_id,
            issue=current,
            kind=kind,
            state=state,
            actor=actor.user,
            actor_name=actor.name,
            origin=actor.origin,
            request_id=actor.request_id,
            idempotency_key=f"tokdash-fix-{uuid.uuid4()}",
            request_body=body,
            typed=list(typed),
            next_try_at=timezone.now() if body else None,
            date_before=video.target_publish_date,
            end_date_before=video.target_publish_end_date,
        )
        for name, value in fields.items():
            setattr(fix, name, value)
        fix.save(force_insert=True)
        crash_point("submit.saved", fix.pk)
        current.state = IssueState.FIXING
        current.save(update_fields=["state"])
        changes: Changes = {
            "state": [None, FixState(fix.state).value],
            "kind": [None, kind.value],
            **({"unchecked": [None, True]} if fix.unchecked else {}),
            **({"dry_run": [None, True]} if fix.dry_run else {}),
            **({"keep_dates": [None, True]} if fix.keep_dates else {}),
            **({"prepared": [None, True]} if fix.prepared_id else {}),
            **({"fewer_images": [None, True]} if fix.fewer_than else {}),
            "links": [[shown_url(link) for link in current.links], [shown_url(link) for link in typed] or None],
        }
        # Nobody has opened the issues of a bulk or prepared fix, so nobody is working on them.
        is_by_hand = fix.bulk_id is None and fix.prepared_id is None
        if is_by_hand and actor.user and current.claimed_by_id in {None, actor.user.pk}:
            current.claimed_by, current.claimed_at = actor.user, timezone.now()
            current.save(update_fields=["claimed_by", "claimed_at"])
        record(current.team_id, actor, [Event.about_issue(Verb.FIX_SUBMITTED, current, changes, fix_id=fix.pk)])
        if fix.state == FixState.QUEUED and fix.bulk_id is None:
            transaction.on_commit(partial(nudge, "issues.run_fix", str(fix.pk)))
    crash_point("submit.committed", fix.pk)
    return fix


def _refuse_unless_open(issue: Issue) -> None:
    if issue.state == IssueState.FIXING:
        fix = issue.fixes.order_by("-created_at").first()
        who = fix.actor_name.split(" <")[0] if fix else _("Somebody")
        raise FixUnderwayError(_("{who} has sent a fix for this already.").format(who=who))
    if issue.state != IssueState.OPEN:
        raise FixUnderwayError(_("This issue has ended already: the flag is gone."), code="VIDEO_NO_DOWNLOAD_ISSUE")
