"""Values that belong to people, beside the chain: written once for a person, shown by digest, erased on request."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from issues.audit.actors import Personal
from issues.link_checks.masking import mask_secrets, shown_url
from issues.models import AuditEvent, PersonalValue

ERASED = "(erased)"
_WORDS = frozenset({"comment", "text", "base_url"})  # fields in which links stay usable


def digest_of(salt: str, value: str) -> str:
    """SHA-256 over salt, a line feed, and the value; hexadecimal."""
    return hashlib.sha256(f"{salt}\n{value}".encode()).hexdigest()


def keep_values(team_id: int, wanted: Iterable[Personal]) -> dict[Personal, str]:
    """The digest of each value, kept beside the team's chain. One query where all are known."""
    values = {personal: _clean(personal.value) for personal in set(wanted)}
    if not values:
        return {}
    users = {personal.user_id for personal in values}
    about = Q(user_id__in=users - {None}) | (Q(user_id=None) if None in users else Q())
    known = PersonalValue.objects.filter(about, team_id=team_id, value__in=set(values.values()), erased_at=None)
    rows = {(row.user_id, row.value): row for row in known}
    digests, fresh = {}, []
    for personal, value in values.items():
        row = rows.get((personal.user_id, value))
        if row is None:
            salt = secrets.token_hex(16)
            digest = digest_of(salt, value)
            row = PersonalValue(
                team_id=team_id,
                user_id=personal.user_id,
                kind=personal.kind.value,
                salt=salt,
                value=value,
                digest=digest,
            )
            fresh.append(row)
        digests[personal] = row.digest
    PersonalValue.objects.bulk_create(fresh)
    return digests


def _clean(value: str) -> str:
    """As it is kept: a note may quote a link, and exports carry it."""
    return mask_secrets(value).replace("\x00", "")


@dataclass(frozen=True, slots=True)
class People:
    """Values by digest, for showing events.

    Events that an older version wrote may hold secrets of links, which the chain keeps. They are masked here, unless
    `as_recorded` asks for what was hashed.
    """

    values: Mapping[str, str]
    as_recorded: bool = False

    def name(self, event: AuditEvent) -> str:
        return self.of(event.actor_digest) if event.actor_digest else event.actor_name

    def label(self, event: AuditEvent) -> str:
        if event.label_digest:
            return self.of(event.label_digest)
        return event.label if self.as_recorded else mask_secrets(event.label)

    def changes(self, event: AuditEvent) -> dict[str, Any]:
        """The event's changes with the values in place of their digests."""
        return {field: self._shown(pair, field) for field, pair in event.changes.items()}

    def of(self, digest: str) -> str:
        return self.values.get(digest, ERASED)

    def _shown(self, value: Any, field: str) -> Any:
        if isinstance(value, str):
            return value if self.as_recorded else _masked(value, field)
        if isinstance(value, list):
            return [self._shown(entry, field) for entry in value]
        if isinstance(value, dict):
            if set(value) == {"digest"}:
                return self.of(value["digest"])
            return {name: self._shown(entry, field) for name, entry in value.items()}
        return value


def _masked(text: str, field: str) -> str:
    """A link as it may be shown; what people wrote without the secrets in it."""
    is_link = "://" in text and field not in _WORDS and not any(ch.isspace() for ch in text)
    return shown_url(text) if is_link else mask_secrets(text)


def digests_in(event: AuditEvent) -> set[str]:
    """Every digest that an event speaks of."""
    found = {event.actor_digest, event.label_digest} - {""}
    if '"digest":' in event.canonical:
        found |= digests_within(event.changes)
    return found


def digests_within(value: Any) -> set[str]:
    """The digests that stand in an event's changes."""
    if isinstance(value, list):
        return {digest for entry in value for digest in digests_within(entry)}
    if isinstance(value, dict):
        if set(value) == {"digest"}:
            return {str(value["digest"])}
        return {digest for entry in value.values() for digest in digests_within(entry)}
    return set()


def people_of(team_id: int, events: Iterable[AuditEvent], *, as_recorded: bool = False) -> People:
    """The values that these events speak of, in one query."""
    wanted = {digest for event in events for digest in digests_in(event)}
    if not wanted:
        return People({}, as_recorded)
    rows = PersonalValue.objects.filter(team_id=team_id, digest__in=wanted, erased_at=None)
    return People(dict(rows.values_list("digest", "value")), as_recorded)
