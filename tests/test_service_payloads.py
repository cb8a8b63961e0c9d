"""Answers about bans, Coverage, deliveries and the catalogue are read with tolerance."""

import json

import pytest

from issues.tokportal.payloads import EventPayload
from issues.tokportal.service_payloads import BanPayload, CoveragePayload, DeliveryPayload, parse_catalogue

ODD = [None, 7, "text", [], {}, {"id": None}, {"status": ["x"]}, {"task_access": "maybe", "reactivation_quote": 3}]


@pytest.mark.parametrize("data", ODD)
def test_odd_answers_are_no_exceptions(data):
    if isinstance(data, dict):
        assert CoveragePayload.parse(data).period_credits is None
        assert isinstance(parse_catalogue(data), dict)
    for kind in (BanPayload, DeliveryPayload, EventPayload):
        with pytest.raises(ValueError, match="without"):
            kind.parse(data)


@pytest.mark.parametrize(
    ("entry", "emitted"),
    [
        ({"type": "a.b", "emitted": True}, True), ({"type": "a.b", "emitted": False}, False),
        ({"type": "a.b", "availability": "planned"}, False), ({"name": "a.b", "status": "emitted"}, True),
        ({"event": "a.b"}, True), ("a.b", True),
    ],
)  # fmt: skip
def test_the_marks_of_the_catalogue(entry, emitted):
    assert parse_catalogue({"events": [entry, {"odd": 1}, 3]}) == {"a.b": emitted}


def test_coverage_in_other_words():
    told = CoveragePayload.parse(
        json.loads('{"status": "ACTIVE", "task_access": {"allowed": true}, "rate": {"credits": 25}}')
    )

    assert (told.status, told.may_work, told.period_credits) == ("active", True, 25)
