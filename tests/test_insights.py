"""The insights: each figure against issues whose times are known."""

import csv
import io
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from issues.enums import FixKind, FixState
from issues.models import Bundle, Fix, Issue
from issues.queries.insights import InsightFilters, read_insights, table_of
from tests import factories
from tests.reading import text

HOUR = timedelta(hours=1)


@pytest.fixture
def past(workspace, bob, alice):
    """Ten issues, seen ten days ago at noon: n fixed after n hours for 1 to 8, one cleared, one open and late."""
    factories.many_issues(workspace, 10)
    noon = timezone.localtime().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=10)
    issues = list(Issue.objects.order_by("pk"))
    for number, issue in enumerate(issues, 1):
        issue.opened_at, issue.deadline = noon, noon + 6.5 * HOUR
        issue.seen_within = number * 60.0
        issue.host = "a.example.com" if number <= 7 else "b.example.com"
        issue.episode = 2 if number == 3 else 1
        if number <= 9:
            issue.state, issue.closed_at = "fixed" if number <= 8 else "cleared", noon + number * HOUR
        issue.save()
    issues[9].assignee = alice
    issues[9].save()
    Fix.objects.create(
        team=workspace.team, issue=issues[0], kind=FixKind.URL, state=FixState.SUCCEEDED, actor=bob, actor_name="Bob",
        origin="page", idempotency_key="k1", request_body="{}", finished_at=noon + HOUR,
    )  # fmt: skip
    return issues


def test_the_figures_are_those_of_the_issues(team, past):
    found = read_insights(team, InsightFilters(days=30))

    assert (found.seen, found.fixed, found.open_now, found.late_now, found.again) == (10, 8, 1, 1, 1)
    assert found.fixed_late == 2  # after 7 and 8 hours, due after six and a half
    assert found.on_time == 75.0
    assert (found.to_fix.median, found.to_fix.p90) == (4 * 3600.0, 8 * 3600.0)
    assert (found.to_detect.median, found.to_detect.p90) == (5 * 60.0, 9 * 60.0)
    assert dict(found.classes) == {
        "under 15 min": 0, "15 min – 1 h": 0, "1 – 4 h": 3, "4 – 24 h": 5, "1 – 3 d": 0, "longer": 0,
    }  # fmt: skip


def test_the_days_add_up(team, past):
    days = read_insights(team, InsightFilters(days=30)).days

    assert len(days) == 30
    assert days[-1].day == timezone.localdate()
    assert days[-1].open == 1
    busy = days[-11]
    assert (busy.seen, busy.fixed, busy.ended, busy.open) == (10, 8, 1, 1)
    assert sum(day.seen for day in days) == 10


def test_what_was_open_before_the_period_is_in_its_first_day(team, past):
    found = read_insights(team, InsightFilters(days=7))

    assert [day.open for day in found.days] == [1] * 7
    assert (found.seen, found.fixed, found.to_fix.median, found.on_time) == (0, 0, None, None)


def test_days_are_those_of_the_persons_zone(team, past):
    with timezone.override("Pacific/Auckland"):
        there = {day.day: day.seen for day in read_insights(team, InsightFilters(days=30)).days if day.seen}
        assert there == {timezone.localdate(past[0].opened_at): 10}


def test_hosts_campaigns_and_people(team, past):
    found = read_insights(team, InsightFilters(days=30))

    assert [(row.name, row.count, row.again, row.open) for row in found.hosts] == [
        ("a.example.com", 7, 1, 0), ("b.example.com", 3, 0, 1),
    ]  # fmt: skip
    assert [row.count for row in found.campaigns] == [10]
    people = {load.name: load for load in found.people}
    assert (people["Alice Owner"].assigned, people["Alice Owner"].late) == (1, 1)
    assert people["Bob Editor"].fixed == 1
    assert "Vera Viewer" not in people


def test_another_workspace_or_team_has_none_of_it(team, past, charlie):
    assert read_insights(team, InsightFilters(workspace="No such")).seen == 0
    assert read_insights(charlie.teams.get(), InsightFilters()).seen == 0


def test_tables_are_files_and_no_formulas(page, team, past):
    Bundle.objects.update(title="=HYPERLINK(1)")

    rows = list(csv.reader(io.StringIO(page("insights_table", "campaigns").content.decode())))
    assert rows == [["campaign", "flags", "flagged_again", "open_now"], ["'=HYPERLINK(1)", "10", "1", "1"]]
    for name in ("days", "durations", "hosts", "people"):
        answer = page("insights_table", name, days=90)
        assert answer["Content-Disposition"].startswith(f'attachment; filename="tokdash-{name}-bright-team-90d-')
    assert (
        len(table_of(read_insights(team, InsightFilters(days=365)), "days")) == 12
    )  # the header, and the days since the first flag
    assert page("insights_table", "secrets").status_code == 404


def test_the_page_and_the_report_say_it(page, past):
    for name in ("insights", "insights_report"):
        said = text(page(name))
        assert "75 % before the deadline, 2 late" in said
        assert "a.example.com" in said
    assert "could not download 10 videos" in text(page("insights_report"))
    assert "at event" in text(page("insights_report"))


def test_a_team_without_issues_is_told_so(page, workspace):
    assert "Nothing was flagged" in text(page("insights"))
    assert "No account manager has flagged" in text(page("insights_report"))


@pytest.mark.parametrize("query", [{"days": "x"}, {"days": "0"}, {"days": "9" * 9}, {"workspace": "\x00'"}])
def test_nonsense_in_the_address_is_survived(page, past, query):
    assert page("insights", **query).status_code == 200


def test_queries_do_not_grow_with_issues_or_days(page, past, workspace):
    def cost(**query):
        with CaptureQueriesContext(connection) as queries:
            page("insights", **query)
        return len(queries)

    few = cost(days=7)
    factories.many_issues(workspace, 30)

    assert cost(days=365) <= few + 4  # the percentiles of what there was none of before
    assert cost(days=365) <= 24


def test_an_issue_knows_how_long_it_waited_at_most(swept, small_sandbox, workspace):
    from issues.audit import Actor
    from issues.enums import Origin
    from issues.sync.sweeps import sweep_workspace

    assert not Issue.objects.exclude(seen_within=None).exists()  # of a first look nobody knows
    bundle, video = factories.slot(small_sandbox, "video")
    small_sandbox.control.flag(bundle["id"], video["position"], "new")

    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))

    issue = Issue.objects.get(comment="new")
    assert 0 < issue.seen_within < 120
    assert reverse("issue", args=[issue.team.slug, issue.pk])
