"""What a round lists: mostly the statuses in which a video can be flagged, everything now and then, nothing lost."""

import math
from datetime import timedelta

import pytest
from django.utils import timezone

from issues.models import Bundle, Issue, SyncRun, Workspace
from issues.sandbox.server import Sandbox
from issues.sync import claims, fetcher, listings, mirror
from issues.sync.listings import RoundListing, statuses_to_list
from issues.sync.workspaces import want_everything_now
from issues.tokportal import constants as c
from issues.tokportal.client import TokPortalClient
from issues.tokportal.payloads import BundlePage, BundlePayload
from tests import factories
from tests.test_runner import SYNC, shift, sweep

FLAGGABLE = [status for status in c.BUNDLE_STATUSES if status not in c.NOT_FLAGGABLE_STATUSES]


@pytest.fixture
def rows(monkeypatch):
    """Two bundles on a page, so that a small sandbox has many pages."""
    for module in (fetcher, listings):
        monkeypatch.setattr(module, "PAGE_ROWS", 2)
    return 2


@pytest.fixture
def asked(monkeypatch):
    """The filters of every page of the listing that is asked for, and the bundles that are asked themselves."""
    pages, bundles = [], []
    list_bundles, get_bundle = TokPortalClient.list_bundles, TokPortalClient.get_bundle
    monkeypatch.setattr(
        TokPortalClient,
        "list_bundles",
        lambda self, **how: (pages.append((how.get("status", ""), how["page"])), list_bundles(self, **how))[1],
    )
    monkeypatch.setattr(
        TokPortalClient, "get_bundle", lambda self, key: (bundles.append(key), get_bundle(self, key))[1]
    )
    return pages, bundles


@pytest.fixture
def archive(team):
    """A workspace most of whose bundles have ended: forty, six of them with a manager. Swept."""
    with Sandbox(rate=60_000, bundles=40, videos=60, flagged=4) as sandbox:
        flagged = {bundle["id"] for bundle, _ in sandbox.control.videos(download_issue=True)}
        mine = [b for b in sandbox.world.bundles.values() if b.id not in flagged and b.owner != "someone-else"]
        for bundle in mine:
            bundle.status = "archived"
        workspace = factories.connect(team, sandbox)
        sweep(workspace)
        yield workspace, sandbox


def due(workspace):
    Workspace.objects.filter(pk=workspace.pk).update(next_listing_at=timezone.now())


def lists_again(workspace):
    due(workspace)
    return shift(workspace, seconds=1.5)


def test_a_round_lists_only_what_can_be_flagged(archive, rows, asked):
    workspace, _ = archive
    pages, _bundles = asked

    lists_again(workspace)

    assert pages
    assert {status for status, _ in pages} == set(FLAGGABLE)
    assert SyncRun.objects.latest("pk").listed_at is not None
    assert Bundle.objects.filter(gone_at=None).count() == 40


def test_what_it_costs_before_and_after(archive, rows, asked):
    """Forty bundles on pages of two: twenty requests for everything, and some seven for what can be flagged."""
    workspace, _ = archive
    pages, _bundles = asked
    lists_again(workspace)
    partial = len(pages)
    counts = {status: Bundle.objects.filter(status=status).count() for status in FLAGGABLE}

    assert partial == sum(max(math.ceil(count / 2), 1) for count in counts.values())
    assert listings.pages_of(workspace, by_status=False) == 20
    assert partial <= 9


def test_a_workspace_with_one_page_lists_everything(swept, workspace):
    """Five requests for five statuses would cost more than one for everything."""
    assert Workspace.objects.get().next_full_listing_at is not None
    assert statuses_to_list(workspace, timezone.now()) is None


def test_everything_is_listed_when_it_is_due_or_wanted(archive, rows):
    workspace, _ = archive
    now = timezone.now()
    assert statuses_to_list(workspace, now) == FLAGGABLE
    assert statuses_to_list(workspace, now + listings.FULL_EVERY) is None
    Workspace.objects.update(next_full_listing_at=None)
    assert statuses_to_list(workspace, now) is None
    Workspace.objects.update(next_full_listing_at=now + timedelta(hours=1))

    want_everything_now(workspace=workspace, actor=SYNC)

    assert statuses_to_list(workspace, timezone.now()) is None


def test_a_status_that_we_do_not_know_is_listed_too(archive, rows, asked):
    workspace, sandbox = archive
    bundle = Bundle.objects.filter(status="archived").first()
    sandbox.control.change_bundle(bundle.tokportal_id, status="brand_new")
    Bundle.objects.filter(pk=bundle.pk).update(status="brand_new")

    lists_again(workspace)

    assert "brand_new" in {status for status, _ in asked[0]}


def test_a_bundle_that_moved_to_another_status_is_asked_and_kept(archive, rows, asked):
    workspace, sandbox = archive
    moved = Issue.objects.select_related("video__bundle").first().video.bundle
    sandbox.control.change_bundle(moved.tokportal_id, status="completed")

    lists_again(workspace)

    moved.refresh_from_db()
    assert moved.tokportal_id in asked[1]
    assert (moved.status, moved.gone_at, moved.heat) == ("completed", None, None)
    assert not Issue.objects.filter(video__bundle=moved, state="open").exists()


def test_a_bundle_that_is_gone_is_asked_and_let_go(archive, rows, asked):
    workspace, sandbox = archive
    gone = Issue.objects.select_related("video__bundle").first().video.bundle
    sandbox.control.remove_bundle(gone.tokportal_id)

    lists_again(workspace)

    gone.refresh_from_db()
    assert asked[1] == [gone.tokportal_id]
    assert gone.gone_at is not None
    assert Bundle.objects.filter(gone_at=None).count() == 39


def test_a_bundle_that_comes_to_a_manager_is_found(archive, rows):
    workspace, sandbox = archive
    published = Bundle.objects.filter(status="archived").first()
    sandbox.control.change_bundle(published.tokportal_id, status="published")

    lists_again(workspace)

    published.refresh_from_db()
    assert published.status == "published"
    assert published.last_checked_at is not None


def test_a_listing_that_loses_many_at_once_is_not_trusted(archive, monkeypatch):
    workspace, _ = archive
    monkeypatch.setattr(mirror, "MOST_MISSING", 2)

    assert mirror.ask_missing(workspace, listed_since=timezone.now()) is False
    assert not Bundle.objects.filter(hurry_whole=True).exists()


def test_a_filter_that_is_ignored_makes_it_the_whole_listing(archive, rows, asked, monkeypatch):
    workspace, _ = archive
    monkeypatch.setattr("issues.sandbox.calls.LIST_FILTERS", ())

    lists_again(workspace)

    run = SyncRun.objects.latest("pk")
    assert (run.statuses, run.bundles) == (None, 40)
    assert len(asked[0]) == 20
    assert asked[1] == []


def test_a_filter_that_is_refused_loses_nothing(archive, rows, asked):
    workspace, sandbox = archive
    sandbox.control.fault("status", path="^/bundles$", status=400, code=c.VALIDATION_ERROR, times=len(FLAGGABLE))

    lists_again(workspace)

    assert Bundle.objects.filter(gone_at=None).count() == 40
    workspace.refresh_from_db()
    assert workspace.next_full_listing_at <= timezone.now()


def test_another_runner_goes_on_in_the_middle(archive):
    workspace, _ = archive
    run = claims.begin_round(
        claims.claim_workspace(workspace), "sync", resume=False, statuses=lambda: ["published", "accepted"]
    )
    first = RoundListing(run)
    ask = first.next_ask()
    first.feed(ask, BundlePage((BundlePayload("b1", status="published"),), 1, 1, 100, 1, 1))
    run.save()

    second = RoundListing(SyncRun.objects.get(pk=run.pk))

    assert (ask.status, ask.page) == ("published", 1)
    assert (second.next_ask().status, second.next_ask().page) == ("accepted", 1)
    second.feed(second.next_ask(), BundlePage((BundlePayload("b2", status="accepted"),), 1, 1, 100, 1, 1))
    assert second.is_complete
    assert second.run.bundles == 2


def test_the_account_of_a_bundle_is_kept(swept):
    accepted = Bundle.objects.filter(status="accepted").first()

    assert accepted.saved_account_id == f"acc_{accepted.tokportal_id[:8]}"
    assert "saved_account_id" not in accepted.extra
    assert set(Bundle.objects.filter(status="published").values_list("saved_account_id", flat=True)) == {""}
