"""What a page says once a state has ended: no colour, name or code of the former one stays."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from issues.enums import UNFINISHED, FixKind, FixState, IssueState
from issues.fixes import bulk
from issues.fixes.outcomes import OUTCOMES, outcome_of
from issues.fixes.submit import submit_links
from issues.models import Fix, Issue
from issues.queries.issues import latest_fix
from issues.triage.presence import holder_of

CODES = sorted({*OUTCOMES, "LINK_HTTP_404", "LINK_MALFORMED", "NEW_CODE_OF_TOKPORTAL", "SOMETHING_ELSE"})
# What looks like a code: capitals with an underscore between them.
CODE = re.compile(r"\b[A-Z]{2,}(?:_[A-Z0-9]+)+\b|\bUNDONE\b|\bCANCELLED\b|\bSEALED\b")


def texts(content):
    """What people can read: without tags, attributes, scripts and styles."""
    content = re.sub(r"(?s)<(script|style|template)\b.*?</\1>", " ", content)
    return re.sub(r"(?s)<[^>]+>", " ", content)


@pytest.fixture
def undone(team, swept, actor):
    """A bulk fix that was taken back while it was counted down."""
    issues = list(Issue.objects.filter(state="open", video__video_type="video").select_related("video__bundle")[:3])
    for issue in issues:
        issue.links = ["https://old.example.com/x.mp4"]
        issue.save()
    plan = bulk.plan_pattern(team=team, issues=issues, find="old.example.com", put="new.example.com", actor=actor)
    plan.rows.update(state="ready")
    bulk.start(bulk=plan, orders=[1, 2, 3], insist=False, actor=actor)
    bulk.send_chosen()
    bulk.undo(bulk=plan, actor=actor)
    return issues


def test_an_undone_bulk_fix_leaves_nothing_behind(undone, page, team):
    queue = page("issues").content.decode()
    for issue in undone:
        issue.refresh_from_db()
        assert (issue.state, holder_of(issue), latest_fix(issue)) == (IssueState.OPEN, None, None)
        content = texts(page("issue", issue.pk).content.decode())
        assert "is on it" not in content
        assert "new.example.com" not in content.split("The story of this video")[0]
        assert not CODE.search(content)
    assert "is on it" not in queue


def test_who_sends_a_fix_by_hand_is_on_it(video_issue, actor):
    submit_links(issue=video_issue, links=["https://new.example.com/x.mp4"], actor=actor, unchecked=True)
    video_issue.refresh_from_db()

    assert holder_of(video_issue) == actor.user


@pytest.mark.parametrize("state", [state for state in FixState if state not in UNFINISHED])
def test_no_code_reaches_people(video_issue, page, state):
    fix = Fix.objects.create(
        team=video_issue.team, issue=video_issue, kind=FixKind.URL, state=state, actor_name="Ben", origin="page",
        idempotency_key="k", request_body="{}", typed=["https://new.example.com/x.mp4"], finished_at=timezone.now(),
    )  # fmt: skip
    for number, code in enumerate(CODES):
        Fix.objects.filter(pk=fix.pk).update(code=code, code_details={"status": (0, 403, 409, 500)[number % 4]})
        content = texts(page("issue", video_issue.pk).content.decode())
        assert not CODE.search(content.split("The story of this video")[0]), code


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_words(code):
    said = outcome_of(code)

    assert not CODE.search(f"{said.say} {said.next_step}")


def test_the_history_says_codes_in_words(undone, page):
    assert not CODE.search(texts(page("history").content.decode()))


@pytest.mark.parametrize("state", ["fixed", "cleared", "moot"])
def test_no_warning_stays_beside_an_ended_issue(video_issue, carousel_issue, page, state):
    for issue in (video_issue, carousel_issue):
        Issue.objects.filter(pk=issue.pk).update(
            state=state, closed_at=timezone.now(), verdict="http_404", verdict_class="dead",
            links=["ftp://broken/1", "ftp://broken/2"],
        )  # fmt: skip
        content = page("issue", issue.pk).content.decode()
        before_story = content.split('id="story"')[0].split('id="fix-panel"')[1]
        assert not re.search(r'class="chip (?:bad|dead|blocked|wrong|warn|expiring)\b', before_story)
        assert "note bad" not in before_story
        assert "The manager said" in before_story


def test_an_empty_team_is_not_told_that_all_is_well(team, owner):
    content = owner.get(reverse("insights", args=[team.slug])).content.decode()
    report = owner.get(reverse("insights_report", args=[team.slug])).content.decode()

    assert "Nothing is connected yet" in content
    assert "empty good" not in content
    assert "TokDash watches since" not in content
    assert "Flags seen" not in content
    assert "No account manager has flagged" not in report


def test_a_team_whose_checks_fail_is_not_told_that_nothing_was_flagged(team, workspace, owner):
    content = owner.get(reverse("insights", args=[team.slug])).content.decode()

    assert "The first check is under way" in content
    assert "empty good" not in content


def test_what_can_no_longer_be_done_goes_away_with_the_panel(video_issue, page):
    args = [video_issue.team.slug, video_issue.pk]
    asked = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "fix-panel"}
    before = page.client.get(reverse("issue", args=args), **asked).content.decode()
    Issue.objects.filter(pk=video_issue.pk).update(state="cleared", closed_at=timezone.now())

    after = page.client.get(reverse("issue", args=args), **asked).content.decode()

    assert "issue-actions" not in before  # nothing has changed there, and it may have the focus
    actions = after.split('id="issue-actions"')[1]
    assert actions.lstrip().startswith('hx-swap-oob="true"')
    assert "assign-dialog" not in actions
