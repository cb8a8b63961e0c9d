"""When keys expire. TokPortal's API does not tell, so an owner may; the owners are reminded (`notify.warnings`)."""

from collections.abc import Mapping
from datetime import UTC, date

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from issues.audit import Actor, Changes, Event, Verb, record
from issues.models import Workspace
from issues.models.workspaces import EXPIRES_SOON_DAYS
from issues.problems import Refusal

KEYS = ("read_key", "write_key")
# So many days before a key expires, the owners are reminded.
STEPS = (EXPIRES_SOON_DAYS, 3, 0)


def today() -> date:
    """TokPortal's day: UTC."""
    return timezone.now().astimezone(UTC).date()


def clean_expiry(day: date | None) -> date | None:
    """A day on which a key that works now can expire. Raises Refusal for one that has passed."""
    if day is not None and day < today():
        raise Refusal(_("This expiry date has passed, but the key works. Check the date."), code="EXPIRY_PASSED")
    return day


def step_of(expires_on: date) -> int | None:
    """The reminder that is due for a key: its days ahead; `None` before the first."""
    days = (expires_on - today()).days
    return min((step for step in STEPS if days <= step), default=None)


def put_expiry(workspace: Workspace, which: str, day: date | None) -> Changes:
    """Set when one of its keys expires, and arm the reminders again. The caller saves; the changes for the history."""
    name = f"{which}_expires_on"
    former: date | None = getattr(workspace, name)
    if former == day:
        return {}
    setattr(workspace, name, day)
    setattr(workspace, f"{which}_reminded_days", None)
    return {name: [former.isoformat() if former else None, day.isoformat() if day else None]}


FIELDS = tuple(f"{which}_{end}" for which in KEYS for end in ("expires_on", "reminded_days"))


def set_expiry(*, workspace: Workspace, expires: Mapping[str, date | None], actor: Actor) -> bool:
    """Say when the keys that are there expire (`read_key`, `write_key`); False if nothing changed. Raises Refusal."""
    days = {which: clean_expiry(expires[which]) for which in KEYS if which in expires}
    with transaction.atomic():
        current = Workspace.objects.select_for_update().get(pk=workspace.pk)
        changes: Changes = {}
        for which, day in days.items():
            if getattr(current, f"{which}_fingerprint"):
                changes |= put_expiry(current, which, day)
        if changes:
            current.save(update_fields=FIELDS)
            record(current.team_id, actor, [Event.about_workspace(Verb.WORKSPACE_CHANGED, current, changes)])
    return bool(changes)
