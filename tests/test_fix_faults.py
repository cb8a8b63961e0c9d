"""The fault table's columns POST and PUT: one effect at most, a plain sentence, recovery by itself where a machine can."""

import io

import pytest
from django.urls import reverse

from issues.audit.verify import verify_team
from issues.enums import FixState, IssueState
from issues.fixes.submit import submit_links
from issues.fixes.uploads import FileFacts, begin_upload, note_uploaded, relay
from issues.problems import Refusal
from issues.tokportal import constants as c
from tests import factories
from tests.driving import GOOD, drive, effects, no_long_waits  # noqa: F401 - a fixture
from tests.reading import text

S = FixState
STATUS = "status"
# (fault, how often, state at the end, effects)
POST_FAULTS = [
    ({"kind": STATUS, "status": 429, "code": c.RATE_LIMIT_EXCEEDED, "headers": {"Retry-After": "0"}}, 1, S.SUCCEEDED, 1),
    ({"kind": STATUS, "status": 429, "code": c.RATE_LIMIT_EXCEEDED}, 1, S.SUCCEEDED, 1),
    ({"kind": STATUS, "status": 429, "code": c.RATE_LIMIT_EXCEEDED, "headers": {"Retry-After": "0"}, "details": {"retry_after_seconds": 3}}, 1, S.SUCCEEDED, 1),
    ({"kind": STATUS, "status": 429, "code": c.RATE_LIMIT_EXCEEDED, "headers": {"Retry-After": "1"}}, 20, S.SUCCEEDED, 1),
    ({"kind": STATUS, "status": 429, "code": "capacity_cooldown"}, 1, S.SUCCEEDED, 1),
    *(({"kind": STATUS, "status": status}, 1, S.SUCCEEDED, 1) for status in (500, 502, 503, 504)),
    ({"kind": STATUS, "status": 500, "sticky": True}, 1, S.NEEDS_HUMAN, 0),
    ({"kind": STATUS, "status": 418, "code": "NEW_ONE"}, 1, S.REJECTED, 0),
    *(
        ({"kind": STATUS, "status": status, "code": code}, 1, S.REJECTED, 0)
        for status, code in (
            (404, c.BUNDLE_NOT_FOUND), (403, c.BUNDLE_NOT_OWNED), (404, c.VIDEO_NOT_FOUND), (400, c.VIDEO_POSITION_OUT_OF_RANGE),
            (500, c.UPLOAD_FAILED), (401, c.AUTH_INVALID_KEY), (403, c.INSUFFICIENT_SCOPE), (400, c.VALIDATION_ERROR),
            (400, c.UNKNOWN_FIELD), (402, c.INSUFFICIENT_CREDITS), (409, c.MANAGED_ACCOUNT_TASK_BLOCKED),
            (409, c.BUNDLE_INVALID_STATUS), (409, c.VIDEOS_PER_DAY_EXCEEDED),
        )
    ),
    ({"kind": "key_revoked"}, 1, S.REJECTED, 0),
    ({"kind": "fixed_meanwhile"}, 1, S.SUPERSEDED, 0),
    ({"kind": "reset_before"}, 1, S.SUCCEEDED, 1),
    ({"kind": "reset_before"}, 3, S.SUCCEEDED, 1),
    ({"kind": "timeout_before", "seconds": 2.5}, 1, S.SUCCEEDED, 1),
    *(({"kind": kind, "seconds": 2.5}, 1, S.SUCCEEDED, 1) for kind in (
        "reset_after", "reset_during", "timeout_after", "truncated", "malformed", "html", "huge", "slow_body", "slow_headers",
        "missing_fields", "null_fields", "wrong_types", "unknown_enums", "new_fields", "duplicate_ids",
    )),
    ({"kind": "flag_stays"}, 1, S.NEEDS_HUMAN, 1),
]  # fmt: skip


def name_of(entry):
    fault, times, *_ = entry
    words = [
        fault["kind"],
        fault.get("status"),
        fault.get("code"),
        *fault.get("headers", {}),
        times if times > 1 else None,
    ]
    return "-".join(str(word) for word in words if word)


@pytest.mark.parametrize("entry", POST_FAULTS, ids=map(name_of, POST_FAULTS))
def test_a_fault_of_the_fix_call(video_issue, actor, small_sandbox, page, entry):
    fault, times, state, wanted = entry
    small_sandbox.control.fault(method="POST", path="fix-download", times=times, **fault)

    fix = drive(submit_links(issue=video_issue, links=[GOOD], actor=actor), rounds=30)

    assert (fix.state, effects(small_sandbox)) == (state, wanted), fix.code
    keys = {item["idempotency_key"] for item in small_sandbox.control.ledger("fix")}
    assert keys <= {fix.idempotency_key}
    expected = {S.SUCCEEDED: IssueState.FIXED, S.SUPERSEDED: IssueState.CLEARED}.get(state, IssueState.OPEN)
    assert fix.issue.state == expected
    assert verify_team(video_issue.team).ok
    shown = page("issue", video_issue.pk)
    assert shown.status_code == 200
    assert "Traceback" not in text(shown)
    if state in {S.REJECTED, S.NEEDS_HUMAN}:
        assert 'role="alert"' in shown.content.decode()
        assert f'value="{GOOD}"' in shown.content.decode()  # what was typed is kept


@pytest.mark.parametrize("kind", ["presign_expired", "presign_wrong_type"])
def test_a_store_that_refuses_the_put_is_tried_with_a_fresh_place(video_issue, actor, small_sandbox, kind):
    path = "/upload/video"
    small_sandbox.control.fault(kind, method="POST", path=path)
    fix = begin_upload(
        issue=video_issue, files=[FileFacts("a.mp4", len(factories.MP4), [(0, factories.MP4)])], actor=actor
    )
    media = fix.media.get()
    with pytest.raises(Refusal, match="storage refused"):
        relay(media, io.BytesIO(factories.MP4))
    relay(media, io.BytesIO(factories.MP4))
    media.refresh_from_db()
    note_uploaded(media=media, actor=actor)
    assert drive(fix).state == S.SUCCEEDED
    assert effects(small_sandbox) == 1


def test_a_short_object_is_seen_before_the_fix_is_sent(video_issue, actor, small_sandbox):
    small_sandbox.control.fault("short_object", method="PUT")
    fix = begin_upload(
        issue=video_issue, files=[FileFacts("a.mp4", len(factories.MP4), [(0, factories.MP4)])], actor=actor
    )
    media = fix.media.get()
    relay(media, io.BytesIO(factories.MP4))
    media.refresh_from_db()
    with pytest.raises(Refusal, match="Only 1000 of 2000 bytes"):
        note_uploaded(media=media, actor=actor)
    fix.refresh_from_db()
    assert fix.state == S.UPLOADING

    relay(media, io.BytesIO(factories.MP4))  # a fresh place, and the whole file
    media.refresh_from_db()
    note_uploaded(media=media, actor=actor)
    assert drive(fix).state == S.SUCCEEDED


def test_a_doubtful_file_needs_a_second_word(page, video_issue):
    from base64 import b64encode

    from issues.sandbox.media import mp4

    unfinished = mp4(2000, index="missing").part(0, 2000)
    pieces = [{"at": 0, "bytes": b64encode(unfinished).decode()}]
    body = {"files": [{"name": "cut.mp4", "size": 2000, "pieces": pieces}]}
    url = reverse("upload_begin", args=[video_issue.team.slug, video_issue.pk])
    refused = page.client.post(url, body, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (422, "FILE_DOUBTFUL")
    assert refused.json()["message"] == "“cut.mp4” is incomplete: its export was not finished."
    insisted = page.client.post(url, {**body, "insist": True}, content_type="application/json")
    assert insisted.status_code == 201


def test_images_and_links_go_together_in_a_carousel(page, carousel_issue, small_sandbox):
    entry = {"name": "b.jpg", "size": len(factories.JPEG), "pieces": factories.pieces(factories.JPEG)}
    body = {"files": [{"link": "https://cdn.example.com/1.jpg"}, entry], "fewer": 4}
    url = reverse("upload_begin", args=[carousel_issue.team.slug, carousel_issue.pk])
    steps = page.client.post(url, body, content_type="application/json").json()["files"]
    page.client.put(steps[1]["relay"], factories.JPEG, content_type="application/octet-stream")
    page.client.post(steps[1]["done"])
    drive(carousel_issue.fixes.get())
    sent = small_sandbox.control.ledger("fix")[0]["body"]["carousel_images"]
    assert sent[0] == "https://cdn.example.com/1.jpg"
    assert sent[1].startswith("carousel-images/")
