"""The read side of an issue's page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from issues.checks.store import address_of, known_looks, verdict_of, worst
from issues.enums import FixState
from issues.link_checks.catalogue import Verdict
from issues.link_checks.url_rules import is_about_content, judge_links
from issues.models import AuditEvent, Fix, Issue, LinkCheck, Membership, Video
from issues.queries.accounts import AccountView, read_account
from issues.queries.filters import IssueFilters
from issues.queries.history_lines import Line, read_events
from issues.queries.queue import following_issue
from issues.tokportal.days import PublishWindow, days_pulled_forward


@dataclass(frozen=True, slots=True)
class SlotLink:
    """A link of the slot, what we think of it, and the look that this rests on."""

    url: str
    verdict: Verdict
    look: LinkCheck | None
    address: str  # where a browser can open it; empty if that is not known


@dataclass(frozen=True, slots=True)
class IssueStory:
    """All that the issue's page says."""

    issue: Issue
    video: Video
    links: Sequence[SlotLink]  # in order
    verdict: Verdict
    looked_at: datetime | None  # when the hosts of its links were asked last
    looking: bool  # a look is due or under way
    about_content: bool  # the manager complains about what is in the video
    fix: Fix | None  # the latest attempt
    story: Sequence[Line]
    account: AccountView | None  # that its bundle was delivered on
    next_issue: Issue | None  # in the view that one came from
    after_fix: PublishWindow  # where TokPortal moves the publish dates
    earlier: int  # how many days earlier than planned that is

    @property
    def bad_links(self) -> list[int]:
        """Which links of a carousel are bad, from 1."""
        return [number for number, entry in enumerate(self.links, 1) if entry.verdict.is_bad]

    @property
    def good_count(self) -> int:
        return len(self.links) - len(self.bad_links)


def latest_fix(issue: Issue) -> Fix | None:
    """The latest attempt; not one that was taken back with its bulk fix, of which nothing is left."""
    undone = {"state": FixState.CANCELLED, "code": "UNDONE"}
    return issue.fixes.exclude(**undone).order_by("-created_at").first()


def read_issue(membership: Membership, issue: Issue, filters: IssueFilters) -> IssueStory:
    """The issue with both voices, its latest fix, and the story of its video, oldest first."""
    video = issue.video
    looks = known_looks(issue.team_id, issue.links)
    links = [
        SlotLink(
            link,
            verdict_of(link, looks.get(link), needed_until=issue.deadline),
            looks.get(link),
            address_of(link, issue.workspace.storage_prefix),
        )
        for link in issue.links
    ]
    if video.media_type == "story" or not links:
        verdict = judge_links(issue.links, video_type=video.media_type, needed_until=issue.deadline, now=timezone.now())
    else:
        verdict = worst([entry.verdict for entry in links])
    events = AuditEvent.objects.filter(
        team=membership.team,
        workspace_id=issue.workspace_id,
        bundle_id=video.bundle.tokportal_id,
        position=video.position,
    ).order_by("seq")
    now = timezone.now()
    return IssueStory(
        issue=issue,
        video=video,
        links=links,
        verdict=verdict,
        looked_at=max((e.look.checked_at for e in links if e.look and e.look.evidence.get("asked")), default=None),
        looking=bool(video.link_due_at and video.link_due_at <= timezone.now() + timedelta(minutes=3))
        and issue.is_unresolved,
        about_content=is_about_content(issue.comment),
        fix=latest_fix(issue),
        story=read_events(list(events[:200])),
        account=read_account(issue) if issue.is_unresolved else None,
        next_issue=following_issue(membership, filters, issue),
        after_fix=PublishWindow.after_fix(now),
        earlier=days_pulled_forward(video.window, now),
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a fix's way: done, now, or still to come."""

    label: str
    is_done: bool
    is_now: bool


def steps_of(fix: Fix) -> list[Step]:
    """Queued (or uploading) → sending → accepted (→ dates restored) → verified."""
    first = {"video_file": _("Uploading"), "image_files": _("Uploading"), "rehost": _("Copying")}.get(
        fix.kind, _("Queued")
    )
    labels = [first, _("Sending"), _("Checking"), *([_("Restoring dates")] if fix.keep_dates else []), _("Verified")]
    order = {
        FixState.QUEUED: 0, FixState.UPLOADING: 0, FixState.FETCHING: 0, FixState.UPLOADED: 1, FixState.SENDING: 1,
        FixState.VERIFYING: 3 if fix.dates_body else 2, FixState.SUCCEEDED: len(labels),
    }  # fmt: skip
    now = order.get(FixState(fix.state), 0)
    return [Step(label, number < now, number == now) for number, label in enumerate(labels)]
