"""Fix from a command: no worker is needed, and one that runs does no harm."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from django.db import connection
from django.utils import timezone

from issues.audit import Actor
from issues.enums import CAN_EDIT, UNRESOLVED, FixState, MediaState
from issues.fixes.carousels import ANY_NUMBER
from issues.fixes.claims import LEASE_SECONDS
from issues.fixes.dates import days_earlier
from issues.fixes.lifecycle import drive_fix
from issues.fixes.moves import MoveError, end_before_sending
from issues.fixes.outcomes import outcome_of
from issues.fixes.submit import repair_kinds, submit_links
from issues.fixes.table_lookup import find_issues, too_many_for
from issues.fixes.tables import Table, TableLine
from issues.fixes.uploads import FileFacts, begin_upload, keep_alive, note_uploaded, put_file, upload_problem
from issues.leases import LeaseKeeper
from issues.media.file_check import pieces_of
from issues.models import Fix, Issue, Membership, Team, User, Video, Workspace
from issues.problems import Refusal
from issues.sync.connection import open_client
from issues.sync.looks import look_at
from issues.tokportal import constants as c
from issues.tokportal.budget import Lane
from issues.tokportal.errors import ForbiddenError, NotFoundError, TokPortalError

UPLOAD_TRIES = 3
FIXES_AT_A_TIME = 8


def find_issue(teams: Sequence[Team], user: User, bundle_id: str, position: int, actor: Actor) -> Issue:
    """The unresolved issue of this slot among the user's teams.

    Where none is known, TokPortal is asked: the flag may be newer than our last look. Raises Refusal with TokPortal's
    code for what cannot be fixed.
    """
    memberships = Membership.objects.filter(team__in=teams, user=user, role__in=CAN_EDIT)
    allowed = [membership.team_id for membership in memberships]
    if not allowed:
        raise Refusal("This member is a viewer and changes nothing.", code="FORBIDDEN")
    issue = _known_issue(allowed, bundle_id, position)
    if issue is None:
        _look_now(allowed, bundle_id, position, actor)
        issue = _known_issue(allowed, bundle_id, position)
    if issue is None:
        raise _refusal(c.VIDEO_NO_DOWNLOAD_ISSUE)
    return issue


def _known_issue(teams: Sequence[int], bundle_id: str, position: int) -> Issue | None:
    return (
        Issue.objects.filter(
            team__in=teams,
            video__bundle__tokportal_id=bundle_id,
            video__position=position,
            state__in=UNRESOLVED,
        )
        .select_related("video__bundle", "workspace")
        .first()
    )


def _refusal(code: str) -> Refusal:
    outcome = outcome_of(code)
    return Refusal(f"{outcome.say} {outcome.next_step}", code=code)


def _look_now(teams: Sequence[int], bundle_id: str, position: int, actor: Actor) -> None:
    """Ask TokPortal for the bundle in each workspace that may have it, and mirror what it says."""
    known = Workspace.objects.filter(bundles__tokportal_id=bundle_id, team__in=teams)
    workspaces = list(known) or list(Workspace.objects.filter(team__in=teams))
    if not workspaces:
        raise Refusal("No workspace is connected yet.", code="NO_WORKSPACE")
    answers = [_look_into(workspace, bundle_id, position, actor) for workspace in workspaces]
    if "" not in answers:
        # What is most telling: a position that is wrong in a bundle that exists, then whose it is, then nothing at all.
        order = (c.VIDEO_POSITION_OUT_OF_RANGE, c.VIDEO_NOT_FOUND, c.BUNDLE_NOT_OWNED)
        raise _refusal(next((code for code in order if code in answers), answers[0]))


def _look_into(workspace: Workspace, bundle_id: str, position: int, actor: Actor) -> str:
    """Mirror the bundle; an empty string where the slot was found, else the code that says why not."""
    try:
        payload, _ = look_at(workspace, bundle_id, actor=actor)
    except NotFoundError as error:
        return error.code if error.code in {c.BUNDLE_NOT_FOUND, c.VIDEO_NOT_FOUND} else c.BUNDLE_NOT_FOUND
    except ForbiddenError as error:
        return error.code
    except TokPortalError as error:
        outcome = outcome_of(error.code, error.status, error.details)
        raise Refusal(f"{outcome.say} {outcome.next_step}", code=error.code) from error
    if Video.objects.filter(bundle__workspace=workspace, bundle__tokportal_id=payload.id, position=position).exists():
        return ""
    quantity = payload.videos_quantity
    return c.VIDEO_POSITION_OUT_OF_RANGE if quantity is not None and position > quantity else c.VIDEO_NOT_FOUND


def fix_with_links(
    *,
    issue: Issue,
    links: Sequence[str],
    is_carousel: bool,
    actor: Actor,
    unchecked: bool = False,
    dry_run: bool = False,
    keep_dates: bool = False,
) -> Fix:
    """A fix by link; says so where the slot takes another kind. A carousel may lose images: see `warnings_of`."""
    _check_kind(issue, is_carousel=is_carousel)
    return submit_links(
        issue=issue, links=links, actor=actor, unchecked=unchecked, dry_run=dry_run, fewer_than=ANY_NUMBER,
        keep_dates=keep_dates,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class LineResult:
    """What became of a line of a table: its fix where there is one, else the code and sentence that say why not."""

    line: TableLine
    fix: Fix | None
    code: str = ""
    message: str = ""


def fix_table(
    *,
    teams: Sequence[Team],
    user: User,
    table: Table,
    actor: Actor,
    unchecked: bool,
    fewer_images: bool = False,
    keep_dates: bool = False,
    on_earlier: Callable[[str, int], None] | None = None,
) -> Iterator[LineResult]:
    """Fix each line of a table, a few at a time, and wait for their ends; results in the table's order.

    `fewer_images`: carousels may lose images. Without it such a line is refused. `keep_dates`: the planned dates come
    back after each fix. `on_earlier` is told, with the line's label, how many days earlier a video would be posted.
    """
    pending: list[LineResult] = []
    for found in find_issues(teams, table.lines):
        line = found.line
        try:
            if found.problem and not found.may_be_new:
                raise Refusal(found.problem, code="LINE_UNUSABLE")
            issue = found.issue or find_issue(teams, user, line.bundle_id, line.position, actor)
            if problem := too_many_for(issue, line):
                raise Refusal(problem, code="LINE_UNUSABLE")
            if on_earlier:
                on_earlier(line.label, days_earlier(issue.video))
            fix = submit_links(
                issue=issue, links=line.links, actor=actor, unchecked=unchecked,
                fewer_than=ANY_NUMBER if fewer_images else None, keep_dates=keep_dates,
            )  # fmt: skip
            pending.append(LineResult(line, fix))
        except Refusal as refusal:
            pending.append(LineResult(line, None, refusal.code, refusal.sentence))
    with ThreadPoolExecutor(FIXES_AT_A_TIME) as pool:
        ends = [pool.submit(_wait_in_thread, result.fix) if result.fix else None for result in pending]
        for result, end in zip(pending, ends, strict=True):
            yield replace(result, fix=end.result()) if end else result


def _wait_in_thread(fix: Fix) -> Fix:
    try:
        return wait_for_end(fix)
    finally:
        connection.close()


def _check_kind(issue: Issue, *, is_carousel: bool) -> None:
    kinds = {kind.value for kind in repair_kinds(issue.video)}
    if kinds and is_carousel != ("carousel_urls" in kinds):
        wanted = "images (--image)" if "carousel_urls" in kinds else "a video (--url or --file)"
        raise Refusal(f"This slot is a {issue.video.video_type}: it takes {wanted}.", code="WRONG_KIND")


def fix_with_files(
    *,
    issue: Issue,
    files: Sequence[Path | str],
    actor: Actor,
    unchecked: bool = False,
    dry_run: bool = False,
    keep_dates: bool = False,
) -> Fix:
    """Upload files from this machine, then fix with them.

    For a carousel, links and storage paths (`str`) may stand between files. It may lose images: see `warnings_of`.
    """
    facts: list[FileFacts | str] = []
    for entry in files:
        if isinstance(entry, str):
            facts.append(entry)
            continue
        with entry.open("rb") as file:
            facts.append(FileFacts(entry.name, entry.stat().st_size, pieces_of(file)))
    fix = begin_upload(
        issue=issue, files=facts, actor=actor, insist=True, unchecked=unchecked, dry_run=dry_run,
        fewer_than=ANY_NUMBER, keep_dates=keep_dates,
    )  # fmt: skip
    try:
        with LeaseKeeper(lambda: keep_alive(fix), every=20):
            _upload(fix, files, actor)
    except (Refusal, OSError, KeyboardInterrupt) as error:
        code = error.code if isinstance(error, Refusal) else "UPLOAD_ABANDONED"
        _give_up(fix, code, actor)
        if isinstance(error, OSError):
            raise Refusal("The file could not be read to its end.", code="FILE_UNREADABLE") from error
        raise
    fix.refresh_from_db()
    return fix


def _upload(fix: Fix, files: Sequence[Path | str], actor: Actor) -> None:
    media_rows = list(fix.media.select_related("fix__issue__video__bundle").order_by("order"))
    with open_client(fix.issue.workspace, Lane.FIX, for_fixing=True) as client:
        for media, entry in zip(media_rows, files, strict=True):
            if media.state == MediaState.UPLOADED:
                continue
            assert isinstance(entry, Path)  # noqa: S101 - links are uploaded already
            for attempt in range(1, UPLOAD_TRIES + 1):
                try:
                    with entry.open("rb") as source:
                        put_file(media, source, client)
                    break
                except TokPortalError as error:
                    # Each try asks for a fresh place; a PUT publishes nothing, so repeating it is harmless.
                    if attempt == UPLOAD_TRIES or not error.retryable:
                        raise upload_problem(error) from error
                    time.sleep(attempt)
            media.refresh_from_db()
            note_uploaded(media=media, actor=actor)


def _give_up(fix: Fix, code: str, actor: Actor) -> None:
    try:
        end_before_sending(fix.pk, FixState.REJECTED, actor=actor, code=code, among=frozenset({FixState.UPLOADING}))
    except MoveError:
        return  # ended already, or complete: it is sent


def wait_for_end(fix: Fix, *, pause: float = 0.2) -> Fix:
    """Drive the fix, or watch whoever does, until it has ended."""
    while True:
        drive_fix(fix.pk)
        fix = Fix.objects.select_related("issue").get(pk=fix.pk)
        if not fix.is_unfinished:
            return fix
        now = timezone.now()
        waits = [(moment - now).total_seconds() for moment in (fix.next_try_at, fix.lease_until) if moment]
        time.sleep(min(max([pause, *waits]), LEASE_SECONDS / 10))
