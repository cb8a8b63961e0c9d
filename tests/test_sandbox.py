"""The sandbox itself: what demo, tests and training rely on."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from issues.sandbox.data import CAMPAIGNS, broken_links, fill
from issues.sandbox.faults import KINDS
from issues.sandbox.server import FULL_KEY, Sandbox
from issues.sandbox.showcase import OPEN_FILE, OTHER_OPEN_FILE, SHARED
from issues.sandbox.world import World
from issues.tokportal import constants as c
from tests import factories

ROOT = Path(__file__).resolve().parent.parent
HEADERS = {"X-API-Key": FULL_KEY}


def world(seed: int, **sizes: int) -> list:
    made = World()
    fill(made, seed=seed, **{"bundles": 36, "videos": 240, "flagged": 30, **sizes})
    return [(bundle.to_json(), [video.to_json() for video in bundle.videos]) for bundle in made.bundles.values()]


def without_times(data: list) -> str:
    return re.sub(r'"updated_at": "[^"]*"', "", json.dumps(data))


def test_the_same_seed_gives_the_same_data():
    assert without_times(world(7)) == without_times(world(7))
    assert without_times(world(7)) != without_times(world(8))


@pytest.mark.parametrize(
    "sizes", [{"bundles": 1, "videos": 1, "flagged": 1}, {"bundles": 200, "videos": 900, "flagged": 90}]
)
def test_sizes_are_what_was_asked(sizes):
    data = world(3, **sizes)[:-1]  # the last bundle is somebody else's

    assert len(data) == sizes["bundles"]
    assert sum(len(videos) for _, videos in data) == sizes["videos"]
    assert sum(video["download_issue"] for _, videos in data for video in videos) == sizes["flagged"]


def test_the_agency_is_plausible():
    data = world(1)
    statuses = {bundle["status"] for bundle, _ in data}
    types = {video["video_type"] for _, videos in data for video in videos}
    flagged = [video for _, videos in data for video in videos if video["download_issue"]]

    assert statuses == set(c.BUNDLE_STATUSES)
    assert types == {"video", "carousel", "story"}
    assert len({campaign.country for campaign in CAMPAIGNS}) == len(CAMPAIGNS) == 12
    assert len({video["download_issue_comment"] for video in flagged}) > 15
    assert any(video["download_issue_comment"] is None for video in flagged)
    dates = {video["target_publish_date"] for video in flagged}
    assert min(dates) < time.strftime("%Y-%m-%d") < max(dates)


def test_the_demo_has_something_of_everything_to_show(sandbox):
    flagged = sandbox.control.videos(download_issue=True)
    carousel = next(video for _, video in flagged if video["name"] == "Lookbook")
    story = next(video for _, video in flagged if video["name"] == "Behind the scenes")
    launch = next(video for _, video in flagged if video["name"] == "Launch film")
    there = [image for image in carousel["carousel_images"] if "lost" not in image]

    assert len(flagged) == 30
    assert {urllib.request.urlopen(sandbox.images.public_url(image)).status for image in there} == {200}
    assert len(there) == len(carousel["carousel_images"]) - 1
    assert (story["video_type"], story["story_image_url"]) == ("story", None)
    assert story["video_url"]
    assert launch["target_publish_date"] > (datetime.now(UTC) + timedelta(days=4)).isoformat()
    open_links = [SHARED.format(file_id) for file_id in (OPEN_FILE, OTHER_OPEN_FILE)]
    shared = [
        (video["download_issue"], link)
        for _, video in sandbox.control.videos()
        if (link := video["video_url"]) in open_links
    ]
    assert sorted(flag for flag, _ in shared) == [False, True]
    assert not any(sandbox.world.cannot_be_fetched(link) for _, link in shared)
    assert any(bundle["platform"] == "youtube" for bundle, _ in flagged)


def test_every_class_of_broken_link_occurs():
    from issues.link_checks.url_rules import judge_link

    now = datetime.now(UTC)
    codes = {
        judge_link(link, needed_until=now + timedelta(days=2), now=now).code for link, _ in broken_links(now.date())
    }

    assert codes >= {
        "malformed", "private_address", "signature_expired", "signature_expires_soon", "drive_view_page", "folder_link",
        "document_link", "dropbox_preview", "onedrive_page", "sharepoint_login", "transfer_page", "social_post_page",
        "not_checked",
    }  # fmt: skip


def test_the_bucket_is_real():
    with Sandbox(rate=60) as sandbox:
        answers = [requests.get(f"{sandbox.base_url}/me", headers=HEADERS, timeout=5) for _ in range(63)]

        assert [answer.status_code for answer in answers[:60]] == [200] * 60
        last = answers[-1]
        assert last.status_code == 429
        assert last.headers["X-RateLimit-Limit"] == "60"
        assert last.headers["X-RateLimit-Remaining"] == "0"
        assert int(last.headers["X-RateLimit-Reset"]) > time.time() + 50
        assert last.json()["error"]["details"]["retry_after_seconds"] == int(last.headers["Retry-After"])
        time.sleep(1.1)
        assert requests.get(f"{sandbox.base_url}/me", headers=HEADERS, timeout=5).status_code == 200


def test_request_id_is_echoed(sandbox):
    answer = requests.get(f"{sandbox.base_url}/me", headers={**HEADERS, "X-Request-ID": "abc-123"}, timeout=5)

    assert answer.headers["X-TokPortal-Request-ID"] == "abc-123"


def test_storage_speaks_cors_on_another_origin(sandbox):
    bundle, _ = factories.slot(sandbox, "video")
    place = requests.post(
        f"{sandbox.base_url}/upload/video",
        headers=HEADERS,
        json={"filename": "a.mp4", "bundle_id": bundle["id"]},
        timeout=5,
    ).json()["data"]
    preflight = {"Origin": "http://dash.example", "Access-Control-Request-Method": "PUT"}

    allowed = requests.options(place["upload_url"], headers=preflight, timeout=5)
    sandbox.control.fault("cors_refused")
    refused = requests.options(place["upload_url"], headers=preflight, timeout=5)

    assert not place["upload_url"].startswith(sandbox.origin)
    assert allowed.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Origin" not in refused.headers


def test_storage_serves_ranges(sandbox):
    sandbox.store.file("k").write_bytes(b"0123456789")
    sandbox.store.put_bytes("k", "video/mp4", 10)

    answer = requests.get(sandbox.store.public_url("k"), headers={"Range": "bytes=2-4"}, timeout=5)

    assert (answer.status_code, answer.content, answer.headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")


def test_a_signature_cannot_be_moved_to_another_object(sandbox):
    url = sandbox.store.sign("mine", "video/mp4").replace("/mine?", "/yours?")

    assert requests.put(url, data=b"x", headers={"Content-Type": "video/mp4"}, timeout=5).status_code == 403


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("https://anything.example.org/a.mp4", 200),
        ("https://broken.invalid/a.mp4", 500),
        ("https://unreachable.example.com/a.mp4", 500),
        ("ftp://example.org/a.mp4", 500),
    ],
)
def test_fix_takes_other_urls_except_the_documented_hosts(sandbox, url, status):
    bundle, video = factories.slot(sandbox, "video", flagged=True)
    path = f"{sandbox.base_url}/bundles/{bundle['id']}/videos/{video['position']}/fix-download"

    answer = requests.post(path, headers=HEADERS, json={"video_url": url}, timeout=5)

    assert answer.status_code == status
    if status == 500:
        assert answer.json()["error"]["code"] == "UPLOAD_FAILED"


def test_fix_really_fetches_from_its_own_store(sandbox):
    bundle, video = factories.slot(sandbox, "video", flagged=True)
    path = f"{sandbox.base_url}/bundles/{bundle['id']}/videos/{video['position']}/fix-download"
    missing = {"video_url": sandbox.store.public_url("videos/never-put.mp4")}

    # Nothing was put there, so it is fetched like any other URL of a store that answers 404.
    sandbox.store.sizes["videos/never-put.mp4"] = 5
    answer = requests.post(path, headers=HEADERS, json=missing, timeout=5)

    assert answer.json()["error"]["code"] == "UPLOAD_FAILED"


def test_fix_takes_as_long_as_told_and_one_request_works_at_a_time(sandbox):
    bundle, video = factories.slot(sandbox, "video", flagged=True)
    path = f"{sandbox.base_url}/bundles/{bundle['id']}/videos/{video['position']}/fix-download"
    sandbox.control.settings(fix_seconds=0.6)
    headers = {**HEADERS, "Idempotency-Key": "one"}
    answers = []

    def send():
        answers.append(requests.post(path, headers=headers, json={"video_url": "https://a.example/a.mp4"}, timeout=5))

    first = threading.Thread(target=send)
    started = time.monotonic()
    first.start()
    time.sleep(0.2)
    send()
    first.join()

    assert time.monotonic() - started >= 0.6
    assert {answer.status_code for answer in answers} == {200, 409}
    assert len(sandbox.control.ledger("fix")) == 1


def test_sticky_error_is_replayed_for_ever(sandbox):
    bundle, video = factories.slot(sandbox, "video", flagged=True)
    path = f"{sandbox.base_url}/bundles/{bundle['id']}/videos/{video['position']}/fix-download"
    sandbox.control.fault("status", method="POST", status=500, code="INTERNAL_ERROR", sticky=True)
    headers = {**HEADERS, "Idempotency-Key": "stuck"}

    codes = [
        requests.post(path, headers=headers, json={"video_url": "https://a.example/a"}, timeout=5).status_code
        for _ in range(3)
    ]

    assert codes == [500, 500, 500]


def test_unknown_faults_are_refused_and_known_ones_are_documented(sandbox):
    from issues.sandbox import faults

    with pytest.raises(ValueError, match="unknown fault"):
        sandbox.control.fault("gremlins")
    assert all(kind in (faults.__doc__ or "") for kind in KINDS)


def test_connections_can_be_refused_for_a_while(sandbox):
    sandbox.control.refuse(0.5)
    time.sleep(0.35)

    with pytest.raises(requests.ConnectionError):
        requests.get(f"{sandbox.base_url}/me", headers=HEADERS, timeout=2)
    time.sleep(1.0)
    assert requests.get(f"{sandbox.base_url}/me", headers=HEADERS, timeout=5).status_code == 200


def test_command_runs_as_a_process_of_its_own(tmp_path):
    process = subprocess.Popen(
        [
            sys.executable,
            "manage.py",
            "sandbox",
            "--port=0",
            "--storage-port=0",
            "--bundles=3",
            "--videos=5",
            "--flagged=2",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        base_url = re.search(r"http://\S+", line)[0]
        with urllib.request.urlopen(
            urllib.request.Request(f"{base_url}/bundles", headers=HEADERS), timeout=5
        ) as answer:
            assert json.load(answer)["pagination"]["total"] == 3
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        process.stdout.close()


@pytest.mark.parametrize("arguments", [["--rate=0"], ["--videos=3", "--bundles=0"], ["--nonsense"]])
def test_command_exits_2_on_wrong_use(arguments):
    done = subprocess.run(
        [sys.executable, "manage.py", "sandbox", *arguments], cwd=ROOT, capture_output=True, check=False
    )

    assert done.returncode == 2
