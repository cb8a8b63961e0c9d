"""The read side of the history: filters, and keyset pages whose cost does not grow with the history."""

import time as clock
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from issues.audit import Verb
from issues.audit.checkpoints import base_of
from issues.audit.words import words_in
from issues.enums import Origin, PersonalKind
from issues.models import AuditCheckpoint, AuditEvent, AuditHead, AuditWatch, PersonalValue, Team
from issues.queries.history_lines import Line, read_events
from issues.queries.pages import decode_cursor, encode_cursor

PAGE_ROWS = 50
# Where several filters meet no index fits, and the newest events are looked through first, window by window. A page
# that took so long says how far back it has looked, and goes on from there on request.
FIRST_WINDOW, WINDOW_GROWTH, PATIENCE_SECONDS = 10_000, 4, 0.04
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
class Selection:
    """The events that the filters name. `direct`: one index has them in order."""

    team_id: int
    events: QuerySet[AuditEvent]
    lowest: int  # the first number that can be among them
    highest: int
    direct: bool

    def __iter__(self) -> Iterator[AuditEvent]:
        """All of them, latest first, some at a time: for an export."""
        found = self.events.filter(seq__gte=self.lowest, seq__lte=self.highest)
        return found.iterator(chunk_size=1000)


def find_events(team: Team, filters: HistoryFilters) -> Selection:
    """The team's events that the filters name, latest first, without those behind a cut."""
    lowest, highest = _numbers(team, filters)
    events = AuditEvent.objects.filter(team=team).order_by("-seq")
    narrowings = 0
    for condition in _conditions(team, filters):
        events, narrowings = events.filter(condition), narrowings + 1
    direct = narrowings == 0 or (narrowings == 1 and not filters.text)
    return Selection(team.pk, events, lowest, highest, direct or bool(filters.request_id))


def _numbers(team: Team, filters: HistoryFilters) -> tuple[int, int]:
    """The numbers between which the days lie: events are numbered in the order of their times."""
    events = AuditEvent.objects.filter(team=team)
    lowest, highest = base_of(team.pk).seq + 1, 2**62
    since, until = _day(filters.since), _day(filters.until)
    if since:
        first = events.filter(at__gte=since).order_by("at", "seq").values_list("seq", flat=True).first()
        lowest = max(lowest, first) if first is not None else highest
    if until:
        behind = events.filter(at__gte=until + timedelta(days=1)).order_by("at", "seq")
        first = behind.values_list("seq", flat=True).first()
        highest = first - 1 if first is not None else highest
    return lowest, highest


def _conditions(team: Team, filters: HistoryFilters) -> Iterator[Q | RawSQL]:
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
    words = words_in(filters.text)[:6]
    if words:
        yield from _with_words(team, words)
    elif filters.text:
        yield Q(pk__in=[])


def _users(team: Team, person: str) -> list[int]:
    """Users by number, or by a part of a name or address as it stands beside the chain."""
    if person.isdecimal() and len(person) < 19:
        return [int(person)]
    rows = PersonalValue.objects.filter(team=team, kind=PersonalKind.PERSON, value__icontains=person)
    return [number for number in rows.values_list("user_id", flat=True)[:200] if number is not None]


def _with_words(team: Team, words: list[str]) -> Iterator[Q | RawSQL]:
    """Every word must begin a word of the event, or stand in a value beside the chain that the event speaks of."""
    alternatives = []
    for word in words:
        values = PersonalValue.objects.filter(team=team, value__icontains=word)
        alternatives.append([word, *values.order_by("-pk").values_list("digest", flat=True)[:50]])
    if connection.vendor == "postgresql":
        # Words hold letters and digits alone (audit.words): nothing in them means anything to a tsquery.
        query = " & ".join(
            "(" + " | ".join([f"'{word}':*", *(f"'{digest}'" for digest in digests)]) + ")"
            for word, *digests in alternatives
        )
        matches = "array_to_tsvector(string_to_array(words, ' ')) @@ %s::tsquery"
        yield RawSQL(matches, [query], output_field=BooleanField())  # noqa: S611 - no part of it is given
        return
    for word, *digests in alternatives:
        condition = Q(words__startswith=word) | Q(words__contains=f" {word}")
        for digest in digests:
            condition |= Q(words__contains=digest)
        yield condition


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Lines, the cursor of the page behind them, and how far back was looked where not everything was."""

    rows: list[Line]
    after: str = ""
    looked_back_to: datetime | None = None


def page_of(selection: Selection, after: str) -> HistoryPage:
    """One page of a selection, from the cursor on."""
    cursor = decode_cursor(after, 1) if after else None
    below = min(selection.highest + 1, cursor[0]) if cursor and isinstance(cursor[0], int) else selection.highest + 1
    rows: list[AuditEvent] = []
    began = clock.monotonic()
    for low, high in _windows(selection, below):
        wanted = PAGE_ROWS + 1 - len(rows)
        rows += selection.events.filter(seq__gte=low, seq__lt=high)[:wanted]
        if len(rows) > PAGE_ROWS:
            return HistoryPage(read_events(rows[:PAGE_ROWS]), encode_cursor(rows[PAGE_ROWS - 1].seq))
        if low > selection.lowest and clock.monotonic() - began > PATIENCE_SECONDS:
            at = AuditEvent.objects.filter(team_id=selection.team_id, seq=low).values_list("at", flat=True).first()
            return HistoryPage(read_events(rows), encode_cursor(low), at)
    return HistoryPage(read_events(rows))


def _windows(selection: Selection, below: int) -> Iterator[tuple[int, int]]:
    """Spans of numbers to look through, newest first; one for all where an index has the events in order."""
    if selection.direct:
        yield selection.lowest, below
        return
    head = AuditHead.objects.filter(team_id=selection.team_id).values_list("seq", flat=True).first() or 0
    high, size = min(below, head + 1), FIRST_WINDOW
    while high > selection.lowest:
        low = max(selection.lowest, high - size)
        yield low, high
        high, size = low, size * WINDOW_GROWTH


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


def people_to_choose(team: Team) -> list[tuple[str, str]]:
    """Whoever has acted in the team, by number and name; the latest name of each."""
    rows = PersonalValue.objects.filter(team=team, kind=PersonalKind.PERSON, erased_at=None).exclude(user_id=None)
    names = {str(user_id): value for user_id, value in rows.order_by("pk").values_list("user_id", "value")}
    return sorted(names.items(), key=lambda entry: entry[1].lower())[:500]
