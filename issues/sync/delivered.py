"""Delivered accounts: what is known of their Coverage and bans, and when it is to be asked.

Bundles and accounts meet in `saved_account_id`. What TokPortal's events say of an account is a hint to ask, with one
exception: a ban is shown at once, until the list of bans says otherwise.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from issues.enums import BANNED, UNRESOLVED
from issues.models import Account, Bundle, Issue, Workspace
from issues.tokportal.days import read_moment
from issues.tokportal.payloads import EventPayload
from issues.tokportal.service_payloads import BanPayload, CoveragePayload

# Coverage of accounts with an issue is asked so often; and when somebody opens an issue, if it is older than that.
COVERAGE_EVERY = timedelta(hours=6)
COVERAGE_RECENT = timedelta(minutes=10)
# A price of a fix is true for so long.
PRICE_RECENT = timedelta(minutes=10)
NO_COVERAGE = "none"


def note_account_event(workspace_id: UUID, event: EventPayload, now: datetime) -> None:
    """An account's bundles are worth a look, and its Coverage is to be asked. Part of the caller's transaction."""
    bundles = Bundle.objects.filter(workspace=workspace_id, saved_account_id=event.saved_account_id)
    bundles.update(hurry_at=now, hurry_whole=True)
    account, _ = Account.objects.get_or_create(workspace_id=workspace_id, tokportal_id=event.saved_account_id)
    account.coverage_wanted_at, account.fix_credits_at = account.coverage_wanted_at or now, None
    if event.type == "account.banned":
        account.ban_status, account.ban_at = "banned", now
    elif event.type == "account.remade":
        account.ban_status, account.ban_resolution, account.ban_at = "", "", now
    account.save(update_fields=["coverage_wanted_at", "fix_credits_at", "ban_status", "ban_resolution", "ban_at"])
    about_ban = ".ban" in event.type or event.type.startswith("account.")
    want_care(workspace_id, now, **({"bans_at": None} if about_ban else {}))


def want_care(workspace_id: UUID, now: datetime, **fields: object) -> None:
    """Let the next worker ask what is wanted (see sync/care.py)."""
    row = Workspace.objects.filter(pk=workspace_id)
    if fields:
        row.update(**fields)
    row.filter(Q(next_care_at__gt=now)).update(next_care_at=now)


def account_of(bundle: Bundle) -> Account | None:
    """The account that the bundle was delivered on, if anything is known of it."""
    if not bundle.saved_account_id:
        return None
    return Account.objects.filter(workspace=bundle.workspace_id, tokportal_id=bundle.saved_account_id).first()


def want_coverage(bundle: Bundle) -> bool:
    """Somebody looks at an issue of this bundle: ask its Coverage soon, unless it was asked just now."""
    if not bundle.saved_account_id:
        return False
    now = timezone.now()
    account, _ = Account.objects.get_or_create(workspace_id=bundle.workspace_id, tokportal_id=bundle.saved_account_id)
    if account.coverage_wanted_at or (account.coverage_at and now - account.coverage_at < COVERAGE_RECENT):
        return False
    Account.objects.filter(pk=account.pk).update(coverage_wanted_at=now)
    want_care(bundle.workspace_id, now)
    return True


def want_coverage_of_issues(workspace: Workspace, now: datetime) -> None:
    """Ask for the Coverage of every account with an unresolved issue, if it is old or its period has ended since."""
    issues = Issue.objects.filter(workspace=workspace, state__in=UNRESOLVED).exclude(video__bundle__saved_account_id="")
    ids = set(issues.order_by().values_list("video__bundle__saved_account_id", flat=True).distinct())
    if not ids:
        return
    known = set(
        Account.objects.filter(workspace=workspace, tokportal_id__in=ids).values_list("tokportal_id", flat=True)
    )
    Account.objects.bulk_create(
        [Account(workspace=workspace, tokportal_id=key) for key in sorted(ids - known)], ignore_conflicts=True
    )
    old = Q(coverage_at=None) | Q(coverage_at__lt=now - COVERAGE_EVERY)
    ended = Q(period_ends_at__lt=now, coverage_at__lt=now - COVERAGE_RECENT)
    Account.objects.filter(old | ended, workspace=workspace, tokportal_id__in=ids, coverage_wanted_at=None).update(
        coverage_wanted_at=now
    )


def note_coverage(account: Account, told: CoveragePayload | None, asked_at: datetime, code: str = "") -> None:
    """Keep what TokPortal answered: its Coverage, that it has none (`told` is None), or why it could not be asked."""
    row = Account.objects.filter(pk=account.pk)
    # A wish that is younger than the question stays.
    row.filter(coverage_wanted_at__lte=asked_at).update(coverage_wanted_at=None)
    if code:
        row.update(coverage_code=code[:80], coverage_at=asked_at)
        return
    row.update(
        coverage_status=told.status if told else NO_COVERAGE,
        may_work=told.may_work if told else None,
        period_ends_at=read_moment(told.period_ends) if told else None,
        period_credits=told.period_credits if told else None,
        reactivation_credits=told.reactivation_credits if told else None,
        coverage_at=asked_at,
        coverage_code="",
    )


def note_bans(workspace: Workspace, bans: Iterable[BanPayload]) -> str:
    """Keep the reports, the latest for each account; returns the highest `updated_at` of them."""
    latest: dict[str, BanPayload] = {}
    found = list(bans)
    by_bundle = {ban.bundle_id for ban in found if ban.bundle_id}
    accounts = dict(
        Bundle.objects.filter(workspace=workspace, tokportal_id__in=by_bundle)
        .exclude(saved_account_id="")
        .values_list("tokportal_id", "saved_account_id")
    )
    for ban in sorted(found, key=lambda ban: ban.updated_at):
        # The account of a report stays the same when it is remade; the bundle's own account is the one of now.
        for key in {ban.account_id, accounts.get(ban.bundle_id, "")} - {""}:
            latest[key] = ban
    for key, ban in latest.items():
        remade = ban.resolution == "remake" and ban.status in BANNED
        Account.objects.update_or_create(
            workspace=workspace,
            tokportal_id=key,
            defaults={
                # A remade account works again, under the same bundle.
                "ban_status": "" if remade and key != ban.account_id else ban.status,
                "ban_resolution": ban.resolution,
                "ban_at": read_moment(ban.updated_at) or timezone.now(),
            },
        )
    return max((ban.updated_at for ban in found), default="")
