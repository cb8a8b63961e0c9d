"""A page of the queue, read as plain values: fifty rows with five models each would cost more than all else."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from issues.enums import BANNED
from issues.models import Account, Issue
from issues.models.bundles import bundle_name, video_name
from issues.models.issues import window_of_issue
from issues.models.users import shown_name
from issues.queries.pages import Page, decode_cursor, encode_cursor
from issues.tokportal.days import PublishWindow
from issues.triage.presence import still_holds

PAGE_ROWS = 50


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person in a row."""

    pk: int
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """An issue as the queue shows it. `holder`: who says just now that he is on it."""

    pk: int
    state: str
    comment: str | None
    links: list[str]
    host: str  # of the link that failed
    verdict: str
    verdict_class: str
    deadline: datetime | None
    window: PublishWindow  # the days on which it is posted
    episode: int
    snoozed_until: datetime | None
    closed_at: datetime | None
    video: str
    position: int
    bundle: str
    platform: str
    country: str
    workspace: str
    assignee: Somebody | None
    holder: Somebody | None
    is_banned: bool  # the account that it is to be posted on


_AS_THEY_ARE = (
    "pk", "state", "comment", "links", "host", "verdict", "verdict_class", "deadline", "episode", "snoozed_until",
    "closed_at", "platform", "country",
)  # fmt: skip
_BESIDE = (
    "video__name",
    "video__position",
    "video__target_publish_date",
    "video__target_publish_end_date",
    "video__bundle__title",
    "video__bundle__tokportal_id",
    "workspace__name",
    "assignee",
    "assignee__name",
    "assignee__email",
    "claimed_by",
    "claimed_by__name",
    "claimed_by__email",
    "claimed_at",
)


_BANNED_ACCOUNT = Account.objects.filter(
    workspace=OuterRef("workspace"),
    tokportal_id=OuterRef("video__bundle__saved_account_id"),
    ban_status__in=sorted(BANNED),
)


def page_of_rows(found: QuerySet[Issue], after: str, *, urgent_first: bool) -> Page[Row]:
    """The most urgent first, or those that ended last; behind the cursor `after` where one is given. One query.

    Which issues the page has is asked of their own table alone, and the rest is looked up for those: a search that
    matches thousands would else look it up for all of them.
    """
    order = _URGENT_FIRST if urgent_first else _LATEST_FIRST
    cursor = decode_cursor(after, 2) if after else None
    if cursor and isinstance(cursor[1], int):
        behind = _behind_deadline if urgent_first else _behind_end
        found = found.filter(behind(_moment(cursor[0]), cursor[1]))
    shown = Issue.objects.filter(pk__in=found.order_by(*order).values("pk")[: PAGE_ROWS + 1])
    shown = shown.annotate(is_banned=Exists(_BANNED_ACCOUNT))
    rows = [_row(values) for values in shown.order_by(*order).values(*_AS_THEY_ARE, *_BESIDE, "is_banned")]
    if len(rows) <= PAGE_ROWS:
        return Page(rows)
    last = rows[PAGE_ROWS - 1]
    moment = last.deadline if urgent_first else last.closed_at
    return Page(rows[:PAGE_ROWS], encode_cursor(moment.isoformat() if moment else None, last.pk))


def _row(values: dict[str, Any]) -> Row:
    return Row(
        **{name: values[name] for name in _AS_THEY_ARE},
        window=window_of_issue(
            values["deadline"], values["video__target_publish_date"], values["video__target_publish_end_date"]
        ),
        video=video_name(values["video__name"], values["video__position"]),
        position=values["video__position"],
        bundle=bundle_name(values["video__bundle__title"], values["video__bundle__tokportal_id"]),
        workspace=values["workspace__name"],
        assignee=_somebody(values, "assignee"),
        holder=_somebody(values, "claimed_by") if still_holds(values["claimed_at"]) else None,
        is_banned=values["is_banned"],
    )


def _somebody(values: dict[str, Any], who: str) -> Somebody | None:
    pk = values[who]
    return None if pk is None else Somebody(pk, shown_name(values[f"{who}__name"], values[f"{who}__email"]))


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


# By deadline, those without one last; then by id.
_URGENT_FIRST = (F("deadline").asc(nulls_last=True), F("pk").asc())
# Those that ended last first; unresolved ones before all others.
_LATEST_FIRST = (F("closed_at").desc(nulls_first=True), F("pk").desc())


def _behind_deadline(last: datetime | None, pk: int) -> Q:
    if last is None:
        return Q(deadline=None, pk__gt=pk)
    return Q(deadline__gt=last) | Q(deadline=last, pk__gt=pk) | Q(deadline=None)


def _behind_end(last: datetime | None, pk: int) -> Q:
    if last is None:
        return Q(closed_at=None, pk__lt=pk) | Q(closed_at__isnull=False)
    return Q(closed_at__lt=last) | Q(closed_at=last, pk__lt=pk)
