"""The read side of the history: filters, keyset pages, and a sentence for each event."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from issues.audit import Verb
from issues.enums import Origin
from issues.fixes.outcomes import outcome_of
from issues.models import AuditEvent, Team
from issues.queries.pages import Page, decode_cursor, encode_cursor

PAGE_ROWS = 50
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


def find_events(team: Team, filters: HistoryFilters) -> QuerySet[AuditEvent]:
    """The team's events that the filters name, latest first."""
    events = AuditEvent.objects.filter(team=team).order_by("-seq")
    if filters.verb:
        events = events.filter(verb=filters.verb)
    if filters.person:
        events = events.filter(actor_name__icontains=filters.person)
    if filters.workspace:
        try:
            events = events.filter(workspace_id=UUID(filters.workspace))
        except ValueError:
            events = events.none()
    if filters.bundle:
        events = events.filter(bundle_id=filters.bundle)
    if filters.position is not None:
        events = events.filter(position=filters.position)
    if filters.origin:
        events = events.filter(origin=filters.origin)
    since, until = _day(filters.since), _day(filters.until)
    if since:
        events = events.filter(at__gte=since)
    if until:
        events = events.filter(at__lt=until + timedelta(days=1))
    if filters.request_id:
        wanted = Q(request_id=filters.request_id) | Q(tokportal_request_id=filters.request_id)
        events = events.filter(wanted)
    for word in filters.text.split()[:6]:
        events = events.filter(Q(label__icontains=word) | Q(actor_name__icontains=word) | Q(canonical__icontains=word))
    return events


def page_of(events: QuerySet[AuditEvent], after: str) -> Page["Line"]:
    """One page of an ordered selection."""
    cursor = decode_cursor(after, 1) if after else None
    if cursor and isinstance(cursor[0], int):
        events = events.filter(seq__lt=cursor[0])
    rows = list(events[: PAGE_ROWS + 1])
    more = len(rows) > PAGE_ROWS
    lines = read_events(rows[:PAGE_ROWS])
    return Page(lines, encode_cursor(rows[PAGE_ROWS - 1].seq) if more else "")


@dataclass(frozen=True, slots=True)
class Change:
    """A field with what it was and became, as text."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Line:
    """An event as a person reads it."""

    event: AuditEvent
    sentence: str
    icon: str
    tone: str  # "good", "bad", "person" or plain
    changes: Sequence[Change]
    actor: str


_ICONS = {
    Verb.ISSUE_OPENED: ("flag", "bad"),
    Verb.ISSUE_FIXED: ("circle-check", "good"),
    Verb.ISSUE_CLEARED: ("flag-off", ""),
    Verb.ISSUE_MOOT: ("flag-off", ""),
    Verb.ISSUE_UPDATED: ("flag", ""),
    Verb.FIX_SUBMITTED: ("tool", "person"),
    Verb.FIX_PREPARED: ("tool", "person"),
    Verb.FIX_COPYING: ("upload", ""),
    Verb.FIX_UPLOADED: ("upload", "person"),
    Verb.FIX_SENT: ("send", ""),
    Verb.FIX_ACCEPTED: ("check", ""),
    Verb.FIX_SUCCEEDED: ("circle-check", "good"),
    Verb.FIX_REJECTED: ("alert-triangle", "bad"),
    Verb.FIX_NEEDS_HUMAN: ("alert-triangle", "bad"),
    Verb.FIX_SUPERSEDED: ("users", ""),
    Verb.FIX_CANCELLED: ("x", ""),
    Verb.WORKSPACE_KEY_REFUSED: ("key", "bad"),
    Verb.WORKSPACE_KEY_CHANGED: ("key", "person"),
    Verb.WORKSPACE_CONNECTED: ("plug", "person"),
    Verb.HISTORY_EXPORTED: ("download", "person"),
}


def read_events(events: Iterable[AuditEvent]) -> list[Line]:
    """Events as lines."""
    return [_line(event) for event in events]


def _line(event: AuditEvent) -> Line:
    try:
        verb: Verb | None = Verb(event.verb)
    except ValueError:
        verb = None
    icon, tone = _ICONS.get(verb, ("point", "")) if verb else ("point", "")
    changes = [
        Change(_FIELD_NAMES.get(name, name.replace("_", " ")), _text(pair[0]), _text(pair[1]))
        for name, pair in event.changes.items()
        if isinstance(pair, list) and len(pair) == 2
    ]
    return Line(event, _sentence(verb, event), icon, tone, changes, event.actor_name.split(" <")[0])


_FIELD_NAMES = {
    "target_publish_date": "publish from",
    "target_publish_end_date": "publish until",
    "by_observation": "seen by reading back",
    "sweep_minutes": "minutes between looks",
    "code": "answer",
}


def _text(value: Any) -> str:
    if value is None or value == []:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "\n".join(_text(entry) for entry in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {entry}" for name, entry in value.items())
    return str(value)


def _after(event: AuditEvent, name: str) -> Any:
    pair = event.changes.get(name)
    return pair[1] if isinstance(pair, list) and len(pair) == 2 else None


def _sentence(verb: Verb | None, event: AuditEvent) -> str:
    """What happened, without who: the page puts the name in front."""
    if verb is None:
        return event.verb
    if verb == Verb.ISSUE_OPENED:
        comment = _after(event, "comment")
        again = _after(event, "episode")
        text = "saw that the manager flagged the video"
        text += f" again (time {again})" if again else ""
        return f"{text}: “{comment}”" if comment else f"{text}, without a comment"
    if verb == Verb.ISSUE_UPDATED:
        comment = _after(event, "comment")
        return f"saw that the manager now says: “{comment}”" if comment else "saw that the flagged video changed"
    if verb == Verb.FIX_SUBMITTED:
        links = _after(event, "links")
        if isinstance(links, list) and links and _after(event, "prepared"):
            return f"had prepared a replacement, which is sent now: {links[0]}"
        if isinstance(links, list) and links:
            return f"gave a new link: {links[0]}" if len(links) == 1 else f"gave {len(links)} new image links"
        return "began to upload a replacement"
    if verb == Verb.FIX_PREPARED:
        links = _after(event, "links")
        return f"prepared a replacement: {links[0]}" if isinstance(links, list) and links else "prepared a replacement"
    if verb == Verb.FIX_UPLOADED:
        files = _after(event, "files")
        names = ", ".join(str(file.get("name")) for file in files) if isinstance(files, list) else "the file"
        return f"uploaded {names}"
    if verb == Verb.FIX_SUCCEEDED:
        start, end = _after(event, "target_publish_date"), _after(event, "target_publish_end_date")
        return f"read the video back: the flag is gone, publish dates are {start} to {end}"
    if verb in {Verb.FIX_REJECTED, Verb.FIX_NEEDS_HUMAN, Verb.FIX_SUPERSEDED, Verb.FIX_CANCELLED}:
        return f"{_PLAIN[verb]} {outcome_of(str(_after(event, 'code') or '')).say}"
    if verb in {Verb.MEMBER_ADDED, Verb.MEMBER_ROLE_CHANGED}:
        return f"{_PLAIN[verb]} {event.label} as {_after(event, 'role')}"
    if verb == Verb.BULK_STARTED:
        return f"sent {_after(event, 'fixes')} fixes in one go: {event.label}"
    if verb == Verb.BULK_UNDONE:
        return f"took back {_after(event, 'fixes')} fixes before they went out: {event.label}"
    if verb in {Verb.MEMBER_REMOVED, Verb.TEAM_CREATED} or verb.value.startswith("workspace."):
        return f"{_PLAIN[verb]} {event.label}"
    return _PLAIN[verb]


_PLAIN = {
    Verb.TEAM_CREATED: "created the team",
    Verb.MEMBER_ADDED: "added",
    Verb.MEMBER_ROLE_CHANGED: "changed the role of",
    Verb.MEMBER_REMOVED: "removed",
    Verb.WORKSPACE_CONNECTED: "connected the workspace",
    Verb.WORKSPACE_CHANGED: "changed the workspace",
    Verb.WORKSPACE_KEY_CHANGED: "replaced the key of",
    Verb.WORKSPACE_KEY_REFUSED: "found that TokPortal refuses the key of",
    Verb.WORKSPACE_PAUSED: "paused",
    Verb.WORKSPACE_RESUMED: "resumed",
    Verb.ISSUE_FIXED: "closed the issue as fixed",
    Verb.ISSUE_CLEARED: "saw that the flag is gone without a fix from here",
    Verb.ISSUE_MOOT: "closed the issue: its bundle has ended",
    Verb.FIX_WITHDRAWN: "withdrew the prepared replacement",
    Verb.FIX_COPYING: "began to copy the file to TokPortal's storage",
    Verb.ISSUE_CLAIMED: "took the issue on",
    Verb.ISSUE_RELEASED: "let go of the issue",
    Verb.WEBHOOK_REGISTERED: "registered the webhook of",
    Verb.WEBHOOK_ROTATED: "changed the webhook secret of",
    Verb.WEBHOOK_REMOVED: "removed the webhook of",
    Verb.FIX_SENT: "began to send the fix to TokPortal",
    Verb.FIX_DELAYED: "could not send the fix yet; it is tried again by itself",
    Verb.FIX_ACCEPTED: "got TokPortal's acceptance",
    Verb.FIX_REJECTED: "could not fix it.",
    Verb.FIX_NEEDS_HUMAN: "stopped: a person has to look.",
    Verb.FIX_SUPERSEDED: "ended the fix.",
    Verb.FIX_CANCELLED: "cancelled the fix.",
    Verb.HISTORY_EXPORTED: "exported the history",
}
