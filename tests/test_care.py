"""What is asked beside the sync: credits, Coverage, bans, the catalogue of events, and deliveries that failed."""

import time
from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from issues import tasks
from issues.models import Account, AuditEvent, Bundle, Issue, SyncMinute, WebhookEndpoint, WebhookEvent, Workspace
from issues.sandbox.server import FULL_KEY, READ_KEY
from issues.sandbox.webhooks import sign
from issues.sync import care, delivered, webhooks
from issues.sync.care import care_for, due_for_care
from issues.sync.endpoints import register_endpoint
from issues.sync.event_types import is_download_issue, wanted_types
from issues.tokportal import constants as c
from issues.tokportal.client import TokPortalClient
from tests import factories
from tests.reading import text
from tests.test_runner import SYNC
from tests.test_webhooks import SECRET, body

NEW_TYPE = "video.download_issue.raised"


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch):
    monkeypatch.setattr(webhooks, "_known", {})


@pytest.fixture
def account(swept, small_sandbox):
    """A delivered account whose bundle has an open issue."""
    issue = factories.open_issue("video")
    bundle = issue.video.bundle
    small_sandbox.control.change_bundle(bundle.tokportal_id, saved_account="acc_1")
    Bundle.objects.filter(pk=bundle.pk).update(saved_account_id="acc_1")
    return "acc_1"


@pytest.fixture
def endpoint(workspace, settings):
    settings.SITE_URL = "http://127.0.0.1:9"  # nobody listens
    return register_endpoint(workspace=workspace, actor=SYNC)


def care_now(workspace):
    Workspace.objects.update(next_care_at=None)
    return care_for(Workspace.objects.get(pk=workspace.pk), actor=SYNC)


def everything_is_fresh(workspace):
    now = timezone.now()
    Workspace.objects.update(credits_at=now, bans_at=now)
    WebhookEndpoint.objects.update(catalogue_at=now, deliveries_at=now)
    Account.objects.update(coverage_at=now, coverage_wanted_at=None)


# --- How much is asked ---------------------------------------------------------------------------------------


def test_what_is_fresh_costs_nothing(workspace, endpoint, account):
    Account.objects.create(workspace=workspace, tokportal_id=account)
    for other in set(Bundle.objects.exclude(saved_account_id="").values_list("saved_account_id", flat=True)) - {
        account
    }:
        Account.objects.create(workspace=workspace, tokportal_id=other)
    everything_is_fresh(workspace)

    assert care_now(workspace) == 0


def test_a_day_costs_few_requests(workspace, endpoint, account):
    """All that is due at once, and how often it is: some 300 requests a day of the 170,000 that a key has."""
    Workspace.objects.update(credits_at=None, bans_at=None)
    WebhookEndpoint.objects.update(catalogue_at=None, deliveries_at=None)
    accounts = Issue.objects.exclude(video__bundle__saved_account_id="").values("video__bundle__saved_account_id")

    requests = care_now(workspace)

    assert requests == 4 + accounts.distinct().count()  # deliveries, bans, credits, catalogue; each account
    assert sum(SyncMinute.objects.values_list("requests", flat=True)) >= requests
    day = timedelta(days=1)
    assert day / care.CREDITS_EVERY + day / care.BANS_EVERY + day / care.DELIVERIES_EVERY + 1 < 300
    assert timedelta(hours=6) <= delivered.COVERAGE_EVERY


def test_two_workers_never_care_at_once(workspace):
    assert care_now(workspace) > 0
    assert care_for(Workspace.objects.get(), actor=SYNC) == 0
    assert due_for_care() == []


def test_the_task_cares_for_those_that_are_due(workspace):
    Workspace.objects.update(credits_at=None, credits=None)

    tasks.care_for_workspaces()

    assert Workspace.objects.get().credits == 420


def test_one_chore_that_fails_keeps_none_of_the_others(workspace, small_sandbox, account):
    Workspace.objects.update(credits_at=None, credits=None)
    small_sandbox.control.fault("status", path="account-bans", status=500)
    small_sandbox.control.fault("html", path=f"{account}/managed-subscription")

    care_now(workspace)

    assert Workspace.objects.get().credits == 420
    assert Workspace.objects.get().bans_at is None
    assert Account.objects.get(tokportal_id=account).coverage_code == "UNREADABLE_ANSWER"


def test_a_refused_key_stops_the_workspace(workspace, small_sandbox):
    Workspace.objects.update(credits_at=None)
    small_sandbox.control.key(FULL_KEY, revoked=True)

    care_now(workspace)

    assert Workspace.objects.get().state == "key_refused"
    assert due_for_care() == []


# --- Coverage and bans ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "status", "may_work"),
    [
        ({}, "active", True),
        ({"status": "lapsed", "unpaid_periods": 2}, "lapsed", False),
        ({"status": ""}, "none", None),
    ],
)
def test_coverage_of_accounts_with_an_issue_is_known(workspace, small_sandbox, account, change, status, may_work):
    small_sandbox.control.account(account, **change)

    care_now(workspace)

    known = Account.objects.get(tokportal_id=account)
    assert (known.coverage_status, known.may_work, known.coverage_wanted_at) == (status, may_work, None)
    assert known.coverage_at is not None
    assert known.reactivation_credits == (50 if status == "lapsed" else None)
    assert (known.period_ends_at is None) is (status == "none")


def test_accounts_without_an_issue_are_not_asked(workspace, account):
    Issue.objects.update(state="cleared", closed_at=timezone.now())

    care_now(workspace)

    assert not Account.objects.exists()


@pytest.mark.parametrize("status", ["no_appeal_banned", "appeal_refused"])
def test_a_ban_is_read(workspace, small_sandbox, account, status):
    small_sandbox.control.ban(account, status=status)

    care_now(workspace)

    assert Account.objects.get(tokportal_id=account).is_banned


@pytest.mark.parametrize("status", ["appeal_pending", "appeal_accepted", "brand_new"])
def test_what_is_no_ban_is_none(workspace, small_sandbox, account, status):
    small_sandbox.control.ban(account, status=status)

    care_now(workspace)

    known = Account.objects.get(tokportal_id=account)
    assert (known.is_banned, known.ban_status) == (False, status)


def test_a_ban_that_names_the_bundle_alone_is_joined(workspace, small_sandbox, account):
    bundle = Bundle.objects.get(saved_account_id=account)
    small_sandbox.control.ban("listing-account-7", bundle_id=bundle.tokportal_id)

    care_now(workspace)

    assert Account.objects.get(tokportal_id=account).is_banned


def test_bans_are_read_on_from_where_they_were_read(workspace, small_sandbox, account, monkeypatch):
    small_sandbox.control.ban(account, updated_at="2026-11-20T10:00:00.000Z")
    care_now(workspace)
    asked = []
    original = TokPortalClient.list_bans
    monkeypatch.setattr(
        TokPortalClient, "list_bans", lambda self, since="": (asked.append(since), original(self, since=since))[1]
    )
    small_sandbox.control.ban(account, status="appeal_accepted", updated_at="2026-11-21T10:00:00.000Z")
    Workspace.objects.update(bans_at=None)

    care_now(workspace)

    assert asked == ["2026-11-20T10:00:00.000Z"]
    assert not Account.objects.get(tokportal_id=account).is_banned
    assert Workspace.objects.get().bans_since == "2026-11-21T10:00:00.000Z"


# --- Events --------------------------------------------------------------------------------------------------


def deliver(workspace, content):
    return Client().post(
        f"/webhooks/tokportal/{workspace.pk}/", content, content_type="application/json",
        headers={"TokPortal-Signature": sign(SECRET, content, int(time.time()))},
    )  # fmt: skip


@pytest.fixture
def listening(endpoint):
    endpoint.secret = SECRET
    endpoint.save()
    return endpoint


@pytest.mark.parametrize("kind", [*c.WEBHOOK_EVENTS, NEW_TYPE, "something.nobody_knows"])
def test_every_type_is_taken_and_a_bundle_in_it_is_looked_at(listening, workspace, account, kind):
    bundle = Bundle.objects.get(saved_account_id=account)

    answer = deliver(workspace, body(kind=kind, bundle_id=bundle.tokportal_id))

    bundle.refresh_from_db()
    assert answer.status_code == 200
    assert bundle.hurry_at is not None
    assert bundle.hurry_whole is not kind.startswith("video.")


@pytest.mark.parametrize("kind", [k for k in c.WEBHOOK_EVENTS if k.startswith(("account.", "subscription."))])
def test_an_event_without_a_bundle_meets_the_bundles_of_its_account(listening, workspace, account, kind):
    Workspace.objects.update(next_care_at=timezone.now() + timedelta(hours=1))

    deliver(workspace, body(kind=kind, saved_account_id=account))
    deliver(workspace, body(kind=kind, saved_account_id=account))

    hurried = Bundle.objects.filter(hurry_at__isnull=False)
    assert [bundle.saved_account_id for bundle in hurried] == [account]
    assert Account.objects.get(tokportal_id=account).coverage_wanted_at is not None
    assert WebhookEvent.objects.get().saved_account_id == account
    assert [found.pk for found in due_for_care()] == [workspace.pk]


def test_a_ban_shows_at_once_and_goes_with_the_remake(listening, workspace, account):
    deliver(workspace, body("evt_1", kind="account.banned", saved_account_id=account))
    assert Account.objects.get().is_banned
    deliver(workspace, body("evt_2", kind="account.remade", saved_account_id=account))

    assert not Account.objects.get().is_banned


def test_restored_credits_are_read_soon(listening, workspace):
    Workspace.objects.update(credits=3, credits_at=timezone.now())

    deliver(workspace, body(kind="credits.restored"))
    care_now(workspace)

    assert Workspace.objects.get().credits == 420


# --- The catalogue -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (NEW_TYPE, True), ("video.download-issue", True), ("video.downloadIssue", True), ("video.download_failed", True),
        ("video.media_issue", True), ("video.flagged", True), ("video.configured", False),
        ("account.banned", False),
    ],
)  # fmt: skip
def test_a_download_issue_is_recognised_by_its_name(kind, expected):
    assert is_download_issue(kind) is expected


def test_registering_asks_for_all_that_matters(endpoint, small_sandbox):
    made = next(iter(small_sandbox.world.webhooks.values()))

    assert set(made["events"]) == {kind for kind in c.WEBHOOK_EVENTS if not kind.startswith("warming.")}
    assert endpoint.events == made["events"]


def test_an_older_registration_is_widened_once(workspace, endpoint, small_sandbox):
    WebhookEndpoint.objects.update(events=[], catalogue_at=None)
    small_sandbox.world.webhooks[endpoint.tokportal_id]["events"] = ["video.configured"]

    care_now(workspace)
    care_now(workspace)

    assert "subscription.lapsed" in small_sandbox.world.webhooks[endpoint.tokportal_id]["events"]
    assert AuditEvent.objects.filter(verb="webhook.types_changed").count() == 1


def test_the_day_a_download_issue_is_emitted_we_subscribe(workspace, endpoint, small_sandbox, as_user, bob):
    small_sandbox.control.catalogue(NEW_TYPE, emitted=False)
    WebhookEndpoint.objects.update(catalogue_at=timezone.now() - timedelta(days=2))
    care_now(workspace)
    assert not AuditEvent.objects.filter(verb="webhook.types_changed").exists()
    small_sandbox.control.catalogue(NEW_TYPE)
    care_now(workspace)  # the catalogue was read today
    assert NEW_TYPE not in WebhookEndpoint.objects.get().events

    WebhookEndpoint.objects.update(catalogue_at=F("catalogue_at") - timedelta(days=1))
    care_now(workspace)

    assert NEW_TYPE in small_sandbox.world.webhooks[endpoint.tokportal_id]["events"]
    event = AuditEvent.objects.get(verb="webhook.types_changed")
    assert event.changes["added"][1] == event.changes["download_issues"][1] == [NEW_TYPE]
    page = text(as_user(bob).get(f"/t/{workspace.team.slug}/settings/workspaces/{workspace.pk}/webhooks/"))
    assert NEW_TYPE in page


def test_a_catalogue_that_cannot_be_read_asks_for_the_contract(workspace, small_sandbox, settings):
    small_sandbox.control.fault("status", path="webhooks/events", status=404, code="NOT_FOUND", times=-1)

    made = register_endpoint(workspace=workspace, actor=SYNC)

    assert made.events == wanted_types(None)


def test_a_key_that_may_only_read_keeps_what_is_there(team, small_sandbox, settings):
    workspace = factories.connect(team, small_sandbox, key=READ_KEY, write_key=FULL_KEY)
    endpoint = register_endpoint(workspace=workspace, actor=SYNC)
    WebhookEndpoint.objects.update(events=["video.configured"], catalogue_at=None)
    workspace.write_key = None
    Workspace.objects.filter(pk=workspace.pk).update(write_key="")

    care_now(workspace)

    assert WebhookEndpoint.objects.get().events == ["video.configured"]
    assert endpoint.tokportal_id in small_sandbox.world.webhooks


# --- After downtime ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tells_payload", [True, False])
def test_what_could_not_be_delivered_is_caught_up_once(workspace, endpoint, account, small_sandbox, tells_payload):
    small_sandbox.control.settings(deliveries_tell_payload=tells_payload)
    bundle = Bundle.objects.get(saved_account_id=account)
    for number in range(3):
        small_sandbox.control.event("video.configured", {"bundle_id": bundle.tokportal_id}, event_id=f"evt_{number}")
    small_sandbox.control.event("subscription.lapsed", {"saved_account_id": account}, event_id="evt_9")
    WebhookEndpoint.objects.update(deliveries_at=timezone.now() - timedelta(hours=1))

    care_now(workspace)
    WebhookEndpoint.objects.update(deliveries_at=timezone.now() - timedelta(hours=1))
    again = care_now(workspace)

    if tells_payload:
        assert set(WebhookEvent.objects.values_list("event_id", flat=True)) == {"evt_0", "evt_1", "evt_2", "evt_9"}
        assert Bundle.objects.get(pk=bundle.pk).hurry_at is not None
        assert small_sandbox.control.ledger("redelivery") == []
        assert again == 1
    else:
        assert len(small_sandbox.control.ledger("redelivery")) >= 4


def test_an_event_that_arrived_meanwhile_is_not_taken_twice(workspace, listening, account, small_sandbox):
    bundle = Bundle.objects.get(saved_account_id=account)
    small_sandbox.control.event("video.configured", {"bundle_id": bundle.tokportal_id}, event_id="evt_1")
    deliver(workspace, body("evt_1", bundle_id=bundle.tokportal_id))
    Bundle.objects.update(hurry_at=None)
    WebhookEndpoint.objects.update(deliveries_at=timezone.now() - timedelta(hours=1))

    care_now(workspace)

    assert WebhookEvent.objects.count() == 1
    assert Bundle.objects.get(pk=bundle.pk).hurry_at is None


def test_what_is_too_old_is_left(workspace, endpoint, small_sandbox):
    small_sandbox.control.event("credits.restored", {}, event_id="evt_old")
    for delivery in small_sandbox.webhooks.deliveries:
        delivery["created_at"] = "2020-01-01T00:00:00Z"
    WebhookEndpoint.objects.update(deliveries_at=None)

    care_now(workspace)

    assert not WebhookEvent.objects.exists()
