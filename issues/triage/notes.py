"""Notes: what people write into the history themselves, beside what TokDash writes down; `@name` calls a colleague."""

import re
from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from issues.audit import Actor, Event, Personal, Verb, record
from issues.enums import PersonalKind
from issues.models import Issue, Membership, Mention, Team, User
from issues.problems import Refusal

MAX_NOTE = 2000
_AT = re.compile(r"(?<![\w.@])@([\w.+'-]+(?:@[\w.-]+\w)?)")


def write_note(*, team: Team, text: str, actor: Actor, issue: Issue | None = None) -> list[User]:
    """Add a note, about an issue or about the team; returns who was called in it.

    It stands like every other line: a wrong one gets a second one. Its text lies beside the chain, so that it can be
    erased. Raises Refusal for an empty or too long one.
    """
    text = text.strip()
    if not text:
        raise Refusal(_("Write something first."), code="NOTE_EMPTY")
    if len(text) > MAX_NOTE:
        raise Refusal(_("A note has at most {count} characters.").format(count=MAX_NOTE), code="NOTE_TOO_LONG")
    author = actor.user.pk if actor.user else None
    changes = {"text": [None, Personal(text, author, PersonalKind.NOTE)]}
    with transaction.atomic():
        if issue is None:
            record(team.pk, actor, [Event(Verb.NOTE_WRITTEN, label=team.name, changes=changes)])
            return []
        called = [user for user in called_in(text, people_to_call(team)) if user.pk != author]
        Mention.objects.bulk_create(Mention(issue=issue, user=user, by=actor.user) for user in called)
        current = Issue.objects.select_related("video__bundle").get(pk=issue.pk)
        record(team.pk, actor, [Event.about_issue(Verb.NOTE_WRITTEN, current, changes)])
    return called


def people_to_call(team: Team) -> list[User]:
    """Everybody whom a note can call: the team's active people."""
    members = Membership.objects.filter(team=team, user__is_active=True).select_related("user")
    return [member.user for member in members.order_by("user__name", "user__email")]


def handle_of(user: User) -> str:
    """What stands behind the @: the name without spaces."""
    return re.sub(r"[^\w.'-]", "", user.get_full_name()) or user.email


def called_in(text: str, people: Sequence[User]) -> list[User]:
    """Whom `@…` in a note means: a person's handle, address, or first name where only one has it. Case is ignored."""
    names: dict[str, set[User]] = {}
    for user in people:
        for name in {handle_of(user), user.email, user.email.split("@")[0], user.get_short_name()}:
            names.setdefault(name.lower(), set()).add(user)
    found: list[User] = []
    for said in _AT.findall(text):
        meant = names.get(said.lower().rstrip(".'-"), set())
        found += [user for user in meant if len(meant) == 1 and user not in found]
    return found


def note_seen(*, issue: Issue, user: User) -> None:
    """The person has opened the issue: what called him there is seen. Not an event."""
    Mention.objects.filter(issue=issue, user=user).delete()
