"""Whose turn a fix is: due by its column, taken with a lease and a fencing number."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from issues.crash import crash_point
from issues.enums import DRIVEN, FixState
from issues.models import Fix

LEASE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's hold on a fix. `outcome_open`: it was found in `sending`, so an earlier send may have worked."""

    fix: Fix
    fence: int
    outcome_open: bool


def due_fixes(limit: int = 50) -> list[UUID]:
    """Fixes that wait for a worker: their time has come and nobody holds them. Soonest first."""
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    found = Fix.objects.filter(free, state__in=DRIVEN, next_try_at__lte=now).order_by("next_try_at")
    return list(found.values_list("pk", flat=True)[:limit])


def claim_fix(fix_id: UUID | str) -> Claim | None:
    """Take the fix if it is due and free, else `None`."""
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    due = Fix.objects.filter(free, pk=fix_id, state__in=DRIVEN, next_try_at__lte=now)
    former = due.values_list("fence", flat=True).first()
    if former is None:
        return None
    fence = former + 1
    if not due.filter(fence=former).update(fence=fence, lease_until=now + timedelta(seconds=LEASE_SECONDS)):
        return None
    crash_point("fix.claimed", fix_id)
    # By its own number: a worker that slept here past its lease must not take the next worker's claim for its own.
    found = Fix.objects.select_related("issue__video__bundle", "issue__workspace", "actor")
    fix = found.filter(pk=fix_id, fence=fence).first()
    return Claim(fix, fence, outcome_open=fix.state == FixState.SENDING) if fix else None
