"""TokPortal's own Python client against the sandbox: what it expects of the real API holds here."""

import json
import re
import time
import urllib.request
from datetime import UTC, datetime

import pytest
import tokportal

from issues.sandbox.server import FULL_KEY, READ_KEY
from issues.sandbox.webhooks import sign
from tests import factories


@pytest.fixture
def official(sandbox):
    return tokportal.TokPortal(FULL_KEY, base_url=sandbox.base_url)


def test_me_and_listing(official):
    me = official.me()["data"]
    first = official.bundles.list(page=1, per_page=10)
    second = official.bundles.list(page=2, per_page=10)

    assert me["email"] == "ops@brightside-agency.example"
    assert first["pagination"] == {"page": 1, "per_page": 10, "total": 36, "total_pages": 4}
    assert not {b["id"] for b in first["data"]} & {b["id"] for b in second["data"]}


def test_listing_defaults_to_25(official):
    assert len(official.bundles.list()["data"]) == 25


def test_videos_carry_the_flag(official, sandbox):
    bundle, video = factories.slot(sandbox, "video", flagged=True)

    listed = official.bundles.list_videos(bundle["id"])["data"]
    single = official.bundles.get_video(bundle["id"], video["position"])["data"]

    assert single["download_issue"] is True
    assert single in listed
    assert all(isinstance(entry["download_issue"], bool) for entry in listed)


def test_fix_and_its_replay_have_one_effect(official, sandbox):
    bundle, video = factories.slot(sandbox, "video", flagged=True)
    body = {"video_url": "https://cdn.example.com/ok.mp4"}

    first = official.bundles.fix_video_download(bundle["id"], video["position"], body, idempotency_key="same")
    again = official.bundles.fix_video_download(bundle["id"], video["position"], body, idempotency_key="same")

    assert first == again
    assert first["data"]["download_issue"] is False
    assert {"id", "position", "status", "video_type", "name", "video_url", "target_publish_date", "updated_at"} <= set(
        first["data"]
    )
    assert len(sandbox.control.ledger("fix")) == 1
    assert len(sandbox.control.ledger("replay")) == 1


def test_the_same_key_with_another_body_is_refused(official, sandbox):
    bundle, video = factories.slot(sandbox, "video", flagged=True)
    official.bundles.fix_video_download(bundle["id"], video["position"], {"video_url": "https://a.example/a"}, "key")

    with pytest.raises(tokportal.TokPortalApiError) as caught:
        official.bundles.fix_video_download(
            bundle["id"], video["position"], {"video_url": "https://b.example/b"}, "key"
        )

    assert caught.value.status == 409


def test_presigned_uploads(official, sandbox):
    bundle, _ = factories.slot(sandbox, "video")

    video = official.uploads.video({"filename": "a.mp4", "bundle_id": bundle["id"], "content_type": "video/mp4"})[
        "data"
    ]
    image = official.uploads.image(
        {"filename": "a.jpg", "content_type": "image/jpeg", "bundle_id": bundle["id"], "purpose": "carousel"}
    )["data"]

    assert video["upload_url"].startswith(sandbox.store.origin)
    assert video["public_url"]
    assert image["storage_path"]


def test_direct_uploads(official, sandbox, tmp_path):
    bundle, _ = factories.slot(sandbox, "video")
    path = tmp_path / "clip.mp4"
    path.write_bytes(factories.MP4)

    video = official.uploads.video_direct(str(path), bundle["id"])["data"]
    image = official.uploads.image_direct(str(path), bundle["id"], "carousel")["data"]

    assert video["size_bytes"] == len(factories.MP4)
    assert video["content_type"] == "video/mp4"
    assert image["storage_path"]


def test_a_direct_upload_is_replayed_under_its_key(official, sandbox, tmp_path):
    bundle, _ = factories.slot(sandbox, "video")
    path = tmp_path / "clip.mp4"
    path.write_bytes(factories.MP4)

    first = official.uploads.video_direct(str(path), bundle["id"], idempotency_key="up")
    assert official.uploads.video_direct(str(path), bundle["id"], idempotency_key="up") == first
    path.write_bytes(factories.MP4[:500])
    with pytest.raises(tokportal.TokPortalApiError) as caught:
        official.uploads.video_direct(str(path), bundle["id"], idempotency_key="up")

    assert caught.value.status == 409
    assert len(sandbox.control.ledger("put")) == 1


def test_an_image_is_imported_from_its_address(official, sandbox):
    bundle, carousel = factories.slot(sandbox, "carousel")
    sandbox.control.flag(bundle["id"], carousel["position"], "image 2")
    body = {"url": "https://cdn.example.com/look/2.png", "bundle_id": bundle["id"]}

    made = official.uploads.image_from_url(body, idempotency_key="import")["data"]

    assert official.uploads.image_from_url(body, idempotency_key="import")["data"] == made
    assert made["storage_path"].startswith("carousel-images/")
    assert made["content_type"] == "image/jpeg"
    with urllib.request.urlopen(made["public_url"]) as answer:
        assert len(answer.read()) == made["size_bytes"]
    fixed = official.bundles.fix_video_download(
        bundle["id"], carousel["position"], {"carousel_images": [made["storage_path"]]}
    )["data"]
    assert fixed["download_issue"] is False


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"url": ""}, 400, "VALIDATION_ERROR"),
        ({"purpose": "banner"}, 400, "VALIDATION_ERROR"),
        ({"filename": "a.jpg"}, 400, "UNKNOWN_FIELD"),
        ({"bundle_id": "nope"}, 404, "BUNDLE_NOT_FOUND"),
        ({"url": "https://gone.example.com/a.jpg"}, 500, "UPLOAD_FAILED"),
    ],
)
def test_an_image_that_cannot_be_imported(official, sandbox, changes, status, code):
    bundle, _ = factories.slot(sandbox, "carousel")

    with pytest.raises(tokportal.TokPortalApiError) as caught:
        official.uploads.image_from_url({"url": "https://cdn.example.com/a.jpg", "bundle_id": bundle["id"], **changes})

    assert (caught.value.status, caught.value.code) == (status, code)


WHOLE = {
    "video_type": "video", "description": "#ad", "video_url": "https://cdn.example.com/ok.mp4",
    "target_publish_date": "2030-01-07",
}  # fmt: skip


def test_a_slot_is_configured_whole(official, sandbox):
    bundle, video = factories.slot(sandbox, "carousel")
    where = bundle["id"], video["position"]

    made = official.bundles.configure_video(*where, {**WHOLE, "external_ref": "MINE-1"}, idempotency_key="put")["data"]
    again = official.bundles.configure_video(*where, {**WHOLE, "external_ref": "MINE-1"}, idempotency_key="put")["data"]

    assert made == again
    assert (made["video_type"], made["video_url"], made["external_ref"]) == ("video", WHOLE["video_url"], "MINE-1")
    assert made["carousel_images"] is None  # what is left out is cleared
    assert made["name"] == ""
    assert len(sandbox.control.ledger("configure")) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"video_type": "reel"}, "VALIDATION_ERROR"),
        ({"video_url": ""}, "VALIDATION_ERROR"),
        ({"description": None}, "VALIDATION_ERROR"),
        ({"target_publish_date": "soon"}, "VALIDATION_ERROR"),
        ({"story_image_url": "https://cdn.example.com/a.jpg"}, "VALIDATION_ERROR"),
        ({"video_type": "carousel"}, "VALIDATION_ERROR"),
        ({"video_type": "carousel", "video_url": None, "carousel_images": ["a"] * 21}, "VALIDATION_ERROR"),
        ({"download_issue": False}, "UNKNOWN_FIELD"),
    ],
)
def test_a_slot_is_not_configured_by_halves(official, sandbox, changes, code):
    bundle, video = factories.slot(sandbox, "video")

    with pytest.raises(tokportal.TokPortalApiError) as caught:
        official.bundles.configure_video(bundle["id"], video["position"], {**WHOLE, **changes})

    assert (caught.value.status, caught.value.code) == (400, code)
    assert official.bundles.get_video(bundle["id"], video["position"])["data"]["video_url"] == video["video_url"]


@pytest.mark.parametrize("way", ["put", "patch"])
def test_a_window_that_begins_too_early_is_refused_with_the_earliest_day(official, sandbox, way):
    bundle, video = factories.slot(sandbox, "video")
    today = datetime.now(UTC).date()
    early = {"target_publish_date": today.isoformat(), "target_publish_end_date": today.isoformat()}

    send = {"put": official.bundles.configure_video, "patch": official.bundles.patch_video}[way]
    with pytest.raises(tokportal.TokPortalApiError) as caught:
        send(bundle["id"], video["position"], {**WHOLE, **early} if way == "put" else early)

    assert (caught.value.status, caught.value.code) == (400, "INVALID_DATE")
    assert caught.value.details["earliest_allowed"] > today.isoformat()


def test_a_day_takes_three_videos_of_a_bundle(official, sandbox):
    bundle = next(
        bundle
        for bundle, _ in sandbox.control.videos(video_type="video", download_issue=False)
        if bundle["status"] == "accepted" and len(bundle["videos"]) > 4
    )
    day = {"target_publish_date": "2030-03-01", "target_publish_end_date": "2030-03-02"}
    for position in (1, 2, 3, 3):  # the third one may be set again
        official.bundles.patch_video(bundle["id"], position, day, idempotency_key=f"{position}")

    with pytest.raises(tokportal.TokPortalApiError) as caught:
        official.bundles.patch_video(bundle["id"], 4, day)
    assert caught.value.code == "VIDEOS_PER_DAY_EXCEEDED"
    assert (caught.value.details["date"], caught.value.details["current_count"]) == ("2030-03-01", 3)

    sandbox.world.bundles[bundle["id"]].videos[2].status = "cancelled"  # which counts no more
    told = official.bundles.patch_video(bundle["id"], 4, day)["data"]
    assert (told.get("target_publish_date") or told["target_publish_start_date"]) == "2030-03-01T00:00:00Z"


def test_a_webhook_is_changed(official):
    made = official.webhooks.create({"url": "https://tokdash.example/hook", "events": ["video.published"]})["data"]

    changed = official.webhooks.update(made["id"], {"events": ["account.banned"], "enabled": False})["data"]

    assert (changed["events"], changed["enabled"]) == (["account.banned"], False)
    assert official.webhooks.list(event="account.banned")["data"] == [changed]
    assert official.webhooks.list(event="video.published")["data"] == []


def test_some_statuses_refuse_to_be_configured(official, sandbox):
    bundle, video = factories.slot(sandbox, "video", flagged=True)
    with pytest.raises(tokportal.TokPortalApiError) as caught:
        official.bundles.configure_video(bundle["id"], video["position"], WHOLE)
    assert (caught.value.status, caught.value.code) == (409, "INVALID_STATUS_TRANSITION")
    assert caught.value.details["current_status"] == "accepted"

    sandbox.control.change_bundle(bundle["id"], status="archived")
    with pytest.raises(tokportal.TokPortalApiError) as caught:
        official.bundles.configure_video(bundle["id"], video["position"], WHOLE)
    assert caught.value.code == "BUNDLE_INVALID_STATUS"


def test_youtube_is_a_platform(official):
    found = official.bundles.list(platform="youtube")["data"]

    assert found
    kinds = {video["video_type"] for bundle in found for video in official.bundles.list_videos(bundle["id"])["data"]}
    assert kinds == {"video"}


def ask(sandbox, method, path, **headers):
    request = urllib.request.Request(sandbox.base_url + path, method=method, headers=headers)
    with urllib.request.urlopen(request) as answer:
        return answer.status, answer.headers


@pytest.mark.parametrize(
    ("said", "is_echoed"),
    [
        ("tokdash-1a2b", True), ("a" * 128, True), ("a:b.c_d-e", True),
        ("a" * 129, False), ("two words", False), ("<b>", False), ("caf\xe9", False), ("-x", False), ("", False),
    ],
)  # fmt: skip
def test_a_request_id_comes_back_if_it_is_safe(sandbox, said, is_echoed):
    told = ask(sandbox, "GET", "/me", **{"X-API-Key": FULL_KEY, "X-Request-ID": said})[1]["X-TokPortal-Request-ID"]

    assert (told == said) is is_echoed
    assert is_echoed or re.fullmatch(r"req_[0-9a-f]{32}", told)


@pytest.mark.parametrize("path", ["/me", "/bundles/x/videos/1/fix-download", "/no-such-call"])
def test_a_preflight_is_answered_and_costs_nothing(sandbox, path):
    before = sandbox.control.counts()["requests"]

    status, headers = ask(sandbox, "OPTIONS", path, Origin="https://tokdash.example")

    assert status == 204
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "PATCH" in headers["Access-Control-Allow-Methods"]
    assert "X-RateLimit-Remaining" not in headers
    assert sandbox.control.counts()["requests"] == before


@pytest.mark.parametrize(
    ("key", "call", "status", "code"),
    [
        ("sk_wrong", lambda t: t.me(), 401, "AUTH_INVALID_KEY"),
        (READ_KEY, lambda t: t.uploads.video({"filename": "a", "bundle_id": "b"}), 403, "INSUFFICIENT_SCOPE"),
        (FULL_KEY, lambda t: t.bundles.get("nope"), 404, "BUNDLE_NOT_FOUND"),
        (FULL_KEY, lambda t: t.uploads.video({"filename": "a", "bundle_id": "b", "x": 1}), 400, "UNKNOWN_FIELD"),
        (FULL_KEY, lambda t: t.uploads.video({"filename": "a"}), 400, "VALIDATION_ERROR"),
        (FULL_KEY, lambda t: t.bundles.list(per_page=101), 400, "VALIDATION_ERROR"),
    ],
)
def test_errors_have_status_code_and_class(sandbox, key, call, status, code):
    with pytest.raises(tokportal.TokPortalApiError) as caught:
        call(tokportal.TokPortal(key, base_url=sandbox.base_url))

    assert (caught.value.status, caught.value.code) == (status, code)
    assert caught.value.retryable is False


def test_rate_limit_error_tells_the_wait(sandbox):
    sandbox.world.add_key("sk_slow", "ops@brightside-agency.example")
    sandbox.world.keys["sk_slow"].tokens = 0
    sandbox.world.rate = 2

    with pytest.raises(tokportal.TokPortalApiError) as caught:
        tokportal.TokPortal("sk_slow", base_url=sandbox.base_url).me()

    assert caught.value.status == 429
    assert caught.value.code == "RATE_LIMIT_EXCEEDED"
    assert caught.value.retryable
    assert 1 <= caught.value.retry_after_seconds <= 60


def test_webhook_signature_verifies_and_forgery_does_not():
    body = b'{"id": "evt_1"}'
    header = sign("whsec_x", body, 1_700_000_000)

    assert tokportal.verify_webhook_signature(body, header, "whsec_x", now=1_700_000_010)
    assert not tokportal.verify_webhook_signature(body + b" ", header, "whsec_x", now=1_700_000_010)
    assert not tokportal.verify_webhook_signature(body, header, "whsec_y", now=1_700_000_010)
    assert not tokportal.verify_webhook_signature(body, header, "whsec_x", now=1_700_000_301)


def test_webhooks_are_registered_delivered_and_signed(official, sandbox):
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    received = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((content, self.headers))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    made = official.webhooks.create({"url": url, "events": ["video.published", "bundle.published", "webhook.test"]})[
        "data"
    ]

    tested = official.webhooks.test(made["id"])["data"]
    twice = sandbox.control.event("video.published", {"bundle_id": "b"}, times=2, event_id="evt_same")
    bundle, _ = factories.slot(sandbox, "video")
    for status in ("accepted", "published", "cancelled"):  # only the second is an event that was asked for
        sandbox.control.change_bundle(bundle["id"], status=status)
    until = time.monotonic() + 5
    while len(received) < 4 and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.1)
    kinds = [json.loads(content)["type"] for content, _ in received]
    forged = sandbox.control.event("video.published", {}, bad_signature=True)
    server.shutdown()
    server.server_close()

    assert tested["success"]
    assert kinds == ["webhook.test", "video.published", "video.published", "bundle.published"]
    assert [entry["event_id"] for entry in twice] == ["evt_same"] * 2
    assert forged[0]["status"] == 200
    content, headers = received[0]
    assert tokportal.verify_webhook_signature(content, headers["TokPortal-Signature"], made["signing_secret"])
    assert not tokportal.verify_webhook_signature(
        received[-1][0], received[-1][1]["TokPortal-Signature"], made["signing_secret"]
    )
    assert headers["TokPortal-Event-Type"] == "webhook.test"
    assert "signing_secret" not in official.webhooks.get(made["id"])["data"]
    official.webhooks.delete(made["id"])
    assert official.webhooks.list()["data"] == []
