"""A team's history: each issue's story and what people do besides, in order of time, in one chain."""

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from issues.audit import Actor, Personal, Verb
from issues.audit.chain import GENESIS, canonical_text, chain_hash
from issues.audit.checkpoints import first_checkpoint
from issues.audit.personal import keep_values
from issues.audit.words import search_words
from issues.enums import Origin, Role
from issues.load.pour import pour
from issues.load.world import YEARS, Told
from issues.models import AuditEvent, AuditHead, Team, User

# What people do around an issue that is told at length, one after the other, for as many events as are wanted.
AROUND = (
    Verb.ISSUE_CLAIMED,
    Verb.NOTE_WRITTEN,
    Verb.ISSUE_ASSIGNED,
    Verb.ISSUE_RELEASED,
    Verb.ISSUE_UPDATED,
    Verb.LOGGED_IN,
)
NOTES = (
    "Asked the client for a new export",
    "Studio sends it this afternoon",
    "Same host as last week",
    "Waiting for the licence",
)


@dataclass(frozen=True, slots=True)
class Happening:
    """An event before it has its place in the chain."""

    at: datetime
    verb: Verb
    told: Told | None
    person: int | None  # which of the team's people; None: TokDash itself
    changes: dict[str, Any]


def write_history(
    team: Team, people: Sequence[User], told: Sequence[Told], count: int, now: datetime, seed: int
) -> int:
    """`count` events (never fewer than the two that begin a team), hashed one after the other. Returns how many."""
    digests = keep_values(team.pk, [Personal.of(user) for user in people])
    who = [digests[Personal.of(user)] for user in people]
    beginning, rest = _beginning(now, who), _happenings(people, who, told, count - 2, now, random.Random(seed))  # noqa: S311
    chain = _Chain(team, people, who)
    with transaction.atomic():
        pour(AuditEvent, _EVENT, (chain.add(one) for one in beginning))
        chain.keep_head()
        first_checkpoint(team.pk)
    pour(AuditEvent, _EVENT, (chain.add(one) for one in rest))
    chain.keep_head()
    return chain.seq


def _beginning(now: datetime, who: Sequence[str]) -> list[Happening]:
    at = now - YEARS - timedelta(days=1)
    role = {"role": [None, Role.OWNER.value]}
    return [Happening(at, Verb.TEAM_CREATED, None, None, {}), Happening(at, Verb.MEMBER_ADDED, None, None, role)]


def _happenings(
    people: Sequence[User], who: Sequence[str], told: Sequence[Told], count: int, now: datetime, chance: random.Random
) -> list[Happening]:
    found: list[Happening] = []
    for one in told:
        found += _story(one)
    if len(found) > count:  # as far as it goes: the latest
        return sorted(found, key=lambda one: one.at)[len(found) - max(count, 0) :]
    number = 0
    while len(found) < count:
        verb = AROUND[number % len(AROUND)]
        about = told[chance.randrange(len(told))] if told and verb != Verb.LOGGED_IN else None
        if about:
            at = about.opened_at + ((about.closed_at or now) - about.opened_at) * chance.random()
        else:
            at = now - YEARS * chance.random()
        person = chance.randrange(len(people))
        found.append(
            Happening(
                at, verb, about, person if verb != Verb.ISSUE_UPDATED else None, _around(verb, who[person], chance)
            )
        )
        number += 1
    return sorted(found, key=lambda one: one.at)


def _around(verb: Verb, digest: str, chance: random.Random) -> dict[str, Any]:
    if verb == Verb.NOTE_WRITTEN:
        return {"text": [None, chance.choice(NOTES)]}
    if verb == Verb.ISSUE_ASSIGNED:
        return {"assignee": [None, {"digest": digest}]}
    if verb == Verb.ISSUE_UPDATED:
        return {"comment": ["Error 404", "Still cannot download it"]}
    return {}


def _story(one: Told) -> Iterator[Happening]:
    """From the flag to its end, as `sync.reconcile` and `fixes.moves` write it."""
    opened = {"state": [None, "open"], "comment": [None, one.comment], "links": [None, [one.link]]}
    yield Happening(one.opened_at, Verb.ISSUE_OPENED, one, None, opened)
    if one.closed_at is None:
        return
    ended = {"state": ["open", one.state]}
    if one.fix_id is None:
        yield Happening(one.closed_at, Verb.ISSUE_MOOT if one.state == "moot" else Verb.ISSUE_CLEARED, one, None, ended)
        return
    day = one.closed_at.date()
    dates = {"target_publish_date": [None, str(day)], "target_publish_end_date": [None, str(day + timedelta(days=1))]}
    for seconds, verb, person, changes in (
        (3, Verb.FIX_SUBMITTED, one.editor, {"kind": [None, "url"], "links": [None, [one.link]]}),
        (2, Verb.FIX_SENT, None, {"state": ["queued", "sending"]}),
        (1, Verb.FIX_ACCEPTED, None, {"state": ["sending", "verifying"]}),
        (0, Verb.FIX_SUCCEEDED, None, {"state": ["verifying", "succeeded"], **dates}),
        (0, Verb.ISSUE_FIXED, None, {"state": ["fixing", "fixed"]}),
    ):
        yield Happening(one.closed_at - timedelta(seconds=seconds), verb, one, person, changes)


class _Chain:
    """Gives each event its number and hash, and keeps the head."""

    def __init__(self, team: Team, people: Sequence[User], who: Sequence[str]) -> None:
        self.team, self.people, self.who = team, people, who
        self.seq, self.hash, self.at = 0, GENESIS, team.created_at
        self.ids = random.Random(team.pk)  # noqa: S311

    def add(self, one: Happening) -> tuple[Any, ...]:
        told, is_person = one.told, one.person is not None
        user = self.people[one.person] if one.person is not None else None
        label_digest = self.who[0] if one.verb == Verb.MEMBER_ADDED else ""
        label = told.label if told else ("" if label_digest else self.team.name)
        origin = Origin.PAGE if is_person else Origin.SYNC if one.verb.value.startswith("issue.") else Origin.TASK
        row = AuditEvent(
            team_id=self.team.pk, seq=self.seq + 1, at=one.at, verb=one.verb.value, origin=origin.value,
            actor_id=user.pk if user else None, actor_name="" if user else Actor.system().name,
            actor_digest=self.who[one.person] if one.person is not None else "",
            workspace_id=told.workspace_id if told else None, bundle_id=told.bundle_id if told else "",
            position=told.position if told else None, issue_id=told.issue_id if told else None,
            fix_id=told.fix_id if told and one.verb.value.startswith("fix.") else None,
            label=label, label_digest=label_digest, request_id=uuid.UUID(int=self.ids.getrandbits(128)).hex,
        )  # fmt: skip
        row.words = search_words(
            verb=row.verb, actor_digest=row.actor_digest, label=label, label_digest=label_digest,
            bundle_id=row.bundle_id, changes=one.changes,
        )  # fmt: skip
        row.canonical = canonical_text(row, one.changes)
        former, self.hash = self.hash, chain_hash(self.hash, row.canonical)
        self.seq, self.at = row.seq, one.at
        row.previous_hash, row.hash = former, self.hash
        return tuple(getattr(row, name) for name in _EVENT)

    def keep_head(self) -> None:
        AuditHead.objects.filter(team=self.team).update(seq=self.seq, hash=self.hash, at=self.at)


_EVENT = (
    "team_id", "seq", "at", "verb", "origin", "actor_id", "actor_name", "actor_digest", "workspace_id", "bundle_id",
    "position", "issue_id", "fix_id", "label", "label_digest", "request_id", "words", "canonical", "previous_hash",
    "hash",
)  # fmt: skip
