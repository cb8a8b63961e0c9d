"""The sync page and "check now": how soon a flag is seen, in figures that can be followed."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from issues.audit.personal import people_of
from issues.models import AuditEvent, Bundle, Issue, SyncGauge, SyncMinute, Workspace
from issues.queries.sync import sync_page
from tests import factories
from tests.reading import text


@pytest.fixture
def minutes(workspace):
    """An hour of asking: 60 requests a minute, a flag found in every tenth."""
    now = timezone.now().replace(second=0, microsecond=0)
    SyncMinute.objects.all().delete()
    return SyncMinute.objects.bulk_create(
        SyncMinute(
            workspace=workspace,
            minute=now - timedelta(minutes=number),
            requests=60,
            looks=58,
            opened=number % 10 == 0,
            gaps=number % 10 == 0,
            gap_seconds=40 if number % 10 == 0 else 0,
            expected_delay=20 + number,
        )
        for number in range(90)
    )


def test_the_page_shows_delay_bound_budget_and_backlog(page, swept, workspace, minutes):
    SyncGauge.objects.update(limit_per_minute=120, expected_delay=50.0, best_delay=40.0, overdue=3, silent=1)

    said = text(page("workspace", workspace.pk))

    assert "A new flag is seen within about 50 s the best any order of asking can do: 40 s" in said
    SyncGauge.objects.update(expected_delay=42.0)
    assert "no order of asking would be quicker" in text(page("workspace", workspace.pk))
    assert re.search(r"Rate limit used (4\d|5\d) % of 120 requests a minute", said)
    assert "Behind 3 of" in said
    assert "1 gave no answer" in said
    assert "promised: within 30 min" in said
    assert "Time between looks where a flag was found 40 s" in said


def test_each_chart_has_a_bar_a_minute_within_its_frame(workspace, minutes, swept):
    charts = sync_page(Workspace.objects.select_related("gauge").get()).charts

    assert [chart.title for chart in charts] == ["Requests a minute", "Expected delay", "Flags found"]
    for chart in charts:
        assert 55 <= len(chart.bars) <= 61
        assert all(0 <= bar.x < 1 and 0 <= bar.y <= 1 and bar.y + bar.height <= 1.0001 for bar in chart.bars)
    assert charts[1].latest == SyncMinute.objects.latest("minute").expected_delay


def test_the_figures_refresh_as_a_fragment(page, swept, workspace):
    url = reverse("workspace", args=[workspace.team.slug, workspace.pk])

    fragment = page.client.get(url, headers={"HX-Request": "true"}).content.decode()

    assert fragment.lstrip().startswith('<div id="sync"')
    assert "<html" not in fragment
    assert "every 10s" in fragment


def test_troubles_are_told_in_plain_words(page, swept, workspace):
    SyncGauge.objects.update(trouble_code="LOST_ANSWER", trouble_since=timezone.now() - timedelta(minutes=7))
    said = text(page("workspace", workspace.pk))
    assert "TokPortal breaks off in the middle of its answers" in said
    assert "It began 7 min ago" in said

    SyncGauge.objects.update(trouble_code="", flaggable=9000, limit_per_minute=120)
    assert "9000 bundles are more than 120 requests a minute can cover every 30 minutes" in text(
        page("workspace", workspace.pk)
    )
    Workspace.objects.update(write_key_refused_code="AUTH_REVOKED_KEY")
    assert "refuses the second key" in text(page("workspace", workspace.pk))


def test_a_workspace_that_was_never_looked_at_has_a_page(page, workspace):
    said = text(page("workspace", workspace.pk))

    assert "not measured now" in said
    assert "Nothing was asked yet" in said


def test_the_first_look_tells_its_progress(page, workspace):
    SyncGauge.objects.create(workspace=workspace, measured_at=timezone.now(), flaggable=10, never_looked=6)

    assert "4 of 10 bundles looked at" in text(page("issues"))
    assert "4 of 10" in text(page("workspace", workspace.pk))


def test_what_was_measured_long_ago_is_not_shown_as_now(page, swept):
    SyncGauge.objects.update(measured_at=timezone.now() - timedelta(minutes=10), expected_delay=5)

    assert "A flag that appears now" not in text(page("issues"))
    assert "about 5 s" not in text(page("workspaces"))


# --- Check now -----------------------------------------------------------------------------------------------


def test_check_now_finds_what_is_new(page, swept, small_sandbox, workspace):
    shown, video = factories.slot(small_sandbox, "video")
    bundle = Bundle.objects.get(tokportal_id=shown["id"])
    Bundle.objects.update(last_checked_at=timezone.now() - timedelta(minutes=9))
    small_sandbox.control.flag(shown["id"], video["position"], "seen by check now")
    url = reverse("bundle_check", args=[workspace.team.slug, bundle.pk])

    said = text(page.client.post(url, follow=True))

    assert "Checked: 1 new flag." in said
    issue = Issue.objects.get(comment="seen by check now")
    event = AuditEvent.objects.get(issue_id=issue.pk, verb="issue.opened")
    assert (event.origin, people_of(event.team_id, [event]).name(event)) == ("page", "Bob Editor <bob@team.example>")
    assert "Checked just now." in text(page.client.post(url, follow=True))


def test_check_now_on_an_issue_sees_that_the_flag_is_gone(page, video_issue, small_sandbox):
    bundle = video_issue.video.bundle
    Bundle.objects.update(last_checked_at=timezone.now() - timedelta(minutes=9))
    small_sandbox.control.clear(bundle.tokportal_id, video_issue.video.position)
    assert "Check now" in text(page("issue", video_issue.pk))

    said = text(page.client.post(reverse("issue_check", args=[video_issue.team.slug, video_issue.pk]), follow=True))

    assert "Checked: 1 flag gone." in said
    assert Issue.objects.get(pk=video_issue.pk).state == "cleared"


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"kind": "status", "status": 404, "code": "BUNDLE_NOT_FOUND"}, "does not know this bundle any more"),
        ({"kind": "status", "status": 403, "code": "BUNDLE_NOT_OWNED"}, "belongs to another TokPortal account"),
        ({"kind": "status", "status": 503, "code": "X"}, "could not be checked now"),
        ({"kind": "html"}, "not TokPortal"),
        ({"kind": "reset_before"}, "breaks off"),
    ],
)
def test_check_now_says_why_it_could_not(page, swept, small_sandbox, workspace, fault, sentence):
    bundle = Bundle.objects.filter(heat__isnull=False)[0]
    Bundle.objects.update(last_checked_at=timezone.now() - timedelta(minutes=9))
    small_sandbox.control.fault(fault.pop("kind"), path="^/bundles/", times=-1, **fault)

    said = text(page.client.post(reverse("bundle_check", args=[workspace.team.slug, bundle.pk]), follow=True))

    assert sentence in said


@pytest.mark.parametrize("state", ["paused", "key_refused"])
def test_a_stopped_workspace_is_not_asked(page, swept, small_sandbox, workspace, state):
    bundle = Bundle.objects.filter(heat__isnull=False)[0]
    Bundle.objects.update(last_checked_at=timezone.now() - timedelta(minutes=9))
    Workspace.objects.update(state=state)
    before = small_sandbox.control.counts()["requests"]

    said = text(page.client.post(reverse("bundle_check", args=[workspace.team.slug, bundle.pk]), follow=True))

    assert "nothing is asked of TokPortal" in said
    assert small_sandbox.control.counts()["requests"] == before


def test_check_now_does_not_wait_for_a_silent_tokportal(page, swept, small_sandbox, workspace, monkeypatch):
    import time

    from issues.sync import looks

    monkeypatch.setattr(looks, "PATIENCE_SECONDS", 1.0)
    bundle = Bundle.objects.filter(heat__isnull=False)[0]
    Bundle.objects.update(last_checked_at=timezone.now() - timedelta(minutes=9))
    small_sandbox.control.fault("timeout_before", path="^/bundles/", seconds=4)
    started = time.monotonic()

    said = text(page.client.post(reverse("bundle_check", args=[workspace.team.slug, bundle.pk]), follow=True))

    assert "takes too long" in said
    assert time.monotonic() - started < 3


def test_somebody_who_looks_makes_it_worth_a_look(page, swept, workspace, as_user, vera):
    bundle = Bundle.objects.filter(heat__isnull=False)[0]
    watch = reverse("bundle_watch", args=[workspace.team.slug, bundle.pk])
    client = as_user(vera)
    assert watch in page("bundle", bundle.pk).content.decode()

    assert client.post(watch).status_code == 204
    assert Bundle.objects.get(pk=bundle.pk).hurry_at is None  # it was looked at seconds ago

    Bundle.objects.update(last_checked_at=timezone.now() - timedelta(minutes=9))
    client.post(watch)
    assert Bundle.objects.get(pk=bundle.pk).hurry_at is not None


def test_pages_tell_when_each_was_last_checked(page, video_issue):
    then = timezone.now() - timedelta(minutes=9)
    Bundle.objects.update(last_checked_at=then)

    assert "last checked 9 min ago" in text(page("issue", video_issue.pk))
    assert "checked 9 min ago" in text(page("bundle", video_issue.video.bundle_id))
    assert "9 min ago" in text(page("bundles"))
