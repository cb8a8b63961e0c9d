"""When a link is checked again."""

from datetime import timedelta

import pytest
from django.utils import timezone

from issues.checks import background
from issues.link_checks.catalogue import CATALOGUE, Verdict
from issues.models import Video


@pytest.mark.parametrize(
    ("code", "former", "expected"),
    [
        ("works_for_us", None, timedelta(days=1)), ("http_404", None, timedelta(hours=6)), ("unusual_video", None, timedelta(days=1)),
        ("needs_browser", timedelta(hours=1), timedelta(days=1)), ("not_ready", None, timedelta(minutes=15)),
        ("not_ready", timedelta(hours=1), timedelta(hours=2)), ("server_error", timedelta(hours=2), timedelta(hours=4)),
        ("rate_limited", timedelta(days=3), timedelta(hours=12)),
    ],
)  # fmt: skip
def test_a_doubt_is_checked_again_soon_if_time_can_settle_it(code, former, expected):
    now = timezone.now()
    video = Video(video_type="video", video_url="https://cdn.example.com/a.mp4", deadline=now + timedelta(days=3))

    due = background._next_look(video, Verdict(code), now - former if former else None, now, ended=False)

    assert due == now + expected


def test_only_doubts_are_called_steady():
    assert {CATALOGUE[code].cls.value for code in background.STEADY_DOUBTS} == {"unsure"}
