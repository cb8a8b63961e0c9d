"""What a fix of an issue would cost, by a dry run with the links that are there now. It changes nothing.

Only sent if the workspace's TokPortal is known to confirm dry runs: one that ignores them would make a real fix.
"""

import logging
import uuid
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from issues.audit import Actor, Changes, Event, Verb, record
from issues.fixes.outcomes import Outcome, outcome_of
from issues.fixes.submit import body_of, link_kind, repair_kinds
from issues.models import Account, Issue, Workspace
from issues.problems import Refusal
from issues.sync.connection import open_client
from issues.sync.delivered import PRICE_RECENT, account_of, want_coverage
from issues.sync.ledger import count_minute
from issues.sync.planner import hurry
from issues.tokportal.budget import Lane
from issues.tokportal.errors import Outcome as Certainty
from issues.tokportal.errors import TokPortalError

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Price:
    """`credits`: what the fix would cost; `None`: not known. `refused`: TokPortal would refuse it, and why."""

    credits: float | None = None
    refused: Outcome | None = None


def can_ask_price(issue: Issue) -> bool:
    """Whether a dry run is safe and could tell something: only delivered accounts have Coverage that costs."""
    bundle = issue.video.bundle
    return bool(
        issue.workspace.confirms_dry_run
        and bundle.saved_account_id
        and issue.is_unresolved
        and issue.video.links
        and repair_kinds(issue.video)
    )


def known_price(account: Account | None) -> float | None:
    """The price of a fix from a recent dry run, if there was one."""
    if account is None or account.fix_credits_at is None or timezone.now() - account.fix_credits_at > PRICE_RECENT:
        return None
    return account.fix_credits


def ask_price(*, issue: Issue, actor: Actor) -> Price:
    """Ask TokPortal by a dry run, at most once in some minutes for an account."""
    if not can_ask_price(issue):
        return Price()
    account = account_of(issue.video.bundle)
    known = known_price(account)
    if known is not None:
        return Price(known)
    body = body_of(link_kind(issue.video), issue.video.links)
    try:
        with open_client(issue.workspace, Lane.INTERACTIVE, for_fixing=True, total=PATIENCE_SECONDS) as client:
            try:
                answer = client.fix_download(
                    issue.video.bundle.tokportal_id,
                    issue.video.position,
                    body.encode(),
                    idempotency_key=f"tokdash-price-{uuid.uuid4()}",
                    dry_run=True,
                )
            finally:
                count_minute(issue.workspace, {"requests": client.usage.requests})
    except (TokPortalError, Refusal) as error:
        logger.info("the price of a fix of issue %s is not known: %s", issue.pk, error.code)
        is_answer = isinstance(error, TokPortalError) and error.outcome is Certainty.REFUSED
        return Price(refused=outcome_of(error.code, error.status, error.details) if is_answer else None)  # type: ignore[union-attr]
    if not answer.dry_run:
        _note_real_write(issue, actor, answer.request_id)
        return Price()
    note_price(issue, answer.credits)
    return Price(answer.credits)


def note_price(issue: Issue, credits: float | None) -> None:
    """Store the price from a dry run on its account."""
    bundle = issue.video.bundle
    if bundle.saved_account_id and credits is not None:
        Account.objects.update_or_create(
            workspace=issue.workspace,
            tokportal_id=bundle.saved_account_id,
            defaults={"fix_credits": credits, "fix_credits_at": timezone.now()},
        )


def _note_real_write(issue: Issue, actor: Actor, request_id: str) -> None:
    """TokPortal did not simulate: it was a fix with the old links. Say so, never do it again, and look at once."""
    logger.error("TokPortal took a dry run of issue %s for a real fix", issue.pk)
    changes: Changes = {"dry_run": [True, False], "links": [None, "unchanged"]}
    event = Event.about_issue(Verb.ISSUE_PRICE_WAS_A_FIX, issue, changes, tokportal_request_id=request_id)
    with transaction.atomic():
        Workspace.objects.filter(pk=issue.workspace_id).update(confirms_dry_run=False)
        record(issue.team_id, actor, [event])
    hurry(issue.workspace, [issue.video.bundle.tokportal_id], timezone.now())
    want_coverage(issue.video.bundle)
