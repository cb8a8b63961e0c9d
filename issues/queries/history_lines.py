"""An event as a person reads it: one sentence, its changes, an icon."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from issues.audit import Verb
from issues.audit.personal import People, people_of
from issues.enums import Origin
from issues.models import AuditEvent
from issues.queries.history_fields import field_name, field_value
from issues.queries.history_sentences import Told, sentence_of_event


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
    who: str  # name and address
    label: str

    @property
    def is_note(self) -> bool:
        return self.event.verb == Verb.NOTE_WRITTEN

    @property
    def origin(self) -> str:
        """Where it came from, in words."""
        known = self.event.origin in Origin.values
        return str(Origin(self.event.origin).label) if known else self.event.origin


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
    Verb.FIX_RESTORING_DATES: ("calendar", ""),
    Verb.FIX_SUCCEEDED: ("circle-check", "good"),
    Verb.FIX_REJECTED: ("alert-triangle", "bad"),
    Verb.FIX_NEEDS_HUMAN: ("alert-triangle", "bad"),
    Verb.FIX_SUPERSEDED: ("users", ""),
    Verb.FIX_CANCELLED: ("x", ""),
    Verb.WORKSPACE_KEY_REFUSED: ("key", "bad"),
    Verb.WORKSPACE_KEY_EXPIRES: ("key", "bad"),
    Verb.WORKSPACE_LOW_CREDITS: ("alert-triangle", "bad"),
    Verb.WORKSPACE_KEY_CHANGED: ("key", "person"),
    Verb.WORKSPACE_CONNECTED: ("plug", "person"),
    Verb.HISTORY_EXPORTED: ("download", "person"),
    Verb.HISTORY_CUT: ("trash", ""),
    Verb.HISTORY_DOUBTED: ("alert-triangle", "bad"),
    Verb.HISTORY_ADOPTED: ("lock", "person"),
    Verb.NOTE_WRITTEN: ("message-2", "note"),
    Verb.ISSUE_ASSIGNED: ("user", "person"),
    Verb.ISSUE_SNOOZED: ("clock", "person"),
    Verb.ISSUE_WOKEN: ("clock", "person"),
    Verb.MEMBER_INVITED: ("users", "person"),
    Verb.MEMBER_ADDED: ("users", "person"),
    Verb.MEMBER_REMOVED: ("users", "person"),
    Verb.MEMBER_ROLE_CHANGED: ("users", "person"),
    Verb.MEMBER_ERASED: ("trash", "person"),
    Verb.TEAM_RULES_CHANGED: ("settings", "person"),
    Verb.TEAM_OWNER_CHANGED: ("users", "person"),
    Verb.LOGGED_IN: ("user", ""),
    Verb.LOGGED_OUT: ("logout", ""),
    Verb.LOGIN_FAILED: ("lock", "bad"),
    Verb.PASSWORD_CHANGED: ("lock", "person"),
    Verb.EMAIL_CHANGED: ("user", "person"),
    Verb.TWO_FACTOR_ADDED: ("lock", "person"),
    Verb.TWO_FACTOR_REMOVED: ("lock", "bad"),
    Verb.SESSION_ENDED: ("logout", "person"),
}


def read_events(events: Iterable[AuditEvent], people: People | None = None) -> list[Line]:
    """Events of one team as lines; the values beside the chain come with one query where they are not given."""
    listed = list(events)
    if people is None:
        people = people_of(listed[0].team_id, listed) if listed else People({})
    return [_line(event, people) for event in listed]


def _line(event: AuditEvent, people: People) -> Line:
    try:
        verb: Verb | None = Verb(event.verb)
    except ValueError:
        verb = None
    icon, tone = _ICONS.get(verb, ("point", "")) if verb else ("point", "")
    values, who, label = people.changes(event), people.name(event), people.label(event)
    changes = [
        Change(field_name(name), field_value(name, pair[0]), field_value(name, pair[1]))
        for name, pair in values.items()
        if isinstance(pair, list) and len(pair) == 2
    ]
    sentence = sentence_of_event(verb, Told(event.verb, label, values))
    return Line(event, sentence, icon, tone, changes, who.split(" <")[0], who, label)
