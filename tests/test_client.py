"""The TokPortal client over real HTTP against the sandbox: each call, and each way in which an answer can be bad."""

import io
import json
import os
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from issues.tokportal.caller import Timeouts
from tests import factories

SHORT = Timeouts(connect=1, read=1.5, total=1.5, fix=2)


def body(url: str) -> bytes:
    return json.dumps({"video_url": url}).encode()


# --- Each call ---------------------------------------------------------------------------------------------


def test_me_gives_email_and_credits(sandbox, client_for):
    account = client_for(sandbox).me()

    assert account.email == "ops@brightside-agency.example"
    assert account.credits == 420.0


@pytest.mark.parametrize("per_page", [1, 7, 25, 100])
def test_iter_bundles_gives_each_bundle_once(sandbox, client_for, per_page):
    ids = [bundle.id for bundle in client_for(sandbox).iter_bundles(per_page=per_page)]

    assert len(ids) == len(set(ids)) == 36


def test_iter_bundles_is_lazy(sandbox, client_for):
    client = client_for(sandbox)

    next(client.iter_bundles(per_page=5))

    assert client.usage.requests == 1


def test_list_bundles_filters(sandbox, client_for):
    page = client_for(sandbox).list_bundles(platform="instagram", status="accepted")

    assert page.bundles
    assert {(bundle.platform, bundle.status) for bundle in page.bundles} == {("instagram", "accepted")}


def test_get_bundle_and_videos_agree(sandbox, client_for):
    client = client_for(sandbox)
    bundle = next(iter(client.iter_bundles()))

    videos = client.list_videos(bundle.id).videos

    assert client.get_bundle(bundle.id) == bundle
    assert len(videos) == bundle.videos_quantity
    assert client.get_video(bundle.id, videos[0].position) == videos[0]


def test_fix_download_by_url_clears_the_flag_and_moves_the_dates(sandbox, client_for):
    bundle, video = factories.slot(sandbox, "video", flagged=True)
    tomorrow = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()

    answer = client_for(sandbox).fix_download(
        bundle["id"], video["position"], body("https://cdn.example.com/ok.mp4"), idempotency_key="k-1"
    )

    assert answer.video.download_issue is False
    assert answer.video.download_issue_comment is None
    assert answer.video.target_publish_date == f"{tomorrow}T00:00:00Z"
    assert answer.video.video_url.startswith(sandbox.store.origin)
    assert answer.request_id.startswith("tokdash-")
    assert not answer.dry_run


def test_fix_download_dry_run_changes_nothing(sandbox, client_for):
    bundle, video = factories.slot(sandbox, "video", flagged=True)
    client = client_for(sandbox)

    answer = client.fix_download(
        bundle["id"], video["position"], body("https://cdn.example.com/ok.mp4"), idempotency_key="k", dry_run=True
    )

    assert answer.dry_run
    assert client.get_video(bundle["id"], video["position"]).download_issue
    assert sandbox.control.ledger("fix") == []


def test_presigned_video_is_fetched_by_the_fix(sandbox, client_for):
    bundle, video = factories.slot(sandbox, "video", flagged=True)
    client = client_for(sandbox)
    content = factories.MP4

    place = client.presign_video(filename="clip.mp4", bundle_id=bundle["id"], content_type="video/mp4")
    client.put_presigned(place.upload_url, io.BytesIO(content), size=len(content), content_type="video/mp4")
    answer = client.fix_download(bundle["id"], video["position"], body(place.public_url), idempotency_key="k")

    assert not answer.video.download_issue
    assert "key_leaked_to_storage" not in {entry["kind"] for entry in sandbox.control.ledger()}


def test_presigned_images_repair_a_carousel_by_storage_path(sandbox, client_for):
    bundle, video = factories.slot(sandbox, "carousel")
    sandbox.control.flag(bundle["id"], video["position"])
    client = client_for(sandbox)

    paths = []
    for number in range(2):
        place = client.presign_image(filename=f"{number}.jpg", bundle_id=bundle["id"], content_type="image/jpeg")
        client.put_presigned(
            place.upload_url, io.BytesIO(factories.JPEG), size=len(factories.JPEG), content_type="image/jpeg"
        )
        paths.append(place.storage_path)
    answer = client.fix_download(
        bundle["id"], video["position"], json.dumps({"carousel_images": paths}).encode(), idempotency_key="k"
    )

    assert all(paths)
    assert len(answer.video.carousel_images) == 2


@pytest.mark.parametrize("kind", ["video", "image"])
def test_direct_uploads_arrive_whole(sandbox, client_for, kind):
    bundle, _ = factories.slot(sandbox, "video")
    client = client_for(sandbox)
    content = os.urandom(300_000) + b"\r\n--not-a-boundary\r\n"
    upload = client.upload_video_direct if kind == "video" else client.upload_image_direct

    place = upload(
        io.BytesIO(content),
        filename="ä clip.mp4",
        bundle_id=bundle["id"],
        content_type="video/mp4" if kind == "video" else "image/jpeg",
        idempotency_key="d-1",
    )

    assert place.size_bytes == len(content)
    store = sandbox.store if kind == "video" else sandbox.images
    key = store.key_of(place.public_url)
    assert store.file(key).read_bytes() == content
    assert bool(place.storage_path) == (kind == "image")


def test_uploads_keep_memory_flat(sandbox, client_for, tmp_path):
    bundle, _ = factories.slot(sandbox, "video")
    client = client_for(sandbox)
    size = 64 * 1024 * 1024
    path = tmp_path / "large.mp4"
    with path.open("wb") as file:
        file.truncate(size)
    place = client.presign_video(filename="large.mp4", bundle_id=bundle["id"], content_type="video/mp4")
    seen = []

    tracemalloc.start()
    with path.open("rb") as file:
        client.put_presigned(place.upload_url, file, size=size, content_type="video/mp4", on_progress=seen.append)
    with path.open("rb") as file:
        direct = client.upload_video_direct(
            file, filename="l.mp4", bundle_id=bundle["id"], content_type="video/mp4", idempotency_key="m"
        )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 8 * 1024 * 1024
    assert seen[-1] == size == direct.size_bytes
    assert seen == sorted(seen)


# --- Headers -----------------------------------------------------------------------------------------------


def test_requests_carry_client_name_and_an_own_request_id(sandbox, client_for):
    bundle, video = factories.slot(sandbox, "video", flagged=True)
    client = client_for(sandbox, client_name="tokdash/9.9")

    answer = client.fix_download(
        bundle["id"], video["position"], body("https://cdn.example.com/a.mp4"), idempotency_key="abc"
    )

    [entry] = sandbox.control.ledger("fix")
    assert entry["request_id"] == answer.request_id
    assert entry["idempotency_key"] == "abc"


def test_connection_is_kept_alive(sandbox, client_for):
    client = client_for(sandbox)

    for _ in range(5):
        client.me()

    pools = client._session.get_adapter("http://").poolmanager.pools
    assert [pools[key].num_connections for key in pools.keys()] == [1]  # noqa: SIM118 - no iterator there


def test_the_key_is_not_in_the_representation(sandbox, client_for):
    assert "sk_" not in repr(client_for(sandbox))
