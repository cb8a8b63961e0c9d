"""TokPortal's dates are days: read as days, ended at their end, shown as they are in every time zone."""

import importlib
import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.apps import apps
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from issues.enums import IssueState
from issues.models import Issue, Video
from issues.notify.compose import _line
from issues.queries.filters import IssueFilters
from issues.queries.queue import matching_issues
from issues.sync.mirror import _copy_video
from issues.sync.sweeps import sweep_workspace
from issues.tokportal.days import PublishTime, PublishWindow, days_pulled_forward, end_of
from issues.tokportal.payloads import VideoPayload
from issues.wording import left_text, posting_texts, publish_text, window_text
from tests import factories
from tests.reading import text

migration = importlib.import_module("issues.migrations.0021_days_end_at_their_end")
ZONES = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
DAYS = st.dates(date(1990, 1, 1), date(2099, 12, 30))
# The ways in which TokPortal writes a day.
AS_DAY = ("{0}", "{0}T00:00:00Z", "{0}T00:00:00.000Z", "{0}T00:00:00+00:00", "{0}T00:00:00", "{0} 00:00:00Z")


@given(DAYS, st.sampled_from(AS_DAY))
def test_a_day_in_any_form_is_that_day_to_its_end(day, form):
    found = PublishTime.parse(form.format(day.isoformat()))
    assert (found.day, found.moment) == (day, None)
    assert found.ends_at == datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)
    assert found.text == day.isoformat()


@given(st.builds(datetime.combine, DAYS, st.times(), tzinfo=ZONES))
def test_any_other_time_is_taken_as_it_is(moment):
    found = PublishTime.parse(moment.isoformat())
    if moment.astimezone(UTC).time() == time.min:
        assert found.moment is None
    else:
        assert found.moment == found.ends_at == moment.astimezone(UTC)


@given(st.text(max_size=70))
def test_any_text_is_read_without_an_exception(anything):
    PublishTime.parse(anything)
    assert isinstance(publish_text(anything), str)
    VideoPayload.parse({"position": 1, "target_publish_date": anything})


@given(first=DAYS, length=st.integers(0, 40), zone=ZONES, form=st.sampled_from(AS_DAY))
@hypothesis_settings(max_examples=200, deadline=None)
def test_the_shown_days_are_tokportals_days_in_every_zone(first, length, zone, form):
    last = first + timedelta(days=length)
    window = PublishWindow.parse(form.format(first.isoformat()), form.format(last.isoformat()))
    with timezone.override(zone), translation.override("en"):
        said = window_text(window)
        named = publish_text(form.format(first.isoformat()))
    numbers = [int(number) for number in re.findall(r"\d+", said)]
    assert numbers == ([first.day] if length == 0 else [first.day, last.day])
    assert said.startswith(first.strftime("%a"))
    assert last.strftime("%a") in said
    assert named.split()[:2] == [first.strftime("%a"), str(first.day)]


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2026-11-27", "2026-11-28", "Fri 27 – Sat 28 Nov"),
        ("2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z", "Fri 27 – Sat 28 Nov"),
        ("2026-11-30", "2026-12-01", "Mon 30 Nov – Tue 1 Dec"),
        ("2026-11-27", "", "Fri 27 Nov"),
        ("", "2026-11-28", "Sat 28 Nov"),
        ("2026-11-28", "2026-11-28T00:00:00Z", "Sat 28 Nov"),
        ("", "", "no date"),
        ("soon", "later", "no date"),
    ],
)
def test_a_window_in_words(start, end, said):
    assert window_text(PublishWindow.parse(start, end)) == said


def test_a_window_in_other_languages():
    window = PublishWindow.parse("2026-11-30", "2026-12-01")
    with translation.override("de"):
        assert window_text(window) == "Mo 30. Nov – Di 1. Dez"
    with translation.override("fr"):
        assert window_text(window) == "lun 30 nov – mar 1 déc"


@pytest.mark.parametrize(
    ("now", "when", "left"),
    [
        ("2026-11-26T00:00:00Z", "posts Fri 27 – Sat 28 Nov", "2 days left"),
        ("2026-11-26T23:59:59Z", "posts Fri 27 – Sat 28 Nov", "2 days left"),
        ("2026-11-27T12:00:00Z", "posts Fri 27 – Sat 28 Nov", "1 day left"),
        ("2026-11-28T23:59:59Z", "posts Fri 27 – Sat 28 Nov", "last day today"),
        ("2026-11-28T23:59:59.500Z", "planned for Fri 27 – Sat 28 Nov", "1 day late"),
        ("2026-11-29T00:00:00Z", "planned for Fri 27 – Sat 28 Nov", "1 day late"),
        ("2026-12-02T08:00:00Z", "planned for Fri 27 – Sat 28 Nov", "4 days late"),
    ],
)
def test_how_long_is_left_is_counted_in_tokportals_days(now, when, left):
    window = PublishWindow.parse("2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z")
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"):
        with timezone.override(ZoneInfo(zone)):
            assert posting_texts(window, datetime.fromisoformat(now)) == (when, left)


def test_a_moment_is_told_by_the_hour_in_the_persons_zone():
    window = PublishWindow.parse("2026-11-27T09:00:00Z", "2026-11-28T18:30:00Z")
    now = datetime(2026, 11, 28, 15, tzinfo=UTC)
    with timezone.override(ZoneInfo("Europe/Berlin")):
        assert window_text(window) == "Fri 27 Nov, 10:00 – Sat 28 Nov, 19:30"
    assert left_text(window, now) == "3 h left"
    assert left_text(window, now + timedelta(hours=5)) == "late by 1 h 30 min"


@pytest.mark.parametrize(
    ("planned", "days"),
    [("2026-12-01", 4), ("2026-11-28", 1), ("2026-11-27", 0), ("2026-11-26", 0), ("2026-11-20", 0), ("", 0)],
)
def test_how_far_a_fix_pulls_a_video_forward(planned, days):
    now = datetime(2026, 11, 26, 23, 30, tzinfo=UTC)
    assert days_pulled_forward(PublishWindow.parse(planned, ""), now) == days


# --- Through the mirror to the pages ------------------------------------------------------------------------


@pytest.fixture
def dated(small_sandbox, workspace):
    """Give the flagged video slot a window at TokPortal, in a bundle that names its first day either way."""
    bundle, slot = factories.slot(small_sandbox, "video", flagged=True)

    def give(first, last, *, says_start_date=False):
        small_sandbox.world.bundles[bundle["id"]].says_start_date = says_start_date
        small_sandbox.control.flag(
            bundle["id"], slot["position"], "broken", target_publish_date=first, target_publish_end_date=last
        )
        workspace.refresh_from_db()
        sweep_workspace(workspace, actor=factories.OPERATOR)
        return factories.open_issue("video", bundle["id"], slot["position"])

    return give


@pytest.mark.parametrize("says_start_date", [False, True])
def test_the_deadline_is_the_end_of_the_last_day(dated, says_start_date):
    today = timezone.now().astimezone(UTC).date()
    issue = dated((today - timedelta(days=1)).isoformat(), today.isoformat(), says_start_date=says_start_date)

    assert issue.video.target_publish_date == f"{today - timedelta(days=1)}T00:00:00Z"
    assert issue.deadline == issue.video.deadline == end_of(today)
    assert issue.deadline > timezone.now()  # posted today is not late yet


def test_a_sandbox_answers_dates_as_tokportal_does(small_sandbox, client_for):
    client = client_for(small_sandbox)
    names, texts = set(), set()
    for bundle in client.iter_bundles():
        for video in client.list_videos(bundle.id).videos:
            names.add(video.start_date_name)
            texts.add(video.target_publish_date[10:])
    assert names == {"target_publish_date", "target_publish_start_date"}
    assert texts == {"T00:00:00Z"}


def test_one_day_alone_does_not_forget_the_other(dated, small_sandbox, workspace):
    """An answer that tells only one of the two days leaves the other, and the deadline follows from both."""
    issue = dated("2026-12-01", "2026-12-02")
    payload = VideoPayload.parse({"position": 1, "target_publish_date": "2026-12-01T00:00:00Z"})
    video = Video.objects.get(pk=issue.video_id)
    assert set(_copy_video(payload, video)) - {"extra"} == set()
    payload = VideoPayload.parse({"position": 1, "target_publish_end_date": "2026-12-03T00:00:00Z"})
    assert set(_copy_video(payload, video)) - {"extra"} == {"target_publish_end_date", "deadline"}
    assert video.deadline == end_of(date(2026, 12, 3))


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
def test_pages_show_tokportals_days(dated, page, bob, zone):
    today = timezone.now().astimezone(UTC).date()
    first, last = today + timedelta(days=1), today + timedelta(days=2)
    issue = dated(first.isoformat(), last.isoformat())
    bob.time_zone = zone
    bob.save()
    days = window_text(PublishWindow.of_days(first, last))

    for found in (page("issues"), page("issue", issue.pk), page("search", q=str(issue.video))):
        said = text(found).replace(" , ", ", ")  # the comma is an element of its own, for screen readers
        assert f"posts {days}, 2 days left" in said
    assert days in text(page("bundle", issue.video.bundle_id))
    assert f"posts {days}, 2 days left" in _line(Channel(zone), issue)


class Channel:
    """What a line of a notice asks of its channel."""

    def __init__(self, zone):
        self.time_zone, self.team = zone, Issue.objects.first().team


@pytest.mark.parametrize("days_away", range(-2, 3))
def test_late_and_today_follow_tokportals_days(dated, page, bobs, days_away):
    today = timezone.now().astimezone(UTC).date()
    last = today + timedelta(days=days_away)
    issue = dated((last - timedelta(days=1)).isoformat(), last.isoformat())

    def has(due):
        return matching_issues(bobs, IssueFilters.parse({"due": due})).filter(pk=issue.pk).exists()

    for zone in ("Pacific/Kiritimati", "Europe/Berlin", "America/Los_Angeles"):
        with timezone.override(ZoneInfo(zone)):
            assert has("late") == (days_away < 0)
            assert has("today") == (days_away <= 0)
    assert ("due late" in page("issue", issue.pk).content.decode()) == (days_away < 0)


# --- Rows of before -----------------------------------------------------------------------------------------


def test_deadlines_of_before_move_to_the_end_of_their_day(video_issue):
    midnight = datetime(2026, 11, 28, tzinfo=UTC)
    others = [datetime(2026, 11, 28, 23, 59, 59, tzinfo=UTC), datetime(2026, 11, 28, 0, 0, 1, tzinfo=UTC), None]
    issues = list(Issue.objects.filter(state=IssueState.OPEN).order_by("pk")[:4])
    before = dict(zip(issues, [midnight, *others], strict=True))
    for issue, deadline in before.items():
        Issue.objects.filter(pk=issue.pk).update(deadline=deadline)
        Video.objects.filter(pk=issue.video_id).update(deadline=deadline)

    for _ in range(2):  # again changes nothing
        migration.move_to_the_end(apps, None)
        for issue, deadline in before.items():
            wanted = end_of(date(2026, 11, 28)) if deadline == midnight else deadline
            assert Issue.objects.get(pk=issue.pk).deadline == wanted
            assert Video.objects.get(pk=issue.video_id).deadline == wanted
