"""Many fixes in one go: planned, looked at, counted down on the server, sent, and reported row by row.

A plan's rows become fixes of their own, due when the countdown ends; so they survive whatever a single fix survives.
"""

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from issues.audit import Actor, Changes, Event, Verb, record
from issues.checks.store import fresh_verdicts, keep, media_kind_of, open_media, worst
from issues.enums import CAROUSEL_KINDS, BulkState, FixState, IssueState, RowState
from issues.fixes.dates import keeps_dates
from issues.fixes.moves import MoveError, end_before_sending
from issues.fixes.submit import body_of, check_links, create_fix, link_kind
from issues.fixes.table_lookup import find_issues
from issues.fixes.tables import read_table
from issues.link_checks.catalogue import Verdict
from issues.link_checks.checker import Report
from issues.link_checks.masking import mask_secrets, shown_url
from issues.link_checks.paste import clean
from issues.models import BulkFix, BulkRow, Fix, Issue, Team
from issues.nudge import nudge
from issues.problems import Refusal

COUNTDOWN = timedelta(seconds=10)
MAX_ROWS = 1000
MAX_NOTES = MAX_ROWS + 20  # a note for each line that was skipped, and those about the whole table
CHECK_BATCH = 32
CHECKS_AT_A_TIME = 8
CHECK_CLAIM = timedelta(minutes=5)
SEND_BATCH = 100


# --- Planning ----------------------------------------------------------------------------------------------


def plan_pattern(*, team: Team, issues: Iterable[Issue], find: str, put: str, actor: Actor) -> BulkFix:
    """A plan that replaces a host, or the beginning of links, in these open issues.

    Raises Refusal where nothing matches.
    """
    find, put = clean(find), clean(put)
    if not find or not put:
        raise Refusal(_("Say what to find and what to put in its place."), code="PATTERN_MISSING")
    if ("://" in find) != ("://" in put):
        raise Refusal(
            _("Give two hosts, or two beginnings of links that start with https://."), code="PATTERN_KINDS_DIFFER"
        )
    rows = []
    for issue in issues:
        changed = [with_pattern(link, find, put) for link in issue.links]
        if changed != issue.links:
            rows.append(_row(issue, f"{issue.video} · {issue.video.bundle} #{issue.video.position}", changed))
    if not rows:
        raise Refusal(_("No link of the selected issues begins so."), code="PATTERN_MATCHES_NOTHING")
    return _plan(team, rows, f"“{shown_url(find)[:80]}” became “{shown_url(put)[:80]}”", actor)


def with_pattern(link: str, find: str, put: str) -> str:
    """The link with its beginning, or its host, replaced; unchanged where that is another."""
    if "://" in find:
        is_host = "/" not in find.split("://", 1)[1]  # then `.com` must not match the beginning of `.com.br`
        ends_well = not is_host or link[len(find) :][:1] in {"", "/", "?", "#", ":"}
        return put + link[len(find) :] if link.startswith(find) and ends_well else link
    found = re.match(r"(https?://)([^/?#]*)", link, re.IGNORECASE)
    if not found or found[2].lower() != find.lower().rstrip("/"):
        return link
    return f"{found[1]}{put.rstrip('/')}{link[found.end() :]}"  # what follows may be signed: not a byte of it changes


def plan_table(*, team: Team, text: str | bytes, actor: Actor) -> BulkFix:
    """A plan from a pasted table or a file's bytes. Lines that cannot be used stay in it, with the reason."""
    table = read_table(text)
    rows = []
    for found in find_issues([team], table.lines):
        line, issue = found.line, found.issue
        label = f"{issue.video} · {issue.video.bundle} #{issue.video.position}" if issue else line.label
        row = _row(issue, label, list(line.links), found.problem)
        row.lines = list(line.numbers)
        rows.append(row)
    return _plan(team, rows, f"a table of {len(table.lines)} lines", actor, table.notes)


def _row(issue: Issue | None, label: str, links: list[str], problem: str = "") -> BulkRow:
    row = BulkRow(issue=issue, label=mask_secrets(label)[:700], before=issue.links if issue else [], links=links)
    if issue and not problem:
        try:
            row.links = check_links(link_kind(issue.video), links, held=issue.links)
        except Refusal as refusal:
            problem = refusal.sentence
        if issue.state == IssueState.FIXING:
            problem = _("A fix of this video is under way.")
    if problem:
        row.state, row.message = RowState.REFUSED, mask_secrets(problem)[:500]
    return row


def _plan(team: Team, rows: Sequence[BulkRow], how: str, actor: Actor, notes: Sequence[str] = ()) -> BulkFix:
    if len(rows) > MAX_ROWS:
        raise Refusal(
            _("At most {most} fixes go in one go; {count} were chosen.").format(most=MAX_ROWS, count=len(rows)),
            code="TOO_MANY_ROWS",
        )
    with transaction.atomic():
        bulk = BulkFix.objects.create(
            team=team, actor=actor.user, actor_name=actor.name, how=how[:200], notes=list(notes)[:MAX_NOTES]
        )
        for number, row in enumerate(rows, 1):
            row.bulk, row.order = bulk, number
        BulkRow.objects.bulk_create(rows, batch_size=500)
        record(team.pk, actor, [Event(Verb.BULK_PLANNED, label=bulk.how, changes={"rows": [None, len(rows)]})])
        transaction.on_commit(partial(nudge, "issues.check_plans"))
    return bulk


# --- Looking at the links ----------------------------------------------------------------------------------


def check_rows() -> int:
    """Look at the links of one batch of rows, of any plan; returns how many rows were claimed."""
    now = timezone.now()
    waiting = Q(claimed_at=None) | Q(claimed_at__lt=now - CHECK_CLAIM)
    keys = BulkRow.objects.filter(waiting, state=RowState.CHECKING).order_by("pk").values_list("pk", flat=True)
    mine = [key for key in keys[:CHECK_BATCH] if BulkRow.objects.filter(waiting, pk=key).update(claimed_at=now)]
    rows = list(BulkRow.objects.filter(pk__in=mine).select_related("bulk", "issue__video", "issue__workspace"))
    jobs: dict[tuple[int, str], BulkRow] = {}
    for row in rows:
        known = fresh_verdicts(row.bulk.team_id, row.links, needed_until=None)
        for link, verdict in zip(row.links, known, strict=True):
            if verdict is None:
                jobs[row.bulk.team_id, link] = row

    def look(job: tuple[tuple[int, str], BulkRow]) -> Report:
        (_team, link), row = job
        issue = row.issue
        prefix = issue.workspace.storage_prefix if issue else ""
        return open_media(link, prefix=prefix, expects=media_kind_of(issue.video) if issue else None)

    with ThreadPoolExecutor(CHECKS_AT_A_TIME) as pool:  # no database in these threads
        for (team_id, link), report in zip(jobs, list(pool.map(look, jobs.items())), strict=True):
            keep(team_id, link, report)
    for row in rows:
        found = fresh_verdicts(row.bulk.team_id, row.links, needed_until=None)
        verdict = worst([entry or Verdict("not_checked") for entry in found])
        BulkRow.objects.filter(pk=row.pk, state=RowState.CHECKING).update(
            state=RowState.DOUBTED if verdict.is_bad else RowState.READY,
            verdict=verdict.code,
            verdict_class=verdict.cls.value,
        )
    return len(mine)


# --- Sending, and taking back ------------------------------------------------------------------------------


def start(*, bulk: BulkFix, orders: Iterable[int], insist: bool, actor: Actor, keep_dates: bool = False) -> BulkFix:
    """Begin the countdown for these rows. `insist`: also those whose links are bad. `keep_dates`: the planned dates of
    those that would be posted earlier come back after their fixes.

    Raises Refusal where nothing can be sent, or where it was begun before.
    """
    wanted = {RowState.READY, RowState.DOUBTED} if insist else {RowState.READY}
    with transaction.atomic():
        current = BulkFix.objects.select_for_update().get(pk=bulk.pk)
        if current.state != BulkState.PLANNED:
            raise Refusal(_("This plan was sent or taken back already."), code="PLAN_USED")
        chosen = current.rows.filter(order__in=list(orders), state__in=wanted, issue__isnull=False)
        count = chosen.update(state=RowState.CHOSEN)
        if not count:
            raise Refusal(_("Choose at least one row that can be sent."), code="NOTHING_CHOSEN")
        current.state, current.starts_at = BulkState.STARTED, timezone.now() + COUNTDOWN
        current.keep_dates = keep_dates
        current.save(update_fields=["state", "starts_at", "keep_dates"])
        changes: Changes = {"fixes": [None, count], **({"keep_dates": [None, True]} if keep_dates else {})}
        record(current.team_id, actor, [Event(Verb.BULK_STARTED, label=current.how, changes=changes)])
        transaction.on_commit(partial(nudge, "issues.send_plans"))
    return current


def send_chosen(limit: int = SEND_BATCH) -> int:
    """Make a fix of each chosen row; returns how many rows were done. Any number of workers may do it at once."""
    keys = BulkRow.objects.filter(state=RowState.CHOSEN).order_by("pk").values_list("pk", flat=True)[:limit]
    return sum(map(_send_row, keys))


def _send_row(key: int) -> bool:
    with transaction.atomic():
        row = BulkRow.objects.select_for_update(of=("self",)).select_related("bulk__actor").filter(pk=key).first()
        if row is None or row.state != RowState.CHOSEN:
            return False
        bulk = BulkFix.objects.select_for_update(of=("self",)).select_related("actor", "team").get(pk=row.bulk_id)
        issue = Issue.objects.select_related("video__bundle", "workspace").filter(pk=row.issue_id or 0).first()
        if bulk.state != BulkState.STARTED or issue is None:
            row.state = RowState.READY
        else:
            try:
                row.fix = _fix_of(row, bulk, issue)
                row.state = RowState.SENT
            except Refusal as refusal:
                row.state, row.message = RowState.REFUSED, refusal.sentence[:500]
        row.save(update_fields=["state", "message", "fix"])
    return True


def _fix_of(row: BulkRow, bulk: BulkFix, issue: Issue) -> Fix:
    if row.before != issue.links:
        raise Refusal(_("The video's link changed after this plan was made. Make a new plan."), code="LINKS_CHANGED")
    kind = link_kind(issue.video)
    actor = Actor(name=bulk.actor_name, origin=Actor.system().origin, user=bulk.actor, request_id=bulk.pk.hex)
    now = timezone.now()
    with transaction.atomic():
        return create_fix(
            issue=issue, kind=kind, actor=actor, body=body_of(kind, row.links), typed=row.links, bulk=bulk,
            unchecked=row.verdict_class in {"dead", "blocked", "wrong"},
            next_try_at=max(bulk.starts_at or now, now),
            keep_dates=keeps_dates(issue.video, bulk.team, bulk.keep_dates),
            # The person who ticked the row has seen how many images the carousel loses.
            fewer_than=len(row.before) if kind in CAROUSEL_KINDS and len(row.links) < len(row.before) else None,
        )  # fmt: skip


def undo(*, bulk: BulkFix, actor: Actor) -> int:
    """Take all of them back; returns how many. Raises Refusal once the countdown has ended."""
    with transaction.atomic():
        current = BulkFix.objects.select_for_update().get(pk=bulk.pk)
        if current.state != BulkState.STARTED or current.starts_at is None or timezone.now() >= current.starts_at:
            raise Refusal(_("The fixes are on their way already: they cannot be taken back any more."), code="TOO_LATE")
        current.state, current.undone_at = BulkState.UNDONE, timezone.now()
        current.save(update_fields=["state", "undone_at"])
        # From here on no worker can claim one of them, however long the rest takes.
        Fix.objects.filter(bulk=current, state=FixState.QUEUED).update(next_try_at=None)
        count = current.rows.filter(state__in=[RowState.CHOSEN, RowState.SENT]).count()
        current.rows.filter(state=RowState.CHOSEN).update(state=RowState.READY)
        record(current.team_id, actor, [Event(Verb.BULK_UNDONE, label=current.how, changes={"fixes": [None, count]})])
    cancel_undone(bulk.pk, actor=actor)
    return count


def cancel_undone(bulk_id: UUID | None = None, *, actor: Actor | None = None) -> int:
    """End the fixes of plans that were taken back; what a dying process left is found by the sweeper."""
    left = Fix.objects.filter(bulk__state=BulkState.UNDONE, state=FixState.QUEUED)
    if bulk_id:
        left = left.filter(bulk=bulk_id)
    return sum(_cancel(fix_id, actor or Actor.system()) for fix_id in left.values_list("pk", flat=True))


def _cancel(fix_id: UUID, actor: Actor) -> bool:
    try:
        end_before_sending(fix_id, FixState.CANCELLED, actor=actor, code="UNDONE")
    except MoveError:
        return False
    return True
