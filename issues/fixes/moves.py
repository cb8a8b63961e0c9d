"""The states of a fix: one table of allowed moves, and the one door through which every move goes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from issues.audit import Actor, Changes, Event, Verb, record
from issues.enums import FINISHED, NOT_SENT_YET, FixState, IssueState
from issues.models import Fix, Issue
from issues.problems import LeaseLostError

S = FixState

MOVES: dict[FixState, frozenset[FixState]] = {
    S.QUEUED: frozenset({S.FETCHING, S.SENDING, S.REJECTED, S.SUPERSEDED, S.NEEDS_HUMAN, S.CANCELLED}),
    S.UPLOADING: frozenset({S.UPLOADED, S.REJECTED, S.CANCELLED}),
    # A worker copies a link to TokPortal's store: done again from the start after a crash.
    S.FETCHING: frozenset({S.UPLOADED, S.REJECTED, S.SUPERSEDED, S.NEEDS_HUMAN, S.CANCELLED}),
    S.UPLOADED: frozenset({S.SENDING, S.REJECTED, S.SUPERSEDED, S.NEEDS_HUMAN, S.CANCELLED}),
    # Back to queued only where it is certain that nothing was sent. Cancelled: a dry run that TokPortal confirmed.
    S.SENDING: frozenset({S.VERIFYING, S.QUEUED, S.REJECTED, S.SUPERSEDED, S.NEEDS_HUMAN, S.CANCELLED}),
    S.VERIFYING: frozenset({S.SUCCEEDED, S.NEEDS_HUMAN}),
    S.SUCCEEDED: frozenset(),
    S.REJECTED: frozenset(),
    S.SUPERSEDED: frozenset(),
    S.NEEDS_HUMAN: frozenset(),
    S.CANCELLED: frozenset(),
}

_VERBS = {
    S.UPLOADED: Verb.FIX_UPLOADED,
    S.FETCHING: Verb.FIX_COPYING,
    S.QUEUED: Verb.FIX_DELAYED,  # back from sending: nothing went out
    S.SENDING: Verb.FIX_SENT,
    S.VERIFYING: Verb.FIX_ACCEPTED,
    S.SUCCEEDED: Verb.FIX_SUCCEEDED,
    S.REJECTED: Verb.FIX_REJECTED,
    S.SUPERSEDED: Verb.FIX_SUPERSEDED,
    S.NEEDS_HUMAN: Verb.FIX_NEEDS_HUMAN,
    S.CANCELLED: Verb.FIX_CANCELLED,
}


class MoveError(RuntimeError):
    """A move that the table does not have: a bug."""


def move(
    fix_id: UUID | str,
    to: FixState,
    *,
    actor: Actor,
    fence: int | None,
    changes: Changes | None = None,
    **fields: Any,
) -> Fix:
    """Move a fix to `to` with its fields, the issue's state and the history, in the caller's or one own transaction.

    `fence` is the worker's claim; `None` for moves that no worker makes. Raises LeaseLostError where another worker has
    taken over, MoveError where the table forbids the move.
    """
    with transaction.atomic():
        fix = Fix.objects.select_for_update(of=("self",)).select_related("issue__video__bundle").get(pk=fix_id)
        if fence is not None and fix.fence != fence:
            raise LeaseLostError
        if to not in MOVES[FixState(fix.state)]:
            raise MoveError(f"{fix.state} → {to}")
        all_changes: Changes = {"state": [fix.state, to.value], **(changes or {})}
        now = timezone.now()
        fix.state = to
        if to in FINISHED:
            fields |= {"finished_at": now, "lease_until": None, "next_try_at": None}
        for name, value in fields.items():
            setattr(fix, name, value)
        fix.save(update_fields=["state", *fields])
        if fields.get("code"):
            all_changes["code"] = [None, fields["code"]]
            if reason := (fields.get("code_details") or {}).get("reason"):
                all_changes["reason"] = [None, reason]
        issue_events = _end_issue(fix, now) if to in FINISHED else []
        verb = _VERBS.get(to)
        own = (
            [
                Event.about_issue(
                    verb, fix.issue, all_changes, fix_id=fix.pk, tokportal_request_id=fix.tokportal_request_id
                )
            ]
            if verb
            else []
        )
        record(fix.team_id, actor, [*own, *issue_events])
    return fix


def end_before_sending(
    fix_id: UUID | str, to: FixState, *, actor: Actor, code: str, among: frozenset[FixState] = NOT_SENT_YET
) -> Fix:
    """End a fix of which no byte has gone out. A worker that holds it finds that it is not theirs any more.

    Raises MoveError in every other state: then it is on its way, or has ended.
    """
    with transaction.atomic():
        fix = Fix.objects.select_for_update(of=("self",)).get(pk=fix_id)
        if fix.state not in among:
            raise MoveError(f"{fix.state} → {to}")
        Fix.objects.filter(pk=fix_id).update(fence=F("fence") + 1)
        return move(fix_id, to, actor=actor, fence=None, code=code)


def _end_issue(fix: Fix, now: datetime) -> list[Event]:
    """What a finished fix means for its issue: fixed, cleared by somebody else, or open again."""
    issue = Issue.objects.select_for_update(of=("self",)).select_related("video__bundle").get(pk=fix.issue_id)
    if issue.state != IssueState.FIXING:
        return []
    if fix.state == S.SUCCEEDED:
        issue.state, verb = IssueState.FIXED, Verb.ISSUE_FIXED
    elif fix.state == S.SUPERSEDED:
        issue.state, verb = IssueState.CLEARED, Verb.ISSUE_CLEARED
    else:
        # Somebody has to look again, also where it was put aside before.
        issue.state, issue.snoozed_until = IssueState.OPEN, None
        issue.save(update_fields=["state", "snoozed_until"])
        return []
    issue.closed_at = now
    issue.save(update_fields=["state", "closed_at"])
    fix.issue = issue
    return [Event.about_issue(verb, issue, {"state": ["fixing", issue.state]}, fix_id=fix.pk)]
