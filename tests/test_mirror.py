"""Answers → rows: issues open, follow and close with the flag; nothing is doubled, undone or deleted by mistake."""

from datetime import timedelta

import pytest
from django.utils import timezone

from issues.audit import Actor
from issues.enums import Origin
from issues.models import AuditEvent, Bundle, Issue, Video
from issues.sync import mirror
from issues.sync.runner import sweep_workspace
from issues.tokportal.payloads import BundlePayload, VideoList, VideoPayload

SYNC = Actor.system(Origin.SYNC)


@pytest.fixture
def bundle(workspace):
    payload = BundlePayload.parse({"id": "b-1", "title": "T", "status": "accepted", "videos_quantity": 3, "zeal": 9})
    mirror.mirror_listing(workspace, [payload], seen_at=timezone.now(), actor=SYNC)
    return Bundle.objects.get(tokportal_id="b-1")


def video(position=1, **fields):
    data = {"position": position, "id": f"v{position}", "video_type": "video", "video_url": "https://a.example/a.mp4"}
    return VideoPayload.parse({**data, **fields})


def show(bundle, *videos, at=None, unreadable=0):
    answer = VideoList(tuple(videos), unreadable)
    return mirror.mirror_videos(bundle, answer, asked_at=at or timezone.now(), actor=SYNC)


def verbs():
    return list(AuditEvent.objects.filter(verb__startswith="issue.").order_by("seq").values_list("verb", flat=True))


def test_flag_opens_an_issue_with_its_history(bundle):
    tally = show(bundle, video(download_issue=True, download_issue_comment="404", target_publish_end_date="2026-12-01"))

    issue = Issue.objects.get()
    assert (tally.opened, issue.state, issue.comment) == (1, "open", "404")
    assert issue.links == ["https://a.example/a.mp4"]
    assert issue.deadline.isoformat() == "2026-12-01T23:59:59+00:00"
    assert verbs() == ["issue.opened"]


def test_the_same_answer_twice_changes_nothing(bundle):
    for _ in range(2):
        show(bundle, video(download_issue=True), video(2))

    assert Issue.objects.count() == 1
    assert Video.objects.filter(bundle=bundle).count() == 2
    assert verbs() == ["issue.opened"]


def test_comment_link_and_date_are_followed(bundle):
    show(bundle, video(download_issue=True, download_issue_comment="a"))

    show(bundle, video(download_issue=True, download_issue_comment="b", video_url="https://b.example/b?token=geheim"))

    issue = Issue.objects.get()
    event = AuditEvent.objects.get(verb="issue.updated")
    assert (issue.comment, issue.links) == ("b", ["https://b.example/b?token=geheim"])
    assert event.changes["comment"] == ["a", "b"]
    assert "geheim" not in event.canonical


@pytest.mark.parametrize("fields", [{}, {"download_issue": None}, {"download_issue": {"odd": 1}}])
def test_an_answer_that_says_nothing_of_the_flag_closes_nothing(bundle, fields):
    show(bundle, video(download_issue=True, name="Known name", target_publish_end_date="2026-12-01"))

    bare = VideoPayload.parse({"position": 1, "name": None, "status": None, **fields})
    show(bundle, bare)

    issue = Issue.objects.select_related("video").get()
    assert (issue.state, issue.video.name, issue.video.target_publish_end_date) == ("open", "Known name", "2026-12-01")
    assert issue.links == ["https://a.example/a.mp4"]


def test_a_listing_without_a_status_keeps_what_is_known(bundle, workspace):
    show(bundle, video(download_issue=True))

    mirror.mirror_listing(
        workspace, [BundlePayload.parse({"id": "b-1", "status": None})], seen_at=timezone.now(), actor=SYNC
    )

    bundle.refresh_from_db()
    assert (bundle.status, bundle.title) == ("accepted", "T")


def test_flag_gone_clears_the_issue(bundle):
    show(bundle, video(download_issue=True))

    tally = show(bundle, video(download_issue=False))

    issue = Issue.objects.get()
    assert (tally.closed, issue.state) == (1, "cleared")
    assert issue.closed_at is not None
    assert verbs() == ["issue.opened", "issue.cleared"]


def test_flagged_again_is_a_new_episode(bundle):
    show(bundle, video(download_issue=True))
    show(bundle, video(download_issue=False))

    show(bundle, video(download_issue=True))

    first, second = Issue.objects.order_by("pk")
    assert (second.episode, second.former) == (2, first)


def test_an_older_answer_does_not_undo_a_change_of_ours(bundle):
    show(bundle, video(download_issue=False))
    row = Video.objects.get()
    row.changed_here_at = timezone.now()
    row.save()

    show(bundle, video(download_issue=True), at=timezone.now() - timedelta(seconds=5))

    assert not Issue.objects.exists()
    assert not Video.objects.get().download_issue


def test_ended_bundle_makes_its_issues_moot(bundle, workspace):
    show(bundle, video(download_issue=True))

    payload = BundlePayload.parse({"id": "b-1", "title": "T", "status": "cancelled"})
    mirror.mirror_listing(workspace, [payload], seen_at=timezone.now(), actor=SYNC)

    assert Issue.objects.get().state == "moot"
    assert verbs()[-1] == "issue.moot"


def test_a_bundle_missing_once_is_kept_and_missing_twice_is_gone(bundle, workspace):
    show(bundle, video(download_issue=True))

    mirror.note_missing(workspace, listed_since=timezone.now(), actor=SYNC)
    assert Issue.objects.get().state == "open"
    mirror.note_missing(workspace, listed_since=timezone.now(), actor=SYNC)

    bundle.refresh_from_db()
    assert bundle.gone_at is not None
    assert Issue.objects.get().state == "moot"
    assert Video.objects.count() == 1


def test_a_bundle_that_comes_back_is_no_longer_gone(bundle, workspace):
    mirror.note_gone(bundle, actor=SYNC)

    payload = BundlePayload.parse({"id": "b-1", "status": "accepted"})
    mirror.mirror_listing(workspace, [payload], seen_at=timezone.now(), actor=SYNC)

    bundle.refresh_from_db()
    assert bundle.gone_at is None
    assert bundle.missed_listings == 0


def test_a_slot_missing_twice_makes_its_issue_moot_but_not_from_a_broken_answer(bundle):
    show(bundle, video(1, download_issue=True), video(2))

    show(bundle, video(2), unreadable=1)
    show(bundle, video(2), unreadable=1)
    assert Issue.objects.get().state == "open"
    show(bundle, video(2))
    assert Issue.objects.get().state == "open"
    show(bundle, video(2))

    assert Issue.objects.get().state == "moot"


def test_many_slots_that_vanish_cost_a_handful_of_queries(bundle, django_assert_max_num_queries):
    show(bundle, *[video(position, download_issue=True) for position in range(1, 301)])

    show(bundle, video(1, download_issue=True))
    with django_assert_max_num_queries(20):
        show(bundle, video(1, download_issue=True))
    show(bundle, video(1, download_issue=True))

    assert Issue.objects.filter(state="moot").count() == 299
    assert set(Video.objects.exclude(position=1).values_list("missed_answers", flat=True)) == {2}


def test_unknown_fields_and_values_are_kept(bundle):
    show(bundle, video(status="quantum", video_type="hologram", depth=3))

    row = Video.objects.get()
    assert (row.status, row.video_type, row.extra) == ("quantum", "hologram", {"depth": 3})
    assert bundle.extra == {"zeal": 9}


def test_unchanged_videos_cost_no_row_update(bundle, django_assert_max_num_queries):
    videos = [video(position, download_issue=position % 50 == 0) for position in range(1, 501)]
    show(bundle, *videos)

    with django_assert_max_num_queries(14):
        show(bundle, *videos)


def test_an_issue_that_is_being_fixed_is_left_to_its_fix(bundle):
    show(bundle, video(download_issue=True))
    Issue.objects.update(state="fixing")

    show(bundle, video(download_issue=False))

    assert Issue.objects.get().state == "fixing"


def test_a_flag_in_an_ended_bundle_opens_nothing(bundle):
    Bundle.objects.update(status="completed")

    show(bundle, video(download_issue=True))

    assert not Issue.objects.exists()


def test_nul_characters_are_survived(bundle):
    show(bundle, video(download_issue=True, download_issue_comment="a\x00b", weird="x\x00y"))

    assert Issue.objects.get().comment == "ab"


def test_sweep_agrees_with_the_sandbox(swept, small_sandbox, workspace):
    flagged = {
        (b["id"], v["position"])
        for b, v in small_sandbox.control.videos(download_issue=True)
        if b["status"] not in mirror.c.NOT_FLAGGABLE_STATUSES
    }

    found = set(Issue.objects.filter(state="open").values_list("video__bundle__tokportal_id", "video__position"))

    assert found == flagged
    assert swept.issues_opened == len(flagged)
    again = sweep_workspace(workspace, actor=SYNC)
    assert (again.issues_opened, again.issues_closed) == (0, 0)
