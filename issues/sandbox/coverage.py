"""Delivered accounts: their Coverage, their bans, and what a write on them costs.

A due period renews by itself with the next write, for credits. A dry run tells the price and takes nothing.
"""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from issues.sandbox.http import Handler
from issues.sandbox.world import ApiFailure, Bundle, World, stamp
from issues.tokportal import constants as c

if TYPE_CHECKING:
    from issues.sandbox.calls import Call

PERIOD = timedelta(days=30)
PERIOD_CREDITS = 25
# Which Coverage keeps TokPortal from working, and how it calls that.
REASONS = {"lapsed": "coverage_lapsed", "cancelled": "coverage_cancelled", "ended": "coverage_ended"}
NOT_FOUND = "MANAGED_SUBSCRIPTION_NOT_FOUND"


@dataclass
class Coverage:
    """The Coverage of one account. `status` empty: the account has none, as older ones do."""

    account_id: str
    status: str = "active"  # included, active, lapsed, cancelled, ended
    credits: float = PERIOD_CREDITS  # of a period
    unpaid_periods: int = 0
    is_due: bool = False  # the period is over: the next write renews it
    blocked_reason: str = ""  # why no work is allowed, whatever the Coverage says
    period_end: datetime = field(default_factory=lambda: datetime.now(UTC) + PERIOD)
    lock_version: int = 1

    @property
    def reason(self) -> str:
        """Why TokPortal does not work on the account; empty if it does."""
        return self.blocked_reason or REASONS.get(self.status, "")

    def to_json(self) -> dict[str, Any]:
        can_come_back = self.status in {"lapsed", "cancelled"}
        quote = {
            "credits": self.credits * self.unpaid_periods,
            "current_period_end": stamp(self.period_end),
            "lock_version": self.lock_version,
            "quoted_at": stamp(),
        }
        return {
            "account_id": self.account_id,
            "status": self.status,
            "recorded_status": self.status,
            "current_period_start": stamp(self.period_end - PERIOD),
            "current_period_end": stamp(self.period_end),
            "period_expired": self.is_due,
            "credits_per_period": self.credits,
            "unpaid_periods": self.unpaid_periods,
            "task_access": not self.reason,
            "reactivation_quote": quote if can_come_back else None,
        }


def coverage_of(world: World, account_id: str) -> Coverage:
    found: Coverage = world.accounts.setdefault(account_id, Coverage(account_id))
    return found


def charge(world: World, call: "Call", bundle: Bundle) -> float:
    """What a write on the bundle's account costs; a real one pays it. Raises ApiFailure if the account is blocked."""
    account_id = bundle.saved_account_id
    if not account_id:
        return 0.0
    with world.lock:
        coverage = coverage_of(world, account_id)
        if coverage.reason:
            details = {"account_id": account_id, "reason": coverage.reason}
            raise ApiFailure(409, c.MANAGED_ACCOUNT_TASK_BLOCKED, "Tasks of this account are blocked", details)
        if not coverage.is_due:
            return 0.0
        left = world.credits[call.key.owner]
        if coverage.credits > left:
            about = {"required": coverage.credits, "available": left, "missing": coverage.credits - left}
            raise ApiFailure(402, c.INSUFFICIENT_CREDITS, "Not enough credits", about)
        if not call.dry_run:
            world.credits[call.key.owner] -= coverage.credits
            coverage.is_due, coverage.status = False, "active"
            coverage.period_end += PERIOD
            coverage.lock_version += 1
            world.record("charge", account_id=account_id, credits=coverage.credits)
        return coverage.credits


def simulated(world: World, call: "Call", data: Any, credits: float) -> tuple[int, Any]:
    """The answer of a dry run: what would come back, and what it would cost."""
    return 200, {
        "data": data,
        "dry_run": True,
        "dry_run_notice": "Simulated: nothing was changed and nothing was charged.",
        "credits_charged": 0,
        "credits_would_charge": credits,
        "cost_breakdown": {"coverage_renewal": credits, "total": credits},
        "credits_remaining": world.credits[call.key.owner],
    }


def get_managed_subscription(handler: Handler, app: Any, call: "Call", account_id: str) -> tuple[int, Any]:
    world: World = app.world
    owned = {bundle.saved_account_id for bundle in world.bundles.values() if bundle.owner == call.key.owner}
    if account_id not in owned:
        raise ApiFailure(404, "ACCOUNT_NOT_FOUND", "No such account")
    coverage = coverage_of(world, account_id)
    if not coverage.status:
        raise ApiFailure(404, NOT_FOUND, "This account has no managed subscription")
    return 200, {"data": coverage.to_json()}


def list_bans(handler: Handler, app: Any, call: "Call") -> tuple[int, Any]:
    with app.world.lock:
        rows = [
            ban
            for ban in app.world.bans
            if call.query.get("status") in (None, ban["status"])
            and call.query.get("account_id") in (None, ban["account_id"])
            and ban["updated_at"] >= call.query.get("since", "")
        ]
    return paged(call, rows)


def paged(call: "Call", rows: list[Any]) -> tuple[int, Any]:
    """One page of a list."""
    try:
        page, per_page = int(call.query.get("page", "1")), int(call.query.get("per_page", c.DEFAULT_PER_PAGE))
    except ValueError:
        raise ApiFailure(400, c.VALIDATION_ERROR, "page and per_page are numbers") from None
    if page < 1 or not 1 <= per_page <= c.MAX_PER_PAGE:
        raise ApiFailure(400, c.VALIDATION_ERROR, "page from 1, per_page from 1 to 100")
    pages = (len(rows) + per_page - 1) // per_page
    about = {"page": page, "per_page": per_page, "total": len(rows), "total_pages": pages}
    return 200, {"data": rows[(page - 1) * per_page : page * per_page], "pagination": about}


def publish(handler: Handler, app: Any, call: "Call", bundle_id: str) -> tuple[int, Any]:
    """Publish a bundle. The only call that a cooldown of TokPortal's capacity refuses."""
    world: World = app.world
    bundle = world.bundle(bundle_id, call.key.owner)
    if world.capacity_cooldown:
        seconds = int(world.capacity_cooldown)
        details = {"retry_after_seconds": seconds}
        raise ApiFailure(429, c.CAPACITY_COOLDOWN, "No capacity now", details, {"Retry-After": str(seconds)})
    if bundle.status != "pending_setup":
        raise ApiFailure(409, c.INVALID_STATUS_TRANSITION, "This bundle cannot be published", {"status": bundle.status})
    if call.dry_run:
        return simulated(world, call, bundle.to_json(), 0.0)
    with world.lock:
        bundle.status, bundle.updated_at = "published", stamp()
    app.webhooks.emit("bundle.published", {"bundle_id": bundle.id, "status": bundle.status}, bundle.owner)
    return 200, {"data": bundle.to_json()}


# --- The control interface -----------------------------------------------------------------------------------


def change_account(app: Any, body: dict[str, Any]) -> dict[str, Any]:
    """Change an account's Coverage; tells it by webhook if `event` names one."""
    coverage = coverage_of(app.world, body["account_id"])
    for name in ("status", "blocked_reason"):
        if name in body:
            setattr(coverage, name, str(body[name]))
    for name, kind in (("credits", float), ("unpaid_periods", int), ("is_due", bool)):
        if name in body:
            setattr(coverage, name, kind(body[name]))
    if "period_end" in body:
        coverage.period_end = datetime.fromisoformat(body["period_end"])
    if body.get("event"):
        _tell(app, str(body["event"]), coverage.account_id, {"status": coverage.status})
    return coverage.to_json()


def add_ban(app: Any, body: dict[str, Any]) -> dict[str, Any]:
    """Report a ban, or change the report of the account; `event` names the webhook that tells it."""
    world: World = app.world
    with world.lock:
        ban = next((entry for entry in world.bans if entry["account_id"] == body["account_id"]), None)
        if ban is None:
            ban = {
                "id": f"ban_{secrets.token_hex(6)}", "account_id": body["account_id"], "username": "everyday.club",
                "platform": "tiktok", "bundle_id": body.get("bundle_id"), "order_id": None, "reported_at": stamp(),
            }  # fmt: skip
            world.bans.insert(0, ban)
        ban |= {
            "status": body.get("status", "no_appeal_banned"),
            "decided_at": stamp(),
            "updated_at": body.get("updated_at") or stamp(),
            "resolution": {"resolution": body.get("resolution"), "reason_code": None, "refund_credits": None},
        }
    is_banned = ban["status"] in {"appeal_refused", "no_appeal_banned"}
    coverage_of(world, body["account_id"]).blocked_reason = "account_banned" if is_banned else ""
    if body.get("event"):
        _tell(app, str(body["event"]), body["account_id"], {"ban_status": ban["status"]})
    return ban


def _tell(app: Any, kind: str, account_id: str, about: dict[str, Any]) -> None:
    owners = {bundle.owner for bundle in app.world.bundles.values() if bundle.saved_account_id == account_id}
    for owner in owners:
        app.webhooks.emit(kind, {"saved_account_id": account_id, **about}, owner)
