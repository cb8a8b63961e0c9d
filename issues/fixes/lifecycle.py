"""The life of a fix after it was submitted: claimed by a worker, sent, read back, verified.

The database is the queue. A worker claims the row with a lease and a fencing number and checks both on every write; one
that dies is followed by the next after LEASE_SECONDS. `sending` is committed before the socket opens, so a row found in
that state has an open outcome: the video is read back first, and only if it is still flagged are the same bytes sent
again under the same key.
"""

import logging
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from issues.audit import Changes
from issues.crash import crash_point
from issues.enums import CAROUSEL_KINDS, FixKind, FixState
from issues.fixes.carousels import check_count_before_sending
from issues.fixes.claims import LEASE_SECONDS, Claim, claim_fix
from issues.fixes.dates import (
    DATES_UNKNOWN,
    DateKeeper,
    DatesOutcome,
    Seen,
    TryAgain,
    begin_restoring,
    mirror_outcome,
    must_restore,
    planned_now,
    success_of,
)
from issues.fixes.held import HeldFix
from issues.fixes.link_gate import copy_is_missing, look_before_sending, lost_image
from issues.fixes.outcomes import told_details
from issues.fixes.price import note_price
from issues.fixes.rehost import copy_to_store
from issues.leases import LeaseKeeper
from issues.link_checks.masking import mask_secrets
from issues.models import Workspace
from issues.problems import LeaseLostError, Refusal
from issues.sealed import SealError
from issues.sync import mirror
from issues.sync.connection import open_client
from issues.sync.workspaces import refuse_key, refuse_write_key
from issues.tokportal import constants as c
from issues.tokportal.budget import Lane
from issues.tokportal.client import TokPortalClient
from issues.tokportal.errors import (
    IdempotencyConflictError,
    KeyRefusedError,
    Outcome,
    RateLimitedError,
    TokPortalError,
    UnreadableAnswerError,
)

logger = logging.getLogger(__name__)

MAX_SENDS = 4  # with an open outcome, then a person decides
MAX_WAITS = 8  # without a connection
MAX_VERIFY_TRIES = 6
MOST_DATES_PAUSE = 60.0  # seconds, even if TokPortal asks for a longer pause
MAX_COPIES = 4  # tries to bring a file into TokPortal's store
GIVE_UP_AFTER = timedelta(hours=24)
WAIT_FOR_FIRST_SEND = timedelta(minutes=30)


def drive_fix(fix_id: UUID | str) -> bool:
    """Bring a fix as far as it goes now. False where there was nothing to do: not due, or another worker has it."""
    claim = claim_fix(fix_id)
    if claim is None:
        return False
    driver = _Driver(claim)
    try:
        with LeaseKeeper(driver.renew, every=LEASE_SECONDS / 4) as lease:
            driver.lease = lease
            driver.run()
    except LeaseLostError:
        logger.warning("fix %s was taken over by another worker", fix_id)
    return True


def backoff_seconds(attempt: int, *, base: float = 2.0, most: float = 3600.0) -> float:
    """Exponential, with full jitter above half a base, so that a crowd does not come back at once."""
    return random.uniform(base / 2, min(most, base * 2**attempt))  # noqa: S311 - jitter, not a secret


class _Driver(HeldFix):
    """One claim, from here to where it can go."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(claim)
        self.outcome_open = claim.outcome_open
        self.workspace = self.fix.issue.workspace
        self.bundle_id = self.fix.issue.video.bundle.tokportal_id
        self.position = self.fix.issue.video.position

    # --- Steps ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        try:
            with open_client(self.workspace, Lane.FIX, for_fixing=True) as client:
                self._run(client)
        except Refusal as error:
            self._stop(error.code)
        except SealError:
            logger.exception("the key of workspace %s cannot be opened", self.workspace.pk)
            self._stop("SEALED")

    def _run(self, client: TokPortalClient) -> None:
        if self.fix.dates_body:  # verified before: only the dates are left
            self._restore_dates(client)
            return
        if self.fix.state == FixState.VERIFYING:
            self._verify(client)
            return
        if self.outcome_open and not self._must_send_again(client):
            return
        if not self.outcome_open and not self._prepare(client):
            return
        self._send(client)
        if self.fix.state == FixState.VERIFYING:
            self._verify(client)

    def _prepare(self, client: TokPortalClient) -> bool:
        """Before a send: links are looked at, a link to copy is copied, the slot is read. False if it ends here."""
        if self.fix.first_sent_at is None:
            verdict = look_before_sending(self.fix)
            self._check_lease()
            crash_point("fix.checked", self.fix.pk)
            if verdict is not None:
                self._move(FixState.REJECTED, code=f"LINK_{verdict.code.upper()}")
                return False
        if (self.fix.kind == FixKind.REHOST and not self.fix.request_body) and not self._copy(client):
            return False
        # Last, and again if it had to wait: the slot may have changed in TokPortal meanwhile.
        check_count_before_sending(self.fix, client)
        if self.fix.keep_dates:
            self._update(**planned_now(self.fix, client))
        return True

    def _copy(self, client: TokPortalClient) -> bool:
        """Copy the link's file to TokPortal's store. False if it ends here for now."""
        if self.fix.state == FixState.QUEUED:
            self._move(FixState.FETCHING)
        try:
            media, body = copy_to_store(self.fix, client, still_ours=self._check_lease)
        except TokPortalError as error:
            waits = self.fix.waits + 1
            if waits > MAX_COPIES or not error.retryable:
                self._move(FixState.REJECTED, code=error.code, waits=waits)
            else:
                self._come_back(backoff_seconds(waits), waits=waits)
            return False
        self._check_lease()
        changes: Changes = {"files": [None, [{"name": media.filename, "bytes": media.size}]]}
        self._move(FixState.UPLOADED, changes=changes, request_body=body)
        return True

    def _read_back(self, client: TokPortalClient) -> Seen:
        """The video as TokPortal shows it now. Raises TokPortalError, also if the answer leaves the flag out."""
        asked_at = timezone.now()
        video = client.get_video(self.bundle_id, self.position)
        if not video.tells_flag:
            raise UnreadableAnswerError("nothing is said about the flag")
        return Seen(video, asked_at)

    def _must_send_again(self, client: TokPortalClient) -> bool:
        """Read back a video whose fix may have been sent: True where it is still flagged and tries are left."""
        try:
            seen = self._read_back(client)
        except TokPortalError as error:
            self._read_failed(error)
            return False
        if not seen.video.download_issue:
            self._accept_observed(client, seen)
            return False
        if self.fix.tries >= MAX_SENDS:
            self._move(FixState.NEEDS_HUMAN, code="OUTCOME_UNKNOWN")
            return False
        return True

    def _send(self, client: TokPortalClient) -> None:
        """Commit `sending`, then send the stored bytes under the stored key."""
        self._check_lease()
        now = timezone.now()
        fields: dict[str, Any] = {"tries": self.fix.tries + 1, "first_sent_at": self.fix.first_sent_at or now}
        if self.fix.state == FixState.SENDING:
            self._update(**fields)
        else:
            self._move(FixState.SENDING, **fields)
        crash_point("fix.sending", self.fix.pk)
        try:
            answer = client.fix_download(
                self.bundle_id,
                self.position,
                self.fix.request_body.encode(),
                idempotency_key=self.fix.idempotency_key,
                dry_run=self.fix.dry_run,
            )
        except TokPortalError as error:
            self._send_failed(client, error)
            return
        crash_point("fix.sent", self.fix.pk)
        self._check_lease()
        if self.fix.dry_run:
            Workspace.objects.filter(pk=self.workspace.pk).update(confirms_dry_run=answer.dry_run)
        if answer.dry_run:
            # Asked for, it ends here; unasked for, nothing was fixed although we meant it.
            to, code = (FixState.CANCELLED, "DRY_RUN_OK") if self.fix.dry_run else (FixState.NEEDS_HUMAN, "DRY_RUN")
            told = {} if answer.credits is None else {"credits_would_charge": answer.credits}
            note_price(self.fix.issue, answer.credits)
            self._move(to, code=code, code_details=told, tokportal_request_id=answer.request_id)
            return
        self._accept(answer.request_id)

    def _accept_observed(self, client: TokPortalClient, seen: Seen, request_id: str = "") -> None:
        """The answer was lost, and the read-back shows the effect."""
        self._accept(request_id, by_observation=True)
        self._verified(client, seen)

    def _accept(self, request_id: str, *, by_observation: bool = False) -> None:
        changes: Changes = {"by_observation": [None, True]} if by_observation else {}
        self._move(
            FixState.VERIFYING,
            changes=changes,
            tokportal_request_id=request_id or self.fix.tokportal_request_id,
            by_observation=by_observation,
            accepted_at=timezone.now(),
            code="",
        )
        crash_point("fix.accepted", self.fix.pk)

    def _verify(self, client: TokPortalClient) -> None:
        """Read the video back: fixed means that the flag is gone."""
        try:
            seen = self._read_back(client)
        except TokPortalError as error:
            self._verify_failed(error)
            return
        if not seen.video.download_issue:
            self._check_copy(client, seen)
            return
        tries = self.fix.verify_tries + 1
        if tries >= MAX_VERIFY_TRIES:
            self._move(FixState.NEEDS_HUMAN, code="FLAG_STILL_SET", verify_tries=tries)
        else:
            self._come_back(min(0.5 * 2**tries, 15.0), verify_tries=tries)

    def _check_copy(self, client: TokPortalClient, seen: Seen) -> None:
        """The flag is gone; where TokPortal's copy can be asked, it must be there, too."""
        crash_point("fix.read_back", self.fix.pk)
        video = seen.video
        details: dict[str, Any] = {}
        missing = copy_is_missing(video.video_url) if "video_url" in video.told else ""
        if self.fix.kind in CAROUSEL_KINDS and "carousel_images" in video.told:
            details["image"], missing = lost_image(video, self.workspace.storage_prefix)
        tries = self.fix.verify_tries + 1
        if not missing:
            self._verified(client, seen)
        elif tries >= MAX_VERIFY_TRIES:
            self._move(
                FixState.NEEDS_HUMAN,
                code="COPY_MISSING",
                code_details={"verdict": missing, **details},
                verify_tries=tries,
            )
        else:
            self._come_back(min(0.5 * 2**tries, 15.0), verify_tries=tries)

    def _verified(self, client: TokPortalClient, seen: Seen) -> None:
        """The fix has worked. If it moved the video away from dates that somebody wants to keep, they come back."""
        self._check_lease()
        if must_restore(self.fix, seen.video):
            begin_restoring(self.fix, seen, fence=self.fence, actor=self.actor)
            self._restore_dates(client)
        else:
            self._succeed(DatesOutcome(seen))

    def _restore_dates(self, client: TokPortalClient) -> None:
        found = DateKeeper(self.fix, client, self._note_date_try).run()
        if isinstance(found, TryAgain):
            pause = backoff_seconds(self.fix.dates_tries, base=0.5, most=30.0)
            self._come_back(max(pause, min(found.after, MOST_DATES_PAUSE)))
        else:
            self._succeed(found)

    def _note_date_try(self, body: str) -> None:
        self._check_lease()
        self._update(dates_body=body, dates_tries=self.fix.dates_tries + 1)

    def _succeed(self, dates: DatesOutcome) -> None:
        """Verified: fix, issue, mirror and history in one transaction."""
        self._check_lease()
        with transaction.atomic():
            video = mirror.lock_video(self.fix.issue.video_id)
            mirror_outcome(self.fix, video, dates)
            fields, changes = success_of(self.fix, video, dates)
            self._move(FixState.SUCCEEDED, changes=changes, **fields)
            crash_point("fix.succeeding", self.fix.pk)
        crash_point("fix.finished", self.fix.pk)

    # --- What can go wrong ---------------------------------------------------------------------------------

    def _send_failed(self, client: TokPortalClient, error: TokPortalError) -> None:
        self._check_lease()
        logger.info("fix %s: %s (%s)", self.fix.pk, error.code, error.status)
        about: dict[str, Any] = {"tokportal_request_id": error.request_id}
        too_old = timezone.now() - self.fix.created_at > GIVE_UP_AFTER
        # A send that certainly did not happen, or was refused, is no open outcome.
        not_counted = max(self.fix.tries - 1, 0)
        earlier_open = not_counted > 0
        if isinstance(error, RateLimitedError):
            if too_old:
                self._move(FixState.NEEDS_HUMAN, code="THROTTLED", **about)
            else:
                self._requeue(error.retry_after or 5.0, earlier_open, tries=not_counted)
        elif error.outcome is Outcome.NOT_SENT:
            waits = self.fix.waits + 1
            if waits > MAX_WAITS or too_old:
                self._move(
                    FixState.NEEDS_HUMAN,
                    code="OUTCOME_UNKNOWN" if earlier_open else "NOT_SENT",
                    waits=waits,
                    tries=not_counted,
                )
            else:
                pause = max(backoff_seconds(waits, most=7200.0), error.retry_after or 0)
                self._requeue(pause, earlier_open, tries=not_counted, waits=waits)
        elif isinstance(error, IdempotencyConflictError) and earlier_open:
            # The first send is still being worked on at TokPortal: wait for it, however long it takes.
            if timezone.now() - self.fix.created_at > WAIT_FOR_FIRST_SEND:
                self._move(FixState.NEEDS_HUMAN, code="OUTCOME_UNKNOWN", **about)
            else:
                self._come_back(backoff_seconds(2), tries=not_counted, **about)
        elif error.outcome is Outcome.UNKNOWN:
            # Read back before anything else; the bytes go out again only if the flag still stands.
            details = {"last": error.code, "status": error.status}
            self._come_back(backoff_seconds(self.fix.tries), code_details=details, **about)
        elif error.code == c.VIDEO_NO_DOWNLOAD_ISSUE:
            self._flag_was_gone(client, error, earlier_open=earlier_open)
        else:
            self._refused(error)

    def _refused(self, error: TokPortalError) -> None:
        """TokPortal does not accept the fix, or not this key."""
        if isinstance(error, KeyRefusedError):
            # A second key of its own for fixes says nothing about the one that the sync uses.
            refuse = refuse_write_key if self.workspace.write_key_fingerprint else refuse_key
            refuse(workspace=self.workspace, code=error.code, actor=self.actor)
        message = mask_secrets(error.message)[:300]
        details = {"status": error.status, "message": message, **told_details(error)}
        self._move(FixState.REJECTED, code=error.code, code_details=details, tokportal_request_id=error.request_id)

    def _flag_was_gone(self, client: TokPortalClient, error: TokPortalError, *, earlier_open: bool) -> None:
        """409: not flagged. By our own earlier send, or by somebody else; the read-back brings the new state."""
        asked_at = timezone.now()
        try:
            video = client.get_video(self.bundle_id, self.position)
        except TokPortalError as read_error:
            if earlier_open:
                self._read_failed(read_error)
            else:
                self._move(FixState.SUPERSEDED, code=error.code, tokportal_request_id=error.request_id)
            return
        if video.download_issue or not video.tells_flag:
            # TokPortal contradicts itself; a person looks.
            self._move(FixState.NEEDS_HUMAN, code="FLAG_STILL_SET", tokportal_request_id=error.request_id)
        elif earlier_open:
            self._accept_observed(client, Seen(video, asked_at), error.request_id)
        else:
            with transaction.atomic():
                row = mirror.lock_video(self.fix.issue.video_id)
                mirror.mirror_video(row, video, asked_at=asked_at)
                self._move(FixState.SUPERSEDED, code=error.code, tokportal_request_id=error.request_id)

    def _read_failed(self, error: TokPortalError) -> None:
        """The read-back of an open outcome failed: come back, or ask a person after many tries."""
        waits = self.fix.waits + 1
        if waits > MAX_WAITS:
            self._move(FixState.NEEDS_HUMAN, code="OUTCOME_UNKNOWN", waits=waits)
        else:
            self._come_back(max(backoff_seconds(waits, most=600.0), error.retry_after or 0), waits=waits)

    def _verify_failed(self, error: TokPortalError) -> None:
        tries = self.fix.verify_tries + 1
        if tries >= MAX_VERIFY_TRIES + 4:
            self._move(FixState.NEEDS_HUMAN, code="NOT_READ_BACK", verify_tries=tries)
        else:
            self._come_back(
                max(backoff_seconds(tries, base=1.0, most=120.0), error.retry_after or 0), verify_tries=tries
            )

    def _stop(self, code: str) -> None:
        """Nothing can be asked or sent. What was accepted already is never called refused."""
        if self.fix.dates_body:
            self._succeed(DatesOutcome(code=DATES_UNKNOWN))
        elif self.fix.state == FixState.VERIFYING:
            self._move(FixState.NEEDS_HUMAN, code=code)
        else:
            self._move(FixState.REJECTED, code=code)
