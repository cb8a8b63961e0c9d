"""Every door of a fix says that it posts earlier, and keeps the planned dates as the person or the team wants it."""

import json

import pytest
from django.urls import reverse

from issues.enums import FixState
from issues.fixes import bulk, dates
from issues.fixes.prepared import prepare, send_prepared
from issues.fixes.submit import submit_links
from issues.fixes.uploads import FileFacts, begin_upload
from issues.forms import dates_wish_of
from issues.models import AuditEvent, BulkFix, Fix, PreparedFix, Team, Video
from issues.outgoing.payloads import body_of
from issues.queries.issues import steps_of
from issues.views.uploads import _announced
from issues.wording import window_text
from tests import factories
from tests.driving import GOOD, drive, no_long_waits  # noqa: F401 - the fixture is used by being here
from tests.reading import text
from tests.test_keep_dates import Slot, later

WISHES = [({}, None), ({"keep_dates": ["0"]}, False), ({"keep_dates": ["0", "1"]}, True)]


@pytest.fixture
def slot(small_sandbox, workspace):
    return Slot(small_sandbox, workspace)


def post(page, name, key, data, **headers):
    return page.client.post(reverse(name, args=["bright-team", key]), data, **headers)


def latest():
    return Fix.objects.order_by("-created_at").first()


# --- The issue's page ---------------------------------------------------------------------------------------


def test_the_page_says_that_a_fix_posts_earlier(slot, page):
    issue = slot.plan(5)

    found = page("issue", issue.pk)

    said = text(found)
    assert f"A fix posts this tomorrow, {window_text(later(1))}: 4 days earlier than planned ." in said
    assert f"Keep the planned dates, {window_text(later(5))}" in said
    assert 'id="keep-dates" name="keep_dates" value="1" form="links-form" checked' in found.content.decode()


@pytest.mark.parametrize("days", [-3, 0, 1])
def test_a_fix_that_posts_no_earlier_says_nothing(slot, page, days):
    found = page("issue", slot.plan(days).pk)

    assert "earlier than planned" not in text(found)
    assert "keep-dates" not in found.content.decode()


@pytest.mark.parametrize("team_keeps", [True, False])
@pytest.mark.parametrize(("fields", "wish"), WISHES)
@pytest.mark.parametrize("htmx", [False, True])
@pytest.mark.parametrize("door", ["submit_fix", "submit_copy"])
def test_the_form_the_fragment_and_the_copy(slot, page, door, htmx, fields, wish, team_keeps):
    issue = slot.plan(5)
    Team.objects.update(keeps_dates=team_keeps)
    headers = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "fix-panel"} if htmx else {}

    answer = post(page, door, issue.pk, {"links": GOOD, "link": GOOD, **fields}, **headers)

    assert answer.status_code == (200 if htmx else 302)
    assert latest().keep_dates is (team_keeps if wish is None else wish)


def test_nothing_is_kept_where_nothing_is_posted_earlier(slot, page):
    post(page, "submit_fix", slot.plan(1).pk, {"links": GOOD, "keep_dates": ["0", "1"]})

    assert latest().keep_dates is False


def test_what_was_ticked_stays_when_the_form_comes_back(slot, page):
    issue = slot.plan(5)
    for ticked in (False, True):
        answer = post(page, "submit_fix", issue.pk, {"links": "nonsense", "keep_dates": ["0", "1"] if ticked else "0"})
        assert answer.status_code == 422
        assert ('form="links-form" checked' in answer.content.decode()) is ticked


@pytest.mark.parametrize("team_keeps", [True, False])
@pytest.mark.parametrize("wish", [None, True, False])
def test_an_upload(slot, page, wish, team_keeps):
    issue = slot.plan(5)
    Team.objects.update(keeps_dates=team_keeps)
    body = {"files": [{"name": "a.mp4", "size": len(factories.MP4), "pieces": factories.PIECES}]}
    body |= {} if wish is None else {"keep_dates": wish}

    answer = page.client.post(
        reverse("upload_begin", args=["bright-team", issue.pk]), json.dumps(body), content_type="application/json"
    )

    assert answer.status_code == 201
    assert latest().keep_dates is (team_keeps if wish is None else wish)


@pytest.mark.parametrize("wish", ["yes", 1, [], None])
def test_a_wish_that_is_none_is_not_heard(wish):
    assert _announced(json.dumps({"files": [], "keep_dates": wish}).encode()).keeps_dates is None


def test_images_keep_the_dates_too(small_sandbox, workspace, actor):
    slot = Slot(small_sandbox, workspace, "carousel")
    issue = slot.plan(5)
    files = [FileFacts("a.jpg", len(factories.JPEG), [(0, factories.JPEG[:64])]), *issue.video.links[1:]]

    fix = begin_upload(issue=issue, files=files, actor=actor, insist=True, keep_dates=True)

    assert fix.keep_dates
    assert [step.label for step in steps_of(fix)][-2:] == ["Restoring dates", "Verified"]


@pytest.mark.parametrize("refused", [False, True])
def test_the_page_says_which_days_hold_at_the_end(slot, small_sandbox, page, refused):
    issue = slot.plan(5)
    if refused:
        small_sandbox.control.settings(lead_days=20)
    post(page, "submit_fix", issue.pk, {"links": GOOD, "keep_dates": ["0", "1"]})

    drive(latest())

    said = text(page("issue", issue.pk))
    if refused:
        assert "TokPortal refused to keep the dates: the earliest day that it allows is" in said
        assert f"{window_text(later(1))} TokPortal refused" in said
        assert "If the video must wait, change its dates in TokPortal." in said
    else:
        assert f"Posts {window_text(later(5))} as planned." in said


# --- Plans and prepared fixes -------------------------------------------------------------------------------


@pytest.fixture
def plan(slot, page, actor):
    """A plan of two rows: one video would be posted earlier, the other would not."""
    issue = slot.plan(5)
    other = next(
        found
        for found in type(issue).objects.filter(state="open", video__video_type="video").exclude(pk=issue.pk)
        if not dates.days_earlier(found.video)
    )
    rows = [issue, other]
    table = "\n".join(f"{row.video.bundle.tokportal_id},{row.video.position},{GOOD}?{row.pk}" for row in rows)
    made = bulk.plan_table(team=issue.team, text=table, actor=actor)
    bulk.check_rows()
    return made


@pytest.mark.parametrize("team_keeps", [True, False])
@pytest.mark.parametrize(("fields", "wish"), WISHES)
def test_a_plan_tells_each_row_and_keeps_those_that_need_it(plan, page, fields, wish, team_keeps):
    Team.objects.update(keeps_dates=team_keeps)
    found = page("bulk", plan.pk)
    said = text(found)
    assert said.count("4 days earlier than planned") == 1
    assert "keep the planned dates of 1 video that would be posted earlier" in said
    assert ('name="keep_dates" value="1" checked' in found.content.decode()) is team_keeps

    post(page, "bulk_start", plan.pk, {"row": ["1", "2"], **fields})
    BulkFix.objects.update(starts_at=None)
    bulk.send_chosen()

    wanted = team_keeps if wish is None else wish
    assert [row.fix.keep_dates for row in plan.rows.order_by("order")] == [wanted, False]
    started = AuditEvent.objects.get(verb="bulk.started").changes
    assert started.get("keep_dates") == ([None, True] if wanted else None)


def test_a_plan_tells_what_became_of_the_dates(plan, page):
    post(page, "bulk_start", plan.pk, {"row": ["1"], "keep_dates": ["0", "1"]})
    bulk.send_chosen()
    fix = drive(plan.rows.get(order=1).fix)

    assert (fix.state, fix.dates_kept) == (FixState.SUCCEEDED, True)
    assert f"Posts {window_text(later(5))} as planned." in text(page("bulk", plan.pk))


@pytest.mark.parametrize("team_keeps", [True, False])
@pytest.mark.parametrize(("fields", "wish"), WISHES)
def test_a_prepared_fix(slot, small_sandbox, workspace, page, fields, wish, team_keeps):
    slot.plan(5)
    small_sandbox.control.clear(slot.bundle_id, slot.position)
    slot.sweep()
    video = Video.objects.get(pk=slot.issue().video_id)
    Video.objects.filter(pk=video.pk).update(link_class="dead", link_verdict="http_404")
    Team.objects.update(keeps_dates=team_keeps)
    assert "If it is flagged today, the fix posts it 4 days earlier than planned." in text(page("at_risk"))

    post(page, "video_prepare", video.pk, {"links": GOOD, **fields})
    assert PreparedFix.objects.get().keep_dates is wish
    slot.plan(5)
    assert send_prepared() == 1

    assert latest().keep_dates is (team_keeps if wish is None else wish)


def test_a_prepared_fix_follows_the_plan_of_the_day_of_the_flag(slot, small_sandbox, actor):
    slot.plan(5)
    small_sandbox.control.clear(slot.bundle_id, slot.position)
    slot.sweep()
    prepare(video=Video.objects.get(pk=slot.issue().video_id), links=[GOOD], actor=actor, keep_dates=True)
    slot.plan(1)  # by then it is posted tomorrow anyway
    send_prepared()

    assert latest().keep_dates is False


# --- The team's rule, and those who listen ------------------------------------------------------------------


def rules(team, **changes):
    return {"name": team.name, "keeps_dates": "True"} | changes


def test_an_owner_turns_the_default_off(owner, team):
    address = reverse("team_rules", args=[team.slug])
    assert '<option value="True" selected>Keep the planned dates' in owner.get(address).content.decode()

    assert owner.post(address, rules(team, keeps_dates="False")).status_code == 302
    team.refresh_from_db()
    assert team.keeps_dates is False
    event = AuditEvent.objects.get(verb="team.rules_changed")
    assert event.changes == {"keeps_dates": [True, False]}

    owner.post(address, {"name": team.name})  # a form without the field changes nothing
    team.refresh_from_db()
    assert team.keeps_dates is False
    owner.post(address, rules(team))
    team.refresh_from_db()
    assert team.keeps_dates is True


def test_nobody_else_changes_the_rule(as_user, team, bob, vera, charlie):
    for user, status in ((bob, 403), (vera, 403), (charlie, 404)):
        answer = as_user(user).post(reverse("team_rules", args=[team.slug]), rules(team, keeps_dates="False"))
        assert answer.status_code == status
    team.refresh_from_db()
    assert team.keeps_dates is True


def test_webhooks_tell_both_windows(slot, actor):
    fix = drive(submit_links(issue=slot.plan(5), links=[GOOD], actor=actor, keep_dates=True))
    event = AuditEvent.objects.get(fix_id=fix.pk, verb="issue.fixed")

    told = json.loads(body_of(event, slot.issue(), fix))["data"]["fix"]

    assert told["planned_window"] == told["window"] == list(later(5).texts)
    assert (told["dates_kept"], told["dates_code"]) == (True, None)


def test_a_wish_is_read_from_a_form(rf):
    for fields, wish in WISHES:
        assert dates_wish_of(rf.post("/", fields).POST) is wish
