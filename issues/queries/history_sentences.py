"""What happened in an event, as one sentence in the reader's language."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issues.audit import Verb
from issues.fixes.outcomes import outcome_of
from issues.queries import date_lines
from issues.queries.history_fields import after_of, field_name, value_text
from issues.wording import hour_text, in_words


@dataclass(frozen=True, slots=True)
class Told:
    """What a sentence is made of."""

    verb: str
    label: str
    changes: dict[str, Any]


def _moment(text: Any) -> str:
    """A moment of the record as a person of this page reads it."""
    try:
        return hour_text(timezone.localtime(datetime.fromisoformat(str(text))))
    except ValueError:
        return str(text)


def _name(text: Any) -> str:
    """A name without its address."""
    return str(text).split(" <")[0]


def sentence_of_event(verb: Verb | None, event: Told) -> str:
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
        return pattern, {field: after_of(event.changes, field) for field in fields}
    if verb in _WITH_ROLE:
        return _WITH_ROLE[verb], {"role": in_words(str(after_of(event.changes, "role")))}
    if verb in _WITH_OUTCOME:
        code = str(after_of(event.changes, "code") or "")
        return _WITH_OUTCOME[verb], {"why": outcome_of(code, details={"reason": after_of(event.changes, "reason")}).say}
    if verb in {Verb.ISSUE_OPENED, Verb.ISSUE_UPDATED}:
        return _of_flag(verb, after_of(event.changes, "comment"), after_of(event.changes, "episode"))
    if verb in {Verb.FIX_SUBMITTED, Verb.FIX_PREPARED, Verb.FIX_UPLOADED}:
        return _of_fix(verb, event)
    if verb == Verb.ISSUE_ASSIGNED:
        to = after_of(event.changes, "assignee")
        return (
            (_("gave the issue to {name}"), {"name": _name(to)}) if to else (_("took the issue from its assignee"), {})
        )
    if verb == Verb.ISSUE_SNOOZED:
        return _("snoozed the issue until {moment}"), {"moment": _moment(after_of(event.changes, "snoozed_until"))}
    if verb == Verb.NOTE_WRITTEN:
        return _("noted: {text}"), {"text": after_of(event.changes, "text") or ""}
    if verb == Verb.HISTORY_DOUBTED:
        return _of_doubt(str(after_of(event.changes, "record")))
    if verb == Verb.TEAM_RULES_CHANGED:
        return _of_rules(event)
    if verb in {Verb.TWO_FACTOR_ADDED, Verb.TWO_FACTOR_REMOVED}:
        return _of_second_factor(verb, event)
    return None


def _of_rules(event: Told) -> Said:
    rules = [
        f"{field_name(name)} {value_text(before)} → {value_text(after)}"
        for name, (before, after) in event.changes.items()
    ]
    return _("changed the team's rules: {rules}"), {"rules": ", ".join(rules)}


def _of_second_factor(verb: Verb, event: Told) -> Said:
    is_removed = verb == Verb.TWO_FACTOR_REMOVED
    pattern = _("removed a second factor ({factor})") if is_removed else _("added a second factor ({factor})")
    return pattern, {"factor": in_words(str(after_of(event.changes, "factor") or "all"))}


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
        files = after_of(event.changes, "files")
        names = ", ".join(str(file.get("name")) for file in files) if isinstance(files, list) else ""
        return (_("uploaded {names}"), {"names": names}) if names else (_("uploaded the file"), {})
    links = after_of(event.changes, "links")
    if not isinstance(links, list) or not links:
        return (_("prepared a replacement") if verb == Verb.FIX_PREPARED else _("began to upload a replacement")), {}
    values = {"link": links[0], "count": len(links)}
    if verb == Verb.FIX_PREPARED:
        return _("prepared a replacement: {link}"), values
    if after_of(event.changes, "prepared"):
        return _("had prepared a replacement, which is sent now: {link}"), values
    return (_("gave a new link: {link}") if len(links) == 1 else _("gave {count} new image links")), values


_BREAK = re.compile(r"does not hold from event (\d+) on: (.*)", re.DOTALL)


def _of_doubt(record: str) -> Said:
    found = _BREAK.fullmatch(record)
    if not found:
        return _("verified the record: it holds"), {}
    pattern = _("verified the record: it does not hold from event {number} on: {reason}")
    return pattern, {"number": found[1], "reason": in_words(found[2])}


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
