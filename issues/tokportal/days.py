"""TokPortal's publish dates: days, not moments.

TokPortal writes the two publish fields as a bare date (`2026-02-22`) or as midnight UTC (`2026-02-22T00:00:00Z`). Both
mean the day, and a day lasts until its last second. Any other time is a moment and is taken as it is. Days belong to
TokPortal (UTC): never move them into a person's time zone.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

_LAST_SECOND = timedelta(days=1, seconds=-1)
END_OF_DAY = time(23, 59, 59)


@dataclass(frozen=True, slots=True)
class PublishTime:
    """One publish field. `moment` is `None` for a day; otherwise `day` is the moment's day in UTC."""

    day: date
    moment: datetime | None = None

    @classmethod
    def parse(cls, text: str) -> "PublishTime | None":
        """Read a field as TokPortal writes it; `None` if it is neither a day nor a moment."""
        moment = read_moment(text)
        if moment is None:
            return None
        return cls(moment.date(), None if moment.time() == time.min else moment)

    @property
    def ends_at(self) -> datetime:
        """When it is over: the last second of a day, or the moment itself."""
        return self.moment or end_of(self.day)

    @property
    def text(self) -> str:
        """`2026-02-22`, or the moment in ISO 8601: what TokPortal takes, and what the history keeps."""
        return self.moment.isoformat().replace("+00:00", "Z") if self.moment else self.day.isoformat()


def end_of(day: date) -> datetime:
    """The last second of one of TokPortal's days."""
    return datetime.combine(day, time.min, tzinfo=UTC) + _LAST_SECOND


def read_moment(text: str) -> datetime | None:
    """An ISO 8601 date or time in UTC (also if it names no zone), or `None`."""
    text = text.strip()
    if len(text) < 8:  # too short for a date
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class PublishWindow:
    """The days on which a manager may post a video: `first` to `last`. Either may be unknown."""

    first: PublishTime | None = None
    last: PublishTime | None = None

    @classmethod
    def parse(cls, start: str, end: str) -> "PublishWindow":
        """Read `target_publish_date` and `target_publish_end_date` as TokPortal writes them."""
        return cls(PublishTime.parse(start), PublishTime.parse(end))

    @classmethod
    def of_days(cls, first: date, last: date) -> "PublishWindow":
        return cls(PublishTime(first), PublishTime(last))

    @classmethod
    def until(cls, deadline: datetime | None) -> "PublishWindow":
        """What is left of a window if only its deadline is known."""
        if deadline is None:
            return cls()
        moment = deadline.astimezone(UTC)
        is_day = moment.time() == END_OF_DAY
        return cls(None, PublishTime(moment.date(), None if is_day else moment))

    @classmethod
    def after_fix(cls, now: datetime) -> "PublishWindow":
        """Where TokPortal moves a video that is fixed now: tomorrow and the day after."""
        today = now.astimezone(UTC).date()
        return cls.of_days(today + timedelta(days=1), today + timedelta(days=2))

    def __bool__(self) -> bool:
        return self.start is not None

    @property
    def start(self) -> PublishTime | None:
        return self.first or self.last

    @property
    def end(self) -> PublishTime | None:
        return self.last or self.first

    @property
    def deadline(self) -> datetime | None:
        """The moment after which the manager is late."""
        return self.end.ends_at if self.end else None

    @property
    def times(self) -> tuple[PublishTime, ...]:
        """What a page shows: the first and the last day, or the only one that is known."""
        found = [entry for entry in (self.first, self.last) if entry]
        return tuple(found[:1] if len(found) == 2 and found[0] == found[1] else found)

    @property
    def texts(self) -> tuple[str | None, str | None]:
        """First and last day as `YYYY-MM-DD` (or a moment), `None` for an unknown one."""
        return (self.first.text if self.first else None, self.last.text if self.last else None)

    def days_left(self, now: datetime) -> int:
        """TokPortal's days from today to the last one: 0 today, negative if it is over."""
        return (self.end.day - now.astimezone(UTC).date()).days if self.end else 0

    def days_before(self, other: "PublishWindow") -> int:
        """How many days earlier than `other` this window begins; 0 or less if it does not."""
        if self.start is None or other.start is None:
            return 0
        return (other.start.day - self.start.day).days


def days_pulled_forward(planned: PublishWindow, now: datetime) -> int:
    """How many days earlier than planned a video is posted if it is fixed now; 0 if it is not."""
    return max(PublishWindow.after_fix(now).days_before(planned), 0)
