"""What the page of an issue says of the account that its bundle was delivered on."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from issues.enums import BAN_APPEALED
from issues.fixes.price import can_ask_price, known_price
from issues.models import Account, Issue
from issues.sync.delivered import NO_COVERAGE, account_of
from issues.wording import credits_text, price_sentence


@dataclass(frozen=True, slots=True)
class AccountView:
    """`tone`: good, warn or bad. `sentence` is true as of `known_at`; `None`: it was not asked yet."""

    label: str
    tone: str
    sentence: str
    known_at: datetime | None
    price: float | None  # of a fix, from a recent dry run
    can_ask_price: bool

    @property
    def is_trouble(self) -> bool:
        return self.tone == "bad"

    @property
    def price_sentence(self) -> str:
        return price_sentence(self.price)


def read_account(issue: Issue) -> AccountView | None:
    """The account's state; `None` if the bundle has not been delivered on one yet. One query."""
    bundle = issue.video.bundle
    if not bundle.saved_account_id:
        return None
    account = account_of(bundle)
    label, tone, sentence = _state(account)
    known_at = account.ban_at if account and (account.is_banned or account.ban_status == BAN_APPEALED) else None
    return AccountView(
        label=label,
        tone=tone,
        sentence=sentence,
        known_at=known_at or (account.coverage_at if account else None),
        price=known_price(account),
        can_ask_price=can_ask_price(issue),
    )


def _state(account: Account | None) -> tuple[str, str, str]:
    if account is not None and account.is_banned:
        return _("Banned"), "bad", _("The platform has banned this account: a fix cannot help until it is remade.")
    if account is not None and account.ban_status == BAN_APPEALED:
        return (
            _("Appeal pending"), "warn",
            _("The account is locked and an appeal is pending: TokPortal cannot post until it is decided."),
        )  # fmt: skip
    if account is None or account.coverage_at is None:
        return _("Not asked yet"), "", _("TokDash asks TokPortal for the account’s Coverage in the background.")
    if account.coverage_code and not account.coverage_status:
        return _("Not known"), "", _("TokPortal did not tell the account’s Coverage. TokDash asks again.")
    return _of_coverage(account)


def _of_coverage(account: Account) -> tuple[str, str, str]:
    status = account.coverage_status
    if status == NO_COVERAGE:
        return _("No Coverage"), "", _("TokPortal has no Coverage for this account. Older accounts need none.")
    if status == "lapsed":
        renew = _("Coverage has lapsed: TokPortal refuses fixes until it is renewed.")
        return _("Lapsed"), "bad", f"{renew} {_renewing(account.reactivation_credits)}".strip()
    if status in {"cancelled", "paused"}:
        resume = _("Coverage was paused or cancelled: TokPortal refuses fixes until it is reactivated.")
        return _("Paused"), "bad", f"{resume} {_renewing(account.reactivation_credits)}".strip()
    if status == "ended":
        return _("Ended"), "bad", _("TokPortal’s work on this account has ended for good. It cannot be renewed.")
    if account.may_work is False:
        return _("Blocked"), "bad", _("TokPortal does not work on this account now. Look at it in TokPortal.")
    if status in {"active", "included"}:
        return _of_period(account)
    shown = status.replace("_", " ")
    word = _("TokPortal’s word for the account’s Coverage: {status}.").format(status=shown)
    return shown or _("Not known"), "", word


def _of_period(account: Account) -> tuple[str, str, str]:
    ends = account.period_ends_at
    costs = credits_text(account.period_credits)
    if ends is None:
        return _("Covered"), "good", _("Coverage is active.")
    if ends <= timezone.now():
        due = _("A period of Coverage is due: TokPortal may renew it with the next fix.")
        return _("Due"), "warn", f"{due} " + (_("A period costs {credits}.").format(credits=costs) if costs else "")
    day = date_format(timezone.localtime(ends), "j M")
    if costs:
        said = _("Its Coverage renews on {day}, for {credits}.").format(day=day, credits=costs)
    else:
        said = _("Its Coverage renews on {day}.").format(day=day)
    return _("Covered"), "good", said


def _renewing(credits: float | None) -> str:
    costs = credits_text(credits)
    return _("Renewing it costs {credits}.").format(credits=costs) if costs else ""
