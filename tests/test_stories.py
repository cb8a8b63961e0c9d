"""Stories made of a video are checked and repaired like videos; those made of a picture cannot be."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from issues import tasks
from issues.audit import Actor
from issues.enums import FixState, Origin
from issues.fixes.prepared import prepare, send_prepared
from issues.fixes.submit import repair_kinds, submit_links
from issues.fixes.uploads import FileFacts, begin_upload, note_uploaded, relay
from issues.models import Fix, Issue, Video
from issues.queries.at_risk import list_at_risk
from issues.sync.sweeps import sweep_workspace
from issues.tokportal.payloads import VideoPayload
from tests import factories
from tests.carousels import HX, fix_command
from tests.driving import GOOD, drive, no_long_waits  # noqa: F401 - a fixture

GONE = "https://gone.example.com/story.mp4"
MEDIA = {
    "video": {"video_url": GONE, "story_image_url": None},
    "picture": {"video_url": None, "story_image_url": "https://media.example.com/story.jpg"},
}


def story_issue(workspace, sandbox, made_of="video"):
    """An open issue of a story."""
    bundle, video = factories.slot(sandbox, "story")
    sandbox.control.flag(bundle["id"], video["position"], "does not open", **MEDIA[made_of])
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    return factories.open_issue("story", bundle["id"], video["position"])


@pytest.fixture
def story(workspace, small_sandbox):
    return story_issue(workspace, small_sandbox)


def look(video) -> None:
    Video.objects.filter(pk=video.pk).update(link_due_at=timezone.now())
    tasks.check_links()


def test_a_story_of_a_video_is_checked(story, page):
    assert (story.links, story.verdict) == ([GONE], "not_checked")
    look(story.video)
    story.refresh_from_db()
    assert (story.verdict, story.host) == ("http_404", "gone.example.com")
    said = page("issue", story.pk).content.decode()
    assert "gone.example.com/story.mp4" in said
    assert "A link that downloads the video" in said
    assert "This is a story" not in said


@pytest.mark.parametrize("takes", [True, False])
def test_tokportals_answer_decides(story, actor, small_sandbox, page, takes):
    small_sandbox.control.settings(takes_story_videos=takes)
    fix = drive(submit_links(issue=story, links=[GOOD], actor=actor))
    assert fix.request_body == f'{{"video_url": "{GOOD}"}}'
    if takes:
        assert (fix.state, fix.issue.state) == (FixState.SUCCEEDED, "fixed")
    else:
        assert (fix.state, fix.code, fix.issue.state) == (FixState.REJECTED, "VALIDATION_ERROR", "open")
        assert "TokPortal says: “video_url is for videos”." in page("issue", story.pk).content.decode()


def test_a_story_is_fixed_from_the_page(story, page):
    answer = page.client.post(reverse("submit_fix", args=[story.team.slug, story.pk]), {"links": GOOD}, headers=HX)
    assert answer.status_code == 200
    assert drive(Fix.objects.get()).state == FixState.SUCCEEDED


def test_a_story_is_fixed_by_a_file(story, actor, small_sandbox):
    facts = FileFacts("story.mp4", len(factories.MP4), [(0, factories.MP4)])
    [media] = begin_upload(issue=story, files=[facts], actor=actor, insist=True).media.all()
    relay(media, iter([factories.MP4]))
    media.refresh_from_db()
    note_uploaded(media=media, actor=actor)
    assert drive(Fix.objects.get()).state == FixState.SUCCEEDED
    assert small_sandbox.control.ledger("fix")[0]["body"]["video_url"].startswith(small_sandbox.store.origin)


def test_a_story_is_fixed_by_the_command(story):
    done, _said = fix_command(story, "--url", GOOD)
    assert (done["state"], done["code"]) == ("succeeded", None)


def test_a_story_of_a_video_is_listed_at_risk_and_prepared(story, small_sandbox, workspace, actor, page, team):
    place = story.video.bundle.tokportal_id, story.video.position
    small_sandbox.control.clear(*place)
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    Video.objects.filter(pk=story.video_id).update(deadline=timezone.now() + timedelta(days=3))
    look(story.video)
    assert [entry.video.pk for entry in list_at_risk(team).page.rows if entry.video.pk == story.video_id]
    assert f"links-{story.video_id}" in page("at_risk").content.decode()

    prepare(video=Video.objects.select_related("bundle__workspace").get(pk=story.video_id), links=[GOOD], actor=actor)
    small_sandbox.control.flag(*place)
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    send_prepared()
    assert drive(Fix.objects.get()).state == FixState.SUCCEEDED


def test_a_story_of_a_picture_says_that_nothing_can_be_sent(workspace, small_sandbox, page):
    issue = story_issue(workspace, small_sandbox, "picture")
    assert (issue.links, issue.verdict) == (["https://media.example.com/story.jpg"], "story_not_repairable")
    assert repair_kinds(issue.video) == ()
    assert issue.video.link_due_at is None
    assert "This is a story" in page("issue", issue.pk).content.decode()
    refused, _said = fix_command(issue, "--url", GOOD, code=1)
    assert refused["code"] == "STORY_NOT_REPAIRABLE"


def test_a_story_may_change_from_a_video_to_a_picture(story, small_sandbox, workspace):
    small_sandbox.control.flag(story.video.bundle.tokportal_id, story.video.position, **MEDIA["picture"])
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    issue = Issue.objects.get(pk=story.pk)
    assert (issue.links, issue.verdict) == (["https://media.example.com/story.jpg"], "story_not_repairable")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"video_url": GONE, "story_image_url": None}, {"video_url", "story_image_url"}),
        ({"video_url": None, "story_image_url": GONE}, {"video_url", "story_image_url"}),
        ({"video_url": None, "story_image_url": None}, set()),
        ({"video_url": None}, set()),
        ({"story_image_url": GONE}, {"story_image_url"}),
    ],
)
def test_null_for_one_of_the_two_says_that_there_is_none(answer, told):
    video = VideoPayload.parse({"position": 1, "video_type": "story", **answer})
    assert video.told & {"video_url", "story_image_url"} == told
