"""Uploads for carousels: the number of images, and HEIC by the direct upload."""

import requests
from django.urls import reverse

from issues.checks.store import look_at_links
from issues.enums import FixState, MediaState
from issues.models import Fix, Workspace
from tests import factories
from tests.carousels import PATHS, PHOTO, URL, fix_command, sent, uploaded
from tests.driving import drive, no_long_waits  # noqa: F401 - a fixture


def announce(page, issue, files, **said):
    url = reverse("upload_begin", args=[issue.team.slug, issue.pk])
    return page.client.post(url, {"files": files, **said}, content_type="application/json")


def entry(content, name):
    return {"name": name, "size": len(content), "pieces": factories.pieces(content)}


def test_uploads_ask_before_a_carousel_loses_images(page, paths_issue):
    files = [{"link": PATHS[0]}, entry(factories.JPEG, "b.jpg")]
    asked = announce(page, paths_issue, files)
    assert (asked.status_code, asked.json()["code"]) == (422, "FEWER_IMAGES")
    assert (asked.json()["before"], asked.json()["after"]) == (4, 2)
    assert announce(page, paths_issue, files, fewer=True).status_code == 422
    assert (
        announce(page, paths_issue, [{"link": f"{URL} {PATHS[1]}"}, *files], fewer=4).json()["code"] == "LINK_MALFORMED"
    )
    assert announce(page, paths_issue, files, fewer=4).status_code == 201


def test_heic_goes_through_us_to_the_direct_upload_and_becomes_jpeg(page, paths_issue, small_sandbox):
    files = [*({"link": path} for path in PATHS[:3]), entry(PHOTO, "IMG_1.HEIC")]
    began = announce(page, paths_issue, files)
    assert began.status_code == 201  # without a warning
    steps = began.json()["files"]
    assert [step["direct"] for step in steps] == [False, False, False, True]

    assert page.client.post(steps[3]["presign"]).json()["code"] == "FILE_GOES_DIRECT"
    assert page.client.put(steps[3]["relay"], PHOTO, content_type="application/octet-stream").status_code == 200
    assert page.client.post(steps[3]["done"]).status_code == 200
    fix = drive(Fix.objects.get())

    assert fix.state == FixState.SUCCEEDED
    assert small_sandbox.control.ledger("presign") == []
    [images] = sent(small_sandbox)
    assert images[:3] == PATHS[:3]
    stored = requests.get(small_sandbox.images.public_url(images[3]), timeout=5)
    assert (stored.headers["Content-Type"], stored.content[:2]) == ("image/jpeg", b"\xff\xd8")
    assert Workspace.objects.get().storage_prefix.startswith(small_sandbox.images.origin)


def test_a_bad_link_among_files_needs_the_persons_word(page, paths_issue, small_sandbox):
    bad = "https://gone.example.com/1.jpg"
    look_at_links(paths_issue.workspace, [bad], expects=None, until=None)
    files = [*({"link": link} for link in [*PATHS[:2], bad]), entry(factories.JPEG, "a.jpg")]
    refused = announce(page, paths_issue, files)
    assert (refused.status_code, refused.json()["code"], refused.json()["can_insist"]) == (422, "LINK_HTTP_404", True)
    assert announce(page, paths_issue, files, insist=True).status_code == 422  # that was about doubtful files
    assert announce(page, paths_issue, files, unchecked=True).status_code == 201
    assert Fix.objects.get().unchecked
    assert uploaded(small_sandbox) == []


def test_a_size_that_is_no_number_is_no_file(page, paths_issue):
    refused = announce(page, paths_issue, [{**entry(factories.JPEG, "a.jpg"), "size": float("inf")}])
    assert (refused.status_code, refused.json()["code"]) == (422, "FILE_MISSING")


def test_heic_through_the_command(paths_issue, small_sandbox, tmp_path):
    photo = tmp_path / "IMG_2.heic"
    photo.write_bytes(PHOTO)
    done, said = fix_command(paths_issue, "--image", *PATHS[:3], str(photo))
    assert (done["state"], done["warnings"], said) == ("succeeded", [], "")
    [direct] = small_sandbox.control.ledger("direct")
    assert (direct["content_type"], direct["size"]) == ("image/heic", len(PHOTO))
    assert small_sandbox.control.ledger("presign") == []


def test_a_direct_upload_that_fails_may_start_again(page, paths_issue, small_sandbox):
    steps = announce(page, paths_issue, [*({"link": path} for path in PATHS[:3]), entry(PHOTO, "a.heic")]).json()[
        "files"
    ]
    small_sandbox.control.fault("status", method="POST", path="/upload/image/direct", status=503)
    assert page.client.put(steps[3]["relay"], PHOTO, content_type="application/octet-stream").status_code == 502
    assert page.client.post(steps[3]["done"]).json()["code"] == "FILE_NOT_PLACED"
    assert page.client.put(steps[3]["relay"], PHOTO, content_type="application/octet-stream").status_code == 200
    page.client.post(steps[3]["done"])
    assert Fix.objects.get().media.get(order=4).state == MediaState.UPLOADED
