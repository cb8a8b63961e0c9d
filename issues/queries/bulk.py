"""The read side of a bulk plan: its rows, how far each has come, and the whole."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from django.utils import timezone
from django.utils.translation import gettext as _

from issues.enums import UNFINISHED, BulkState, FixState, RowState
from issues.fixes.carousels import ImageCount
from issues.fixes.date_outcomes import dates_result
from issues.fixes.dates import days_earlier
from issues.fixes.outcomes import outcome_of_fix
from issues.fixes.tables.model import lines_text
from issues.link_checks.catalogue import CATALOGUE
from issues.models import BulkFix, BulkRow


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A row with one word and one sentence for where it stands."""

    row: BulkRow
    pairs: Sequence[tuple[str, str]]  # each link that changes: before, after
    verdict_sentence: str
    count: ImageCount | None  # of a carousel's images, if it changes
    status: str  # "checking", "ready", "doubted", "refused", "waiting", "moving", "done", "failed", "undone"
    sentence: str
    lines: str  # of the table: “Lines 3–5”; empty if the label names them
    earlier: int = 0  # how many days earlier than planned the fix posts the video
    dates: str = ""  # what became of the planned dates

    @property
    def is_ticked(self) -> bool | None:
        """Whether the row is chosen from the beginning; `None` if it cannot be sent."""
        if self.status not in {"ready", "doubted"}:
            return None
        return not (self.count and self.count.is_fewer)


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan as its page shows it."""

    bulk: BulkFix
    rows: Sequence[PlanRow]
    checking: int
    ready: int
    doubted: int
    refused: int
    earlier: int  # rows that would be posted earlier than planned
    fewer: int  # rows that could be sent, but leave a carousel fewer images: a person has to tick them
    sent: int  # rows that became fixes, or will
    done: int
    failed: int
    seconds_left: int  # of the countdown

    @property
    def is_counting(self) -> bool:
        return self.bulk.state == BulkState.STARTED and self.seconds_left > 0

    @property
    def is_moving(self) -> bool:
        """Whether the page has something to wait for."""
        if self.bulk.state == BulkState.PLANNED:
            return self.checking > 0
        return self.bulk.state == BulkState.STARTED and self.done + self.failed < self.sent

    @property
    def seen(self) -> str:
        """Changes with whatever the page shows."""
        states = Counter(row.status for row in self.rows)
        return f"{self.bulk.state}.{sorted(states.items())}.{self.seconds_left}"


def read_plan(bulk: BulkFix) -> PlanView:
    """All rows of a plan, in one query."""
    rows = [_row(row) for row in bulk.rows.select_related("fix", "issue__video")]
    states = Counter(entry.status for entry in rows)
    left = 0.0
    if bulk.state == BulkState.STARTED and bulk.starts_at:
        left = (bulk.starts_at - timezone.now()).total_seconds()
    return PlanView(
        bulk,
        rows,
        checking=states["checking"],
        ready=states["ready"],
        doubted=states["doubted"],
        refused=states["refused"],
        earlier=sum(entry.earlier > 0 and entry.status in {"ready", "doubted"} for entry in rows),
        fewer=sum(entry.is_ticked is False for entry in rows),
        sent=states["waiting"] + states["moving"] + states["done"] + states["failed"],
        done=states["done"],
        failed=states["failed"],
        seconds_left=max(0, int(left + 0.999)),
    )


def _row(row: BulkRow) -> PlanRow:
    # Images that come in addition have nothing before them; those that are left out have nothing after them.
    paired = zip_longest(row.before, row.links, fillvalue="") if row.links else ()
    pairs = [(old, new) for old, new in paired if old != new]
    rule = CATALOGUE.get(row.verdict)
    status, sentence = _standing(row)
    lines = lines_text(row.lines) if row.issue_id and row.lines else ""
    count = ImageCount(len(row.before), len(row.links))
    shown = count if row.before and row.links and count.differs else None
    earlier = days_earlier(row.issue.video) if row.issue and row.fix is None else 0
    dates = dates_result(row.fix) if row.fix else ""
    return PlanRow(row, pairs, rule.say if rule else "", shown, status, sentence, lines, earlier, dates)


def _standing(row: BulkRow) -> tuple[str, str]:
    fix = row.fix
    if fix is None:
        return ("waiting", _("Goes out in a moment.")) if row.state == RowState.CHOSEN else (row.state, row.message)
    if fix.state == FixState.SUCCEEDED:
        return "done", _("Fixed and verified.")
    if fix.state in {FixState.QUEUED} and fix.first_sent_at is None:
        return "waiting", _("Waits for its turn.")
    if fix.state in UNFINISHED:
        return "moving", _("Under way.")
    said = outcome_of_fix(fix.code, fix.code_details)
    status = "undone" if fix.code == "UNDONE" else "done" if fix.state == FixState.SUPERSEDED else "failed"
    return status, f"{said.say} {said.next_step}"
