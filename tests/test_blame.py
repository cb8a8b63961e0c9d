"""The host that is blamed is that of the link that failed, wherever a host is named."""

import importlib
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.utils import timezone

from issues.audit import Actor
from issues.checks import background
from issues.enums import NoticeKind
from issues.link_checks.blame import failing_host, failing_link
from issues.link_checks.catalogue import Verdict
from issues.link_checks.checker import Report
from issues.models import Issue, LinkCheck, Message, Notice, Video
from issues.queries.at_risk import list_at_risk
from issues.queries.insights import InsightFilters, read_insights
from issues.queries.queue import clusters_of
from issues.sync.hazard import failing_hosts
from issues.sync.sweeps import sweep_workspace
from tests import factories
from tests.telling import tell

GOOD, BAD, OWN = "https://fine.example.com/1.jpg", "https://Broken.example.com/2.jpg", "carousel-images/org/b/3.jpg"


@pytest.mark.parametrize(
    ("links", "codes", "host"),
    [
        ([GOOD, BAD], ["works_for_us", "http_404"], "broken.example.com"),
        ([BAD, GOOD], ["http_404", "works_for_us"], "broken.example.com"),
        ([GOOD, BAD], ["http_403", "http_404"], "broken.example.com"),  # dead is worse than blocked
        ([GOOD, BAD], ["http_404", "http_404"], "fine.example.com"),  # the first of equals
        ([GOOD, BAD], ["not_checked", "not_checked"], "fine.example.com"),
        ([OWN, BAD, GOOD], ["tokportal_file", "http_404", "works_for_us"], "broken.example.com"),
        ([OWN, BAD], ["tokportal_file", "not_checked"], "broken.example.com"),
        ([OWN, OWN], ["tokportal_file", "tokportal_file"], ""),
        ([OWN, GOOD], ["http_404", "works_for_us"], "fine.example.com"),  # TokPortal's file is no host's fault
        (["https://pub-1.r2.dev/x.mp4"], ["tokportal_copy_ok"], ""),
        (["not a link"], ["malformed"], ""),
        ([], [], ""),
    ],
)
def test_the_worst_link_is_blamed(links, codes, host):
    assert failing_host(links, [Verdict(code) for code in codes]) == host


def test_the_link_itself_is_blamed_not_where_it_leads():
    assert failing_link([GOOD, BAD], [Verdict("works_for_us"), Verdict("redirect_loop")]) == BAD


@pytest.fixture
def looked(carousel_issue, monkeypatch):
    """A flagged carousel whose second image is broken, opened by the background check."""
    Video.objects.filter(pk=carousel_issue.video_id).update(
        carousel_images=[GOOD, BAD, OWN], link_due_at=timezone.now(), link_checked_at=None
    )
    Issue.objects.filter(pk=carousel_issue.pk).update(links=[GOOD, BAD, OWN], host="fine.example.com")
    codes = {GOOD: "works_for_us", BAD: "http_404", OWN: "tokportal_file"}
    monkeypatch.setattr(background, "open_media", lambda url, **about: Report(Verdict(codes.get(url, "not_checked"))))
    while background.check_due_videos():
        pass
    return Issue.objects.select_related("video__bundle", "workspace").get(pk=carousel_issue.pk)


def test_a_verdict_that_arrives_later_corrects_the_host(looked):
    assert (looked.verdict, looked.host) == ("http_404", "broken.example.com")
    assert looked.words.endswith("broken.example.com")
    assert failing_hosts(looked.workspace) >= {"broken.example.com"}
    assert "fine.example.com" not in failing_hosts(looked.workspace)


def test_a_later_sweep_keeps_the_host(looked, workspace, small_sandbox):
    small_sandbox.control.flag(
        looked.video.bundle.tokportal_id, looked.video.position, "still broken", carousel_images=[GOOD, BAD, OWN]
    )
    sweep_workspace(workspace, actor=Actor.system())

    looked.refresh_from_db()
    assert (looked.comment, looked.host, looked.verdict) == ("still broken", "broken.example.com", "http_404")


def test_pages_name_the_host_that_failed(looked, page, team):
    queue = page("issues").content.decode()
    plan = page("bulk_new", issue=looked.pk).content.decode()

    row = queue[queue.index(f'id="issue-{looked.pk}"') :].split("</tr>")[0]
    assert "broken.example.com +2" in row
    assert "fine.example.com" not in row
    assert "broken.example.com · 1" in plan
    assert "fine.example.com" not in plan


def test_notices_clusters_and_insights_blame_it_too(looked, team, channel):
    factories.many_issues(looked.workspace, 5)
    others = {"links": [GOOD, BAD], "host": "broken.example.com", "verdict": "http_404", "verdict_class": "dead"}
    Issue.objects.filter(video__bundle__tokportal_id__startswith="bulk-").update(**others)
    Notice.objects.create(channel=channel, kind=NoticeKind.NEW, key="new:1", issue=looked)

    tell()

    assert "broken.example.com: The file is gone" in Message.objects.order_by("-pk")[0].body
    assert "fine.example.com" not in Message.objects.order_by("-pk")[0].body
    assert ("broken.example.com", 6) in [(one.host, one.count) for one in clusters_of(team)]
    names = {row.name for row in read_insights(team, InsightFilters()).hosts}
    assert "broken.example.com" in names
    assert "fine.example.com" not in names


def test_at_risk_names_the_image_that_fails(looked, team):
    Video.objects.filter(pk=looked.video_id).update(download_issue=False, deadline=timezone.now() + timedelta(days=3))
    Issue.objects.all().delete()

    entry = next(one for one in list_at_risk(team).page.rows if one.video.pk == looked.video_id)

    assert entry.host == "broken.example.com"


def test_the_upgrade_corrects_issues_that_are_known(looked):
    blame = importlib.import_module("issues.migrations.0025_failing_hosts").blame
    Issue.objects.filter(pk=looked.pk).update(host="fine.example.com", words="a video fine.example.com")
    assert LinkCheck.objects.filter(verdict="http_404").exists()

    blame(SimpleNamespace(get_model=apps.get_model), None)

    looked.refresh_from_db()
    assert (looked.host, looked.words) == ("broken.example.com", "a video broken.example.com")
