"""Coverage, bans, the catalogue of events and deliveries as typed objects: as tolerant as `payloads`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from issues.tokportal.days import read_moment
from issues.tokportal.payloads import EventPayload, PayloadError, plain_text


def read_number(value: object) -> float | None:
    """An amount; `None` for everything that is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < 1e12 else None  # type: ignore[arg-type]


def _first(data: Mapping[str, Any], *names: str) -> Any:
    return next((data[name] for name in names if data.get(name) is not None), None)


@dataclass(frozen=True, slots=True)
class CoveragePayload:
    """`GET /accounts/:id/managed-subscription`. The names of the amounts are not documented: several are tried."""

    status: str
    may_work: bool | None  # whether tasks of the account are allowed now; None: unknown
    period_ends: str
    period_credits: float | None
    reactivation_credits: float | None

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        access = data.get("task_access")
        if isinstance(access, dict):
            access = _first(access, "allowed", "enabled", "active")
        if isinstance(access, str):
            access = {"allowed": True, "active": True, "open": True, "blocked": False, "denied": False}.get(
                access.lower()
            )
        quote = data.get("reactivation_quote")
        rate = _first(data, "credits_per_period", "period_credits", "rate_credits", "rate", "credits", "price")
        if isinstance(rate, dict):
            rate = _first(rate, "credits", "amount")
        return cls(
            status=plain_text(data.get("status"), 64).lower(),
            may_work=access if isinstance(access, bool) else None,
            period_ends=plain_text(data.get("current_period_end"), 64),
            period_credits=read_number(rate),
            reactivation_credits=read_number(quote.get("credits")) if isinstance(quote, dict) else None,
        )


@dataclass(frozen=True, slots=True)
class BanPayload:
    """One report of `GET /account-bans`."""

    account_id: str
    bundle_id: str
    status: str
    resolution: str
    updated_at: str

    @classmethod
    def parse(cls, data: object) -> Self:
        if not isinstance(data, dict) or not (data.get("account_id") or data.get("bundle_id")):
            raise PayloadError("a ban without its account")
        resolution = data.get("resolution")
        if isinstance(resolution, dict):
            resolution = resolution.get("resolution")
        return cls(
            account_id=plain_text(_first(data, "saved_account_id", "account_id"), 128),
            bundle_id=plain_text(data.get("bundle_id"), 128),
            status=plain_text(data.get("status"), 64).lower(),
            resolution=plain_text(resolution, 64),
            updated_at=plain_text(data.get("updated_at"), 64),
        )


def parse_catalogue(data: Mapping[str, Any]) -> dict[str, bool]:
    """Type → whether TokPortal really emits it, of `GET /webhooks/events`. One that is not marked counts as emitted."""
    events = data.get("events")
    found: dict[str, bool] = {}
    for entry in events if isinstance(events, list) else []:
        if isinstance(entry, str):
            found[entry[:64]] = True
        elif isinstance(entry, dict):
            kind = plain_text(_first(entry, "type", "event", "name"), 64)
            if kind:
                found[kind] = _is_emitted(entry)
    return found


def _is_emitted(entry: Mapping[str, Any]) -> bool:
    mark = _first(entry, "emitted", "is_emitted", "availability", "status")
    if isinstance(mark, bool):
        return mark
    return not isinstance(mark, str) or mark.lower() in {"emitted", "available", "active", "true", "ga", "stable"}


@dataclass(frozen=True, slots=True)
class DeliveryPayload:
    """One try of TokPortal's to deliver an event. `event` is `None` if the list does not carry what was sent."""

    id: str
    event_id: str
    success: bool
    created_at: str
    event: EventPayload | None

    @classmethod
    def parse(cls, data: object) -> Self:
        if not isinstance(data, dict) or not data.get("id"):
            raise PayloadError("a delivery without an id")
        event = None
        for name in ("payload", "event", "body", "request_body"):
            try:
                event = EventPayload.parse(data.get(name))
                break
            except PayloadError:
                continue
        return cls(
            id=plain_text(data["id"], 128),
            event_id=plain_text(data.get("event_id"), 128) or (event.id if event else ""),
            success=data.get("success") is True,
            created_at=plain_text(data.get("created_at"), 64),
            event=event,
        )

    @property
    def moment(self) -> float | None:
        """When it was tried first, as Unix seconds."""
        moment = read_moment(self.created_at)
        return moment.timestamp() if moment else None
