"""One box for everything: issues, videos and bundles by name, reference, number, comment or link."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import F, Q

from issues.enums import UNRESOLVED
from issues.models import Bundle, Issue, Team, Video
from issues.queries.filters import text_condition

MAX_TEXT = 100
MAX_WORDS = 6


@dataclass(frozen=True, slots=True)
class Found:
    """What matches, the most useful first; `more` says in which of the three there is more than shown."""

    text: str
    issues: Sequence[Issue]
    videos: Sequence[Video]
    bundles: Sequence[Bundle]
    more: frozenset[str]

    @property
    def is_empty(self) -> bool:
        return not (self.issues or self.videos or self.bundles)


def search(team: Team, text: str, *, limit: int) -> Found:
    """Every word must occur. At most `limit` of each kind; three queries, none for an empty text."""
    words = text.replace("\x00", "").strip()[:MAX_TEXT].split()[:MAX_WORDS]
    if not words:
        return Found("", [], [], [], frozenset())
    in_issue, in_video, in_bundle = Q(), Q(), Q()
    for word in words:
        bundle = Q(title__icontains=word) | Q(external_ref__icontains=word) | Q(tokportal_id__istartswith=word)
        in_bundle &= bundle
        in_video &= (
            Q(name__icontains=word)
            | Q(external_ref__icontains=word)
            | Q(tokportal_id__istartswith=word)
            | Q(video_url__icontains=word)
            | Q(bundle__title__icontains=word)
        )
        in_issue &= text_condition(team.pk, word)
    # Unresolved ones first, by deadline; then the latest that ended.
    issues = list(
        Issue.objects.filter(in_issue, team=team)
        .select_related("video__bundle")
        .order_by(F("closed_at").desc(nulls_first=True), F("deadline").asc(nulls_last=True), "pk")[: limit + 1]
    )
    shown = [issue.video_id for issue in issues[:limit] if issue.state in UNRESOLVED]
    videos = list(
        Video.objects.filter(in_video, bundle__workspace__team=team)
        .exclude(pk__in=shown)
        .select_related("bundle")
        .order_by("bundle__title", "position", "pk")[: limit + 1]
    )
    bundles = list(Bundle.objects.filter(in_bundle, workspace__team=team).order_by("title", "pk")[: limit + 1])
    counts = {"issues": len(issues), "videos": len(videos), "bundles": len(bundles)}
    more = frozenset(name for name, count in counts.items() if count > limit)
    return Found(" ".join(words), issues[:limit], videos[:limit], bundles[:limit], more)
