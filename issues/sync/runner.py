"""Ask TokPortal, mirror each answer: the loop that both a sweep and a shift of the continuous sync are made of.

A runner holds the lease on its workspace. Requests are in flight in threads (`fetcher`), everything that touches the
database happens in this one. Each answer is one transaction; what a crash leaves is whole, and the next runner goes on.
"""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DataError, IntegrityError
from django.utils import timezone

from issues.audit import Actor
from issues.enums import SyncState
from issues.leases import LeaseKeeper
from issues.models import Bundle, SyncRun, Workspace
from issues.problems import Refusal
from issues.sync import claims, mirror, planner
from issues.sync.fetcher import IN_FLIGHT, Ask, AskKind, Fetcher
from issues.sync.hazard import Hazards, failing_hosts
from issues.sync.ledger import Ledger
from issues.sync.limiter import budget_for_key
from issues.sync.listings import FULL_EVERY, RoundListing, pages_of, schedule_listing, statuses_to_list
from issues.sync.picks import LISTING_SHARE, Picks
from issues.sync.reconcile import Tally
from issues.tokportal import constants as c
from issues.tokportal.budget import SAFETY, Budget, Lane, Slot
from issues.tokportal.errors import (
    ForbiddenError,
    InvalidRequestError,
    KeyRefusedError,
    NotFoundError,
    RateLimitedError,
    TokPortalError,
)
from issues.tokportal.payloads import BundlePage, BundlePayload, VideoList

logger = logging.getLogger(__name__)

TRIES = 3
# So many bundles in a row without an answer: TokPortal is away, and asking on would not help.
FAILURES_IN_A_ROW = 5
FLUSH_SECONDS = 10.0
DUE_SECONDS = 2.0  # how often it is asked whether a listing is due
SLOTS_KEEP_SECONDS = 1.0
DRAIN_SECONDS = 3.0
UNCHANGED_AT_ONCE = 16
UNCHANGED_WAITS = timedelta(seconds=1)
# Between two listings, where they cost little.
LISTING_MIN_SECONDS = 60.0
IDLE_SECONDS = 15.0  # where nothing can be flagged

Progress = Callable[[SyncRun], None]


class GaveUpError(Exception):
    """TokPortal gives no usable answers now. `code` says why."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Terms:
    """How a runner is to work."""

    once: bool  # each bundle once and then end (a sweep), or on and on (a shift)
    patience: float  # seconds that it waits for a slot before it ends
    should_stop: Callable[[], bool] = lambda: False


class Runner:
    """One claim on a workspace, from here until it is given back."""

    def __init__(
        self, workspace: Workspace, run: SyncRun, actor: Actor, terms: Terms, on_progress: Progress | None = None
    ) -> None:
        self.workspace, self.run, self.actor, self.terms = workspace, run, actor, terms
        self._on_progress = on_progress or (lambda run: None)
        self.hazards = Hazards.load(workspace, failing_hosts(workspace))
        self.ledger = Ledger(workspace, run, self.hazards)
        self.lease: LeaseKeeper | None = None
        self.limit = c.DEFAULT_LIMIT_PER_MINUTE
        self.resume_at: datetime | None = None  # why it ended: nothing to do, or nothing to be had, before then
        self._listing = RoundListing(run)
        self._picks = Picks(workspace, asked_before=run.started_at if terms.once else None)
        self._flushed_at = self._due_asked_at = float("-inf")
        self._retries: list[tuple[float, Ask]] = []
        self._slots, self._slots_until = 0, 0.0  # taken ahead, and how long they may be used
        self._turn = 0
        self._in_a_row = 0
        self._busy: set[int] = set()
        self._page_is_out = False
        self._unchanged: list[Ask] = []
        self._last_code = ""

    # --- The loop ------------------------------------------------------------------------------------------

    def work(self) -> None:
        """Until there is nothing left to do (a sweep), or until it is time to stop.

        Raises GaveUpError, KeyRefusedError, ForbiddenError (of the key), LeaseLostError, Refusal.
        """
        key = self.workspace.read_key
        if key is None:
            raise Refusal(f"The workspace “{self.workspace.name}” has no key.", code="NO_KEY")
        budget = budget_for_key(self.workspace.base_url, key)
        self._flushed_at = time.monotonic()
        with Fetcher(self.workspace) as fetcher:
            try:
                while not self.terms.should_stop() and self._step(fetcher, budget):
                    pass
                self._drain(fetcher, budget)
            finally:
                fetcher.report(budget, now=True)
                self._flush()

    def _step(self, fetcher: Fetcher, budget: Budget) -> bool:
        """Send one question or take in answers. False where the work has ended."""
        self._check_lease()
        self._take_in(fetcher, budget, 0)
        if time.monotonic() - self._flushed_at > FLUSH_SECONDS:
            self._flush()
        if time.monotonic() - self._due_asked_at > DUE_SECONDS:
            self._due_asked_at = time.monotonic()
            self._begin_next_round_if_due()
        if fetcher.is_full:
            self._take_in(fetcher, budget, 1.0)
            return True
        ask = self._next_ask()
        if ask is None:
            if fetcher.in_flight:
                self._take_in(fetcher, budget, 0.2)
                return True
            if self._retries:
                time.sleep(0.05)
                return True
            self._rest()
            return False
        slot = self._take_slot(budget, IN_FLIGHT - fetcher.in_flight - 1)
        if slot.granted:
            self._send(fetcher, ask)
            return True
        self._put_back(ask)
        return self._wait(fetcher, budget, slot)

    def _take_slot(self, budget: Budget, ahead: int) -> Slot:
        """A slot of those that were taken ahead, or of the budget. Ahead only what can be in flight at once."""
        if self._slots and time.monotonic() < self._slots_until:
            self._slots -= 1
            return Slot(0.0)
        slot = budget.take(Lane.SYNC, ahead)
        self._slots, self._slots_until = slot.ahead, time.monotonic() + SLOTS_KEEP_SECONDS
        return slot

    def _wait(self, fetcher: Fetcher, budget: Budget, slot: Slot) -> bool:
        if slot.wait > self.terms.patience or (slot.reason == "away" and self.terms.once):
            self._drain(fetcher, budget)
            if slot.reason == "away":
                self.ledger.trouble = self._last_code or "AWAY"
            self.resume_at = timezone.now() + timedelta(seconds=slot.wait)
            if self.terms.once:
                raise GaveUpError(self._last_code or ("BUDGET_WAIT" if slot.reason != "away" else "AWAY"))
            return False
        if fetcher.in_flight:
            self._take_in(fetcher, budget, min(slot.wait, 0.5))
        else:
            time.sleep(min(slot.wait, 0.5))
        return True

    def _drain(self, fetcher: Fetcher, budget: Budget) -> None:
        """Take in what is still on its way, for some seconds. What comes later is asked again by the next runner."""
        until = time.monotonic() + DRAIN_SECONDS
        while fetcher.in_flight and time.monotonic() < until:
            self._take_in(fetcher, budget, until - time.monotonic())

    def _rest(self) -> None:
        """Nothing to ask now: a sweep is done, a shift goes on when the first bundle may be asked again."""
        now = timezone.now()
        soon = now + timedelta(seconds=planner.MIN_AGE_SECONDS / 2)
        if self._picks.plan is None or not self._picks.plan.counts:
            soon = now + timedelta(seconds=IDLE_SECONDS)
        self.resume_at = soon

    # --- What next -----------------------------------------------------------------------------------------

    def _next_ask(self) -> Ask | None:
        now = time.monotonic()
        for entry in self._retries:
            if entry[0] <= now:
                self._retries.remove(entry)
                return entry[1]
        listing = not self._listing.is_complete and not self._page_is_out
        self._turn += 1
        # A sweep lists all first. A shift that knows bundles already reads a page in between.
        if listing and (self.terms.once or self._turn % 4 == 0 or not self._picks.are_there(self._busy, self.limit)):
            return self._listing.next_ask()
        if self.terms.once and not self._listing.is_complete:
            return None
        if not self._picks.are_there(self._busy, self.limit):
            return None
        bundle = self._picks.take()
        whole = bundle.hurry_at is not None and (bundle.hurry_whole or bundle.heat is None)
        return Ask(AskKind.BUNDLE if whole else AskKind.VIDEOS, bundle=bundle)

    def _put_back(self, ask: Ask) -> None:
        if ask.tries:
            self._try_again(ask, 0.0)
        elif ask.bundle is not None:
            self._picks.put_back(ask.bundle)

    def _begin_next_round_if_due(self) -> None:
        """Asked from time to time: a webhook about an unknown bundle may want a listing too."""
        if self.terms.once or not self._listing.is_complete:
            return
        due = Workspace.objects.values_list("next_listing_at", flat=True).get(pk=self.workspace.pk)
        if due is None or due <= timezone.now():
            self._begin_next_round()

    def _begin_next_round(self) -> None:
        self.run.state, self.run.finished_at = SyncState.DONE, timezone.now()
        self.run.save()
        self.run = claims.begin_round(
            self.workspace,
            self.actor.origin.value,
            resume=False,
            statuses=lambda: statuses_to_list(self.workspace, timezone.now()),
        )
        self.ledger.run = self.run
        self._listing = RoundListing(self.run)

    # --- Sending and taking in -----------------------------------------------------------------------------

    def _send(self, fetcher: Fetcher, ask: Ask) -> None:
        ask.tries += 1
        self.ledger.request()
        if ask.kind is AskKind.PAGE:
            self._page_is_out = True
        else:
            self._busy.add(ask.of.pk)
        fetcher.send(ask)

    def _take_in(self, fetcher: Fetcher, budget: Budget, timeout: float) -> None:
        done = fetcher.collect(timeout)
        if done:
            fetcher.report(budget)
            self.limit = fetcher.limit or self.limit
            self.ledger.api_version = fetcher.api_version
        for ask in done:
            self._check_lease()
            if isinstance(ask.answer, VideoList) and ask.answer.unchanged:
                self._unchanged.append(ask)
                continue
            if ask.kind is AskKind.PAGE:
                self._page_is_out = False
            else:
                self._busy.discard(ask.of.pk)
            if ask.error is not None:
                self._failed(ask, ask.error)
            else:
                self._answered(ask)
        self._note_unchanged(at_least=UNCHANGED_AT_ONCE if fetcher.in_flight else 1)
        if done:
            self._on_progress(self.run)

    def _note_unchanged(self, *, at_least: int = 1) -> None:
        """Write down which answers said nothing new, several in one statement; until then nobody asks them again."""
        waited = self._unchanged and timezone.now() - self._unchanged[0].asked_at > UNCHANGED_WAITS
        if not self._unchanged or (len(self._unchanged) < at_least and not waited):
            return
        asks, self._unchanged = self._unchanged, []
        found = mirror.note_unchanged([(ask.of, ask.of.answer_digest, ask.asked_at) for ask in asks])
        for ask in asks:
            self._busy.discard(ask.of.pk)
            self.ledger.answer()
            self._in_a_row = 0
            # Where the rows have changed while the answer was on its way, the bundle is wanted again already.
            if ask.of.pk in found:
                self.ledger.look(Tally(videos=ask.of.videos_quantity or 0))

    def _answered(self, ask: Ask) -> None:
        self.ledger.answer()
        self._in_a_row = 0
        # Unchanged lists of videos never come here: see _note_unchanged.
        if isinstance(ask.answer, BundlePage):
            self._mirror_page(ask, ask.answer)
        elif isinstance(ask.answer, BundlePayload):
            self._mirror_bundle(ask, ask.answer)
        elif isinstance(ask.answer, VideoList):
            self._mirror_videos(ask, ask.answer)

    def _mirror_page(self, ask: Ask, page: BundlePage) -> None:
        fresh = self._listing.feed(ask, page)
        self.ledger.count(
            mirror.mirror_listing(self.workspace, fresh, seen_at=timezone.now(), actor=self.actor, hazards=self.hazards)
        )
        self._picks.forget(plan=True)
        if self._listing.is_complete:
            self._listing_is_complete()

    def _listing_is_complete(self) -> None:
        now = timezone.now()
        self.run.listed_at = now
        by_status = self._listing.is_by_status
        if by_status:
            if not mirror.ask_missing(self.workspace, listed_since=self.run.started_at):
                schedule_listing(self.workspace, everything_at=now)
        else:
            self.ledger.count(mirror.note_missing(self.workspace, listed_since=self.run.started_at, actor=self.actor))
            schedule_listing(self.workspace, everything_at=now + FULL_EVERY)
        pages = pages_of(self.workspace, by_status=by_status)
        every = pages / (LISTING_SHARE * self.limit * SAFETY / 60.0)
        longest = self.workspace.max_age.total_seconds()
        soonest = min(max(every, LISTING_MIN_SECONDS), longest)
        schedule_listing(self.workspace, next_at=now + timedelta(seconds=soonest))
        self.run.bundles_to_read = Bundle.objects.filter(workspace=self.workspace, heat__isnull=False).count()

    def _mirror_bundle(self, ask: Ask, payload: BundlePayload) -> None:
        """The bundle itself was asked for; where it can be flagged, its videos are next."""
        mirror.mirror_listing(self.workspace, [payload], seen_at=ask.asked_at, actor=self.actor, hazards=self.hazards)
        row = Bundle.objects.filter(pk=ask.of.pk)
        row.update(hurry_whole=False, unanswered_since=None)
        row.filter(heat=None, hurry_at__lte=ask.asked_at).update(hurry_at=None)
        self._picks.forget()

    def _mirror_videos(self, ask: Ask, answer: VideoList) -> None:
        try:
            tally = mirror.mirror_videos(ask.of, answer, asked_at=ask.asked_at, actor=self.actor, hazards=self.hazards)
        except (IntegrityError, DataError):
            # Something in this answer that the database does not take: it must not stop all the others, for ever.
            logger.exception("an answer for bundle %s cannot be stored", ask.of.tokportal_id)
            self.ledger.error("NOT_STORABLE")
            mirror.note_unanswered(ask.of, asked_at=ask.asked_at)
        else:
            self.ledger.look(tally)

    def _failed(self, ask: Ask, error: TokPortalError) -> None:
        self._last_code = error.code
        if isinstance(error, RateLimitedError):
            self.ledger.throttle()
            ask.throttled += 1
            self._try_again(ask, 0.0)
            return
        if isinstance(error, KeyRefusedError):
            raise error
        is_missing = isinstance(error, NotFoundError) or error.code == c.BUNDLE_NOT_OWNED
        if ask.kind is not AskKind.PAGE and is_missing:
            self.ledger.count(mirror.note_gone(ask.of, actor=self.actor))
            return
        if isinstance(error, ForbiddenError):
            raise error
        if ask.kind is AskKind.PAGE and isinstance(error, InvalidRequestError) and self._listing.skip_status():
            logger.warning("TokPortal lists no bundles by the status %s (%s)", ask.status, error.code)
            schedule_listing(self.workspace, everything_at=timezone.now())
            if self._listing.is_complete:
                self._listing_is_complete()
            return
        if ask.tries - ask.throttled < TRIES and error.retryable:
            self._try_again(ask, random.uniform(0, 0.2 * 2**ask.tries))  # noqa: S311 - jitter, not a secret
            return
        self._give_up(ask, error)

    def _try_again(self, ask: Ask, pause: float) -> None:
        """Ask the same once more; until then nobody else asks it."""
        self._retries.append((time.monotonic() + pause, ask))
        if ask.kind is AskKind.PAGE:
            self._page_is_out = True
        else:
            self._busy.add(ask.of.pk)

    def _give_up(self, ask: Ask, error: TokPortalError) -> None:
        """No answer after several tries: its turn has passed."""
        logger.warning("%s of workspace %s: %s", ask.kind.value, self.workspace.pk, error.code)
        self.ledger.error(error.code)
        if ask.kind is AskKind.PAGE:
            self.ledger.trouble = error.code
            raise GaveUpError(error.code)
        mirror.note_unanswered(ask.of, asked_at=ask.asked_at)
        self._in_a_row += 1
        if self._in_a_row >= FAILURES_IN_A_ROW:
            self.ledger.trouble = error.code
            raise GaveUpError(error.code)

    def _flush(self) -> None:
        self._check_lease()
        self._note_unchanged()
        self._picks.measure()
        self.ledger.flush(self._picks.plan, self._picks.standing, self.limit)
        self._flushed_at = time.monotonic()

    def _check_lease(self) -> None:
        if self.lease is not None:
            self.lease.check()
