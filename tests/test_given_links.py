"""Every door that takes links cleans them alike, offers what may be meant, and sends what was given."""

import importlib
from datetime import timedelta

import pytest
from django.apps import apps
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from issues.audit import Actor
from issues.enums import FixState, Origin, RowState
from issues.fixes import bulk
from issues.fixes.given_links import LinkRefusal
from issues.fixes.link_gate import BadLinkError
from issues.fixes.prepared import prepare, send_prepared
from issues.fixes.submit import submit_links
from issues.fixes.uploads import begin_upload
from issues.models import Fix, Issue, LinkCheck, PreparedFix, Video
from issues.problems import Refusal
from issues.sync.sweeps import sweep_workspace
from tests import factories
from tests.driving import GOOD, drive, effects, no_long_waits  # noqa: F401

HX = {"HX-Request": "true", "HX-Target": "fix-panel"}
DIRTY = f"\u200b“{GOOD}”\u202c"
SIGNED = "https://cdn.example.com/Kids'+Set%20(1).mp4?X-Amz-Signature=aB%2f+c~'&name=d%3Dé"[:-1] + "e"
INSIDE = "https://private.example.com/a.mp4"  # a name that leads to 10.0.0.7


def sent(sandbox):
    return [entry["body"] for entry in sandbox.control.ledger("fix")]


def test_a_dirty_link_is_sent_clean_and_a_signed_one_byte_for_byte(video_issue, actor, small_sandbox):
    fix = drive(submit_links(issue=video_issue, links=[DIRTY], actor=actor))
    assert (fix.state, fix.typed) == (FixState.SUCCEEDED, [GOOD])
    assert sent(small_sandbox) == [{"video_url": GOOD}]


def test_a_signed_link_is_sent_byte_for_byte(video_issue, actor, small_sandbox):
    drive(submit_links(issue=video_issue, links=[SIGNED], actor=actor))
    assert sent(small_sandbox) == [{"video_url": SIGNED}]


def test_the_longest_links_are_taken_everywhere(video_issue, actor, small_sandbox):
    long = "https://cdn.example.com/a.mp4?X-Amz-Security-Token=" + "a" * 8100
    assert len(long) <= 8192
    fix = drive(submit_links(issue=video_issue, links=[long], actor=actor))
    assert fix.state == FixState.SUCCEEDED
    assert sent(small_sandbox) == [{"video_url": long}]


@pytest.mark.parametrize(
    "text",
    [f"[reel]({GOOD})", f"Here is the video:\n{GOOD}\n\nBest\nAnna", f"<{GOOD}|ok.mp4>", f'<a href="{GOOD}">x</a>',
     GOOD.removeprefix("https://"), f"{GOOD}\n{GOOD}"],
)  # fmt: skip
def test_the_form_offers_the_link_in_a_paste(page, video_issue, text):
    address = reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk])

    answer = page.client.post(address, {"links": text}, headers=HX)

    assert answer.status_code == 422
    assert f'data-fill="{escape(GOOD)}"' in answer.content.decode()
    assert not Fix.objects.exists()


def test_two_links_where_one_is_wanted(video_issue, actor):
    with pytest.raises(LinkRefusal, match="There are 2 links here, and one is wanted") as caught:
        submit_links(issue=video_issue, links=[GOOD, GOOD.replace("ok", "other")], actor=actor, unchecked=True)
    assert not caught.value.can_insist


@pytest.mark.parametrize(
    "link",
    ["http://10.0.0.1/a.mp4", "http://2130706433/a.mp4", "http://１２７.０.０.１/a.mp4", "http:\\\\127.0.0.1\\a.mp4",
     "https://nas.local/a.mp4", "https://www.google.com/url?q=http://10.0.0.1/", "https://u:p@cdn.example.com/a.mp4",
     "https://cdn.example.com\\@127.0.0.1/a.mp4"],
)  # fmt: skip
def test_nobody_can_insist_on_what_leads_inside_or_is_no_link(video_issue, actor, small_sandbox, link):
    with pytest.raises(Refusal) as caught:
        submit_links(issue=video_issue, links=[link], actor=actor)
    assert not caught.value.can_insist or "google" in link
    if "google" not in link:  # the wrapper itself is public
        with pytest.raises(Refusal):
            submit_links(issue=video_issue, links=[link], actor=actor, unchecked=True)
    assert small_sandbox.outside.asked == {}


def test_a_name_that_leads_inside_is_never_sent(page, video_issue, actor, small_sandbox):
    fix = drive(submit_links(issue=video_issue, links=[INSIDE], actor=actor, unchecked=True))
    assert (fix.state, fix.code) == (FixState.REJECTED, "LINK_PRIVATE_ADDRESS")
    assert effects(small_sandbox) == 0

    fix = drive(submit_links(issue=video_issue, links=[INSIDE], actor=actor))
    assert fix.code == "LINK_PRIVATE_ADDRESS"
    with pytest.raises(BadLinkError):  # now it is known
        submit_links(issue=video_issue, links=[INSIDE], actor=actor, unchecked=True)
    assert 'value="1">' not in page("issue", video_issue.pk).content.decode().partition("Send it anyway")[0][-80:]


@pytest.mark.parametrize(
    "link",
    ["https://gone.example.com/a.mp4", "https://we.tl/t-abc", "https://cdn.example.com:9000/a.mp4",
     "https://cdn.example.com/a?expires=1735689600", "https://drive.google.com/file/d/aPrivate/view",
     "https://cdn.example.com/reel #1 final.mp4", "https://cdn.example.com/~{x}|y^.mp4"],
)  # fmt: skip
def test_an_editor_can_insist_on_anything_else(video_issue, actor, small_sandbox, link):
    fix = drive(submit_links(issue=video_issue, links=[link], actor=actor, unchecked=True))
    assert fix.first_sent_at is not None
    assert effects(small_sandbox) == 1 or fix.code == "UPLOAD_FAILED"


def test_what_was_insisted_on_for_a_prepared_fix_goes_out(swept, workspace, actor, small_sandbox):
    video = Video.objects.filter(video_type="video", download_issue=False, bundle__status="published").first()
    assert video
    link = "https://drive.google.com/drive/folders/abc"
    with pytest.raises(BadLinkError):
        prepare(video=video, links=[link], actor=actor)
    assert prepare(video=video, links=[f"\u200b{link}"], actor=actor, unchecked=True).links == [link]
    assert PreparedFix.objects.get().unchecked

    small_sandbox.control.flag(video.bundle.tokportal_id, video.position, "404")
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    assert send_prepared() == 1
    assert drive(Fix.objects.get()).first_sent_at is not None


def test_bulk_rows_are_cleaned_and_can_be_insisted_on(video_issue, actor, team):
    video = video_issue.video
    line = f"{video.bundle.tokportal_id}\t{video.position}\t"
    refused = bulk.plan_table(team=team, text=f"{line}http://10.0.0.1/a.mp4", actor=actor).rows.get()
    assert (refused.state, refused.message) == (
        RowState.REFUSED, "Only your own network can open this link. Upload the file instead.",
    )  # fmt: skip

    plan = bulk.plan_table(team=team, text=f"{line}\u200bhttps://we.tl/t-abc\u200b", actor=actor)
    bulk.check_rows()
    row = plan.rows.get()
    assert (row.links, row.state, row.verdict) == (["https://we.tl/t-abc"], RowState.DOUBTED, "transfer_page")
    bulk.start(bulk=plan, orders=[1], insist=True, actor=actor)
    bulk.send_chosen()
    assert Fix.objects.get().unchecked


def test_a_carousel_is_cleaned_line_by_line(swept, actor, small_sandbox):
    issue = factories.open_issue("carousel")
    links = [f"https://cdn.example.com/{number}.jpg" for number in range(1, 1 + len(issue.links))]
    lines = [f"“{link}”\u200b" for link in links[:-2]] + [", ".join(links[-2:])]
    fix = submit_links(issue=issue, links=lines, actor=actor)
    assert fix.typed == links
    with pytest.raises(Refusal, match="each image on its own"):
        begin_upload(issue=issue, files=[", ".join(links[:2])], actor=actor, insist=True)


def test_the_issue_of_a_share_link_is_not_called_broken(video_issue, page):
    link = "https://drive.google.com/file/d/abc/view?usp=sharing"
    Video.objects.filter(pk=video_issue.video_id).update(video_url=link, link_due_at=None)
    Issue.objects.filter(pk=video_issue.pk).update(links=[link])
    shown = page("issue", video_issue.pk).content.decode()
    assert "It is a Google Drive share link. TokPortal converts it" in shown


def test_share_links_that_were_called_wrong_are_opened_anew(video_issue, team):
    migration = importlib.import_module("issues.migrations.0030_share_links_are_not_broken")
    later = timezone.now() + timedelta(hours=5)
    mine = {"link_verdict": "drive_view_page", "link_class": "wrong", "link_due_at": later}
    Video.objects.filter(pk=video_issue.video_id).update(**mine)
    Issue.objects.filter(pk=video_issue.pk).update(verdict="drive_view_page", verdict_class="wrong")
    for verdict, kept in (("drive_view_page", False), ("folder_link", True)):
        LinkCheck.objects.create(
            team=team, digest=verdict, shown_url="x", verdict=verdict, verdict_class="wrong", checked_at=later
        )
        migration.judge_anew(apps, None)
        assert LinkCheck.objects.filter(digest=verdict).exists() == kept
    video_issue.refresh_from_db()
    assert video_issue.verdict_class == "unsure"
    video = Video.objects.get(pk=video_issue.video_id)
    assert (video.link_class, video.link_due_at < later) == ("unsure", True)
