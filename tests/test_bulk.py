"""Many fixes in one go: planned by pattern or table, counted down, taken back, sent, reported row by row."""

from datetime import timedelta

import pytest
from django.utils import timezone

from issues.enums import BulkState, FixState, IssueState, RowState
from issues.fixes import bulk
from issues.fixes.claims import claim_fix
from issues.fixes.lifecycle import drive_fix
from issues.fixes.tables import read_table
from issues.models import AuditEvent, Fix, Issue
from issues.problems import Refusal
from tests.driving import drive

CDN = "https://cdn.example.com/new/"


@pytest.fixture
def flagged(swept, workspace, small_sandbox):
    """The open issues of plain videos, all with links of one host."""
    from issues.audit import Actor
    from issues.enums import Origin
    from issues.sync.sweeps import sweep_workspace

    for bundle, video in small_sandbox.control.videos(download_issue=True, video_type="video"):
        old = f"https://gone.example.com/{video['id'][:6]}.mp4"
        small_sandbox.control.flag(bundle["id"], video["position"], "gone", video_url=old)
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    return list(
        Issue.objects.filter(state="open", video__video_type="video").select_related("video__bundle", "workspace")
    )


def table_of(issues, put=CDN):
    lines = [f"{i.video.bundle.tokportal_id},{i.video.position},{put}{i.video.position}.mp4" for i in issues]
    return "\n".join(["bundle_id,position,url", *lines])


def skip_countdown(plan):
    past = timezone.now() - timedelta(seconds=1)
    plan.starts_at = past
    plan.save()
    plan.fixes.filter(state="queued").update(next_try_at=past)


def test_a_pattern_moves_a_whole_host(team, flagged, actor, small_sandbox):
    plan = bulk.plan_pattern(team=team, issues=flagged, find="gone.example.com", put="cdn.example.com", actor=actor)
    assert [row.state for row in plan.rows.all()] == [RowState.CHECKING] * len(flagged)
    bulk.check_rows()
    assert [(row.state, row.verdict) for row in plan.rows.all()] == [(RowState.READY, "works_for_us")] * len(flagged)

    plan = bulk.start(bulk=plan, orders=range(1, 99), insist=False, actor=actor)
    assert bulk.send_chosen() == len(flagged)
    assert {fix.state for fix in plan.fixes.all()} == {FixState.QUEUED}
    assert [claim_fix(fix.pk) for fix in plan.fixes.all()] == [None] * len(flagged)  # the countdown runs

    skip_countdown(plan)
    for fix in plan.fixes.all():
        drive(fix)
    assert {fix.state for fix in plan.fixes.all()} == {FixState.SUCCEEDED}
    sent = {entry["body"]["video_url"] for entry in small_sandbox.control.ledger("fix")}
    assert sent == {issue.links[0].replace("gone.", "cdn.") for issue in flagged}
    events = AuditEvent.objects.filter(request_id=plan.pk.hex, verb="fix.submitted")
    assert events.count() == len(flagged)


def test_undo_takes_all_of_them_back(team, flagged, actor, small_sandbox):
    plan = bulk.plan_table(team=team, text=table_of(flagged), actor=actor)
    bulk.check_rows()
    plan = bulk.start(bulk=plan, orders=range(1, 99), insist=False, actor=actor)
    bulk.send_chosen()

    assert bulk.undo(bulk=plan, actor=actor) == len(flagged)

    plan.refresh_from_db()
    assert plan.state == BulkState.UNDONE
    assert {fix.state for fix in plan.fixes.all()} == {FixState.CANCELLED}
    assert {issue.state for issue in Issue.objects.filter(pk__in=[i.pk for i in flagged])} == {IssueState.OPEN}
    Fix.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))
    assert not any(drive_fix(fix.pk) for fix in plan.fixes.all())
    assert small_sandbox.control.ledger("fix") == []


def test_undo_half_way_leaves_nothing_that_could_go_out(team, flagged, actor, monkeypatch):
    """Whoever took it back dies before the fixes are ended: none can be claimed, and the sweeper ends them."""
    plan = bulk.plan_table(team=team, text=table_of(flagged), actor=actor)
    bulk.check_rows()
    plan = bulk.start(bulk=plan, orders=range(1, 99), insist=False, actor=actor)
    bulk.send_chosen(limit=2)
    monkeypatch.setattr(bulk, "cancel_undone", lambda *_, **__: 0)
    bulk.undo(bulk=plan, actor=actor)
    monkeypatch.undo()

    assert [claim_fix(fix.pk) for fix in plan.fixes.all()] == [None, None]
    assert bulk.send_chosen() == 0
    assert bulk.cancel_undone() == 2
    assert {fix.state for fix in plan.fixes.all()} == {FixState.CANCELLED}


def test_after_the_countdown_there_is_no_undo(team, flagged, actor):
    plan = bulk.plan_table(team=team, text=table_of(flagged), actor=actor)
    bulk.check_rows()
    plan = bulk.start(bulk=plan, orders=[1], insist=False, actor=actor)
    bulk.send_chosen()
    skip_countdown(plan)
    with pytest.raises(Refusal, match="on their way"):
        bulk.undo(bulk=plan, actor=actor)
    with pytest.raises(Refusal, match="already"):
        bulk.start(bulk=plan, orders=[2], insist=False, actor=actor)


def test_bad_links_go_out_only_where_a_person_insists(team, flagged, actor):
    text = (
        table_of(flagged[:1], "https://gone.example.com/")
        + f"\n{flagged[1].video.bundle.tokportal_id},{flagged[1].video.position},{CDN}a.mp4"
    )
    plan = bulk.plan_table(team=team, text=text, actor=actor)
    bulk.check_rows()
    assert [row.state for row in plan.rows.all()] == [RowState.DOUBTED, RowState.READY]

    bulk.start(bulk=plan, orders=[1, 2], insist=False, actor=actor)
    assert bulk.send_chosen() == 1
    assert plan.fixes.get().typed == [f"{CDN}a.mp4"]

    again = bulk.plan_table(team=team, text=table_of(flagged[:1], "https://gone.example.com/"), actor=actor)
    bulk.check_rows()
    bulk.start(bulk=again, orders=[1], insist=True, actor=actor)
    bulk.send_chosen()
    assert again.fixes.get().unchecked


def test_lines_that_cannot_be_used_say_why(team, flagged, actor):
    first = flagged[0].video
    text = "\n".join(
        [
            f"{first.bundle.tokportal_id};{first.position};{CDN}a.mp4",
            f"{first.bundle.tokportal_id};{first.position};{CDN}b.mp4",
            f"nowhere;1;{CDN}a.mp4",
            f"{first.bundle.tokportal_id};x;{CDN}a.mp4",
            f"elsewhere;{first.position};",
            f"{flagged[1].video.bundle.tokportal_id};{flagged[1].video.position};not a link",
        ]
    )
    plan = bulk.plan_table(team=team, text=text, actor=actor)
    assert [row.message for row in plan.rows.all()] == [
        "Lines 1–2 name this video, and a video takes one link.",
        "No flagged video is known there.",
        "“x” is not a position.",
        "There is no link in this line.",
        "This is not a complete web link. It begins with https://.",
    ]


def test_a_row_whose_issue_was_fixed_meanwhile_says_so(team, flagged, actor):
    plan = bulk.plan_table(team=team, text=table_of(flagged[:2]), actor=actor)
    bulk.check_rows()
    bulk.start(bulk=plan, orders=[1, 2], insist=False, actor=actor)
    Issue.objects.filter(pk=flagged[0].pk).update(state="cleared", closed_at=timezone.now())
    bulk.send_chosen()
    first, second = plan.rows.all()
    assert (first.state, first.message) == (RowState.REFUSED, "This issue has ended already: the flag is gone.")
    assert second.state == RowState.SENT


def test_rows_of_another_team_are_not_found(team, flagged, charlie, actor):
    other = charlie.teams.get()
    plan = bulk.plan_table(team=other, text=table_of(flagged), actor=actor)
    assert {row.state for row in plan.rows.all()} == {RowState.REFUSED}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bundle_id,position,url\nb1,2,https://a.example/1", [("b1", 2, "", ("https://a.example/1",))]),
        ("\ufeffURL;Position;Bundle\nhttps://a.example/1;2;b1", [("b1", 2, "", ("https://a.example/1",))]),
        ("b1\t2\thttps://a.example/1,2;3", [("b1", 2, "", ("https://a.example/1,2;3",))]),
        (
            "REF-1,https://a.example/1\n\nREF-2,https://a.example/2",
            [("", 0, "REF-1", ("https://a.example/1",)), ("", 0, "REF-2", ("https://a.example/2",))],
        ),
        (
            "external_ref,url\nREF-1,https://a.example/1 https://a.example/2",
            [("", 0, "REF-1", ("https://a.example/1", "https://a.example/2"))],
        ),
        (
            "b1,2,https://a.example/1,https://a.example/2",
            [("b1", 2, "", ("https://a.example/1", "https://a.example/2"))],
        ),
    ],
)
def test_tables_are_read_as_people_paste_them(text, expected):
    lines = read_table(text).lines
    assert [(line.bundle_id, line.position, line.external_ref, line.links) for line in lines] == expected
    assert not any(line.problem for line in lines)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "TABLE_EMPTY"),
        ("\n \n", "TABLE_EMPTY"),
        ("title,url\na,https://b.example/", "TABLE_COLUMNS"),
        ("x,1,https://a.example/\n" * 1001, "TABLE_TOO_LARGE"),
    ],
)
def test_what_is_no_table_is_refused(text, code):
    with pytest.raises(Refusal) as error:
        read_table(text)
    assert error.value.code == code


@pytest.mark.parametrize(
    ("link", "find", "put", "after"),
    [
        ("https://a.example/x/1.mp4", "a.example", "b.example", "https://b.example/x/1.mp4"),
        ("https://a.example/x/1.mp4", "A.EXAMPLE", "b.example:8443", "https://b.example:8443/x/1.mp4"),
        ("https://a.example/x/1.mp4", "https://a.example/x/", "https://c.example/y/", "https://c.example/y/1.mp4"),
        ("https://a.example/x/1.mp4", "example", "b.example", "https://a.example/x/1.mp4"),
        (
            "https://a.example/K'+é|.mp4?sig=a%2fb&x=#y",
            "a.example",
            "b.example",
            "https://b.example/K'+é|.mp4?sig=a%2fb&x=#y",
        ),
        ("https://not-a.example/a.example", "a.example", "b.example", "https://not-a.example/a.example"),
        ("https://a.example.br/1.mp4", "https://a.example", "https://b.example", "https://a.example.br/1.mp4"),
        ("https://a.example/1.mp4", "https://a.example", "https://b.example", "https://b.example/1.mp4"),
    ],
)
def test_patterns_replace_hosts_and_beginnings_alone(link, find, put, after):
    assert bulk.with_pattern(link, find, put) == after


def test_a_row_whose_link_changed_after_the_plan_is_refused(team, flagged, workspace, actor, small_sandbox):
    """Somebody gave the slot another link meanwhile: the plan's link must not replace it."""
    from issues.audit import Actor
    from issues.enums import Origin
    from issues.sync.sweeps import sweep_workspace

    plan = bulk.plan_table(team=team, text=table_of(flagged[:1]), actor=actor)
    bulk.check_rows()
    bulk.start(bulk=plan, orders=[1], insist=True, actor=actor)
    video = flagged[0].video
    small_sandbox.control.flag(video.bundle.tokportal_id, video.position, "404", video_url=f"{CDN}newer.mp4")
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))

    bulk.send_chosen()

    row = plan.rows.get()
    assert (row.state, row.fix) == (RowState.REFUSED, None)
    assert "changed after this plan" in row.message
