"""The first steps of a new team: connect a workspace, the first look, a colleague."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from issues.models import Membership, User
from issues.queries.freshness import Freshness, WorkspaceFreshness
from issues.queries.people import invitations_of

# A team that still works alone after this has chosen to.
YOUNG = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """`first_look`: the workspace that is being looked through for the first time."""

    is_connected: bool
    is_looked_through: bool
    first_look: WorkspaceFreshness | None
    invited: int

    @property
    def seconds_left(self) -> float | None:
        """About how long the first look takes from now, at the pace that TokPortal allows."""
        gauge = self.first_look.gauge if self.first_look else None
        if gauge is None or not gauge.limit_per_minute:
            return None
        return 60 * gauge.never_looked / gauge.limit_per_minute

    @property
    def current(self) -> int:
        """Which of the three steps is next."""
        return 1 if not self.is_connected else 2 if not self.is_looked_through else 3


def first_steps(membership: Membership, freshness: Freshness, people: Sequence[User]) -> FirstSteps | None:
    """What is still to be done, or `None` once the team is at work. At most one query."""
    is_looked_through = freshness.status not in {"none", "never"}
    is_alone = len(people) < 2 and timezone.now() - membership.team.created_at < YOUNG
    if is_looked_through and not (is_alone and membership.is_owner):
        return None
    invited = len(invitations_of(membership.team)) if is_alone and membership.is_owner else 0
    if is_looked_through and invited:
        return None
    return FirstSteps(bool(freshness.workspaces), is_looked_through, freshness.first_look, invited)
