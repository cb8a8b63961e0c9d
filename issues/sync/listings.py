"""What a round lists: everything now and then, and mostly only the statuses in which a video can be flagged.

`GET /bundles?status=` takes one status, so each is a listing of its own. For a workspace where that costs more pages
than the whole listing, the whole listing is read each time. If a bundle is missing from a listing by status, it has
another status or is gone: the next request asks for that bundle (`mirror.ask_missing`).
"""

import math
from datetime import datetime, timedelta

from django.db.models import Count

from issues.models import Bundle, SyncRun, Workspace
from issues.sync.fetcher import PAGE_ROWS, Ask, AskKind
from issues.tokportal import constants as c
from issues.tokportal.client import Listing
from issues.tokportal.payloads import BundlePage, BundlePayload

# Everything is listed at least this often.
FULL_EVERY = timedelta(hours=6)


def statuses_to_list(workspace: Workspace, now: datetime) -> list[str] | None:
    """The statuses that the next round lists, one after the other; `None`: everything. Two queries."""
    due = Workspace.objects.values_list("next_full_listing_at", flat=True).get(pk=workspace.pk)
    if due is None or due <= now:
        return None
    known = _counts(workspace)
    flaggable = _flaggable(known)
    return flaggable if _pages(known, flaggable) < _full_pages(known) else None


def pages_of(workspace: Workspace, *, by_status: bool) -> int:
    """How many pages such a listing has, by what is known. One query."""
    known = _counts(workspace)
    return _pages(known, _flaggable(known)) if by_status else _full_pages(known)


def schedule_listing(
    workspace: Workspace, *, next_at: datetime | None = None, everything_at: datetime | None = None
) -> None:
    """Set when the next round begins, or when one lists everything; only as long as the runner's claim holds."""
    moments = {"next_listing_at": next_at, "next_full_listing_at": everything_at}
    known = {name: moment for name, moment in moments.items() if moment}
    Workspace.objects.filter(pk=workspace.pk, sync_fence=workspace.sync_fence).update(**known)


def _counts(workspace: Workspace) -> dict[str, int]:
    known = Bundle.objects.filter(workspace=workspace, gone_at=None)
    return dict(known.order_by().values_list("status").annotate(n=Count("pk")))


def _flaggable(known: dict[str, int]) -> list[str]:
    """Those of the contract, and unknown ones that TokPortal has used: they may be flagged, too."""
    unknown = set(known) - set(c.BUNDLE_STATUSES) - {""}
    return [status for status in c.BUNDLE_STATUSES if status not in c.NOT_FLAGGABLE_STATUSES] + sorted(unknown)


def _pages(known: dict[str, int], statuses: list[str]) -> int:
    return sum(max(math.ceil(known.get(status, 0) / PAGE_ROWS), 1) for status in statuses)


def _full_pages(known: dict[str, int]) -> int:
    return max(math.ceil(sum(known.values()) / PAGE_ROWS), 1)


class RoundListing:
    """The listing of one round. How far it is stands in the round's row, so that another runner can go on with it."""

    def __init__(self, run: SyncRun) -> None:
        self.run = run
        so_far = run.bundles if run.statuses is None else (run.next_page - 1) * PAGE_ROWS
        self._listing = Listing(run.next_page, so_far)
        self._listed_before = run.bundles - so_far
        self.is_complete = run.listed_at is not None

    @property
    def is_by_status(self) -> bool:
        return self.run.statuses is not None

    def next_ask(self) -> Ask:
        """The next page."""
        return Ask(AskKind.PAGE, page=self._listing.next_page, status=(self.run.statuses or [""])[0])

    def feed(self, ask: Ask, page: BundlePage) -> list[BundlePayload]:
        """Take the requested page; returns the bundles in it that are new."""
        if ask.status and any(bundle.status not in {ask.status, ""} for bundle in page.bundles):
            # TokPortal takes no notice of the filter: what it sends is a page of everything.
            self.run.statuses = None
        fresh = self._listing.feed(page)
        if self._listing.is_complete:
            self._end_status()
        self.run.next_page = self._listing.next_page
        self.run.bundles = max(self._listed_before + self._listing.count, 0)
        return fresh

    def skip_status(self) -> bool:
        """TokPortal does not take this status as a filter: go on with the next. False for the whole listing."""
        if not self.run.statuses:
            return False
        self._end_status()
        self.run.next_page = self._listing.next_page
        return True

    def _end_status(self) -> None:
        left = (self.run.statuses or [])[1:]
        if not left:
            self.is_complete = True
            return
        self.run.statuses = left
        self._listed_before += self._listing.count
        self._listing = Listing()
