"""The journal: what people write into the history themselves, beside what TokDash writes down."""

from django.db import transaction

from issues.audit import Actor, Event, Personal, Verb, record
from issues.enums import PersonalKind
from issues.models import Issue, Team
from issues.problems import Refusal

MAX_NOTE = 2000


def write_note(*, team: Team, text: str, actor: Actor, issue: Issue | None = None) -> None:
    """Add a note, about an issue or about the team. It stands like every other line: a wrong one gets a second one.

    Its text lies beside the chain, so that it can be erased. Raises Refusal for an empty or too long one.
    """
    text = text.strip()
    if not text:
        raise Refusal("Write something first.", code="NOTE_EMPTY")
    if len(text) > MAX_NOTE:
        raise Refusal(f"A note has at most {MAX_NOTE} characters.", code="NOTE_TOO_LONG")
    author = actor.user.pk if actor.user else None
    changes = {"text": [None, Personal(text, author, PersonalKind.NOTE)]}
    with transaction.atomic():
        if issue is not None:
            current = Issue.objects.select_related("video__bundle").get(pk=issue.pk)
            record(team.pk, actor, [Event.about_issue(Verb.NOTE_WRITTEN, current, changes)])
        else:
            record(team.pk, actor, [Event(Verb.NOTE_WRITTEN, label=team.name, changes=changes)])
