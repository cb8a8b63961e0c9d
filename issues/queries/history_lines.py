"""An event as a person reads it: one sentence, its changes, an icon."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from issues.audit import Verb
from issues.audit.personal import People, people_of
from issues.fixes.outcomes import outcome_of
from issues.models import AuditEvent


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
        Change(_FIELD_NAMES.get(name, name.replace("_", " ")), _text(pair[0]), _text(pair[1]))
        for name, pair in values.items()
        if isinstance(pair, list) and len(pair) == 2
    ]
    sentence = _sentence(verb, Told(event.verb, label, values))
    return Line(event, sentence, icon, tone, changes, who.split(" <")[0], who, label)


@dataclass(frozen=True, slots=True)
class Told:
    """What a sentence is made of."""

    verb: str
    label: str
    changes: dict[str, Any]


_FIELD_NAMES = {
    "target_publish_date": "publish from",
    "target_publish_end_date": "publish until",
    "by_observation": "seen by reading back",
    "sweep_minutes": "minutes between looks",
    "code": "answer",
    "history_days": "days that history is kept",
    "requires_two_factor": "two-factor required",
    "place": "from",
    "snoozed_until": "snoozed until",
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


def _after(event: Told, name: str) -> Any:
    pair = event.changes.get(name)
    return pair[1] if isinstance(pair, list) and len(pair) == 2 else None


def _moment(text: Any) -> str:
    """A moment of the record as a person of this page reads it."""
    try:
        return f"{timezone.localtime(datetime.fromisoformat(str(text))):%a %-d %b, %H:%M}"
    except ValueError:
        return str(text)


def _sentence(verb: Verb | None, event: Told) -> str:
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
    if verb == Verb.ISSUE_ASSIGNED:
        to = _after(event, "assignee")
        return f"gave the issue to {str(to).split(' <')[0]}" if to else "took the issue from its assignee"
    if verb == Verb.ISSUE_SNOOZED:
        return f"snoozed the issue until {_moment(_after(event, 'snoozed_until'))}"
    if verb == Verb.NOTE_WRITTEN:
        return f"noted: {_after(event, 'text') or ''}"
    if verb == Verb.HISTORY_CUT:
        first, days = _after(event, "first_kept"), _after(event, "days")
        return f"let go of the events before number {first}: the team keeps {days} days"
    if verb == Verb.HISTORY_DOUBTED:
        return f"verified the record: it {_after(event, 'record')}"
    if verb == Verb.MEMBER_INVITED:
        return f"invited {event.label} as {_after(event, 'role')}"
    if verb == Verb.TEAM_RULES_CHANGED:
        return "changed the team's rules: " + ", ".join(
            f"{_FIELD_NAMES.get(name, name)} {_text(before)} → {_text(after)}"
            for name, (before, after) in event.changes.items()
        )
    if verb in {Verb.TWO_FACTOR_ADDED, Verb.TWO_FACTOR_REMOVED}:
        return f"{_PLAIN[verb]} ({_after(event, 'factor') or 'all'})"
    if verb in {Verb.MEMBER_ADDED, Verb.MEMBER_ROLE_CHANGED}:
        return f"{_PLAIN[verb]} {event.label} as {_after(event, 'role')}"
    if verb == Verb.BULK_PLANNED:
        return f"planned {_after(event, 'rows')} fixes: {event.label}"
    if verb == Verb.BULK_STARTED:
        return f"sent {_after(event, 'fixes')} fixes in one go: {event.label}"
    if verb == Verb.BULK_UNDONE:
        return f"took back {_after(event, 'fixes')} fixes before they went out: {event.label}"
    if verb in _WITH_LABEL or verb.value.startswith(("workspace.", "webhook.", "hook.", "channel.")):
        return f"{_PLAIN[verb]} {event.label}"
    return _PLAIN[verb]


# The label ends the sentence.
_WITH_LABEL = {
    Verb.MEMBER_REMOVED, Verb.TEAM_CREATED, Verb.MEMBER_INVITATION_REVOKED, Verb.MEMBER_ERASED,
    Verb.TEAM_OWNER_CHANGED, Verb.TEAM_RENAMED, Verb.VIEW_SAVED, Verb.VIEW_REMOVED,
}  # fmt: skip

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
    Verb.ISSUE_ASSIGNED: "gave the issue to somebody",
    Verb.ISSUE_SNOOZED: "snoozed the issue",
    Verb.ISSUE_WOKEN: "brought the issue back into the queue",
    Verb.VIEW_SAVED: "saved the view",
    Verb.VIEW_REMOVED: "removed the view",
    Verb.WEBHOOK_REGISTERED: "registered the webhook of",
    Verb.WEBHOOK_ROTATED: "changed the webhook secret of",
    Verb.WEBHOOK_REMOVED: "removed the webhook of",
    Verb.HOOK_ADDED: "added the endpoint",
    Verb.HOOK_CHANGED: "changed the endpoint",
    Verb.HOOK_REMOVED: "removed the endpoint",
    Verb.HOOK_TRIED: "sent a test event to the endpoint",
    Verb.HOOK_REPLAYED: "had an event delivered again to the endpoint",
    Verb.CHANNEL_ADDED: "added the notification channel",
    Verb.CHANNEL_CHANGED: "changed the notification channel",
    Verb.CHANNEL_REMOVED: "removed the notification channel",
    Verb.CHANNEL_TRIED: "sent a test message to the channel",
    Verb.FIX_SENT: "began to send the fix to TokPortal",
    Verb.FIX_DELAYED: "could not send the fix yet; it is tried again by itself",
    Verb.FIX_ACCEPTED: "got TokPortal's acceptance",
    Verb.FIX_REJECTED: "could not fix it.",
    Verb.FIX_NEEDS_HUMAN: "stopped: a person has to look.",
    Verb.FIX_SUPERSEDED: "ended the fix.",
    Verb.FIX_CANCELLED: "cancelled the fix.",
    Verb.HISTORY_EXPORTED: "exported the history",
    Verb.HISTORY_ADOPTED: "signed the first checkpoint of the record",
    Verb.TEAM_RENAMED: "renamed the team to",
    Verb.TEAM_OWNER_CHANGED: "handed the ownership over to",
    Verb.MEMBER_INVITATION_REVOKED: "withdrew the invitation of",
    Verb.MEMBER_ERASED: "erased the personal data of a former member from the history",
    Verb.PROFILE_CHANGED: "changed name or time zone",
    Verb.LOGGED_IN: "logged in",
    Verb.LOGGED_OUT: "logged out",
    Verb.LOGIN_FAILED: "could not be logged in: wrong password or code",
    Verb.PASSWORD_CHANGED: "changed the password",
    Verb.EMAIL_CHANGED: "changed the e-mail address",
    Verb.TWO_FACTOR_ADDED: "added a second factor",
    Verb.TWO_FACTOR_REMOVED: "removed a second factor",
    Verb.RECOVERY_CODES_MADE: "made new recovery codes",
    Verb.SESSION_ENDED: "ended other sessions",
    Verb.SIGN_ON_CONNECTED: "connected single sign-on",
    Verb.SIGN_ON_REMOVED: "removed single sign-on",
    Verb.WORKSPACE_SWEEP_WANTED: "asked for a look at everything in",
}
