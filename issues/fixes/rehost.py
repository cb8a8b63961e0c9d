"""Copy a link that works to TokPortal's store: fetched under guard into a file, looked at, uploaded, then sent."""

import http.client
import tempfile
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import IO
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from issues.audit import Actor
from issues.crash import crash_point
from issues.enums import FixKind, FixState, MediaKind, MediaState
from issues.fixes.link_gate import BadLinkError, refuse_bad_links
from issues.fixes.submit import body_of, check_links, create_fix, repair_kinds
from issues.fixes.uploads import put_file
from issues.link_checks.catalogue import Verdict
from issues.link_checks.checker import size_text
from issues.link_checks.encodings import StreamUnpacker
from issues.link_checks.http_fetch import Clock, FetchError, open_link
from issues.link_checks.masking import masked_place
from issues.link_checks.resolver import current_network
from issues.media.file_check import look_at_file, read_at_of
from issues.models import Fix, Issue, MediaFile
from issues.problems import Refusal
from issues.tokportal.client import TokPortalClient

FETCH_SECONDS = 15 * 60.0
CHUNK = 256 * 1024


def submit_copy(*, issue: Issue, link: str, actor: Actor, keep_dates: bool = False) -> Fix:
    """A fix that copies `link` to TokPortal's store first. Raises Refusal where the slot or the link forbids it."""
    if FixKind.URL not in repair_kinds(issue.video):
        raise Refusal(
            _("Only a video's link can be copied; for a carousel give the links or files."), code="WRONG_KIND"
        )
    [cleaned] = check_links(FixKind.URL, [link])
    refuse_bad_links(issue.video, [cleaned])
    return create_fix(
        issue=issue, kind=FixKind.REHOST, actor=actor, body="", typed=[cleaned], state=FixState.QUEUED,
        next_try_at=timezone.now(), keep_dates=keep_dates,
    )  # fmt: skip


def copy_to_store(fix: Fix, client: TokPortalClient, *, still_ours: Callable[[], None]) -> tuple[MediaFile, str]:
    """Fetch and upload; the file's row with its place, and the body for fix-download.

    `still_ours` is called between chunks and raises where another worker has taken over. Raises BadLinkError where the
    link gives no such file, TokPortalError where the store refuses it. Repeating it does no harm: a PUT publishes
    nothing.
    """
    [link] = fix.typed
    with tempfile.TemporaryFile(prefix="tokdash-copy-") as file:
        size = _fetch(link, file, still_ours)
        file.seek(0)
        name = _filename(link)
        look = look_at_file(
            filename=name,
            size=size,
            kind=MediaKind.VIDEO,
            max_bytes=settings.UPLOAD_MAX_BYTES,
            read_at=read_at_of(file),
        )
        if look.is_broken:
            raise Refusal(look.warning, code="FILE_DOUBTFUL")
        crash_point("copy.fetched", fix.pk)
        media, _is_new = MediaFile.objects.update_or_create(
            fix=fix,
            order=1,
            defaults={
                "kind": MediaKind.VIDEO,
                "filename": name,
                "size": size,
                "content_type": look.content_type,
                "state": MediaState.WAITING,
            },
        )
        media.fix = fix
        file.seek(0)
        put_file(media, file, client, on_progress=lambda sent: still_ours())
    crash_point("copy.stored", fix.pk)
    media.refresh_from_db()
    MediaFile.objects.filter(pk=media.pk).update(state=MediaState.UPLOADED, uploaded_at=timezone.now())
    return media, body_of(FixKind.REHOST, [media.source])


def _fetch(link: str, file: IO[bytes], still_ours: Callable[[], None]) -> int:
    """The whole file, under guard; its size in bytes."""
    most = settings.UPLOAD_MAX_BYTES
    size = 0
    try:
        with open_link(link, current_network(), Clock(FETCH_SECONDS)) as (response, _head):
            if response.status != 200:
                raise BadLinkError(Verdict("http_refused", fact=str(response.status)))
            unpacker = StreamUnpacker(str(response.headers.get("Content-Encoding", "")))
            while chunk := response.read1(CHUNK):
                for content in unpacker.feed(chunk):
                    size += len(content)
                    if size > most:
                        raise Refusal(
                            _("The file is larger than {size}.").format(size=size_text(most)),
                            code="FILE_TOO_LARGE",
                        )
                    file.write(content)
                still_ours()
    except FetchError as error:
        raise BadLinkError(Verdict(error.code)) from error
    except (OSError, http.client.HTTPException) as error:
        raise BadLinkError(Verdict("truncated")) from error
    except ValueError as error:
        raise BadLinkError(Verdict("packed_body")) from error
    if response.length:  # bytes that were announced and have not come
        raise BadLinkError(Verdict("truncated", fact=f"{100 * size // max(size + response.length, 1)} %"))
    if not size:
        raise BadLinkError(Verdict("empty_file"))
    return size


def _filename(link: str) -> str:
    """The file's name as the link has it; TokPortal gets it, so it must not be a secret of the link."""
    parts = urlsplit(link)
    name = PurePosixPath(unquote(masked_place(f"{parts.hostname}{parts.path}"))).name.replace("\x00", "")
    if "…" in name:
        return "video.mp4"
    return name[-100:] if "." in name else f"{name[:60] or 'video'}.mp4"
