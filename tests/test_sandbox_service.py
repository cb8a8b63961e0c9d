"""What the sandbox says of accounts, Coverage, costs and webhooks, asked by TokPortal's own client."""

import pytest
import requests
import tokportal
from tokportal import _generated

from issues.sandbox.server import FULL_KEY
from issues.tokportal import constants as c
from tests import factories

NEW = {"video_url": "https://media.example.com/new.mp4"}


@pytest.fixture
def official(small_sandbox):
    return tokportal.TokPortal(FULL_KEY, base_url=small_sandbox.base_url)


@pytest.fixture
def flagged(small_sandbox):
    """A flagged video on a delivered account: (bundle id, position, account id)."""
    bundle, video = factories.slot(small_sandbox, "video", flagged=True)
    small_sandbox.control.change_bundle(bundle["id"], saved_account="acc_1")
    return bundle["id"], video["position"], "acc_1"


def dry_run(sandbox, bundle_id, position, body=NEW):
    path = f"{sandbox.base_url}/bundles/{bundle_id}/videos/{position}/fix-download"
    headers = {c.API_KEY_HEADER: FULL_KEY, c.DRY_RUN_HEADER: "true"}
    return requests.post(path, json=body, headers=headers, timeout=10)


def test_coverage_of_an_account(official, small_sandbox, flagged):
    account = flagged[2]
    fine = official.accounts.coverage(account)["data"]
    small_sandbox.control.account(account, status="lapsed", unpaid_periods=2)
    lapsed = official.accounts.coverage(account)["data"]

    assert (fine["status"], fine["task_access"], fine["reactivation_quote"]) == ("active", True, None)
    assert (lapsed["status"], lapsed["task_access"]) == ("lapsed", False)
    assert lapsed["reactivation_quote"]["credits"] == 50
    assert {"current_period_end", "lock_version"} <= set(lapsed["reactivation_quote"])


def test_an_account_without_coverage_answers_404(official, small_sandbox, flagged):
    small_sandbox.control.account(flagged[2], status="")

    for account in (flagged[2], "acc_of_somebody_else"):
        with pytest.raises(tokportal.TokPortalApiError) as caught:
            official.accounts.coverage(account)
        assert caught.value.status == 404


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "lapsed"}, "coverage_lapsed"), ({"status": "cancelled"}, "coverage_cancelled"),
        ({"status": "ended"}, "coverage_ended"), ({"blocked_reason": "account_banned"}, "account_banned"),
        ({"blocked_reason": "account_detached"}, "account_detached"), ({"blocked_reason": "odd"}, "odd"),
    ],
)  # fmt: skip
def test_a_blocked_account_refuses_the_fix_and_its_dry_run(official, small_sandbox, flagged, change, reason):
    bundle_id, position, account = flagged
    small_sandbox.control.account(account, **change)

    with pytest.raises(tokportal.TokPortalApiError) as caught:
        official.bundles.fix_video_download(bundle_id, position, NEW)

    assert (caught.value.status, caught.value.code) == (409, c.MANAGED_ACCOUNT_TASK_BLOCKED)
    assert caught.value.details["account_id"] == account
    assert caught.value.details["reason"] == reason
    assert dry_run(small_sandbox, bundle_id, position).status_code == 409
    assert small_sandbox.control.ledger("fix") == []


def test_a_due_period_renews_with_the_write_and_a_dry_run_tells_the_price(official, small_sandbox, flagged):
    bundle_id, position, account = flagged
    small_sandbox.control.account(account, is_due=True, credits=12)

    told = dry_run(small_sandbox, bundle_id, position).json()
    assert small_sandbox.control.ledger("charge") == []
    official.bundles.fix_video_download(bundle_id, position, NEW)

    assert (told["dry_run"], told["credits_charged"], told["credits_would_charge"]) == (True, 0, 12)
    assert told["cost_breakdown"]["total"] == 12
    assert told["credits_remaining"] == 420
    assert official.me()["data"]["credits"] == 408
    assert official.accounts.coverage(account)["data"]["period_expired"] is False


def test_too_few_credits_refuse_the_renewal(official, small_sandbox, flagged):
    bundle_id, position, account = flagged
    small_sandbox.control.account(account, is_due=True)
    small_sandbox.control.settings(credits=3)

    with pytest.raises(tokportal.TokPortalApiError) as caught:
        official.bundles.fix_video_download(bundle_id, position, NEW)

    assert (caught.value.status, caught.value.code) == (402, c.INSUFFICIENT_CREDITS)


def test_bans_are_listed_the_latest_first(official, small_sandbox):
    for number in range(3):
        small_sandbox.control.ban(f"acc_{number}", updated_at=f"2026-11-0{number + 1}T00:00:00Z")
    small_sandbox.control.ban("acc_9", status="appeal_pending", updated_at="2026-11-09T00:00:00Z")

    first = official.request_operation("listAccountBans", query={"page": 1, "per_page": 3})
    late = official.request_operation("listAccountBans", query={"since": "2026-11-03T00:00:00Z"})["data"]
    banned = official.request_operation("listAccountBans", query={"status": "no_appeal_banned"})["data"]

    assert [ban["account_id"] for ban in first["data"]] == ["acc_9", "acc_2", "acc_1"]
    assert first["pagination"]["total_pages"] == 2
    assert {ban["account_id"] for ban in late} == {"acc_9", "acc_2"}
    assert {ban["account_id"] for ban in banned} == {"acc_0", "acc_1", "acc_2"}


def test_the_catalogue_tells_what_is_emitted(official, small_sandbox):
    small_sandbox.control.catalogue("video.download_issue.raised", emitted=False)

    events = {event["type"]: event["emitted"] for event in official.webhooks.events()["data"]["events"]}

    assert events.pop("video.download_issue.raised") is False
    assert set(events) == set(c.WEBHOOK_EVENTS)
    assert all(events.values())


def test_every_type_of_the_official_client_can_be_subscribed(official):
    types = _generated.CreateWebhookEndpointRequest.__annotations__["events"]
    named = str(types).split("'")[1::2]

    made = official.webhooks.create({"url": "https://tokdash.example/x", "events": named})["data"]

    assert len(named) > 20
    assert set(named) <= set(c.WEBHOOK_EVENTS)
    assert made["events"] == named


def test_deliveries_are_listed_and_sent_again(official, small_sandbox):
    made = official.webhooks.create({"url": "http://127.0.0.1:9/nobody", "events": ["credits.restored"]})["data"]
    for _ in range(3):
        small_sandbox.control.event("credits.restored", {"saved_account_id": "acc_1"})

    page = official.webhooks.deliveries(made["id"], page=1, per_page=2, success="false")
    first = page["data"][0]
    again = official.webhooks.retry_delivery(made["id"], first["id"])["data"]

    assert page["pagination"]["total"] == 3
    assert official.webhooks.deliveries(made["id"], success="true")["data"] == []
    assert first["payload"]["data"] == {"saved_account_id": "acc_1"}
    assert (again["event_id"], again["attempts"]) == (first["event_id"], 2)


def test_only_publishing_has_a_cooldown(official, small_sandbox, flagged):
    small_sandbox.control.settings(capacity_cooldown=600)
    waiting = next(b for b in small_sandbox.control.state()["bundles"] if b["owner"] == official.me()["data"]["email"])
    small_sandbox.control.change_bundle(waiting["id"], status="pending_setup")

    with pytest.raises(tokportal.TokPortalApiError) as caught:
        official.bundles.publish(waiting["id"])
    official.bundles.fix_video_download(flagged[0], flagged[1], NEW)
    small_sandbox.control.settings(capacity_cooldown=0)

    assert (caught.value.status, caught.value.code) == (429, c.CAPACITY_COOLDOWN)
    assert official.bundles.publish(waiting["id"])["data"]["status"] == "published"


def test_every_response_carries_version_and_stability(small_sandbox):
    small_sandbox.control.settings(api_version="2027-01-01", api_stability="beta")

    for path in ("/me", "/nowhere", "/bundles", "/account-bans"):
        answer = requests.get(f"{small_sandbox.base_url}{path}", headers={c.API_KEY_HEADER: FULL_KEY}, timeout=5)
        assert (answer.headers[c.API_VERSION_HEADER], answer.headers[c.API_STABILITY_HEADER]) == ("2027-01-01", "beta")
