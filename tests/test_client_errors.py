"""What the client makes of refusals, broken answers, lost connections and odd objects."""

import io
import json
import os
import time

import pytest

from issues.sandbox.server import READ_KEY, Sandbox
from issues.tokportal import constants as c
from issues.tokportal.budget import Lane, LocalBudget
from issues.tokportal.caller import Timeouts
from issues.tokportal.client import TokPortalClient
from issues.tokportal.errors import (
    BudgetWaitError,
    ConflictError,
    ForbiddenError,
    IdempotencyConflictError,
    InvalidRequestError,
    KeyRefusedError,
    LostAnswerError,
    NotFoundError,
    NotSentError,
    Outcome,
    RateLimitedError,
    ServerError,
    StorageRefusedError,
    UnreadableAnswerError,
    UploadFailedError,
    error_class,
)
from issues.tokportal.transport import is_secure_or_local
from tests import factories

SHORT = Timeouts(connect=1, read=1.5, total=1.5, fix=2)


def body(url: str) -> bytes:
    return json.dumps({"video_url": url}).encode()


# --- Errors ------------------------------------------------------------------------------------------------


def test_fix_errors_of_the_contract(sandbox, client_for):
    client = client_for(sandbox)
    bundle, video = factories.slot(sandbox, "video", flagged=True)
    calm_bundle, calm = factories.slot(sandbox, "video", flagged=False)
    foreign = next(b for b in sandbox.control.state()["bundles"] if b["owner"] != "ops@brightside-agency.example")
    good = body("https://cdn.example.com/ok.mp4")

    def code_of(bundle_id, position, content=good):
        with pytest.raises(
            (NotFoundError, ForbiddenError, InvalidRequestError, ConflictError, UploadFailedError)
        ) as caught:
            client.fix_download(bundle_id, position, content, idempotency_key=os.urandom(8).hex())
        assert caught.value.outcome is Outcome.REFUSED
        assert caught.value.request_id
        return caught.value.code, caught.value.status

    assert code_of("no-such", 1) == (c.BUNDLE_NOT_FOUND, 404)
    assert code_of(foreign["id"], 1) == (c.BUNDLE_NOT_OWNED, 403)
    assert code_of(bundle["id"], 999) == (c.VIDEO_POSITION_OUT_OF_RANGE, 400)
    assert code_of(calm_bundle["id"], calm["position"]) == (c.VIDEO_NO_DOWNLOAD_ISSUE, 409)
    assert code_of(bundle["id"], video["position"], body("https://x.invalid/a.mp4")) == (c.UPLOAD_FAILED, 500)
    sandbox.world.bundles[bundle["id"]].slots = 500
    assert code_of(bundle["id"], 400) == (c.VIDEO_NOT_FOUND, 404)


@pytest.mark.parametrize(
    ("key", "code"),
    [("sk_unknown", c.AUTH_INVALID_KEY), ("tok_live_old", c.AUTH_INVALID_KEY)],
)
def test_unknown_keys_are_refused(sandbox, client_for, key, code):
    with pytest.raises(KeyRefusedError) as caught:
        client_for(sandbox, key).me()

    assert (caught.value.code, caught.value.status) == (code, 401)


def test_revoked_key_is_refused(sandbox, client_for):
    sandbox.control.key("sk_x", revoked=True)

    with pytest.raises(KeyRefusedError) as caught:
        client_for(sandbox, "sk_x").me()

    assert caught.value.code == c.AUTH_REVOKED_KEY


def test_read_key_may_not_fix(sandbox, client_for):
    client = client_for(sandbox, READ_KEY)

    assert client.me().email
    with pytest.raises(ForbiddenError):
        client.fix_download("x", 1, b"{}", idempotency_key="k")


def test_presign_refuses_an_idempotency_key(sandbox, client_for):
    client = client_for(sandbox)

    with pytest.raises(InvalidRequestError) as caught:
        client._call("POST", "/upload/video", json_body={}, headers={c.IDEMPOTENCY_HEADER: "k"})

    assert caught.value.code == c.IDEMPOTENCY_NOT_ALLOWED


def test_storage_refuses_an_expired_url_and_another_type(sandbox, client_for):
    bundle, _ = factories.slot(sandbox, "video")
    client = client_for(sandbox)
    for fault in ("presign_expired", "presign_wrong_type"):
        sandbox.control.fault(fault)
        place = client.presign_video(filename="a.mp4", bundle_id=bundle["id"], content_type="video/mp4")
        with pytest.raises(StorageRefusedError):
            client.put_presigned(place.upload_url, io.BytesIO(b"1234"), size=4, content_type="video/mp4")


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reset_before", LostAnswerError),
        ("reset_during", LostAnswerError),
        ("reset_after", LostAnswerError),
        ("truncated", LostAnswerError),
        ("slow_headers", LostAnswerError),
        ("slow_body", LostAnswerError),
        ("timeout_before", LostAnswerError),
        ("timeout_after", LostAnswerError),
        ("malformed", UnreadableAnswerError),
        ("html", UnreadableAnswerError),
        ("huge", UnreadableAnswerError),
    ],
)
def test_bad_answers_are_errors_in_bounded_time(sandbox, client_for, kind, error):
    client = client_for(sandbox, timeouts=SHORT)
    sandbox.control.fault(kind, times=-1, seconds=4)
    started = time.monotonic()

    with pytest.raises(error) as caught:
        client.me()

    assert time.monotonic() - started < 4
    assert caught.value.outcome is Outcome.UNKNOWN
    assert caught.value.retryable


def test_of_a_huge_answer_that_says_so_nothing_is_read(sandbox, client_for, monkeypatch):
    def read(*_):
        raise AssertionError("it was read")

    sandbox.control.fault("huge", bytes=50_000_000)
    monkeypatch.setattr("requests.Response.iter_content", read)

    with pytest.raises(UnreadableAnswerError):
        client_for(sandbox).me()


def test_a_huge_answer_that_does_not_say_so_ends_at_the_bound(sandbox, client_for):
    sandbox.control.fault("huge", bytes=50_000_000, announced=False)

    with pytest.raises(UnreadableAnswerError):
        client_for(sandbox).me()


def test_refused_connection_was_not_sent(client_for):
    client = TokPortalClient(
        base_url="http://127.0.0.1:9", api_key="sk_x", budget=LocalBudget(1000), lane=Lane.INTERACTIVE, timeouts=SHORT
    )

    with pytest.raises(NotSentError) as caught:
        client.me()

    assert caught.value.outcome is Outcome.NOT_SENT


def test_unknown_name_was_not_sent():
    client = TokPortalClient(
        base_url="http://no-such-host.invalid",
        api_key="k",
        budget=LocalBudget(1000),
        lane=Lane.INTERACTIVE,
        timeouts=SHORT,
    )

    with pytest.raises(NotSentError):
        client.me()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_reads_survive_passing_server_errors(sandbox, client_for, status):
    client = client_for(sandbox, lane=Lane.SYNC)
    sandbox.control.fault("status", status=status, times=2)

    assert client.me().email
    assert client.usage.requests == 3


def test_the_fix_is_never_repeated_by_the_client(sandbox, client_for):
    client = client_for(sandbox, lane=Lane.SYNC)
    sandbox.control.fault("status", status=503, times=1)

    with pytest.raises(ServerError) as caught:
        client.fix_download("x", 1, b"{}", idempotency_key="k")

    assert caught.value.outcome is Outcome.UNKNOWN
    assert client.usage.requests == 1


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"headers": {"Retry-After": "7"}}, 7.0),
        ({"details": {"retry_after_seconds": 9}}, 9.0),
        ({"headers": {"Retry-After": "3"}, "details": {"retry_after_seconds": 99}}, 3.0),
        ({}, None),
        ({"headers": {"Retry-After": "soon"}, "details": {"retry_after_seconds": -4}}, None),
    ],
)
def test_retry_after_is_read_from_header_then_body(sandbox, client_for, fault, expected):
    sandbox.control.fault("status", status=429, code=c.RATE_LIMIT_EXCEEDED, **fault)
    budget = LocalBudget(60_000)
    client = client_for(sandbox, max_wait=0.1, budget=budget)

    with pytest.raises((RateLimitedError, BudgetWaitError)) as caught:
        client.me()

    if isinstance(caught.value, RateLimitedError):
        assert caught.value.retry_after == expected
    assert budget.take(Lane.INTERACTIVE).wait > 2


def test_retry_after_is_obeyed(sandbox, client_for):
    sandbox.control.fault("status", status=429, code=c.RATE_LIMIT_EXCEEDED, headers={"Retry-After": "1"})
    started = time.monotonic()

    client_for(sandbox).me()

    assert time.monotonic() - started >= 0.9


def test_a_call_that_cannot_wait_says_so_at_once(sandbox, client_for):
    budget = LocalBudget(60)
    budget.block(30)
    started = time.monotonic()

    with pytest.raises(BudgetWaitError) as caught:
        client_for(sandbox, budget=budget, max_wait=1).me()

    assert time.monotonic() - started < 0.5
    assert caught.value.outcome is Outcome.NOT_SENT


def test_redirects_are_not_followed_with_the_key(sandbox, client_for):
    sandbox.control.fault("status", status=302, headers={"Location": f"{sandbox.store.origin}/x"}, times=-1)

    with pytest.raises(InvalidRequestError) as caught:
        client_for(sandbox).me()

    assert caught.value.status == 302


def test_lying_total_pages_does_not_hide_or_repeat_bundles(sandbox, client_for):
    for value in (1, 1_000_000):
        sandbox.control.fault("total_pages", path="^/bundles$", times=-1, value=value)
        ids = [bundle.id for bundle in client_for(sandbox).iter_bundles(per_page=10)]
        sandbox.control.clear_faults()
        assert len(ids) == len(set(ids)) == 36


@pytest.mark.parametrize(
    "kind", ["missing_fields", "null_fields", "wrong_types", "unknown_enums", "new_fields", "duplicate_ids"]
)
def test_odd_objects_are_read_as_far_as_they_go(sandbox, client_for, kind):
    client = client_for(sandbox)
    bundle, _ = factories.slot(sandbox, "video", flagged=True)
    sandbox.control.fault(kind, times=-1)

    videos = client.list_videos(bundle["id"]).videos

    assert [video.position for video in videos] == sorted({video["position"] for video in bundle["videos"]})
    assert any(video.download_issue for video in videos)
    assert len(list(client.iter_bundles())) == 36
    if kind == "new_fields":
        assert videos[0].extra["hologram_depth"] == 3


def test_idempotency_conflict_is_an_open_outcome():
    error = error_class("IDEMPOTENCY_REQUEST_IN_PROGRESS", 409)("", status=409)

    assert isinstance(error, IdempotencyConflictError)
    assert error.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://app.tokportal.com/api/ext", True),
        ("http://127.0.0.1:8701/api/ext", True),
        ("http://localhost:1", True),
        ("http://app.tokportal.com/api/ext", False),
        ("ftp://x", False),
        ("app.tokportal.com", False),
    ],
)
def test_keys_travel_over_https_only(url, allowed):
    assert is_secure_or_local(url) is allowed


def test_sandbox_serves_the_default_data(sandbox: Sandbox):
    assert len(sandbox.control.videos(download_issue=True)) == 30
