"""Be the workers: drive fixes without waiting for their backoff."""

import pytest
from django.utils import timezone

from issues.fixes import lifecycle
from issues.fixes.lifecycle import drive_fix
from issues.models import AuditEvent, Fix

GOOD = "https://cdn.example.com/ok.mp4"


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch, settings):
    """Backoff is tested by its numbers; here each retry is due at once."""
    monkeypatch.setattr(lifecycle, "backoff_seconds", lambda attempt, **_: 0.0)
    # A test inside a transaction cannot renew a lease from the keeper's thread: let none be due.
    monkeypatch.setattr(lifecycle, "LEASE_SECONDS", 600)
    settings.TOKPORTAL_FIX_DEADLINE = 2.0
    settings.TOKPORTAL_READ_TIMEOUT = 2.0


def drive(fix: Fix, rounds: int = 12) -> Fix:
    """Be the workers: drive until the fix has ended."""
    for _ in range(rounds):
        Fix.objects.filter(pk=fix.pk, next_try_at__isnull=False).update(next_try_at=timezone.now())
        drive_fix(fix.pk)
        fix.refresh_from_db()
        if not fix.is_unfinished:
            break
    fix.issue.refresh_from_db()
    return fix


def effects(sandbox) -> int:
    return len(sandbox.control.ledger("fix"))


def verbs(fix: Fix) -> list[str]:
    return list(AuditEvent.objects.filter(fix_id=fix.pk).order_by("seq").values_list("verb", flat=True))
