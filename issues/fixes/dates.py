"""Keep the planned dates: a fix moves a video to tomorrow, so one that was planned later would be posted too early.

After the fix was verified, the former window goes back by `PATCH`. What is to be sent is stored before the first byte
goes out, so a worker that dies is followed by one that reads the video back first. Whatever comes of it, the fix has
succeeded: after a bounded number of tries it says that the dates are unknown.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from issues.audit import Actor, Changes, Event, Verb, record
from issues.crash import crash_point
from issues.enums import Origin
from issues.fixes.outcomes import told_details
from issues.link_checks.masking import shown_url
from issues.models import Fix, Team, Video
from issues.problems import LeaseLostError
from issues.sync import mirror
from issues.tokportal import constants as c
from issues.tokportal.client import TokPortalClient
from issues.tokportal.days import PublishTime, PublishWindow, days_pulled_forward
from issues.tokportal.errors import IdempotencyConflictError, Outcome, RateLimitedError, TokPortalError
from issues.tokportal.payloads import VideoPayload

MAX_DATE_TRIES = 8
MAX_TRIES_OF_A_COMMAND = 5  # somebody waits at the keyboard
DATES_UNKNOWN = "DATES_UNKNOWN"
_START, _OTHER_START, _END = "target_publish_date", "target_publish_start_date", "target_publish_end_date"


# --- Before a fix -------------------------------------------------------------------------------------------


def days_earlier(video: Video) -> int:
    """How many days earlier than planned a fix that is sent now would post the video; 0 if it would not."""
    return days_pulled_forward(video.window, timezone.now())


def keeps_dates(video: Video, team: Team, wish: bool | None) -> bool:
    """Whether a fix brings the dates back: where it posts earlier, as the person wishes or else as the team does it."""
    return days_earlier(video) > 0 and (team.keeps_dates if wish is None else wish)


# --- After a fix --------------------------------------------------------------------------------------------


def planned_now(fix: Fix, client: TokPortalClient) -> dict[str, str]:
    """The dates just before the fix is sent: what is kept must not be older than the last change in TokPortal."""
    try:
        video = client.get_video(fix.issue.video.bundle.tokportal_id, fix.issue.video.position)
    except TokPortalError:
        video = None
    if video is None or not video.window:
        return {}
    return {"date_before": video.target_publish_date, "end_date_before": video.target_publish_end_date}


@dataclass(frozen=True, slots=True)
class Seen:
    """A read-back, and when we sent the request."""

    video: VideoPayload
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class DatesOutcome:
    """What came of it. `code`: why the planned dates do not hold. `seen`: the last read-back, if there was one."""

    seen: Seen | None = None
    code: str = ""
    details: dict[str, Any] | None = None  # TokPortal's details of the error


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Nothing is certain yet. `after`: how many seconds TokPortal asks us to wait at least."""

    after: float = 0.0


def holds(window: PublishWindow, planned: PublishWindow) -> bool:
    """Whether the planned days are the ones in force, as far as they are known."""
    return bool(planned) and all(
        wanted is None or _is_same(wanted, found)
        for wanted, found in ((planned.first, window.first), (planned.last, window.last))
    )


def _is_same(wanted: PublishTime, found: PublishTime | None) -> bool:
    """TokPortal may keep the day of a moment alone: then the day is what was planned."""
    return found is not None and (found == wanted or (found.moment is None and found.day == wanted.day))


def must_restore(fix: Fix, video: VideoPayload) -> bool:
    """Whether the fix moved the video away from planned dates that are to be kept."""
    return fix.keep_dates and bool(fix.planned_window) and not holds(video.window, fix.planned_window)


def body_for(planned: PublishWindow, start_name: str) -> str:
    """The exact text of the PATCH: only the dates, so that nothing else of the slot can be overwritten."""
    # A window has two days. Left as it is, the one that is not known would be the day that the fix has set.
    first = planned.first or (planned.last and PublishTime(planned.last.day - timedelta(days=1)))
    last = planned.last or (planned.first and PublishTime(planned.first.day + timedelta(days=1)))
    texts = PublishWindow(first, last).texts
    return json.dumps({name: text for name, text in zip((start_name, _END), texts, strict=True) if text})


def begin_restoring(fix: Fix, seen: Seen, *, fence: int, actor: Actor) -> None:
    """Store the request, and mirror the verified fix; from here on nobody asks about its flag."""
    fix.dates_body = body_for(fix.planned_window, seen.video.start_date_name)
    # Where the fix has moved it. A later look that finds other days tells that somebody has planned it anew.
    fix.target_publish_date = seen.video.target_publish_date
    fix.target_publish_end_date = seen.video.target_publish_end_date
    with transaction.atomic():
        video = mirror.lock_video(fix.issue.video_id)
        mirror.mirror_video(video, seen.video, asked_at=seen.asked_at)
        video.changed_here_at = seen.asked_at
        video.save(update_fields=["changed_here_at"])
        names = ("dates_body", "target_publish_date", "target_publish_end_date")
        if not Fix.objects.filter(pk=fix.pk, fence=fence).update(**{name: getattr(fix, name) for name in names}):
            raise LeaseLostError
        changes = window_changes(video.window, fix.planned_window)
        record(fix.team_id, actor, [Event.about_issue(Verb.FIX_RESTORING_DATES, fix.issue, changes, fix_id=fix.pk)])
    crash_point("fix.dates_wanted", fix.pk)


def window_changes(before: PublishWindow, after: PublishWindow) -> Changes:
    """Two windows for the history, as `YYYY-MM-DD`."""
    return {
        name: [former, later] for name, former, later in zip((_START, _END), before.texts, after.texts, strict=True)
    }


class DateKeeper:
    """One round of bringing the dates of a verified fix back. `note_try` commits that a try begins, with its body."""

    def __init__(self, fix: Fix, client: TokPortalClient, note_try: Callable[[str], None]) -> None:
        self.fix, self._client, self._note_try = fix, client, note_try
        self._bundle_id = fix.issue.video.bundle.tokportal_id
        self._position = fix.issue.video.position

    def run(self) -> DatesOutcome | TryAgain:
        fix = self.fix
        if fix.dates_tries:  # an earlier try may have worked
            seen = self._read_back()
            if seen and self._holds(seen):
                return DatesOutcome(seen)
            # Neither the planned days nor those of the fix: somebody has planned it anew, and that stays.
            is_newer = seen is not None and seen.video.window != fix.window
            most = MAX_TRIES_OF_A_COMMAND if fix.origin == Origin.COMMAND else MAX_DATE_TRIES
            if is_newer or fix.dates_tries >= most:
                return DatesOutcome(seen, DATES_UNKNOWN)
            if seen is None:
                self._note_try(fix.dates_body)
                return TryAgain()
        return self._send(fix.dates_body)

    def _send(self, body: str, *, may_rename: bool = True) -> DatesOutcome | TryAgain:
        self._note_try(body)
        crash_point("fix.dates_sending", self.fix.pk)
        try:
            self._client.patch_video(
                self._bundle_id, self._position, body.encode(), idempotency_key=key_for(self.fix, body)
            )
        except TokPortalError as error:
            return self._refused(error, body, may_rename=may_rename)
        crash_point("fix.dates_sent", self.fix.pk)
        seen = self._read_back()
        crash_point("fix.dates_read", self.fix.pk)
        return DatesOutcome(seen) if seen and self._holds(seen) else TryAgain()

    def _refused(self, error: TokPortalError, body: str, *, may_rename: bool) -> DatesOutcome | TryAgain:
        is_certain = error.outcome is Outcome.REFUSED and not isinstance(
            error, RateLimitedError | IdempotencyConflictError
        )
        if not is_certain:
            return TryAgain(error.retry_after or 0.0)
        if error.code == c.UNKNOWN_FIELD and may_rename:
            # It has two names for the first day, and takes the other one here.
            other = _OTHER_START if _START in json.loads(body) else _START
            return self._send(body_for(self.fix.planned_window, other), may_rename=False)
        code = DATES_UNKNOWN if error.code == error.default_code else error.code
        return DatesOutcome(None, code, told_details(error) or None)

    def _read_back(self) -> Seen | None:
        asked_at = timezone.now()
        try:
            return Seen(self._client.get_video(self._bundle_id, self._position), asked_at)
        except TokPortalError:
            return None

    def _holds(self, seen: Seen) -> bool:
        return holds(seen.video.window, self.fix.planned_window)


def key_for(fix: Fix, body: str) -> str:
    """The idempotency key of the PATCH: its own, and the same for the same bytes."""
    return f"tokdash-dates-{fix.pk}-{hashlib.sha256(body.encode()).hexdigest()[:8]}"


def mirror_outcome(fix: Fix, video: Video, dates: DatesOutcome) -> None:
    """Bring the last read-back into the locked row.

    While dates are restored the manager may raise the flag again: that is for the next look, so only the dates are
    copied if the read-back shows it, or if a look that was sent later was faster.
    """
    seen = dates.seen
    if seen is None:
        mirror.look_again(video)
        return
    looked_at = video.bundle.last_checked_at
    is_older = looked_at is not None and seen.asked_at < looked_at
    if fix.dates_body and (is_older or seen.video.download_issue or not seen.video.tells_flag):
        mirror.mirror_dates(video, seen.video)
        return
    mirror.mirror_video(video, seen.video, asked_at=seen.asked_at)
    video.changed_here_at = seen.asked_at
    video.save(update_fields=["changed_here_at"])


def success_of(fix: Fix, video: Video, dates: DatesOutcome) -> tuple[dict[str, Any], Changes]:
    """What a fix that succeeded keeps of the video, and what the history says."""
    kept = holds(video.window, fix.planned_window)
    code = "" if kept else dates.code
    changes = window_changes(fix.planned_window, video.window)
    changes["links"] = [[shown_url(link) for link in links] for links in (fix.issue.links, video.links)]
    if fix.keep_dates:
        details = dates.details or {}
        told = {
            "dates_code": code,
            "dates_reason": details.get("reason") if code else None,
            "dates_earliest": details.get("earliest_allowed") if code else None,
        }
        changes |= {"dates_kept": [None, kept], **{name: [None, value] for name, value in told.items() if value}}
    fields = {
        "video_url": video.video_url,
        "target_publish_date": video.target_publish_date,
        "target_publish_end_date": video.target_publish_end_date,
        "dates_kept": kept,
        "dates_code": code,
        "dates_details": None if kept else dates.details,
    }
    return fields, changes
