"""Fields of an event in words: their names and values."""

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issues.fixes.outcomes import outcome_of
from issues.wording import publish_text

DATE_FIELDS = ("target_publish_date", "target_publish_end_date")
_DAYS = {*DATE_FIELDS, "deadline", "dates_earliest"}
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


def after_of(changes: dict[str, Any], name: str) -> Any:
    """The value that a field has since the event; `None` if the event does not name it."""
    pair = changes.get(name)
    return pair[1] if isinstance(pair, list) and len(pair) == 2 else None


def field_name(name: str) -> str:
    known = _FIELD_NAMES.get(name)
    return gettext(known) if known else name.replace("_", " ")


def field_value(name: str, value: Any) -> str:
    """A value of a field: days as days, the code of an outcome in words, the rest as it is."""
    if not value or not isinstance(value, str):
        return value_text(value)
    if name == "code":
        return outcome_of(value).say
    return publish_text(value) if name in _DAYS else value_text(value)


def value_text(value: Any) -> str:
    if value is None or value == []:
        return "—"
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, list):
        return "\n".join(value_text(entry) for entry in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {entry}" for name, entry in value.items())
    return str(value)
