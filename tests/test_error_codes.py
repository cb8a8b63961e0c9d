"""Each code that TokPortal may answer with has its own true sentence and a next step."""

from html import unescape

import pytest

from issues.enums import FixState
from issues.fixes.lifecycle import drive_fix
from issues.fixes.outcomes import BLOCKED, OUTCOMES, outcome_of
from issues.fixes.submit import submit_links
from issues.models import AuditEvent, Fix
from issues.notify.collect import collect_events
from issues.notify.compose import _why_failed
from issues.outgoing.payloads import body_of
from issues.tokportal import constants as c
from issues.tokportal.blocked import BlockedBy, blocked_by
from issues.tokportal.budget import Lane, LocalBudget
from issues.tokportal.client import TokPortalClient
from issues.tokportal.errors import RateLimitedError
from tests import factories
from tests.reading import text

GOOD = "https://media.example.com/new.mp4"
CODES = [
    c.BUNDLE_NOT_FOUND, c.BUNDLE_NOT_OWNED, c.VIDEO_NOT_FOUND, c.VIDEO_POSITION_OUT_OF_RANGE, c.VIDEO_NO_DOWNLOAD_ISSUE,
    c.UPLOAD_FAILED, c.AUTH_MISSING_KEY, c.AUTH_INVALID_KEY, c.AUTH_REVOKED_KEY, c.INSUFFICIENT_SCOPE,
    c.VALIDATION_ERROR, c.UNKNOWN_FIELD, c.INVALID_DATE, c.INSUFFICIENT_CREDITS, c.BUNDLE_INVALID_STATUS,
    c.INVALID_STATUS_TRANSITION, c.VIDEOS_PER_DAY_EXCEEDED, c.YOUTUBE_DELAYED, c.MANAGED_ACCOUNT_TASK_BLOCKED,
    c.RATE_LIMIT_EXCEEDED, c.CAPACITY_COOLDOWN, c.IDEMPOTENCY_NOT_ALLOWED, c.IDEMPOTENCY_KEY_REUSED,
]  # fmt: skip
REASONS = [
    ("coverage_lapsed", BlockedBy.LAPSED),
    ("LAPSED", BlockedBy.LAPSED),
    ("subscription.lapsed", BlockedBy.LAPSED),
    ("coverageExpired", BlockedBy.LAPSED),
    ("unpaid_periods", BlockedBy.LAPSED),
    ("coverage_inactive", BlockedBy.LAPSED),
    ("cancelled", BlockedBy.PAUSED),
    ("coverage_paused", BlockedBy.PAUSED),
    ("banned", BlockedBy.BANNED),
    ("account_banned", BlockedBy.BANNED),
    ("accountBanned", BlockedBy.BANNED),
    ("coverage_lapsed_account_banned", BlockedBy.BANNED),
    ("no_appeal_banned", BlockedBy.BANNED),
    ("appeal_pending", BlockedBy.APPEAL),
    ("detached", BlockedBy.DETACHED),
    ("account_detached_after_reveal", BlockedBy.DETACHED),
    ("management_ended", BlockedBy.DETACHED),
    ("ended", BlockedBy.ENDED),
    ("coverage_ended", BlockedBy.ENDED),
    ("terminated", BlockedBy.ENDED),
    ("something_new", BlockedBy.UNKNOWN),
    ("urban_area", BlockedBy.UNKNOWN),
    ("bandwidth", BlockedBy.UNKNOWN),
    ("", BlockedBy.UNKNOWN),
    (None, BlockedBy.UNKNOWN),
    (["banned"], BlockedBy.UNKNOWN),
    (7, BlockedBy.UNKNOWN),
]


@pytest.mark.parametrize("code", CODES)
def test_each_code_has_its_own_sentence_and_next_step(code):
    own = OUTCOMES[code]

    assert own.say.endswith(".")
    assert own.next_step.endswith(".")
    assert [outcome.say for outcome in OUTCOMES.values()].count(own.say) == 1
    assert outcome_of(code).say == own.say


def test_no_code_of_the_contract_is_left_out():
    upper = {
        value for name, value in vars(c).items()
        if name == value or name in {"IDEMPOTENCY_NOT_ALLOWED", "CAPACITY_COOLDOWN"}
    }  # fmt: skip

    assert upper == set(CODES)


@pytest.mark.parametrize(("reason", "expected"), REASONS)
def test_the_sentence_of_a_blocked_account_follows_its_reason(reason, expected):
    outcome = outcome_of(c.MANAGED_ACCOUNT_TASK_BLOCKED, 409, {"reason": reason})

    assert blocked_by(reason) is expected
    if expected is BlockedBy.UNKNOWN:
        assert outcome.say.startswith(OUTCOMES[c.MANAGED_ACCOUNT_TASK_BLOCKED].say)
    else:
        assert outcome == BLOCKED[expected]


def test_renewing_is_advised_only_if_it_can_help():
    advice = {kind: outcome.next_step.lower() for kind, outcome in BLOCKED.items()}
    advice[BlockedBy.UNKNOWN] = outcome_of(c.MANAGED_ACCOUNT_TASK_BLOCKED).next_step.lower()

    assert {kind for kind, said in advice.items() if said.startswith(("renew", "reactivate"))} == {
        BlockedBy.LAPSED,
        BlockedBy.PAUSED,
    }


@pytest.mark.parametrize(
    ("reason", "shown"), [("odd_new_reason", True), ("<b>free text</b>", False), ("x" * 90, False)]
)
def test_an_unknown_reason_is_shown_if_it_is_a_word(reason, shown):
    said = outcome_of(c.MANAGED_ACCOUNT_TASK_BLOCKED, 409, {"reason": reason}).say

    assert (reason in said) is shown


@pytest.mark.parametrize("reason", ["account_banned", "coverage_lapsed", "brand_new"])
def test_a_refused_fix_says_why_wherever_it_is_shown(video_issue, actor, small_sandbox, as_user, bob, team, reason):
    small_sandbox.control.fault(
        "status", method="POST", path="fix-download", status=409, code=c.MANAGED_ACCOUNT_TASK_BLOCKED,
        details={"account_id": "acc_1", "reason": reason},
    )  # fmt: skip

    fix = submit_links(issue=video_issue, links=[GOOD], actor=actor)
    drive_fix(fix.pk)

    fix = Fix.objects.select_related("issue__video__bundle", "issue__workspace", "issue__team").get(pk=fix.pk)
    outcome = outcome_of(c.MANAGED_ACCOUNT_TASK_BLOCKED, 409, {"reason": reason})
    event = AuditEvent.objects.get(verb="fix.rejected")
    page = unescape(text(as_user(bob).get(f"/t/{team.slug}/issues/{video_issue.pk}/")))
    assert fix.state == FixState.REJECTED
    assert fix.code_details["reason"] == event.changes["reason"][1] == reason
    assert outcome.say in page
    assert outcome.next_step in page
    assert outcome.say in unescape(text(as_user(bob).get(f"/t/{team.slug}/history/")))
    assert _why_failed([fix.issue]) == {fix.issue_id: outcome.say}
    assert f'"reason": "{reason}"' in body_of(event, fix.issue, fix)
    assert collect_events(team.pk, [event]) >= 0


def test_a_capacity_cooldown_does_not_block_the_budget(small_sandbox):
    small_sandbox.control.fault(
        "status", method="POST", path="fix-download", status=429, code=c.CAPACITY_COOLDOWN,
        details={"retry_after_seconds": 900},
    )  # fmt: skip
    bundle, video = factories.slot(small_sandbox, "video", flagged=True)
    from issues.sandbox.server import FULL_KEY

    with TokPortalClient(
        base_url=small_sandbox.base_url, api_key=FULL_KEY, budget=LocalBudget(6000), lane=Lane.FIX, max_wait=1.0
    ) as client:
        with pytest.raises(RateLimitedError) as caught:
            client.fix_download(bundle["id"], video["position"], b"{}", idempotency_key="k")
        assert client.me().email

    assert caught.value.code == c.CAPACITY_COOLDOWN
    assert caught.value.retry_after == 900
