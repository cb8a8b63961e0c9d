"""Payloads take whatever JSON a server may send."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from issues.tokportal.days import read_moment
from issues.tokportal.payloads import BundlePayload, PayloadError, VideoPayload

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(["id", *VideoPayload._CHECKS, *BundlePayload._CHECKS, "new"])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(fields, anything), st.integers(1, 500))
def test_any_object_with_a_position_is_a_video(data, position):
    video = VideoPayload.parse({**data, "position": position})

    assert video.position == position
    json.dumps(video.extra, allow_nan=False).encode()
    video.name.encode()
    assert video.deadline is None or video.deadline.tzinfo is UTC


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(fields, anything))
def test_any_object_with_an_id_is_a_bundle(data):
    assert BundlePayload.parse({**data, "id": 42}).id == "42"


@pytest.mark.parametrize(
    "data", [{}, {"position": 0}, {"position": None}, {"position": True}, {"position": "x"}, [], None]
)
def test_a_video_without_a_position_is_refused(data):
    with pytest.raises(PayloadError):
        VideoPayload.parse(data)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), (1, True), ("true", True), (False, False), ("false", False), (None, False), (0, False), ([], False)],
)
def test_only_a_clear_yes_is_a_flag(value, expected):
    assert VideoPayload.parse({"position": 1, "download_issue": value}).download_issue is expected


def test_only_what_is_really_told_counts():
    told = VideoPayload.parse(
        {
            "position": 1,
            "status": None,
            "name": {"a": 1},
            "platform_url": None,
            "download_issue": None,
            "target_publish_start_date": "2026-01-01",
        }
    ).told

    assert told == {"platform_url", "target_publish_start_date", "target_publish_date", "extra"}
    assert not VideoPayload.parse({"position": 1}).tells_flag
    assert VideoPayload.parse({"position": 1, "download_issue": "false"}).tells_flag


def test_null_comment_is_told_from_an_empty_one():
    assert VideoPayload.parse({"position": 1, "download_issue_comment": None}).download_issue_comment is None
    assert VideoPayload.parse({"position": 1, "download_issue_comment": ""}).download_issue_comment == ""


def test_start_date_under_its_other_name():
    assert (
        VideoPayload.parse({"position": 1, "target_publish_start_date": "2026-06-01"}).target_publish_date
        == "2026-06-01"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-06-01", datetime(2026, 6, 1, tzinfo=UTC)),
        ("2026-06-01T10:00:00Z", datetime(2026, 6, 1, 10, tzinfo=UTC)),
        ("2026-06-01T10:00:00+02:00", datetime(2026, 6, 1, 8, tzinfo=UTC)),
        ("2026-06-01T10:00:00", datetime(2026, 6, 1, 10, tzinfo=UTC)),
        ("tomorrow", None),
        ("", None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_moments(text, expected):
    assert read_moment(text) == expected


def test_deadline_is_the_end_of_the_window():
    both = VideoPayload.parse(
        {"position": 1, "target_publish_date": "2026-06-01", "target_publish_end_date": "2026-06-02"}
    )
    start = VideoPayload.parse({"position": 1, "target_publish_date": "2026-06-01"})

    assert both.deadline == datetime(2026, 6, 2, 23, 59, 59, tzinfo=UTC)
    assert start.deadline == datetime(2026, 6, 1, 23, 59, 59, tzinfo=UTC)
