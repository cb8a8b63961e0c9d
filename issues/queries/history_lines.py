"""An event as a person reads it: one sentence, its changes, an icon."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issues.audit import Verb
from issues.audit.personal import People, people_of
from issues.enums import Origin
from issues.fixes.outcomes import outcome_of
from issues.models import AuditEvent
from issues.queries import date_lines
from issues.wording import hour_text, in_words, publish_text


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
        Change(_field_name(name), _value(name, pair[0]), _value(name, pair[1]))
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
    "target_publish_date": _("publish from"),
    "target_publish_end_date": _("publish until"),
    "by_observation": _("seen by reading back"),
    "sweep_minutes": _("minutes between looks"),
    "code": _("answer"),
    "history_days": _("days that history is kept"),
    "requires_two_factor": _("two-factor required"),
    "place": _("from"),
    "snoozed_until": _("snoozed until"),
    "sweep_wanted": _("look at everything asked for"),
    # These are said as they are named.
    "account": _("account"),
    "active": _("active"),
    "added": _("added"),
    "download_issues": _("tell of download issues"),
    "assignee": _("assignee"),
    "base_url": _("base url"),
    "by": _("by"),
    "comment": _("comment"),
    "dates_code": _("answer about the dates"),
    "dates_earliest": _("earliest date"),
    "dates_kept": _("planned dates kept"),
    "dates_reason": _("reason"),
    "credits": _("credits"),
    "days": _("days"),
    "deadline": _("deadline"),
    "dry_run": _("dry run"),
    "email": _("email"),
    "episode": _("episode"),
    "event": _("event"),
    "factor": _("factor"),
    "files": _("files"),
    "filter": _("filter"),
    "filters": _("filters"),
    "first_kept": _("first kept"),
    "fixes": _("fixes"),
    "format": _("format"),
    "keep_dates": _("keep the planned dates"),
    "keeps_dates": _("keep the planned dates"),
    "kind": _("kind"),
    "lines": _("lines"),
    "links": _("links"),
    "low_credits": _("warn below credits"),
    "read_key_expires_on": _("key expires on"),
    "write_key_expires_on": _("key for fixes expires on"),
    "max_age_minutes": _("max age minutes"),
    "name": _("name"),
    "only_mine": _("only mine"),
    "owner": _("owner"),
    "pace": _("pace"),
    "password": _("password"),
    "prepared": _("prepared"),
    "quiet": _("quiet"),
    "read_key": _("read key"),
    "reason": _("reason"),
    "record": _("record"),
    "role": _("role"),
    "rows": _("rows"),
    "secret": _("secret"),
    "sessions": _("sessions"),
    "state": _("state"),
    "target": _("target"),
    "team": _("team"),
    "tells": _("tells"),
    "text": _("text"),
    "time_zone": _("time zone"),
    "language": _("language"),
    "types": _("types"),
    "fewer_images": _("fewer images confirmed"),
    "unchecked": _("unchecked"),
    "url": _("url"),
    "values": _("values"),
    "who": _("who"),
    "write_key": _("write key"),
}


def _field_name(name: str) -> str:
    known = _FIELD_NAMES.get(name)
    return gettext(known) if known else name.replace("_", " ")


def _value(name: str, value: Any) -> str:
    """A value of a field: days as days, the code of an outcome in words, the rest as it is."""
    if not value or not isinstance(value, str):
        return _text(value)
    if name == "code":
        return outcome_of(value).say
    return publish_text(value) if name in _DAYS else _text(value)


def _text(value: Any) -> str:
    if value is None or value == []:
        return "—"
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
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
        return hour_text(timezone.localtime(datetime.fromisoformat(str(text))))
    except ValueError:
        return str(text)


def _name(text: Any) -> str:
    """A name without its address."""
    return str(text).split(" <")[0]


def _sentence(verb: Verb | None, event: Told) -> str:
    """What happened, without who: the page puts the name in front."""
    if verb is None:
        return event.verb
    pattern, values = _special(verb, event) or (_SAID[verb], {})
    return gettext(pattern).format(label=event.label, **values)


Said = tuple[str, dict[str, Any]]


def _special(verb: Verb, event: Told) -> Said | None:
    """Sentences that depend on what changed; `None` for those that are always the same."""
    if verb == Verb.FIX_SUCCEEDED:
        return date_lines.of_success(event.changes)
    if verb == Verb.FIX_RESTORING_DATES:
        return date_lines.of_restoring(event.changes)
    if verb in _WITH_VALUES:
        pattern, fields = _WITH_VALUES[verb]
        return pattern, {field: _after(event, field) for field in fields}
    if verb in _WITH_ROLE:
        return _WITH_ROLE[verb], {"role": in_words(str(_after(event, "role")))}
    if verb in _WITH_OUTCOME:
        code = str(_after(event, "code") or "")
        return _WITH_OUTCOME[verb], {"why": outcome_of(code, details={"reason": _after(event, "reason")}).say}
    if verb in {Verb.ISSUE_OPENED, Verb.ISSUE_UPDATED}:
        return _of_flag(verb, _after(event, "comment"), _after(event, "episode"))
    if verb in {Verb.FIX_SUBMITTED, Verb.FIX_PREPARED, Verb.FIX_UPLOADED}:
        return _of_fix(verb, event)
    if verb == Verb.ISSUE_ASSIGNED:
        to = _after(event, "assignee")
        return (
            (_("gave the issue to {name}"), {"name": _name(to)}) if to else (_("took the issue from its assignee"), {})
        )
    if verb == Verb.ISSUE_SNOOZED:
        return _("snoozed the issue until {moment}"), {"moment": _moment(_after(event, "snoozed_until"))}
    if verb == Verb.NOTE_WRITTEN:
        return _("noted: {text}"), {"text": _after(event, "text") or ""}
    if verb == Verb.HISTORY_DOUBTED:
        return _of_doubt(str(_after(event, "record")))
    if verb == Verb.TEAM_RULES_CHANGED:
        rules = ", ".join(
            f"{_field_name(name)} {_text(before)} → {_text(after)}" for name, (before, after) in event.changes.items()
        )
        return _("changed the team's rules: {rules}"), {"rules": rules}
    if verb in {Verb.TWO_FACTOR_ADDED, Verb.TWO_FACTOR_REMOVED}:
        factor = str(_after(event, "factor") or "all")
        pattern = _("added a second factor ({factor})")
        if verb == Verb.TWO_FACTOR_REMOVED:
            pattern = _("removed a second factor ({factor})")
        return pattern, {"factor": in_words(factor)}
    return None


def _of_flag(verb: Verb, comment: Any, again: Any) -> Said:
    values = {"comment": comment, "number": again}
    if verb == Verb.ISSUE_UPDATED:
        return (
            _("saw that the manager now says: “{comment}”") if comment else _("saw that the flagged video changed")
        ), values
    if again:
        pattern = _("saw that the manager flagged the video again (time {number}), without a comment")
        if comment:
            pattern = _("saw that the manager flagged the video again (time {number}): “{comment}”")
        return pattern, values
    pattern = _("saw that the manager flagged the video, without a comment")
    return (_("saw that the manager flagged the video: “{comment}”") if comment else pattern), values


def _of_fix(verb: Verb, event: Told) -> Said:
    if verb == Verb.FIX_UPLOADED:
        files = _after(event, "files")
        names = ", ".join(str(file.get("name")) for file in files) if isinstance(files, list) else ""
        return (_("uploaded {names}"), {"names": names}) if names else (_("uploaded the file"), {})
    links = _after(event, "links")
    if not isinstance(links, list) or not links:
        return (_("prepared a replacement") if verb == Verb.FIX_PREPARED else _("began to upload a replacement")), {}
    values = {"link": links[0], "count": len(links)}
    if verb == Verb.FIX_PREPARED:
        return _("prepared a replacement: {link}"), values
    if _after(event, "prepared"):
        return _("had prepared a replacement, which is sent now: {link}"), values
    return (_("gave a new link: {link}") if len(links) == 1 else _("gave {count} new image links")), values


_BREAK = re.compile(r"does not hold from event (\d+) on: (.*)", re.DOTALL)


def _of_doubt(record: str) -> Said:
    found = _BREAK.fullmatch(record)
    if not found:
        return _("verified the record: it holds"), {}
    pattern = _("verified the record: it does not hold from event {number} on: {reason}")
    return pattern, {"number": found[1], "reason": in_words(found[2])}


_DAYS = {*date_lines.DATE_FIELDS, "deadline", "dates_earliest"}
_WITH_VALUES = {
    Verb.HISTORY_CUT: (
        _("let go of the events before number {first_kept}: the team keeps {days} days"),
        ("first_kept", "days"),
    ),
    Verb.BULK_PLANNED: (_("planned {rows} fixes: {label}"), ("rows",)),
    Verb.BULK_STARTED: (_("sent {fixes} fixes in one go: {label}"), ("fixes",)),
    Verb.BULK_UNDONE: (_("took back {fixes} fixes before they went out: {label}"), ("fixes",)),
}
_WITH_ROLE = {
    Verb.MEMBER_INVITED: _("invited {label} as {role}"),
    Verb.MEMBER_ADDED: _("added {label} as {role}"),
    Verb.MEMBER_ROLE_CHANGED: _("changed the role of {label} to {role}"),
}
_WITH_OUTCOME = {
    Verb.FIX_REJECTED: _("could not fix it. {why}"),
    Verb.FIX_NEEDS_HUMAN: _("stopped: a person has to look. {why}"),
    Verb.FIX_SUPERSEDED: _("ended the fix. {why}"),
    Verb.FIX_CANCELLED: _("cancelled the fix. {why}"),
}
_SAID = {
    Verb.TEAM_CREATED: _("created the team {label}"),
    Verb.TEAM_RENAMED: _("renamed the team to {label}"),
    Verb.TEAM_OWNER_CHANGED: _("handed the ownership over to {label}"),
    Verb.MEMBER_REMOVED: _("removed {label}"),
    Verb.MEMBER_INVITATION_REVOKED: _("withdrew the invitation of {label}"),
    Verb.MEMBER_ERASED: _("erased the personal data of a former member from the history"),
    Verb.WORKSPACE_CONNECTED: _("connected the workspace {label}"),
    Verb.WORKSPACE_CHANGED: _("changed the workspace {label}"),
    Verb.WORKSPACE_KEY_CHANGED: _("replaced the key of {label}"),
    Verb.WORKSPACE_KEY_REFUSED: _("found that TokPortal refuses the key of {label}"),
    Verb.WORKSPACE_KEY_EXPIRES: _("reminded the owners that a key of {label} expires"),
    Verb.WORKSPACE_LOW_CREDITS: _("warned the owners that {label} has few credits left"),
    Verb.WORKSPACE_PAUSED: _("paused {label}"),
    Verb.WORKSPACE_RESUMED: _("resumed {label}"),
    Verb.WORKSPACE_SWEEP_WANTED: _("asked for a look at everything in {label}"),
    Verb.WEBHOOK_REGISTERED: _("registered the webhook of {label}"),
    Verb.WEBHOOK_ROTATED: _("changed the webhook secret of {label}"),
    Verb.WEBHOOK_TYPES_CHANGED: _("subscribed the webhook of {label} to what TokPortal sends now"),
    Verb.WEBHOOK_REMOVED: _("removed the webhook of {label}"),
    Verb.HOOK_ADDED: _("added the endpoint {label}"),
    Verb.HOOK_CHANGED: _("changed the endpoint {label}"),
    Verb.HOOK_REMOVED: _("removed the endpoint {label}"),
    Verb.HOOK_TRIED: _("sent a test event to the endpoint {label}"),
    Verb.HOOK_REPLAYED: _("had an event delivered again to the endpoint {label}"),
    Verb.CHANNEL_ADDED: _("added the notification channel {label}"),
    Verb.CHANNEL_CHANGED: _("changed the notification channel {label}"),
    Verb.CHANNEL_REMOVED: _("removed the notification channel {label}"),
    Verb.CHANNEL_TRIED: _("sent a test message to the channel {label}"),
    Verb.VIEW_SAVED: _("saved the view {label}"),
    Verb.VIEW_REMOVED: _("removed the view {label}"),
    Verb.ISSUE_PRICE_WAS_A_FIX: _("asked what a fix costs, and TokPortal took it for a real fix with the old link"),
    Verb.ISSUE_FIXED: _("closed the issue as fixed"),
    Verb.ISSUE_CLEARED: _("saw that the flag is gone without a fix from here"),
    Verb.ISSUE_MOOT: _("closed the issue: its bundle has ended"),
    Verb.ISSUE_CLAIMED: _("took the issue on"),
    Verb.ISSUE_RELEASED: _("let go of the issue"),
    Verb.ISSUE_WOKEN: _("brought the issue back into the queue"),
    Verb.FIX_WITHDRAWN: _("withdrew the prepared replacement"),
    Verb.FIX_COPYING: _("began to copy the file to TokPortal's storage"),
    Verb.FIX_SENT: _("began to send the fix to TokPortal"),
    Verb.FIX_DELAYED: _("could not send the fix yet; it is tried again by itself"),
    Verb.FIX_ACCEPTED: _("got TokPortal's acceptance"),
    Verb.HISTORY_EXPORTED: _("exported the history"),
    Verb.HISTORY_ADOPTED: _("signed the first checkpoint of the record"),
    Verb.PROFILE_CHANGED: _("changed the profile"),
    Verb.LOGGED_IN: _("logged in"),
    Verb.LOGGED_OUT: _("logged out"),
    Verb.LOGIN_FAILED: _("could not be logged in: wrong password or code"),
    Verb.PASSWORD_CHANGED: _("changed the password"),
    Verb.EMAIL_CHANGED: _("changed the e-mail address"),
    Verb.RECOVERY_CODES_MADE: _("made new recovery codes"),
    Verb.SESSION_ENDED: _("ended other sessions"),
    Verb.SIGN_ON_CONNECTED: _("connected single sign-on"),
    Verb.SIGN_ON_REMOVED: _("removed single sign-on"),
}
