"""What the queue's address says, and the rows that it means. A saved view is such an address with a name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop

from issues.enums import UNRESOLVED, IssueState, VerdictClass
from issues.models import Bundle, Membership, Mention, Video
from issues.tokportal.days import end_of

MAX_TEXT = 100

# The tabs, in order. What is snoozed is unresolved too, but out of sight.
TABS = {
    "open": gettext_noop("Open"),
    "snoozed": gettext_noop("Snoozed"),
    "fixed": gettext_noop("Fixed"),
    "ended": gettext_noop("Ended otherwise"),
    "all": gettext_noop("All"),
}
UNRESOLVED_TABS = frozenset({"open", "snoozed"})
ENDED_TABS = ("fixed", "ended")
WHO = frozenset({"me", "nobody", "called"})


def tab_condition(tab: str, now: datetime) -> Q:
    """The issues of a tab. One that is being fixed is never out of sight."""
    asleep = Q(state=IssueState.OPEN, snoozed_until__gt=now)
    return {
        "open": Q(state__in=UNRESOLVED) & ~asleep,
        "snoozed": asleep,
        "fixed": Q(state=IssueState.FIXED),
        "ended": Q(state__in=[IssueState.CLEARED, IssueState.MOOT]),
    }.get(tab, Q())


@dataclass(frozen=True, slots=True)
class IssueFilters:
    """Unknown values fall back to "any"."""

    tab: str = "open"
    workspace: str = ""
    platform: str = ""
    country: str = ""
    verdict: str = ""  # a class of verdicts
    cause: str = ""  # one verdict
    host: str = ""
    who: str = ""  # "me", "nobody", "called", or a member's number
    due: str = ""  # "late", "today" or any
    text: str = ""

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "IssueFilters":
        def of(name: str) -> str:
            return query.get(name, "").strip()[:MAX_TEXT].replace("\x00", "")

        who = of("who")
        return cls(
            tab=of("state") if of("state") in TABS else "open",
            workspace=of("workspace"),
            platform=of("platform"),
            country=of("country"),
            verdict=of("verdict") if of("verdict") in VerdictClass.values else "",
            cause=of("cause"),
            host=of("host").lower(),
            who=who if who in WHO or (who.isdecimal() and len(who) < 19) else "",
            due=of("due") if of("due") in {"late", "today"} else "",
            text=of("q"),
        )

    @classmethod
    def read(cls, address: str) -> "IssueFilters":
        """From a query string, as a saved view keeps it."""
        return cls.parse(dict(parse_qsl(address)))

    @property
    def query(self) -> list[tuple[str, str]]:
        """The filters as the page's address has them, without the tab."""
        pairs = [("workspace", self.workspace), ("platform", self.platform), ("country", self.country)]
        pairs += [("verdict", self.verdict), ("cause", self.cause), ("host", self.host), ("who", self.who)]
        pairs += [("due", self.due), ("q", self.text)]
        return [(name, value) for name, value in pairs if value]

    @property
    def address(self) -> str:
        """The query string, the tab with it where it is not the first; the same filters have the same one."""
        return urlencode([*([("state", self.tab)] if self.tab != "open" else []), *self.query])

    @property
    def narrowed(self) -> bool:
        """Whether anything but the tab narrows the list."""
        return bool(self.query)

    def in_tab(self, tab: str) -> "IssueFilters":
        return replace(self, tab=tab)

    def condition(self, membership: Membership, now: datetime) -> Q:
        """The rows of the member's team that the filters name, without the tab; "me" is the member."""
        found = Q()
        if self.workspace:
            found &= Q(workspace__name=self.workspace)
        if self.platform:
            found &= Q(platform=self.platform)
        if self.country:
            found &= Q(country=self.country)
        if self.verdict:
            found &= Q(verdict_class=self.verdict)
        if self.cause:
            found &= Q(verdict=self.cause)
        if self.host:
            found &= Q(host=self.host)
        if self.who == "called":
            found &= Q(pk__in=Mention.objects.filter(user=membership.user_id).values("issue"))
        elif self.who == "nobody":
            found &= Q(assignee=None)
        elif self.who:
            found &= Q(assignee=membership.user_id if self.who == "me" else int(self.who))
        if self.due == "late":
            found &= Q(deadline__lt=now)
        elif self.due == "today":
            end = timezone.localtime(now).replace(hour=23, minute=59, second=59, microsecond=999999)
            # Moments by the person's day; days by TokPortal's, whose end may be tomorrow here.
            found &= Q(deadline__lte=end) | Q(deadline=end_of(now.astimezone(UTC).date()))
        for word in self.text.split()[:6]:
            found &= text_condition(membership.team_id, word)
        return found


def text_condition(team_id: int, word: str) -> Q:
    """A team's issues with a word (in names, references, comment, host), or whose bundle's id begins with it."""
    found = Q(words__contains=word.lower())
    if not word.isascii():
        found |= Q(words__icontains=word)  # SQLite makes only ASCII letters small
    if _MAYBE_AN_ID.fullmatch(word):
        # Asked for apart: joined to each issue, it would be compared with all of them.
        begins = Q(tokportal_id__startswith=word) | Q(tokportal_id__startswith=word.lower())
        bundles = Bundle.objects.filter(begins, workspace__team=team_id).order_by()
        found |= Q(video__in=Video.objects.filter(bundle__in=bundles).order_by().values("pk"))
    return found


# Only such words are looked for among ids, which costs two more tables.
_MAYBE_AN_ID = re.compile(r"(?=.*\d)[\w-]{4,}")
