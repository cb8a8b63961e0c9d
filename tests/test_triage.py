"""Whose an issue is, when it is looked at, notes that call somebody, and views that people keep."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from issues.audit import Actor
from issues.enums import Origin, Role
from issues.fixes.lifecycle import drive_fix
from issues.fixes.submit import submit_links
from issues.members import change_role, remove_member
from issues.models import AuditEvent, Issue, Mention, SavedView
from issues.problems import Refusal
from issues.queries.filters import IssueFilters
from issues.queries.queue import clusters_of, following_issue, list_issues, matching_issues
from issues.sync.sweeps import sweep_workspace
from issues.triage.assigning import assign
from issues.triage.notes import called_in, note_seen, write_note
from issues.triage.saved import choose_default, remove_view, save_view
from issues.triage.snoozing import moment_of, snooze, wake
from tests import factories
from tests.reading import text


@pytest.fixture
def open_issues(swept):
    """All of them due in three days."""
    Issue.objects.update(deadline=timezone.now() + timedelta(days=3))
    return list(Issue.objects.order_by("pk"))


def act(page, team, **said):
    headers = {"HX-Request": "true", "HX-Target": "issue-list"} if said.pop("htmx", True) else {}
    return page.client.post(reverse("issue_act", args=[team.slug]), said, headers=headers)


def tab_counts(membership, **filters):
    return {tab.label: tab.count for tab in list_issues(membership, IssueFilters(**filters)).tabs}


# --- Assigning ---------------------------------------------------------------------------------------------


def test_assigning_gives_issues_to_a_person_once(team, open_issues, alice, bobs, actor):
    keys = [issue.pk for issue in open_issues[:3]]

    assert assign(team=team, keys=keys, to=alice, actor=actor) == 3
    assert assign(team=team, keys=keys, to=alice, actor=actor) == 0

    assert AuditEvent.objects.filter(verb="issue.assigned").count() == 3
    assert "alice" not in AuditEvent.objects.filter(verb="issue.assigned").first().canonical  # a digest
    assert matching_issues(bobs, IssueFilters(who=str(alice.pk))).count() == 3
    assert matching_issues(bobs, IssueFilters(who="nobody")).count() == len(open_issues) - 3


@pytest.mark.parametrize("who", ["vera", "charlie"])
def test_only_those_who_can_repair_get_issues(request, team, open_issues, actor, who):
    with pytest.raises(Refusal, match="owners and editors"):
        assign(team=team, keys=[open_issues[0].pk], to=request.getfixturevalue(who), actor=actor)


def test_issues_of_another_team_are_not_touched(open_issues, charlie, actor):
    other = charlie.teams.get()

    assert assign(team=other, keys=[open_issues[0].pk], to=charlie, actor=actor) == 0


def test_all_that_match_are_assigned_and_nothing_else(page, team, open_issues, bob):
    response = act(page, team, do="assign", to="me", all="1", platform="tiktok", state="open")

    assert response.status_code == 200
    mine = set(Issue.objects.filter(assignee=bob).values_list("pk", flat=True))
    assert mine == set(Issue.objects.filter(video__bundle__platform="tiktok").values_list("pk", flat=True))
    assert f"{len(mine)} issue" in response["HX-Trigger"]
    assert f'Mine <span class="count">{len(mine)}</span>' in response.content.decode()
    assert "platform=tiktok" in response.content.decode()


def test_the_row_and_the_story_say_whose_it_is(page, team, open_issues, alice, actor):
    assign(team=team, keys=[open_issues[0].pk], to=alice, actor=actor)

    assert "Alice Owner" in text(page("issues"))
    assert "gave the issue to Alice Owner" in text(page("issue", open_issues[0].pk))


@pytest.mark.parametrize("how", ["removed", "viewer"])
def test_what_was_somebodys_who_cannot_repair_any_more_is_nobodys(team, open_issues, bob, bobs, actor, how):
    assign(team=team, keys=[issue.pk for issue in open_issues[:2]], to=bob, actor=actor)

    if how == "removed":
        remove_member(membership=bobs, actor=factories.OPERATOR)
    else:
        change_role(membership=bobs, role=Role.VIEWER, actor=factories.OPERATOR)

    assert not Issue.objects.exclude(assignee=None).exists()
    assert AuditEvent.objects.latest("seq").changes["issues_assigned"] == [2, 0]


# --- Snoozing ----------------------------------------------------------------------------------------------


def test_a_snoozed_issue_is_out_of_sight_and_comes_back_by_itself(page, team, open_issues, bobs, actor, monkeypatch):
    before = tab_counts(bobs)["Open"]
    until = timezone.now() + timedelta(hours=4)

    assert snooze(team=team, keys=[open_issues[0].pk], until=until, actor=actor) == 1

    assert tab_counts(bobs)["Open"] == before - 1
    assert tab_counts(bobs)["Snoozed"] == 1
    assert open_issues[0].pk not in matching_issues(bobs, IssueFilters()).values_list("pk", flat=True)
    assert "back" in text(page("issues", state="snoozed"))
    monkeypatch.setattr(timezone, "now", lambda: until + timedelta(seconds=1))
    assert tab_counts(bobs) | {"Open": before, "Snoozed": 0} == tab_counts(bobs)


def test_nobody_sleeps_through_a_deadline(team, open_issues, actor):
    soon, late = open_issues[:2]
    Issue.objects.filter(pk=soon.pk).update(deadline=timezone.now() + timedelta(hours=6))
    Issue.objects.filter(pk=late.pk).update(deadline=timezone.now() - timedelta(hours=1))

    assert snooze(team=team, keys=[soon.pk, late.pk], until=timezone.now() + timedelta(days=1), actor=actor) == 1

    soon.refresh_from_db()
    assert soon.snoozed_until < timezone.now() + timedelta(hours=4, minutes=1)
    with pytest.raises(Refusal, match="stay in the queue"):
        snooze(team=team, keys=[late.pk], until=timezone.now() + timedelta(days=1), actor=actor)


@pytest.mark.parametrize("days", [-1, 31])
def test_a_snooze_has_its_bounds(team, open_issues, actor, days):
    with pytest.raises(Refusal, match="within the next 30 days"):
        snooze(team=team, keys=[open_issues[0].pk], until=timezone.now() + timedelta(days=days), actor=actor)


def test_news_from_the_manager_wake_it(team, open_issues, actor, small_sandbox, workspace):
    issue = open_issues[0]
    Issue.objects.filter(pk=issue.pk).update(deadline=None)
    snooze(team=team, keys=[issue.pk], until=timezone.now() + timedelta(days=2), actor=actor)

    small_sandbox.control.flag(issue.video.bundle.tokportal_id, issue.video.position, "still broken, please hurry")
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))

    issue.refresh_from_db()
    assert issue.comment == "still broken, please hurry"
    assert issue.snoozed_until is None


def test_a_fix_that_fails_wakes_it(team, video_issue, actor):
    Issue.objects.update(deadline=None)
    bad = ["https://broken.invalid/clip.mp4"]
    fix = submit_links(issue=video_issue, links=bad, actor=actor, unchecked=True)
    snooze(team=team, keys=[video_issue.pk], until=timezone.now() + timedelta(days=1), actor=actor)

    drive_fix(fix.pk)

    video_issue.refresh_from_db()
    assert (video_issue.state, video_issue.snoozed_until) == ("open", None)


def test_a_snoozed_issue_is_brought_back(page, team, open_issues, actor):
    snooze(team=team, keys=[open_issues[0].pk], until=timezone.now() + timedelta(hours=4), actor=actor)

    assert wake(team=team, keys=[issue.pk for issue in open_issues], actor=actor) == 1
    assert wake(team=team, keys=[open_issues[0].pk], actor=actor) == 0
    assert "brought the issue back" in text(page("issue", open_issues[0].pk))


@pytest.mark.parametrize(("choice", "hour"), [("tomorrow", 9), ("monday", 9)])
def test_choices_are_moments_in_the_persons_zone(choice, hour):
    with timezone.override("Pacific/Auckland"):
        moment = timezone.localtime(moment_of(choice))

    assert moment > timezone.now()
    assert timezone.localtime(moment, timezone.get_fixed_timezone(moment.utcoffset())).hour == hour


def test_the_page_snoozes_and_says_what_it_could_not(page, team, open_issues):
    first = open_issues[0]
    Issue.objects.filter(pk=first.pk).update(deadline=timezone.now())

    response = act(page, team, do="snooze", **{"for": "4h"}, issue=[issue.pk for issue in open_issues])

    assert "1 is due too soon for that" in response["HX-Trigger"]
    refused = act(page, team, do="snooze", **{"for": "4h"}, issue=[first.pk])
    assert refused.status_code == 422
    assert refused["HX-Reswap"] == "none"
    assert "stay in the queue" in refused["HX-Trigger"]


@pytest.mark.parametrize(
    "said",
    [{"do": "fly"}, {"do": "snooze"}, {"do": "snooze", "until": "x"}, {"do": "snooze", "until": "0001-01-01T00:00"}],
)
def test_nonsense_is_refused_in_words(page, team, open_issues, said):
    response = act(page, team, issue=[open_issues[0].pk], **said)

    assert response.status_code == 422
    assert act(page, team, do="wake").status_code == 422  # nothing chosen


def test_without_javascript_the_forms_lead_back(page, team, open_issues):
    pk = open_issues[0].pk

    there = act(page, team, htmx=False, do="assign", to="me", issue=[pk], stay=pk, platform="tiktok")
    back = act(page, team, htmx=False, do="assign", to="", issue=[pk])

    assert there["Location"] == f"{reverse('issue', args=[team.slug, pk])}?platform=tiktok"
    assert back["Location"].startswith(reverse("issues", args=[team.slug]))


# --- Notes -------------------------------------------------------------------------------------------------


def test_a_note_calls_people_by_name(team, alice, bob, vera):
    people = [alice, bob, vera]

    assert called_in("@AliceOwner please look, @bob too. And @vera@team.example!", people) == [alice, bob, vera]
    assert called_in("mail bob@team.example, ask @nobody or @", people) == []
    assert called_in("@alice @Alice @aliceowner", people) == [alice]


def test_a_name_that_two_people_have_calls_neither(team, bob):
    twin = factories.user("bob@elsewhere.example", "Bob Other")

    assert called_in("@bob and @BobOther", [bob, twin]) == [twin]


def test_who_is_called_sees_it_until_he_has_opened_the_issue(as_user, page, team, open_issues, alice, actor):
    issue = open_issues[0]
    write_note(team=team, text="@alice which file is right?", actor=actor, issue=issue)

    hers = as_user(alice)
    listed = hers.get(reverse("issues", args=[team.slug]))
    assert 'Where I am called <span class="count">1</span>' in listed.content.decode()
    assert "Where I am called" not in text(page("issues"))
    called = hers.get(reverse("issues", args=[team.slug]), {"state": "all", "who": "called"}).content.decode()
    assert re.findall(r'id="issue-(\d+)"', called) == [str(issue.pk)]

    hers.post(reverse("bundle_watch", args=[team.slug, issue.video.bundle_id]), {"issue": issue.pk})

    assert not Mention.objects.exists()


def test_a_person_who_calls_himself_or_is_gone_is_not_called(team, open_issues, bob, charlie, actor):
    assert write_note(team=team, text="@bob @charlie", actor=actor, issue=open_issues[0]) == []
    note_seen(issue=open_issues[0], user=charlie)


# --- Views -------------------------------------------------------------------------------------------------


def test_a_view_is_kept_for_oneself_or_the_team(page, as_user, alice, team, open_issues, bobs):
    save = reverse("view_save", args=[team.slug])
    page.client.post(save, {"name": "  Tik   Tok ", "platform": "tiktok", "state": "open"})
    page.client.post(save, {"name": "Ours", "due": "late", "team": "1"})

    his, hers = text(page("issues")), text(as_user(alice).get(reverse("issues", args=[team.slug])))
    assert "Tik Tok" in his
    assert "Ours" in his
    assert "Tik Tok" not in hers
    assert "Ours" in hers
    views = {view.name: view for view in list_issues(bobs, IssueFilters(platform="tiktok")).views}
    assert views["Tik Tok"].is_current
    assert views["Tik Tok"].count == Issue.objects.filter(video__bundle__platform="tiktok").count()


def test_a_view_of_the_same_name_is_replaced(bobs, actor):
    save_view(membership=bobs, name="Mine", query="due=late", is_team=False, actor=actor)
    save_view(membership=bobs, name="Mine", query="due=today", is_team=False, actor=actor)

    assert SavedView.objects.get().query == "due=today"
    assert AuditEvent.objects.filter(verb="view.saved").count() == 2


def test_the_queue_opens_with_the_default_view(page, team, bobs, actor):
    view = save_view(membership=bobs, name="Late", query="due=late", is_team=True, actor=actor)
    page.client.post(reverse("view_default", args=[team.slug]), {"view": view.pk})

    assert page("issues")["Location"].endswith("?due=late")
    assert page("issues", state="open").status_code == 200  # everything is one click away
    remove_view(view=view, actor=actor)
    assert page("issues").status_code == 200


def test_a_default_can_be_let_go_of(page, team, bobs, actor):
    choose_default(membership=bobs, view=save_view(membership=bobs, name="A", query="", is_team=False, actor=actor))

    page.client.post(reverse("view_default", args=[team.slug]))

    assert page("issues").status_code == 200


def test_viewers_keep_their_own_views_alone(as_user, vera, team, bobs, actor):
    client = as_user(vera)
    save = reverse("view_save", args=[team.slug])
    theirs = save_view(membership=bobs, name="Bob's", query="due=late", is_team=False, actor=actor)
    ours = save_view(membership=bobs, name="Ours", query="due=late", is_team=True, actor=actor)

    assert client.post(save, {"name": "Hers", "due": "late"}).status_code == 302
    assert client.post(save, {"name": "Hers", "due": "late", "team": "1"}).status_code == 403
    assert client.post(reverse("view_remove", args=[team.slug, theirs.pk])).status_code == 404
    assert client.post(reverse("view_remove", args=[team.slug, ours.pk])).status_code == 403


@pytest.mark.parametrize(("name", "query"), [("", "due=late"), ("x", "q=" + "a" * 700)])
def test_a_view_without_a_name_or_too_long_is_refused(bobs, actor, name, query):
    with pytest.raises(Refusal):
        save_view(membership=bobs, name=name, query=query, is_team=False, actor=actor)


def test_there_is_a_bound_to_views(bobs, actor):
    for number in range(20):
        save_view(membership=bobs, name=f"View {number}", query="", is_team=False, actor=actor)

    with pytest.raises(Refusal, match="20 views"):
        save_view(membership=bobs, name="One more", query="", is_team=False, actor=actor)


def test_an_address_says_the_same_after_a_round_trip():
    filters = IssueFilters(tab="fixed", workspace="A & B", who="12", text="50% off", host="cdn.example.com", due="late")

    assert IssueFilters.read(filters.address) == filters
    assert IssueFilters.read("state=x&who=-1&due=never&verdict=odd") == IssueFilters()


# --- Clusters, and going on --------------------------------------------------------------------------------


def test_what_fails_alike_is_one_cluster_with_one_plan(page, team, workspace, bobs):
    factories.many_issues(workspace, 23)
    ended = "https://cdn.example.com/a.mp4?X-Amz-Date=20260502T000000Z&X-Amz-Expires=86400&X-Amz-Signature=x"
    Issue.objects.update(
        verdict="signature_expired", verdict_class="dead", host="cdn.example.com", links=[ended],
        deadline=timezone.now() + timedelta(days=1),
    )  # fmt: skip

    cluster = clusters_of(bobs.team)[0]
    assert (cluster.count, cluster.host) == (23, "cdn.example.com")
    said = text(page("issues"))
    assert "23 issues share cdn.example.com : their links expired 3 May" in said
    listed = page("issues", host="cdn.example.com", cause="signature_expired").content.decode()
    assert len(re.findall('data-row="', listed)) == 23
    plan = text(page("bulk_new", host="cdn.example.com", cause="signature_expired", all="1"))
    assert "23 issues match" in plan


def test_two_that_fail_alike_are_no_cluster(workspace, bobs):
    factories.many_issues(workspace, 2)
    Issue.objects.update(verdict="http_404", verdict_class="dead", host="cdn.example.com")

    assert clusters_of(bobs.team) == []


def test_the_next_issue_is_the_one_behind_in_the_same_view(page, open_issues, bobs):
    listed = list(matching_issues(bobs, IssueFilters(platform="tiktok")))

    assert following_issue(bobs, IssueFilters(platform="tiktok"), listed[0]) == listed[1]
    assert following_issue(bobs, IssueFilters(platform="tiktok"), listed[-1]) == listed[0]
    content = page("issue", listed[0].pk, platform="tiktok").content.decode()
    assert f'/issues/{listed[1].pk}/?platform=tiktok" data-key="n"' in content
    assert "?platform=tiktok" in re.search(r'href="([^"]+)" data-back', content)[1]
