"""Views of the queue that people keep: their own, the team's, and which of them comes first."""

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from issues.audit import Actor, Changes, Event, Verb, record
from issues.models import Membership, SavedView
from issues.models.saved import MAX_QUERY
from issues.problems import Refusal

MAX_VIEWS = 20


def save_view(*, membership: Membership, name: str, query: str, is_team: bool, actor: Actor) -> SavedView:
    """Keep what the queue shows under a name; one with the same name is replaced.

    Raises Refusal without a name, and where there are too many.
    """
    name = " ".join(name.split())[:60]
    if not name:
        raise Refusal(_("A view needs a name."), code="NAME_MISSING")
    if len(query) > MAX_QUERY:
        raise Refusal(_("These filters are too long to be kept."), code="VIEW_TOO_LONG")
    owner = None if is_team else membership
    try:
        with transaction.atomic():
            mine = SavedView.objects.select_for_update().filter(team=membership.team, owner=owner)
            view = mine.filter(name=name).first()
            before = view.query if view else None
            if view is None:
                if mine.count() >= MAX_VIEWS:
                    raise Refusal(
                        _("There are {count} views already: remove one first.").format(count=MAX_VIEWS),
                        code="TOO_MANY_VIEWS",
                    )
                view = SavedView(team=membership.team, owner=owner, name=name)
            view.query = query
            view.save()
            changes: Changes = {"filters": [before, query], "team": [None, is_team]}
            record(membership.team_id, actor, [Event(Verb.VIEW_SAVED, label=name, changes=changes)])
    except IntegrityError as error:
        raise Refusal(_("Somebody has just saved a view of this name. Try again."), code="NAME_TAKEN") from error
    return view


def remove_view(*, view: SavedView, actor: Actor) -> None:
    """Let go of a view. Idempotent."""
    with transaction.atomic():
        current = SavedView.objects.select_for_update().filter(pk=view.pk).first()
        if current is None:
            return
        team_id, name = current.team_id, current.name
        current.delete()
        record(team_id, actor, [Event(Verb.VIEW_REMOVED, label=name, changes={"filters": [view.query, None]})])


def choose_default(*, membership: Membership, view: SavedView | None) -> None:
    """What the queue shows this person first; `None`: everything open. A person's own matter: no event."""
    Membership.objects.filter(pk=membership.pk).update(default_view=view)
