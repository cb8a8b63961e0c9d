"""The read side of the history: filters, and keyset pages whose cost does not grow with the history."""

import time as clock
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import BooleanField, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import RawSQL
from django.utils import timezone

from issues.audit import Verb
from issues.audit.personal import People, digests_in
from issues.audit.words import words_in
from issues.enums import CheckpointKind, Origin, PersonalKind
from issues.models import AuditCheckpoint, AuditEvent, AuditHead, AuditWatch, PersonalValue, Team
from issues.queries.history_lines import Line, read_events
from issues.queries.pages import decode_cursor, encode_cursor

PAGE_ROWS = 50
# Where several filters meet no index fits, and the newest events are looked through first, window by window. A page
# that took so long says how far back it has looked, and goes on from there on request.
FIRST_WINDOW, WINDOW_GROWTH, PATIENCE_SECONDS = 20_000, 10, 0.04
MAX_TEXT = 100


@dataclass(frozen=True, slots=True)
class HistoryFilters:
    """What the page's address says. Dates are days in the person's zone, both included."""

    verb: str = ""
    person: str = ""
    workspace: str = ""
    bundle: str = ""
    position: int | None = None
    origin: str = ""
    since: str = ""
    until: str = ""
    request_id: str = ""
    text: str = ""

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "HistoryFilters":
        def of(name: str) -> str:
            return query.get(name, "").strip()[:MAX_TEXT].replace("\x00", "")

        position = of("position")
        return cls(
            verb=of("verb") if of("verb") in Verb.values else "",
            person=of("person"),
            workspace=of("workspace"),
            bundle=of("bundle"),
            position=int(position) if position.isdecimal() and len(position) < 9 else None,
            origin=of("origin") if of("origin") in Origin.values else "",
            since=of("since") if _day(of("since")) else "",
            until=of("until") if _day(of("until")) else "",
            request_id=of("request"),
            text=of("q"),
        )

    @property
    def narrowed(self) -> bool:
        return self != HistoryFilters()


def _day(text: str) -> datetime | None:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a bare day; the zone is added
    except ValueError:
        return None
    try:
        return datetime.combine(day, time.min, timezone.get_current_timezone()).astimezone(UTC)
    except OverflowError:
        return None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Numbers: the last one behind a cut, the chain's last, the last one that is signed; and those of the days."""

    cut: int
    head: int
    signed: int
    since: int | None
    behind: int | None


def bounds_of(team: Team, filters: HistoryFilters) -> Bounds:
    """One query for all of them. Events are numbered in the order of their times, so days are numbers."""
    mine = AuditEvent.objects.filter(team=OuterRef("pk"))
    checkpoints = AuditCheckpoint.objects.filter(team=OuterRef("pk"))
    since, until = _day(filters.since), _day(filters.until)
    wanted = {
        "cut": checkpoints.filter(kind=CheckpointKind.CUT).order_by("-seq").values("seq")[:1],
        "head": AuditHead.objects.filter(team=OuterRef("pk")).values("seq")[:1],
        "signed": checkpoints.order_by("-seq").values("seq")[:1],
    }
    if since:
        wanted["since"] = mine.filter(at__gte=since).order_by("at", "seq").values("seq")[:1]
    if until:
        after = mine.filter(at__gte=until + timedelta(days=1))
        wanted["behind"] = after.order_by("at", "seq").values("seq")[:1]
    found = Team.objects.filter(pk=team.pk).order_by()
    numbers: dict[str, Any] = dict(found.values(**{name: Subquery(query) for name, query in wanted.items()})[0])
    head = numbers["head"] or 0
    first = (numbers["since"] or head + 1) if since else None
    return Bounds(numbers["cut"] or 0, head, numbers["signed"] or 0, first, numbers.get("behind"))


@dataclass(frozen=True, slots=True)
class Selection:
    """The events that the filters name, by numbers from `lowest` to `highest`.

    `direct`: one index has them in order. `by_words`: the same, found by the index of the words, which has no order.
    """

    team_id: int
    events: QuerySet[AuditEvent]
    lowest: int
    highest: int
    direct: bool
    by_words: QuerySet[AuditEvent] | None

    def __iter__(self) -> Iterator[AuditEvent]:
        """All of them, latest first, some at a time: for an export."""
        found = self.events.filter(seq__gte=self.lowest, seq__lte=self.highest)
        return found.order_by("-seq").iterator(chunk_size=1000)


def find_events(team: Team, filters: HistoryFilters, bounds: Bounds | None = None) -> Selection:
    """The team's events that the filters name, without those behind a cut."""
    bounds = bounds or bounds_of(team, filters)
    lowest = max(bounds.cut + 1, bounds.since or 0)
    highest = bounds.behind - 1 if bounds.behind is not None else bounds.head
    events = AuditEvent.objects.filter(team=team)
    conditions = list(_conditions(team, filters))
    for condition in conditions:
        events = events.filter(condition)
    if not filters.text:
        direct = len(conditions) <= 1 or bool(filters.request_id)
        return Selection(team.pk, events, lowest, highest, direct, None)
    alternatives = _alternatives(team, words_in(filters.text)[:6])
    by_words = (
        events.filter(_by_index(team, alternatives)) if connection.vendor == "postgresql" and alternatives else None
    )
    return Selection(team.pk, events.filter(_by_reading(alternatives)), lowest, highest, False, by_words)


def _conditions(team: Team, filters: HistoryFilters) -> Iterator[Q]:
    if filters.verb:
        yield Q(verb=filters.verb)
    if filters.person:
        yield Q(actor_id__in=_users(team, filters.person))
    if filters.workspace:
        try:
            yield Q(workspace_id=UUID(filters.workspace))
        except ValueError:
            yield Q(pk__in=[])
    if filters.bundle or filters.position is not None:
        # One index has both.
        place = Q(bundle_id=filters.bundle) if filters.bundle else Q()
        yield place & Q(position=filters.position) if filters.position is not None else place
    if filters.origin:
        yield Q(origin=filters.origin)
    if filters.request_id:
        yield Q(request_id=filters.request_id) | Q(tokportal_request_id=filters.request_id)


def _users(team: Team, person: str) -> list[int]:
    """Users by number, or by a part of a name or address as it stands beside the chain."""
    if person.isdecimal() and len(person) < 19:
        return [int(person)]
    rows = PersonalValue.objects.filter(team=team, kind=PersonalKind.PERSON, value__icontains=person)
    return [number for number in rows.values_list("user_id", flat=True)[:200] if number is not None]


def _alternatives(team: Team, words: list[str]) -> list[list[str]]:
    """For each word: itself, and the digests of the values beside the chain in which it stands."""
    if not words:
        return []
    beside = Q()
    for word in words:
        beside |= Q(value__icontains=word)
    known = PersonalValue.objects.filter(beside, team=team).order_by("-pk").values_list("value", "digest")[:200]
    values = [(value.lower(), digest) for value, digest in known]
    return [[word, *(digest for value, digest in values if word in value)] for word in words]


def _by_reading(alternatives: list[list[str]]) -> Q:
    """Every word must begin a word of the event, or a digest be one; nothing matches where there is no word."""
    if not alternatives:
        return Q(pk__in=[])
    every = Q()
    for word, *digests in alternatives:
        condition = Q(words__startswith=word) | Q(words__contains=f" {word}")
        for digest in digests:
            condition |= Q(words__contains=digest)
        every &= condition
    return every


def _by_index(team: Team, alternatives: list[list[str]]) -> RawSQL:
    """The same on PostgreSQL by the index of the words, in which each stands behind its team's number (migration 0017).

    Words hold letters and digits alone (audit.words).
    """
    query = " & ".join(
        "(" + " | ".join([f"'{team.pk}:{word}':*", *(f"'{team.pk}:{digest}'" for digest in digests)]) + ")"
        for word, *digests in alternatives
    )
    words = "array_to_tsvector(string_to_array(team_id || ':' || replace(words, ' ', ' ' || team_id || ':'), ' '))"
    matches = f"{words} @@ %s::tsquery"
    return RawSQL(matches, [query], output_field=BooleanField())  # noqa: S611 - no part of it is given


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Lines, the cursor of the page behind them, and the number back to which was looked where not all were."""

    rows: list[Line]
    people: list[tuple[str, str]]
    after: str = ""
    looked_back_to: int | None = None


def page_of(selection: Selection, after: str) -> HistoryPage:
    """One page of a selection, from the cursor on."""
    cursor = decode_cursor(after, 1) if after else None
    below = min(selection.highest + 1, cursor[0]) if cursor and isinstance(cursor[0], int) else selection.highest + 1
    rows: list[AuditEvent] = []
    looked_back_to, following = None, ""
    began = clock.monotonic()
    for low, high, events in _windows(selection, below):
        rows += events.filter(seq__gte=low, seq__lt=high)[: PAGE_ROWS + 1 - len(rows)]
        if len(rows) > PAGE_ROWS:
            following = encode_cursor(rows[PAGE_ROWS - 1].seq)
            break
        if low > selection.lowest and clock.monotonic() - began > PATIENCE_SECONDS:
            looked_back_to, following = low, encode_cursor(low)
            break
    rows = rows[:PAGE_ROWS]
    people, names = _people_to_show(selection.team_id, rows)
    return HistoryPage(read_events(rows, people), names, following, looked_back_to)


def _windows(selection: Selection, below: int) -> Iterator[tuple[int, int, QuerySet[AuditEvent]]]:
    """Spans of numbers to look through, newest first, and how; one for all where an index has the order."""
    in_order = selection.events.order_by("-seq")
    if selection.direct:
        yield selection.lowest, below, in_order
        return
    low = max(selection.lowest, below - FIRST_WINDOW)
    if below > low:
        yield low, below, in_order
    if selection.by_words is not None and low > selection.lowest:
        # Words that the newest events do not have are rare, or were: then their index is the way, and it has no order.
        # An order by a sum keeps the planner from walking through everything in hope of finding them soon.
        yield selection.lowest, low, selection.by_words.order_by((F("seq") + 0).desc())
        return
    high, size = low, FIRST_WINDOW * WINDOW_GROWTH
    while high > selection.lowest:
        low = max(selection.lowest, high - size)
        yield low, high, in_order
        high, size = low, size * WINDOW_GROWTH


def _people_to_show(team_id: int, rows: list[AuditEvent]) -> tuple[People, list[tuple[str, str]]]:
    """The values that the rows speak of, and whoever has acted in the team (number and latest name), in one query."""
    wanted = {digest for row in rows for digest in digests_in(row)}
    persons = Q(kind=PersonalKind.PERSON, user_id__isnull=False)
    found = PersonalValue.objects.filter(persons | Q(digest__in=wanted), team_id=team_id, erased_at=None).order_by("pk")
    values, names = {}, {}
    for kind, user_id, digest, value in found.values_list("kind", "user_id", "digest", "value")[:2000]:
        values[digest] = value
        if kind == PersonalKind.PERSON and user_id is not None:
            names[str(user_id)] = value
    return People(values), sorted(names.items(), key=lambda entry: entry[1].lower())[:500]


# --- One event, and the events beside it ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The numbers before and after an event: of the same video, and of the same click."""

    video_before: int | None
    video_after: int | None
    click_before: int | None
    click_after: int | None


def neighbours_of(event: AuditEvent) -> Neighbours:
    """Four short index walks."""
    events = AuditEvent.objects.filter(team_id=event.team_id)
    video = events.filter(bundle_id=event.bundle_id, position=event.position) if event.position is not None else None
    click = events.filter(request_id=event.request_id) if event.request_id else None
    return Neighbours(
        _beside(video, event.seq, before=True),
        _beside(video, event.seq, before=False),
        _beside(click, event.seq, before=True),
        _beside(click, event.seq, before=False),
    )


def _beside(events: QuerySet[AuditEvent] | None, seq: int, *, before: bool) -> int | None:
    if events is None:
        return None
    found = events.filter(seq__lt=seq).order_by("-seq") if before else events.filter(seq__gt=seq).order_by("seq")
    return found.values_list("seq", flat=True).first()


# --- What the page says of itself ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of the record's soundness."""

    watch: AuditWatch | None
    checkpoint: AuditCheckpoint | None


def proof_of(team: Team) -> Proof:
    """The unceasing verification's last word, and the last signed checkpoint. The team's watch must be loaded."""
    last = AuditCheckpoint.objects.filter(team=team).order_by("-number").first()
    return Proof(getattr(team, "audit_watch", None), last)
