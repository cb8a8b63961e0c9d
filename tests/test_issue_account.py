"""What an issue says of its account: Coverage, bans, and what the fix would cost."""

from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from issues.fixes.lifecycle import drive_fix
from issues.fixes.price import ask_price
from issues.fixes.submit import submit_links
from issues.models import Account, AuditEvent, Bundle, Fix, Issue, Workspace
from issues.sync.care import due_for_care
from issues.tokportal import constants as c
from tests.reading import text
from tests.test_care import care_now

GOOD = "https://media.example.com/new.mp4"


@pytest.fixture
def issue(video_issue, small_sandbox):
    """An open issue of a video whose bundle was delivered on the account acc_1."""
    bundle = video_issue.video.bundle
    small_sandbox.control.change_bundle(bundle.tokportal_id, saved_account="acc_1")
    Bundle.objects.filter(pk=bundle.pk).update(saved_account_id="acc_1")
    return Issue.objects.select_related("video__bundle", "workspace", "team").get(pk=video_issue.pk)


@pytest.fixture
def page(issue, as_user, bob):
    client = as_user(bob)
    return lambda: unescape(text(client.get(f"/t/{issue.team.slug}/issues/{issue.pk}/")))


def simulated(sandbox):
    return [entry for entry in sandbox.control.ledger() if entry["kind"] in {"fix", "charge"}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "Its Coverage renews on"),
        ({"credits": 12}, "for 12 credits"),
        ({"status": "lapsed", "unpaid_periods": 2}, "Coverage has lapsed: TokPortal refuses fixes until it is renewed. Renewing it costs 50 credits."),
        ({"status": "cancelled", "unpaid_periods": 0}, "Coverage was paused or cancelled"),
        ({"status": "ended"}, "It cannot be renewed."),
        ({"status": ""}, "TokPortal has no Coverage for this account"),
        ({"status": "brand_new"}, "brand new"),
        ({"blocked_reason": "odd"}, "TokPortal does not work on this account now"),
        ({"is_due": True, "period_end": "2026-01-01T00:00:00+00:00"}, "A period of Coverage is due"),
    ],
)  # fmt: skip
def test_the_page_says_how_the_account_stands_and_as_of_when(issue, page, small_sandbox, change, said):
    assert "TokDash asks TokPortal for the account" in page()
    small_sandbox.control.account("acc_1", **change)

    care_now(issue.workspace)

    assert said in page()
    assert "As of" in page()


@pytest.mark.parametrize("role", ["bob", "vera"])
def test_a_banned_account_is_told_in_the_queue_and_on_the_page(issue, small_sandbox, as_user, request, role):
    client = as_user(request.getfixturevalue(role))
    assert "Account banned" not in text(client.get(f"/t/{issue.team.slug}/"))
    small_sandbox.control.ban("acc_1")

    care_now(issue.workspace)

    queue = text(client.get(f"/t/{issue.team.slug}/"))
    assert queue.count("Account banned") == Issue.objects.filter(video__bundle=issue.video.bundle_id).count()
    assert "The platform has banned this account" in text(client.get(f"/t/{issue.team.slug}/issues/{issue.pk}/"))


def test_a_pending_appeal_is_no_ban(issue, page, small_sandbox, as_user, bob):
    small_sandbox.control.ban("acc_1", status="appeal_pending")

    care_now(issue.workspace)

    assert "an appeal is pending" in page()
    assert "Account banned" not in text(as_user(bob).get(f"/t/{issue.team.slug}/"))


def test_a_bundle_without_an_account_says_nothing(issue, page):
    Bundle.objects.update(saved_account_id="")

    assert "The account:" not in page()


def test_the_queue_costs_the_same_with_bans(issue, as_user, bob, django_assert_max_num_queries, small_sandbox):
    client = as_user(bob)
    client.get(f"/t/{issue.team.slug}/")
    with django_assert_max_num_queries(40) as before:
        client.get(f"/t/{issue.team.slug}/")
    for bundle in Bundle.objects.all():
        Account.objects.create(workspace=issue.workspace, tokportal_id=f"x{bundle.pk}", ban_status="no_appeal_banned")
        Bundle.objects.filter(pk=bundle.pk).update(saved_account_id=f"x{bundle.pk}")

    with django_assert_max_num_queries(len(before)):
        client.get(f"/t/{issue.team.slug}/")


def test_opening_an_issue_asks_for_its_coverage(issue, as_user, vera):
    Workspace.objects.update(next_care_at=timezone.now() + timedelta(hours=1))

    as_user(vera).post(f"/t/{issue.team.slug}/bundles/{issue.video.bundle_id}/watch/")

    assert Account.objects.get().coverage_wanted_at is not None
    assert due_for_care() == [issue.workspace]
    care_now(issue.workspace)
    as_user(vera).post(f"/t/{issue.team.slug}/bundles/{issue.video.bundle_id}/watch/")
    assert Account.objects.get(tokportal_id="acc_1").coverage_wanted_at is None  # asked just now


# --- The price -----------------------------------------------------------------------------------------------


def ask(issue, client):
    return client.post(f"/t/{issue.team.slug}/issues/{issue.pk}/price/")


@pytest.mark.parametrize(
    ("is_due", "said"), [(True, "This fix costs 12 credits: Coverage renews."), (False, "This fix costs nothing.")]
)
def test_the_price_of_a_fix_is_asked_by_a_dry_run(issue, small_sandbox, as_user, bob, page, is_due, said):
    Workspace.objects.update(confirms_dry_run=True)
    small_sandbox.control.account("acc_1", is_due=is_due, credits=12)
    assert f"/issues/{issue.pk}/price/" in as_user(bob).get(f"/t/{issue.team.slug}/issues/{issue.pk}/").content.decode()
    before = small_sandbox.control.counts()["requests"]

    answers = [ask(issue, as_user(bob)) for _ in range(3)]

    assert {said in text(answer) for answer in answers} == {True}
    assert small_sandbox.control.counts()["requests"] == before + 1
    assert simulated(small_sandbox) == []
    assert said in page()


@pytest.mark.parametrize("confirms", [None, False])
def test_nothing_is_asked_unless_dry_runs_are_known_to_be_confirmed(issue, small_sandbox, as_user, bob, confirms):
    Workspace.objects.update(confirms_dry_run=confirms)
    page = as_user(bob).get(f"/t/{issue.team.slug}/issues/{issue.pk}/").content.decode()
    before = small_sandbox.control.counts()["requests"]

    ask(issue, as_user(bob))

    assert "/price/" not in page
    assert small_sandbox.control.counts()["requests"] == before


def test_an_answer_without_the_mark_was_a_real_write_and_never_happens_again(issue, small_sandbox, as_user, bob):
    Workspace.objects.update(confirms_dry_run=True)
    small_sandbox.world.broken_urls.clear()
    issue.video.video_url = GOOD
    issue.video.save()
    small_sandbox.control.fault("ignore_dry_run", method="POST", path="fix-download")

    answer = ask(issue, as_user(bob))
    ask(issue, as_user(bob))

    assert "costs" not in text(answer)
    assert len(small_sandbox.control.ledger("fix")) == 1
    assert Workspace.objects.get().confirms_dry_run is False
    assert AuditEvent.objects.get(verb="issue.price_was_a_fix").issue_id == issue.pk
    assert Bundle.objects.get(pk=issue.video.bundle_id).hurry_at is not None


def test_a_blocked_account_says_so_instead_of_a_price(issue, small_sandbox, as_user, bob):
    Workspace.objects.update(confirms_dry_run=True)
    small_sandbox.control.account("acc_1", blocked_reason="account_banned")

    assert "The platform has banned this account" in text(ask(issue, as_user(bob)))


@pytest.mark.parametrize("kind", ["html", "reset_after", "malformed"])
def test_a_price_that_is_not_told_leaves_the_page_as_it_is(issue, small_sandbox, as_user, bob, kind):
    Workspace.objects.update(confirms_dry_run=True)
    small_sandbox.control.fault(kind, method="POST", path="fix-download")

    answer = ask(issue, as_user(bob))

    assert answer.status_code == 200
    assert "unless the account" in text(answer)


def test_a_dry_run_by_hand_tells_the_price(issue, actor, small_sandbox, page):
    small_sandbox.control.account("acc_1", is_due=True, credits=12)

    fix = submit_links(issue=issue, links=[GOOD], actor=actor, dry_run=True)
    drive_fix(fix.pk)

    fix = Fix.objects.get(pk=fix.pk)
    assert (fix.code, fix.code_details) == ("DRY_RUN_OK", {"credits_would_charge": 12})
    assert "This fix costs 12 credits: Coverage renews." in page()
    assert simulated(small_sandbox) == []


def test_only_editors_ask_for_a_price(issue, as_user, vera, charlie):
    Workspace.objects.update(confirms_dry_run=True)

    assert ask(issue, as_user(vera)).status_code == 403
    assert ask(issue, as_user(charlie)).status_code == 404


def test_a_fixed_issue_has_no_price(issue, actor):
    Workspace.objects.update(confirms_dry_run=True)
    Issue.objects.update(state="fixed", closed_at=timezone.now())
    issue = Issue.objects.select_related("video__bundle", "workspace").get(pk=issue.pk)

    assert ask_price(issue=issue, actor=actor).credits is None
    assert c.DRY_RUN_HEADER == "X-TokPortal-Dry-Run"
