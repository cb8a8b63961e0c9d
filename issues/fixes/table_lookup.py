"""The open issue that each line of a table means."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.utils.translation import gettext as _

from issues.enums import UNRESOLVED, FixKind
from issues.fixes.submit import repair_kinds
from issues.fixes.tables import TableLine
from issues.fixes.tables.model import span_of
from issues.models import Issue, Team

_ID_BATCH = 400  # SQLite takes some hundred values in a query


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A line, and its open issue or the sentence that says why there is none."""

    line: TableLine
    issue: Issue | None
    problem: str = ""
    # Nothing is wrong with the line itself: TokPortal may have flagged the video since our last check.
    may_be_new: bool = False


def find_issues(teams: Sequence[Team], lines: Sequence[TableLine]) -> list[FoundLine]:
    """The open issue of each line, or a sentence that says why there is none. A handful of queries."""
    by_place, by_ref = _candidates(teams, lines)
    found = [_match(line, by_place, by_ref) for line in lines]
    return _without_doubles(found)


def too_many_for(issue: Issue, line: TableLine) -> str:
    """Why the line's links are too many for this video; an empty string if they are not."""
    if len(line.numbers) < 2 or FixKind.CAROUSEL_URLS in repair_kinds(issue.video):
        return ""
    return _("Lines {numbers} name this video, and a video takes one link.").format(numbers=span_of(line.numbers))


def _candidates(
    teams: Sequence[Team], lines: Sequence[TableLine]
) -> tuple[dict[tuple[str, int], Issue], dict[str, list[Issue]]]:
    keys = sorted({line.bundle_id for line in lines if line.bundle_id})
    refs = sorted({form for line in lines if line.external_ref for form in _forms(line.external_ref)})
    issues = Issue.objects.filter(team__in=teams, state__in=UNRESOLVED).select_related("video__bundle", "workspace")
    by_place: dict[tuple[str, int], Issue] = {}
    by_ref: dict[str, dict[int, Issue]] = {}
    for start in range(0, max(len(keys), len(refs)), _ID_BATCH):
        batch = slice(start, start + _ID_BATCH)
        for issue in issues.filter(
            Q(video__bundle__tokportal_id__in=keys[batch]) | Q(video__external_ref__in=refs[batch])
        ):
            by_place[issue.video.bundle.tokportal_id, issue.video.position] = issue
            by_ref.setdefault(_plain(issue.video.external_ref), {})[issue.pk] = issue
    return by_place, {ref: list(found.values()) for ref, found in by_ref.items()}


def _forms(text: str) -> set[str]:
    """A letter with an accent is one character or two, depending on the system that wrote it."""
    return {text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)}


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _match(line: TableLine, by_place: dict[tuple[str, int], Issue], by_ref: dict[str, list[Issue]]) -> FoundLine:
    if line.problem:
        return FoundLine(line, None, line.problem)
    choices = by_ref.get(_plain(line.external_ref), []) if line.external_ref else []
    has_place = bool(line.bundle_id and line.position)
    issue = by_place.get((line.bundle_id, line.position)) if has_place else None
    if has_place and choices and issue not in choices:
        return FoundLine(line, None, _("The reference belongs to another video than the bundle and position."))
    if not has_place and len(choices) > 1:
        return FoundLine(line, None, _("Several flagged videos have this reference: give bundle_id and position."))
    issue = issue or (choices[0] if choices else None)
    if issue is None:
        return FoundLine(line, None, _("No flagged video is known there."), may_be_new=has_place)
    problem = too_many_for(issue, line)
    return FoundLine(line, None if problem else issue, problem)


def _without_doubles(found: Sequence[FoundLine]) -> list[FoundLine]:
    """Two lines for one video, one by its reference and one by its place: nobody knows which is meant."""
    counts: dict[int, int] = {}
    for entry in found:
        if entry.issue:
            counts[entry.issue.pk] = counts.get(entry.issue.pk, 0) + 1
    return [
        FoundLine(entry.line, None, _("This video stands in the table twice."))
        if entry.issue and counts[entry.issue.pk] > 1
        else entry
        for entry in found
    ]
