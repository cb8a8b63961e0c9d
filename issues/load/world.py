"""Teams with their bundles, videos, issues and fixes. The same seed and sizes give the same world, but for its ids."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max

from issues import members
from issues.audit.chain import GENESIS
from issues.enums import FixKind, FixState, IssueState, Origin, Role, WorkspaceState
from issues.link_checks.catalogue import CATALOGUE
from issues.link_checks.urls import host_of
from issues.load.pour import number_on, pour, without_indexes
from issues.models import AuditHead, Bundle, Fix, Issue, Membership, Team, User, Video, Workspace
from issues.tokportal import constants as c
from issues.tokportal.days import end_of

YEARS = timedelta(days=730)  # over which all of it is spread
AHEAD = timedelta(days=21)  # and so far into what is still to come
EDITORS = 5
WORKSPACES = ("TikTok", "Instagram")
OPEN_SHARE = 0.02  # of the issues; the others have ended
HOSTS = (*tuple(f"cdn{number}.example.com" for number in range(1, 38)), "drive.google.com", "www.dropbox.com")
COUNTRIES = ("FR", "DE", "US", "GB", "ES", "IT", "BR", "MX", "JP", "ID")
CAMPAIGNS = (
    "Kopi Kita",
    "Velo Nord",
    "Lumen Skin",
    "Atlas Gear",
    "Maison Rive",
    "Sol y Mar",
    "Hinode Tea",
    "Northwind",
)
COMMENTS = (
    "Link asks for a log-in",
    "Error 404",
    "Download stops at 12 %",
    "The file is no video",
    None,
    "Access denied",
    "Link has expired",
)
VERDICTS = ("signature_expired", "dns_missing", "http_refused", "drive_no_access", "not_media", "not_checked")


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything, over all teams together."""

    teams: int
    bundles: int
    videos: int
    issues: int
    events: int

    def share(self, number: int) -> "Size":
        """What the team with this number (from 0) gets, so that the sum is exact."""

        def part(whole: int) -> int:
            return whole * (number + 1) // self.teams - whole * number // self.teams

        return Size(1, part(self.bundles), part(self.videos), part(self.issues), part(self.events))


@dataclass(frozen=True, slots=True)
class Told:
    """What the history needs to know of an issue."""

    issue_id: int
    fix_id: uuid.UUID | None
    workspace_id: uuid.UUID
    bundle_id: str
    position: int
    label: str
    comment: str | None
    link: str
    opened_at: datetime
    closed_at: datetime | None
    state: str
    editor: int  # which of the team's editors fixed it


@dataclass(frozen=True, slots=True)
class MadeBundle:
    """What its videos and issues need to know of a bundle. `team`: its place among the teams."""

    pk: int
    team: int
    code: str
    title: str
    reference: str
    when: datetime
    slots: int
    platform: str
    country: str


def make_team(number: int, now: datetime, password: str | None) -> tuple[Team, list[User], list[Workspace]]:
    """A team with an owner, editors and two paused workspaces: nothing is ever asked of a TokPortal for them."""
    name = f"Load Agency {number + 1:02}"
    team = Team.objects.create(name=name, slug=f"load-agency-{number + 1:02}")
    Team.objects.filter(pk=team.pk).update(created_at=now - YEARS)
    AuditHead.objects.create(team=team, seq=0, hash=GENESIS)
    people = []
    for place in range(EDITORS):
        email = f"{'owner' if place == 0 else f'editor{place}'}@load{number + 1:02}.example"
        user, _ = members.get_or_create_user(email=email, name=f"Person {number + 1:02}-{place}", password=password)
        Membership.objects.create(team=team, user=user, role=Role.OWNER if place == 0 else Role.EDITOR)
        people.append(user)
    workspaces = [
        Workspace.objects.create(
            team=team, name=title, base_url="https://tokportal.invalid/api/ext", state=WorkspaceState.PAUSED
        )
        for title in WORKSPACES
    ]
    return team, people, workspaces


def _next_number(model: Any) -> int:
    return int(model.objects.aggregate(last=Max("pk"))["last"] or 0) + 1


class World:
    """One after the other: `bundles`, `videos`, `issues`, `fixes`; what they say is kept for the history."""

    def __init__(
        self, size: Size, teams: list[tuple[Team, list[User], list[Workspace]]], now: datetime, seed: int
    ) -> None:
        self.size, self.teams, self.now = size, teams, now
        self.chance = random.Random(seed)  # noqa: S311 - made-up data
        self.told: list[list[Told]] = [[] for _ in teams]

    def make(self) -> dict[str, int]:
        """Fill the tables; returns how many rows each got."""
        self.first = {model: _next_number(model) for model in (Bundle, Video, Issue)}
        with without_indexes(Video, Issue, Fix):
            made = {"bundles": pour(Bundle, _BUNDLE, self._bundles())}
            flagged = self._choose_flagged()
            made["videos"] = pour(Video, _VIDEO, self._videos(flagged))
            issues = list(self._issues(flagged))
            made["issues"] = pour(Issue, _ISSUE, issues)
            made["fixes"] = pour(Fix, _FIX, self._fixes())
        for model in (Bundle, Video, Issue):
            number_on(model)
        return made

    def _bundles(self) -> Iterator[tuple[Any, ...]]:
        """A team's bundles spread evenly over the years; those that are posted last are still with a manager."""
        self.bundles: list[MadeBundle] = []
        pk = self.first[Bundle]
        for place, (_team, _people, workspaces) in enumerate(self.teams):
            share = self.size.share(place)
            for number in range(share.bundles):
                when = self.now - YEARS + (YEARS + AHEAD) * (number + 1) / share.bundles
                slots = share.videos * (number + 1) // share.bundles - share.videos * number // share.bundles
                title = f"{self.chance.choice(CAMPAIGNS)} {when:%b %Y} {number + 1}"
                code = f"load-{place + 1:02}-{number + 1:06}"
                ended = when < self.now - timedelta(days=4)
                status = self.chance.choice(("completed", "archived")) if ended else "accepted"
                platform = c.PLATFORMS[number % len(workspaces) % len(c.PLATFORMS)]
                made = MadeBundle(pk, place, code, title, f"REF-{place + 1:02}-{number + 1:06}", when, slots, platform,
                                  self.chance.choice(COUNTRIES))  # fmt: skip
                self.bundles.append(made)
                yield (
                    pk, workspaces[number % len(workspaces)].pk, code, title, made.reference,
                    "account_and_videos", platform, made.country, status, slots, self.now, self.now,
                    None if ended else 1,
                )  # fmt: skip
                pk += 1

    def _choose_flagged(self) -> dict[int, bool]:
        """Which videos were flagged, by their place among all: the latest of each team are open still."""
        flagged: dict[int, bool] = {}
        begin = 0
        for place in range(len(self.teams)):
            share = self.size.share(place)
            chosen = sorted(self.chance.sample(range(share.videos), min(share.issues, share.videos)))
            still = max(int(len(chosen) * OPEN_SHARE), min(len(chosen), 1))
            flagged |= {begin + number: rank >= len(chosen) - still for rank, number in enumerate(chosen)}
            begin += share.videos
        return flagged

    def _videos(self, flagged: dict[int, bool]) -> Iterator[tuple[Any, ...]]:
        pk, place = self.first[Video], 0
        self.flagged_at: list[tuple[int, bool, int, int, str, datetime]] = []
        for index, bundle in enumerate(self.bundles):
            title = bundle.title
            for position in range(1, bundle.slots + 1):
                deadline = end_of((bundle.when + timedelta(hours=position % 60)).date())
                link = f"https://{self.chance.choice(HOSTS)}/{title.split()[0].lower()}/{bundle.pk}/{position}.mp4"
                is_open = flagged.get(place)
                if is_open is not None:
                    self.flagged_at.append((pk, is_open, index, position, link, deadline))
                ahead = deadline > self.now
                risky = ahead and not is_open and place % 25 == 0
                yield (
                    pk, bundle.pk, position, f"slot-{pk}", "accepted" if ahead else "finalized", "video",
                    f"{title} · cut {position}", f"EXT-{pk}", link, deadline.date().isoformat(),
                    deadline.date().isoformat(), deadline, bool(is_open),
                    "dns_missing" if risky else "works_for_us", "dead" if risky else "ok", self.now, self.now,
                )  # fmt: skip
                pk += 1
                place += 1

    def _issues(self, flagged: dict[int, bool]) -> Iterator[tuple[Any, ...]]:
        pk = self.first[Issue]
        for video, is_open, index, position, link, deadline in self.flagged_at:
            bundle = self.bundles[index]
            place, code, title = bundle.team, bundle.code, bundle.title
            team, people, workspaces = self.teams[place]
            workspace = workspaces[(int(code.rsplit("-", 1)[1]) - 1) % len(workspaces)]
            opened = min(deadline, self.now) - timedelta(hours=self.chance.uniform(1, 70))
            state, closed = IssueState.OPEN, None
            if not is_open:
                state = self.chance.choices((IssueState.FIXED, IssueState.CLEARED, IssueState.MOOT), (85, 12, 3))[0]
                closed = min(opened + timedelta(minutes=self.chance.lognormvariate(4.5, 1.2)), self.now)
            verdict = self.chance.choice(VERDICTS)
            comment = self.chance.choice(COMMENTS)
            editor = self.chance.randrange(len(people))
            fix = uuid.UUID(int=self.chance.getrandbits(128), version=4) if state == IssueState.FIXED else None
            self.told[place].append(
                Told(pk, fix, workspace.pk, code, position, f"{title} · cut {position} · {title} #{position}", comment,
                     link, opened, closed, state.value, editor)
            )  # fmt: skip
            yield (
                pk, team.pk, workspace.pk, video, state.value, comment, [link], deadline, verdict,
                CATALOGUE[verdict].cls.value, host_of(link), bundle.platform, bundle.country,
                _words(f"{title} · cut {position} EXT-{video} {title}", bundle.reference, comment, host_of(link)),
                people[editor].pk if pk % 3 == 0 else None,
                opened, closed, 60.0,
            )  # fmt: skip
            pk += 1

    def _fixes(self) -> Iterator[tuple[Any, ...]]:
        for place, told in enumerate(self.told):
            team, people, _workspaces = self.teams[place]
            for one in told:
                if one.fix_id is None or one.closed_at is None:
                    continue
                sent = one.closed_at - timedelta(seconds=2)
                yield (
                    one.fix_id, team.pk, one.issue_id, FixKind.URL.value, FixState.SUCCEEDED.value,
                    people[one.editor].pk, people[one.editor].name, Origin.PAGE.value, f"load-{one.fix_id}",
                    '{"video_url":"…"}', one.link,
                    sent, sent, one.closed_at, one.closed_at,
                )  # fmt: skip


_BUNDLE = (
    "id", "workspace_id", "tokportal_id", "title", "external_ref", "bundle_type", "platform", "country", "status",
    "videos_quantity", "last_listed_at", "last_checked_at", "heat",
)  # fmt: skip
_VIDEO = (
    "id", "bundle_id", "position", "tokportal_id", "status", "video_type", "name", "external_ref", "video_url",
    "target_publish_date", "target_publish_end_date", "deadline", "download_issue", "link_verdict", "link_class",
    "link_checked_at", "last_checked_at",
)  # fmt: skip
_ISSUE = (
    "id", "team_id", "workspace_id", "video_id", "state", "comment", "links", "deadline", "verdict", "verdict_class",
    "host", "platform", "country", "words", "assignee_id", "opened_at", "closed_at", "seen_within",
)  # fmt: skip
_FIX = (
    "id", "team_id", "issue_id", "kind", "state", "actor_id", "actor_name", "origin", "idempotency_key", "request_body",
    "video_url", "created_at", "first_sent_at", "accepted_at", "finished_at",
)  # fmt: skip


def _words(*parts: str | None) -> str:
    """As sync.described keeps them."""
    return " ".join(part or "" for part in parts).lower()
