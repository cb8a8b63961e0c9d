"""Answers → rows: issues open, follow and close with the flag; nothing is doubled, undone or deleted by mistake."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from issues.audit import Actor
from issues.enums import Origin
from issues.models import AuditEvent, Bundle, Issue, Video
from issues.sync import mirror
from issues.sync.hazard import Hazards
from issues.sync.sweeps import sweep_workspace
from issues.tokportal.payloads import BundlePayload, VideoList, VideoPayload

SYNC = Actor.system(Origin.SYNC)


@pytest.fixture
def bundle(workspace):
    payload = BundlePayload.parse({"id": "b-1", "title": "T", "status": "accepted", "videos_quantity": 3, "zeal": 9})
    mirror.mirror_listing(workspace, [payload], seen_at=timezone.now(), actor=SYNC, hazards=Hazards())
    return Bundle.objects.get(tokportal_id="b-1")


def video(position=1, **fields):
    data = {"position": position, "id": f"v{position}", "video_type": "video", "video_url": "https://a.example/a.mp4"}
    return VideoPayload.parse({**data, **fields})


def show(bundle, *videos, at=None, unreadable=0, digest="", hazards=None):
    answer = VideoList(tuple(videos), unreadable, digest)
    return mirror.mirror_videos(bundle, answer, asked_at=at or timezone.now(), actor=SYNC, hazards=hazards or Hazards())


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
        workspace,
        [BundlePayload.parse({"id": "b-1", "status": None})],
        seen_at=timezone.now(),
        actor=SYNC,
        hazards=Hazards(),
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
    mirror.mirror_listing(workspace, [payload], seen_at=timezone.now(), actor=SYNC, hazards=Hazards())

    assert Issue.objects.get().state == "moot"
    assert verbs()[-1] == "issue.moot"


def test_a_missing_bundle_with_something_to_lose_is_asked_before_it_is_let_go(bundle, workspace):
    show(bundle, video(download_issue=True))

    for _ in range(3):
        mirror.note_missing(workspace, listed_since=timezone.now(), actor=SYNC)

    bundle.refresh_from_db()
    assert bundle.gone_at is None
    assert bundle.hurry_at is not None
    assert Issue.objects.get().state == "open"
    mirror.note_gone(bundle, actor=SYNC)
    bundle.refresh_from_db()
    assert (bundle.gone_at is not None, bundle.heat, bundle.hurry_at) == (True, None, None)
    assert Issue.objects.get().state == "moot"
    assert Video.objects.count() == 1


def test_a_missing_bundle_that_answers_is_no_longer_missed(bundle, workspace):
    for _ in range(2):
        mirror.note_missing(workspace, listed_since=timezone.now(), actor=SYNC)

    show(bundle, video())

    bundle.refresh_from_db()
    assert (bundle.missed_listings, bundle.hurry_at, bundle.gone_at) == (0, None, None)


def test_an_ended_bundle_missing_twice_is_gone(bundle, workspace):
    Bundle.objects.update(status="completed", heat=None)

    mirror.note_missing(workspace, listed_since=timezone.now(), actor=SYNC)
    assert Bundle.objects.get().gone_at is None
    mirror.note_missing(workspace, listed_since=timezone.now(), actor=SYNC)

    assert Bundle.objects.get().gone_at is not None


def test_a_bundle_that_comes_back_is_no_longer_gone(bundle, workspace):
    mirror.note_gone(bundle, actor=SYNC)

    payload = BundlePayload.parse({"id": "b-1", "status": "accepted"})
    mirror.mirror_listing(workspace, [payload], seen_at=timezone.now(), actor=SYNC, hazards=Hazards())

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


def statements(queries, table):
    """INSERT and UPDATE statements on a table."""
    writes = [query["sql"] for query in queries.captured_queries if query["sql"].startswith(("INSERT", "UPDATE"))]
    return [sql for sql in writes if f'"{table}"' in sql.split("SET")[0].split("VALUES")[0]]


def test_a_large_bundle_costs_a_handful_of_queries(bundle):
    videos = [video(position, download_issue=position % 50 == 0) for position in range(1, 501)]
    with CaptureQueriesContext(connection) as first:
        show(bundle, *videos)
    changed = [video(position, name="new", download_issue=position % 40 == 0) for position in range(1, 501)]
    with CaptureQueriesContext(connection) as second:
        show(bundle, *changed)

    # SQLite takes a thousand values a statement, so its bulk statements come in pieces.
    pieces = 0 if connection.vendor == "postgresql" else 15
    assert len(first.captured_queries) <= 14 + pieces
    assert len(second.captured_queries) <= 16 + pieces
    assert Issue.objects.filter(state="open").count() == 12


def test_unchanged_videos_cost_no_write(bundle):
    videos = [video(position, download_issue=position % 50 == 0) for position in range(1, 501)]
    show(bundle, *videos)

    with CaptureQueriesContext(connection) as queries:
        show(bundle, *videos)

    assert statements(queries, "issues_video") == []
    assert statements(queries, "issues_issue") == []
    assert len(statements(queries, "issues_bundle")) == 1
    assert Video.objects.select_related("bundle").first().checked_at == Bundle.objects.get().last_checked_at


def test_an_answer_of_the_same_bytes_costs_one_statement(bundle, django_assert_num_queries):
    show(bundle, video(), digest="d1")
    bundle.refresh_from_db()
    now = timezone.now()
    assert bundle.answer_digest == "d1"

    with django_assert_num_queries(1):
        assert mirror.note_unchanged([(bundle, "d1", now)]) == {bundle.pk}

    bundle.refresh_from_db()
    assert (bundle.last_checked_at, bundle.asked_at) == (now, now)


def test_the_same_bytes_say_nothing_once_rows_have_changed_here(bundle):
    show(bundle, video(), digest="d1")
    row = Video.objects.get()
    mirror.mirror_video(row, video(name="read back"), asked_at=timezone.now())

    assert mirror.note_unchanged([(bundle, "d1", timezone.now())]) == set()
    assert Bundle.objects.get().hurry_at is not None


def test_what_is_not_settled_is_read_again(bundle):
    show(bundle, video(), video(2), digest="d1")
    show(bundle, video(), digest="d2")  # a slot is missing, for the first time
    assert Bundle.objects.get().answer_digest == ""

    show(bundle, video(), video(2), unreadable=1, digest="d3")
    assert Bundle.objects.get().answer_digest == ""

    Video.objects.filter(position=2).update(changed_here_at=timezone.now() + timedelta(minutes=1))
    show(bundle, video(), video(2), digest="d4")
    assert Bundle.objects.get().answer_digest == ""


def test_an_answer_that_was_overtaken_is_ignored(bundle):
    earlier = timezone.now()
    show(bundle, video(download_issue=False, name="newer"))

    show(bundle, video(download_issue=True, name="older"), at=earlier - timedelta(seconds=1))

    assert not Issue.objects.exists()
    assert Video.objects.get().name == "newer"


def test_a_wish_to_look_that_is_younger_than_the_request_stays(bundle):
    asked_at = timezone.now()
    Bundle.objects.update(hurry_at=asked_at + timedelta(seconds=1))
    show(bundle, video(), at=asked_at)
    assert Bundle.objects.get().hurry_at is not None

    show(bundle, video(), at=asked_at + timedelta(seconds=2))
    assert Bundle.objects.get().hurry_at is None


def test_a_bundle_that_gives_no_answer_loses_its_turn_and_says_so(bundle):
    show(bundle, video())
    known_at = Bundle.objects.get().last_checked_at
    Bundle.objects.update(hurry_at=known_at)

    for _ in range(2):
        mirror.note_unanswered(bundle, asked_at=timezone.now())

    row = Bundle.objects.get()
    assert (row.unanswered_since, row.last_checked_at, row.hurry_at) == (known_at, known_at, None)
    assert row.asked_at > known_at
    show(bundle, video())
    assert Bundle.objects.get().unanswered_since is None


def test_what_was_watched_and_what_was_flagged_is_learned(bundle):
    hazards, start = Hazards(), timezone.now()
    show(bundle, video(1), video(2), at=start, hazards=hazards)
    assert not hazards.new_watched

    tally = show(bundle, video(1, download_issue=True), video(2), at=start + timedelta(seconds=100), hazards=hazards)

    assert sum(hazards.new_watched.values()) == 100  # the one that was not flagged
    assert sum(hazards.new_flags.values()) == 1
    assert tally.gap_seconds == 100


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


def test_a_slot_is_locked_after_its_bundle(bundle):
    show(bundle, video())

    with CaptureQueriesContext(connection) as queries:
        locked = mirror.lock_video(Video.objects.get().pk)

    tables = [query["sql"].split(" FROM ")[1].split()[0] for query in queries.captured_queries]
    assert locked == Video.objects.get()
    assert tables[-2:] == ['"issues_bundle"', '"issues_video"']
    if connection.vendor == "postgresql":
        assert all("FOR UPDATE" in query["sql"] for query in queries.captured_queries[-2:])
