"""An issue's page: both voices, the fix panel, uploads, and each error in its own words."""

import json
import re

import pytest
from django.urls import reverse

from issues.fixes.lifecycle import drive_fix
from issues.models import AuditEvent, Fix, Issue
from tests import factories
from tests.reading import text

GOOD = "https://cdn.example.com/ok.mp4"
HX = {"HX-Request": "true", "HX-Target": "fix-panel"}


# --- An issue ----------------------------------------------------------------------------------------------


def test_issue_page_has_both_voices_and_hides_secrets(page, video_issue):
    Issue.objects.filter(pk=video_issue.pk).update(
        comment="<script>alert(1)</script> https://h.example/token/geheim9w0rt/x.mp4?sig=geheim is gone",
        links=["https://a.example/x.mp4?X-Amz-Signature=geheim"],
    )

    content = page("issue", video_issue.pk).content.decode()

    assert "&lt;script&gt;alert(1)" in content
    assert "<script>alert" not in content
    assert "https://h.example/token/…/x.mp4?sig=… is gone" in content
    assert "https://a.example/x.mp4?…" in content
    assert "geheim" not in re.sub(r'href="[^"]*"', "", content)


def test_fix_by_htmx_moves_to_verified(page, bob, video_issue):
    url = reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk])

    sent = page.client.post(url, {"links": GOOD}, headers=HX)
    assert sent.status_code == 200
    assert 'hx-trigger="every 1s"' in sent.content.decode()
    drive_fix(Fix.objects.get().pk)

    done = page.client.get(reverse("issue", args=[video_issue.team.slug, video_issue.pk]), headers=HX)
    assert "Fixed and verified" in text(done)
    assert "every 1s" not in done.content.decode()
    assert AuditEvent.objects.filter(verb="fix.submitted", actor_id=bob.pk).count() == 1


def test_fix_without_javascript_redirects(page, video_issue):
    url = reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk])

    response = page.client.post(url, {"links": GOOD})

    assert response.status_code == 302
    assert "Bob Editor" in text(page.client.get(response["Location"]))


@pytest.mark.parametrize("links", ["", "not a link", "https://a.example/a\nhttps://b.example/b"])
def test_bad_links_are_said_where_the_person_is_and_kept(page, video_issue, links):
    response = page.client.post(
        reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk]), {"links": links}, headers=HX
    )

    assert response.status_code == 422
    assert links.split("\n")[0] in response.content.decode()
    assert not Fix.objects.exists()


def test_a_rejected_fix_keeps_what_was_typed_and_says_what_next(page, video_issue):
    bad = "https://broken.invalid/clip.mp4"
    page.client.post(
        reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk]), {"links": bad, "unchecked": "1"}
    )
    drive_fix(Fix.objects.get().pk)

    response = page("issue", video_issue.pk)

    assert "could not download or store this replacement" in text(response)
    assert "Give another link, or upload the file." in text(response)
    assert f'value="{bad}"' in response.content.decode()


def test_the_second_person_hears_who_was_faster(page, as_user, alice, video_issue):
    url = reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk])
    page.client.post(url, {"links": GOOD})

    response = as_user(alice).post(url, {"links": "https://other.example/b.mp4"}, headers=HX)

    assert response.status_code == 422
    assert "Bob Editor" in text(response)
    assert Fix.objects.count() == 1


def test_a_carousel_starts_with_its_own_links(page, carousel_issue):
    content = page("issue", carousel_issue.pk).content.decode()

    links = "\n".join(carousel_issue.video.carousel_images)
    assert f">{links}</textarea>" in content


def test_no_template_tag_is_left_in_any_page(page, video_issue, carousel_issue, workspace):
    bundle = video_issue.video.bundle_id
    for name, *args in (("issues",), ("issue", video_issue.pk), ("issue", carousel_issue.pk), ("bundles",), ("bundle", bundle),
                        ("history",), ("workspaces",), ("workspace", workspace.pk), ("members",)):  # fmt: skip
        content = page(name, *args).content.decode()
        assert "{{" not in content, name
        assert "{%" not in content, name


def test_viewers_see_no_form(as_user, vera, video_issue):
    content = as_user(vera).get(reverse("issue", args=[video_issue.team.slug, video_issue.pk])).content.decode()

    assert "Your role is viewer" in content
    assert "Send the fix" not in content


def test_stories_say_that_nothing_can_be_sent(page, video_issue):
    video_issue.video.video_type, video_issue.video.video_url = "story", ""
    video_issue.video.story_image_url = "https://media.example.com/story.jpg"
    video_issue.video.save()

    assert "This is a story" in text(page("issue", video_issue.pk))


def test_link_check_answers_while_typing(page, video_issue):
    url = reverse("check_link", args=[video_issue.team.slug, video_issue.pk])

    response = page.client.post(url, {"links": "https://drive.google.com/drive/folders/abc"})

    assert "leads to a folder" in text(response)

    response = page.client.post(url, {"links": "See [the reel](https://cdn.example.com/a.mp4?x=1&y=2)."})

    assert 'data-fill="https://cdn.example.com/a.mp4?x=1&amp;y=2"' in response.content.decode()


def test_cancel_takes_a_queued_fix_back(page, video_issue):
    page.client.post(reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk]), {"links": GOOD})

    response = page.client.post(reverse("fix_cancel", args=[video_issue.team.slug, Fix.objects.get().pk]), headers=HX)

    assert response.status_code == 200
    assert Issue.objects.get(pk=video_issue.pk).state == "open"


# --- Uploads by the page's JSON ----------------------------------------------------------------------------


def test_upload_through_the_pages_own_steps(page, video_issue, small_sandbox):
    import requests

    begin = reverse("upload_begin", args=[video_issue.team.slug, video_issue.pk])
    files = [{"name": "clip.mp4", "size": len(factories.MP4), "pieces": factories.PIECES}]
    plan = page.client.post(begin, json.dumps({"files": files}), content_type="application/json").json()

    place = page.client.post(plan["files"][0]["presign"])
    assert place["Cache-Control"] == "no-store"
    assert page.client.post(plan["alive"]).status_code == 200
    put = requests.put(
        place.json()["upload_url"],
        data=factories.MP4,
        headers={"Content-Type": place.json()["content_type"]},
        timeout=5,
    )
    done = page.client.post(plan["files"][0]["done"])
    drive_fix(plan["fix"])

    assert put.status_code == 200
    assert done.json() == {"state": "uploaded"}
    assert Fix.objects.get().state == "succeeded"
    assert page.client.post(plan["alive"]).status_code == 409


def test_upload_relay_streams_through_us(page, video_issue, small_sandbox):
    begin = reverse("upload_begin", args=[video_issue.team.slug, video_issue.pk])
    files = [{"name": "clip.mp4", "size": len(factories.MP4), "pieces": factories.PIECES}]
    plan = page.client.post(begin, json.dumps({"files": files}), content_type="application/json").json()
    steps = plan["files"][0]

    short = page.client.put(steps["relay"], b"123", content_type="application/octet-stream")
    whole = page.client.put(steps["relay"], factories.MP4, content_type="application/octet-stream")
    page.client.post(steps["done"])

    assert (short.status_code, whole.status_code) == (422, 200)
    assert Fix.objects.get().state == "uploaded"
    assert small_sandbox.control.ledger("put")[0]["size"] == len(factories.MP4)


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"files": 3}', '{"files": [{"name": "a", "size": "x", "pieces": []}]}', '{"files": []}']
)
def test_upload_begin_survives_nonsense(page, video_issue, body):
    response = page.client.post(
        reverse("upload_begin", args=[video_issue.team.slug, video_issue.pk]), body, content_type="application/json"
    )

    assert response.status_code == 422
    assert response.json()["message"]


# --- Each error of the contract ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("BUNDLE_NOT_FOUND", 404),
        ("BUNDLE_NOT_OWNED", 403),
        ("VIDEO_NOT_FOUND", 404),
        ("VIDEO_POSITION_OUT_OF_RANGE", 400),
        ("VIDEO_NO_DOWNLOAD_ISSUE", 409),
        ("UPLOAD_FAILED", 500),
    ],
)
def test_each_error_has_its_sentence_and_next_step_on_the_page(page, video_issue, small_sandbox, code, status):
    from issues.fixes.outcomes import OUTCOMES

    if code == "VIDEO_NO_DOWNLOAD_ISSUE":
        small_sandbox.control.clear(video_issue.video.bundle.tokportal_id, video_issue.video.position)
    else:
        small_sandbox.control.fault("status", method="POST", path="fix-download", status=status, code=code)
    page.client.post(reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk]), {"links": GOOD})
    drive_fix(Fix.objects.get().pk)

    response = page("issue", video_issue.pk)

    assert OUTCOMES[code].say in text(response)
    assert OUTCOMES[code].next_step in text(response)
    if code != "VIDEO_NO_DOWNLOAD_ISSUE":
        assert f'value="{GOOD}"' in response.content.decode()


def test_a_moving_fix_is_left_alone_while_nothing_changes(page, video_issue):
    sent = page.client.post(
        reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk]), {"links": GOOD}, headers=HX
    )
    address = re.search(r'hx-get="([^"]+)"[^>]*every 1s', sent.content.decode())[1]

    assert page.client.get(address, headers=HX).status_code == 204
    drive_fix(Fix.objects.get().pk)
    assert "Fixed and verified" in text(page.client.get(address, headers=HX))
