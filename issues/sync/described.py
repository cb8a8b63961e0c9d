"""What an issue repeats of its video and bundle, so that the queue's filters and search need no other table."""

from typing import Any

from django.db.models import F, OuterRef, Q, Subquery, TextField, Value
from django.db.models.functions import Cast, Coalesce, Concat, Lower

from issues.models import Issue, Video


def describe(which: Q) -> int:
    """Bring the issues to what their videos and bundles are called now; one statement. Returns how many."""
    return Issue.objects.filter(which).update(**_description())


def describe_missing() -> int:
    """Those that a version before this one opened while it was being replaced."""
    return describe(Q(words=""))


def _description() -> dict[str, Any]:
    """The values, as the database works them out. Words are in lower case: comparing so takes a third of the time."""
    about = Video.objects.order_by().filter(pk=OuterRef("video_id"))
    names = [F("name"), F("external_ref"), F("bundle__title"), F("bundle__external_ref")]
    text = about.annotate(text=Concat(*_spaced(names))).values("text")
    return {
        "platform": Subquery(about.values("bundle__platform")),
        "country": Subquery(about.values("bundle__country")),
        "words": Lower(Concat(*_spaced([Subquery(text), Coalesce(F("comment"), Value("")), F("host")]))),
    }


def _spaced(parts: list[Any]) -> list[Any]:
    """With a space before each but the first; all of one type, as PostgreSQL wants it."""
    return [piece for part in parts for piece in (Value(" ", TextField()), Cast(part, TextField()))][1:]
