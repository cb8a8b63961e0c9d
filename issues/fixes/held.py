"""A fix that a worker holds: every write checks that it is still the worker's."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from issues.audit import Actor, Changes
from issues.enums import FixState
from issues.fixes.claims import LEASE_SECONDS, Claim
from issues.fixes.moves import move
from issues.leases import LeaseKeeper
from issues.models import Fix
from issues.problems import LeaseLostError


class HeldFix:
    """The claimed row, and the ways to write to it."""

    def __init__(self, claim: Claim) -> None:
        self.fix, self.fence = claim.fix, claim.fence
        self.lease: LeaseKeeper | None = None
        # The machine's steps are its own, done for the person who submitted the fix, under the same request id.
        person = self.fix.actor_name.split(" <")[0]
        self.actor = Actor(
            name=f"TokDash, for {person}"[:160],
            origin=Actor.system().origin,
            user=self.fix.actor,
            request_id=self.fix.request_id,
        )

    def renew(self) -> bool:
        until = timezone.now() + timedelta(seconds=LEASE_SECONDS)
        return Fix.objects.filter(pk=self.fix.pk, fence=self.fence).update(lease_until=until) == 1

    def _check_lease(self) -> None:
        if self.lease is not None:
            self.lease.check()

    def _move(self, to: FixState, *, changes: Changes | None = None, **fields: Any) -> None:
        issue = self.fix.issue
        self._keep_count(fields)
        self.fix = move(self.fix.pk, to, actor=self.actor, fence=self.fence, changes=changes, **fields)
        issue.state = self.fix.issue.state
        self.fix.issue = issue

    def _update(self, **fields: Any) -> None:
        """Write fields without a move, while the row is ours."""
        self._keep_count(fields)
        if fields and not Fix.objects.filter(pk=self.fix.pk, fence=self.fence).update(**fields):
            raise LeaseLostError
        for name, value in fields.items():
            setattr(self.fix, name, value)

    def _keep_count(self, fields: dict[str, Any]) -> None:
        """Keep the note that a carousel loses images until the end, past all answers of TokPortal."""
        images = self.fix.code_details.get("images")
        if images and "code_details" in fields:
            fields["code_details"] = {**fields["code_details"], "images": images}

    def _come_back(self, seconds: float, **fields: object) -> None:
        """Give the lease back and be due again later."""
        self._update(next_try_at=timezone.now() + timedelta(seconds=seconds), lease_until=None, **fields)

    def _requeue(self, seconds: float, earlier_open: bool, **fields: Any) -> None:
        """Nothing was sent this time. After an earlier open send it stays `sending`: that outcome is still open."""
        fields["next_try_at"] = timezone.now() + timedelta(seconds=seconds)
        fields["lease_until"] = None
        if earlier_open:
            self._update(**fields)
        else:
            self._move(FixState.QUEUED, **fields)
