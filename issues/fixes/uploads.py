"""Files on their way to TokPortal's store: presigned URL → PUT → fix.

The fix row exists before the first byte moves, in state `uploading`, and belongs to whoever uploads (a browser or a
command), who keeps its lease alive. When the last file is there the body is stored and a worker takes over. An upload
whose lease runs out was abandoned: it is cancelled and the issue is open again.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import IO

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from issues.audit import Actor, Changes
from issues.crash import crash_point
from issues.enums import CAROUSEL_KINDS, FixKind, FixState, MediaKind, MediaState
from issues.fixes.carousels import ImageCount, refuse_fewer_images
from issues.fixes.link_gate import refuse_bad_links
from issues.fixes.moves import MoveError, end_before_sending, move
from issues.fixes.outcomes import OUTCOMES, outcome_of
from issues.fixes.submit import MAX_IMAGES, body_of, check_links, create_fix, upload_kind
from issues.link_checks.checker import stored_size
from issues.link_checks.masking import shown_url
from issues.media.examiner import Pieces
from issues.media.file_check import look_at_file
from issues.models import Fix, Issue, MediaFile, Video
from issues.nudge import nudge
from issues.problems import Refusal
from issues.sync.connection import open_client
from issues.sync.workspaces import learn_storage_prefix
from issues.tokportal.budget import Lane
from issues.tokportal.client import TokPortalClient
from issues.tokportal.errors import StorageRefusedError, TokPortalError
from issues.tokportal.payloads import PresignedUpload
from issues.tokportal.storage_paths import is_storage_path
from issues.tokportal.transport import SizedFile

UPLOAD_LEASE = timedelta(minutes=2)
# TokPortal's direct upload makes JPEG of these; the presigned one would keep what no platform takes.
CONVERTED = frozenset({"image/heic", "image/heif", "image/heic-sequence", "image/heif-sequence"})


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file before it is uploaded. `pieces`: (offset, bytes) of it, its first 64 bytes at least."""

    filename: str
    size: int  # bytes
    pieces: list[tuple[int, bytes]]


def begin_upload(
    *,
    issue: Issue,
    files: Sequence[FileFacts | str],
    actor: Actor,
    insist: bool = False,
    unchecked: bool = False,
    dry_run: bool = False,
    fewer_than: int | None = None,
    keep_dates: bool = False,
) -> Fix:
    """A fix in state `uploading` with its files in order. Raises Refusal for files that this slot cannot take.

    In a carousel a link or a storage path may stand for an image that is on the web already. `fewer_than`: the person
    agreed to send fewer images than this number, which the slot holds. Files that will most likely not work are refused
    with the code FILE_DOUBTFUL unless the person insists; bad links among them with BadLinkError unless they are to go
    `unchecked`. `dry_run`: the files are uploaded, and TokPortal is asked to simulate the fix.
    """
    kind = upload_kind(issue.video)
    media_kind = MediaKind.VIDEO if kind == FixKind.VIDEO_FILE else MediaKind.IMAGE
    if not files:
        raise Refusal(_("Choose a file."), code="FILE_MISSING")
    if media_kind == MediaKind.VIDEO and len(files) > 1:
        raise Refusal(_("A video slot takes one file."), code="TOO_MANY_FILES")
    if len(files) > MAX_IMAGES:
        raise Refusal(_("A carousel takes at most {count} images.").format(count=MAX_IMAGES), code="TOO_MANY_IMAGES")
    rows = [
        _row(entry, number, media_kind, insist=insist)
        if isinstance(entry, FileFacts)
        else _linked(entry, number, kind, issue.video, unchecked=unchecked)
        for number, entry in enumerate(files, 1)
    ]
    if kind in CAROUSEL_KINDS:
        refuse_fewer_images(ImageCount(len(issue.video.links), len(files)), fewer_than)
    links = [row.source for row in rows if row.is_linked]
    if links:
        refuse_bad_links(issue.video, links, unchecked=unchecked)
    with transaction.atomic():
        fix = create_fix(
            issue=issue,
            kind=kind,
            fewer_than=fewer_than,
            keep_dates=keep_dates,
            unchecked=unchecked,
            dry_run=dry_run,
            actor=actor,
            body="",
            typed=[],
            lease_until=timezone.now() + UPLOAD_LEASE,
        )
        for row in rows:
            row.fix = fix
        MediaFile.objects.bulk_create(rows)
    crash_point("upload.begun", fix.pk)
    return fix


def _row(file: FileFacts, order: int, media_kind: MediaKind, *, insist: bool) -> MediaFile:
    look = look_at_file(
        filename=file.filename,
        size=file.size,
        kind=media_kind,
        max_bytes=settings.UPLOAD_MAX_BYTES,
        read_at=Pieces(file.pieces),
    )
    if look.warning and not insist:
        raise Refusal(look.warning, code="FILE_DOUBTFUL")
    name = file.filename.replace("\x00", "")[-255:]
    return MediaFile(order=order, kind=media_kind, filename=name, content_type=look.content_type, size=file.size)


def _linked(link: str, order: int, kind: FixKind, video: Video, *, unchecked: bool) -> MediaFile:
    """A link or storage path between files: nothing of it is uploaded."""
    link_kind = FixKind.CAROUSEL_URLS if kind == FixKind.IMAGE_FILES else FixKind.URL
    links = check_links(link_kind, [link], held=video.links, unchecked=unchecked)
    if len(links) != 1:
        raise Refusal(_("Give each image on its own."), code="LINK_MALFORMED")
    link = links[0]
    is_path = is_storage_path(link)
    return MediaFile(
        order=order,
        kind=MediaKind.IMAGE,
        filename=shown_url(link)[-255:],
        content_type="",
        size=0,
        state=MediaState.UPLOADED,
        public_url="" if is_path else link,
        storage_path=link if is_path else "",
    )


def keep_alive(fix: Fix) -> bool:
    """The upload goes on: extend its lease. False where it was cancelled meanwhile."""
    until = timezone.now() + UPLOAD_LEASE
    return Fix.objects.filter(pk=fix.pk, state=FixState.UPLOADING).update(lease_until=until) == 1


def presign(media: MediaFile, client: TokPortalClient) -> PresignedUpload:
    """A fresh place for the file. Its public address is kept; the upload URL is a secret and only returned."""
    bundle_id = media.fix.issue.video.bundle.tokportal_id
    if media.kind == MediaKind.VIDEO:
        place = client.presign_video(filename=media.filename, bundle_id=bundle_id, content_type=media.content_type)
    else:
        place = client.presign_image(filename=media.filename, bundle_id=bundle_id, content_type=media.content_type)
    MediaFile.objects.filter(pk=media.pk, state=MediaState.WAITING).update(
        public_url=place.public_url, storage_path=place.storage_path
    )
    learn_storage_prefix(media.fix.issue.workspace, public_url=place.public_url, storage_path=place.storage_path)
    crash_point("upload.presigned", media.fix_id)
    return place


def goes_direct(media: MediaFile) -> bool:
    """Whether the file goes through TokPortal itself, which converts it: HEIC and HEIF become JPEG there alone."""
    return media.content_type in CONVERTED


def upload_direct(
    media: MediaFile,
    source: IO[bytes] | Iterator[bytes],
    client: TokPortalClient,
    *,
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Give one image to TokPortal's direct upload, streamed. Each try has a key of its own: it publishes nothing."""
    place = client.upload_image_direct(
        SizedFile(source, media.size, on_progress),
        filename=media.filename,
        bundle_id=media.fix.issue.video.bundle.tokportal_id,
        content_type=media.content_type,
        idempotency_key=f"tokdash-image-{uuid.uuid4()}",
    )
    MediaFile.objects.filter(pk=media.pk, state=MediaState.WAITING).update(
        public_url=place.public_url, storage_path=place.storage_path
    )
    learn_storage_prefix(media.fix.issue.workspace, public_url=place.public_url, storage_path=place.storage_path)


def presign_for_browser(media: MediaFile) -> PresignedUpload:
    """Likewise, with a client of its own, in the lane of people. Raises Refusal with a sentence."""
    _refuse_ended(media.fix)
    if goes_direct(media):
        raise Refusal(_("This image is sent through TokDash, because TokPortal converts it."), code="FILE_GOES_DIRECT")
    keep_alive(media.fix)
    try:
        with open_client(media.fix.issue.workspace, Lane.INTERACTIVE, for_fixing=True) as client:
            return presign(media, client)
    except TokPortalError as error:
        raise upload_problem(error) from error


def relay(media: MediaFile, source: IO[bytes] | Iterator[bytes]) -> None:
    """Stream the bytes from a browser through us to the store: for where its own PUT is refused.

    Memory stays flat. Raises Refusal with a sentence where it fails; the upload may then start again.
    """
    _refuse_ended(media.fix)
    beat = _EverySeconds(20, partial(keep_alive, media.fix))
    try:
        with open_client(media.fix.issue.workspace, Lane.INTERACTIVE, for_fixing=True) as client:
            put_file(media, source, client, on_progress=lambda sent: beat())
    except TokPortalError as error:
        raise upload_problem(error) from error


def put_file(
    media: MediaFile,
    source: IO[bytes] | Iterator[bytes],
    client: TokPortalClient,
    *,
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Bring one file into TokPortal's store: presign and PUT, or by the direct upload if it is to be converted."""
    if goes_direct(media):
        upload_direct(media, source, client, on_progress=on_progress)
        crash_point("upload.stored", media.fix_id)
        return
    place = presign(media, client)
    client.put_presigned(
        place.upload_url, source, size=media.size, content_type=media.content_type, on_progress=on_progress
    )
    crash_point("upload.stored", media.fix_id)


def upload_problem(error: TokPortalError) -> Refusal:
    """A failed upload in a plain sentence."""
    if isinstance(error, StorageRefusedError):
        return Refusal(_("TokPortal's storage refused the file. Try again: it gets a fresh place."), code=error.code)
    if error.code in OUTCOMES:
        found = outcome_of(error.code, error.status, error.details)
        return Refusal(f"{found.say} {found.next_step}", code=error.code)
    return Refusal(_("The file could not be uploaded to TokPortal. Try again in a moment."), code=error.code)


def note_uploaded(*, media: MediaFile, actor: Actor) -> Fix:
    """One file is in the store; with the last one the fix goes to the workers. Idempotent.

    Raises Refusal where the store has fewer bytes than were sent.
    """
    _refuse_short(media)
    with transaction.atomic():
        fix = Fix.objects.select_for_update(of=("self",)).get(pk=media.fix_id)
        if fix.state != FixState.UPLOADING:
            return fix
        files = list(MediaFile.objects.select_for_update().filter(fix=fix).order_by("order"))
        for file in files:
            if file.pk == media.pk and file.state == MediaState.WAITING:
                if not file.source:
                    raise Refusal(_("This file has no place in TokPortal's storage yet."), code="FILE_NOT_PLACED")
                file.state, file.uploaded_at = MediaState.UPLOADED, timezone.now()
                file.save(update_fields=["state", "uploaded_at"])
        if any(file.state != MediaState.UPLOADED for file in files):
            return fix
        changes: Changes = {"files": [None, [{"name": file.filename, "bytes": file.size} for file in files]]}
        fix = move(
            fix.pk,
            FixState.UPLOADED,
            actor=actor,
            fence=None,
            changes=changes,
            request_body=body_of(FixKind(fix.kind), [file.source for file in files]),
            lease_until=None,
            next_try_at=timezone.now(),
        )
        transaction.on_commit(partial(nudge, "issues.run_fix", str(fix.pk)))
    crash_point("upload.noted", media.fix_id)
    return fix


def _refuse_short(media: MediaFile) -> None:
    """Compare what the store has with what was sent, where its public address can be asked."""
    if media.state != MediaState.WAITING or not media.public_url or not media.size or goes_direct(media):
        return  # what was converted has another size
    stored = stored_size(media.public_url)
    if stored is not None and stored != media.size:
        raise Refusal(
            _("Only {stored} of {size} bytes of “{filename}” arrived. Upload it again.").format(
                stored=stored, size=media.size, filename=media.filename
            ),
            code="FILE_SHORT",
        )


def cancel_fix(*, fix: Fix, actor: Actor, code: str = "CANCELLED") -> Fix:
    """Stop a fix that was not sent yet. Raises Refusal once it is on its way."""
    try:
        return end_before_sending(fix.pk, FixState.CANCELLED, actor=actor, code=code)
    except MoveError as error:
        raise Refusal(_("This fix is on its way already and cannot be taken back."), code="TOO_LATE") from error


def cancel_abandoned() -> int:
    """End uploads whose browser or command has gone; returns how many."""
    abandoned = Fix.objects.filter(state=FixState.UPLOADING, lease_until__lt=timezone.now())
    count = 0
    for fix in abandoned[:100]:
        try:
            end_before_sending(
                fix.pk,
                FixState.CANCELLED,
                actor=Actor.system(),
                code="UPLOAD_ABANDONED",
                among=frozenset({FixState.UPLOADING}),
            )
        except MoveError:
            continue  # its last file has just arrived
        count += 1
    return count


def _refuse_ended(fix: Fix) -> None:
    if fix.state != FixState.UPLOADING:
        raise Refusal(_("This upload was cancelled or has ended. Start again."), code="UPLOAD_ENDED")


class _EverySeconds:
    """Call a function at most every so many seconds."""

    def __init__(self, seconds: float, function: Callable[[], object]) -> None:
        self._pause, self._function, self._next = timedelta(seconds=seconds), function, timezone.now()

    def __call__(self) -> None:
        now = timezone.now()
        if now >= self._next:
            self._next = now + self._pause
            self._function()
