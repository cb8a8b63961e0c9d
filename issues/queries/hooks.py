"""The read side of the team's own endpoints and their delivery log."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issues.enums import DeliveryState
from issues.models import Hook, HookDelivery, Team
from issues.queries.pages import Page, latest_first

SHOWN = 50


@dataclass(frozen=True, slots=True)
class HookEntry:
    """An endpoint with its last day."""

    hook: Hook
    delivered: int
    failed: int
    waiting: int


def hooks_of(team: Team) -> list[HookEntry]:
    """Two queries, whatever the number of endpoints."""
    since = timezone.now() - timedelta(days=1)
    hooks = list(Hook.objects.filter(team=team))
    recent = Q(created_at__gte=since) | Q(state=DeliveryState.WAITING)
    rows = HookDelivery.objects.filter(recent, hook__in=hooks).values("hook", "state").annotate(n=Count("pk"))
    counts: dict[tuple[UUID, str], int] = {(row["hook"], row["state"]): row["n"] for row in rows}

    def of(hook: Hook, state: DeliveryState) -> int:
        return counts.get((hook.pk, state), 0)

    return [
        HookEntry(
            hook,
            of(hook, DeliveryState.DELIVERED),
            of(hook, DeliveryState.FAILED),
            of(hook, DeliveryState.WAITING),
        )
        for hook in hooks
    ]


def deliveries_of(hook: Hook, after: str = "") -> Page[HookDelivery]:
    """The latest first."""
    return latest_first(HookDelivery.objects.filter(hook=hook), "created_at", after, SHOWN)


_("not tried yet")
_CODES = {
    "private_address": _("its address is not public"),
    "malformed": _("its address is none"),
    "odd_port": _("its port is not asked"),
    "dns_missing": _("there is no such host"),
    "dns_failed": _("its name could not be resolved"),
    "names_unavailable": _("our own name resolution does not work"),
    "tls_bad": _("its certificate is not in order"),
    "tls_failed": _("no secure connection came about"),
    "timeout": _("it did not answer in time"),
    "connection_failed": _("it cannot be reached"),
    "not_http": _("its answer was unreadable"),
    "secret_unreadable": _("its secret cannot be read: give it a new one"),
}


def answer_of(delivery: HookDelivery) -> str:
    """What the last try gave, in words."""
    if delivery.status is not None:
        return gettext("answered {status}").format(status=delivery.status)
    return gettext(_CODES.get(delivery.code, delivery.code) or "not tried yet")
