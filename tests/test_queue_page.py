"""The queue: what it shows, in which order, what it costs, and what it says when it is empty."""

import html
import json
import re
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from issues.audit import Actor, Event, Verb, record
from issues.enums import Origin
from issues.models import Issue, SyncGauge, Workspace
from issues.sync.sweeps import sweep_workspace
from tests import factories
from tests.reading import text

GOOD = "https://cdn.example.com/ok.mp4"
HX = {"HX-Request": "true", "HX-Target": "fix-panel"}


# --- The queue ---------------------------------------------------------------------------------------------


def test_queue_shows_the_most_urgent_first(page, swept):
    content = page("issues").content.decode()

    positions = [
        content.index(f'id="issue-{pk}"')
        for pk in Issue.objects.order_by("deadline", "pk").values_list("pk", flat=True)
    ]
    assert positions == sorted(positions)
    assert f'Open <span class="count">{Issue.objects.count()}</span>' in content


def test_a_row_says_what_matters(page, video_issue):
    said = text(page("issues"))

    assert str(video_issue.video) in said
    assert str(video_issue.video.bundle) in said
    if video_issue.comment:
        assert "&lt;" in said or video_issue.comment.split("'")[0][:12] in said
    assert re.search(r"(left|late by)", said)


def test_names_in_rows_and_lines_are_text_not_markup(page, bob, video_issue):
    """Their templates are Jinja2's, which escapes by itself as Django's do."""
    evil = "<img src=x onerror=alert(1)>{who}"
    video, bundle = video_issue.video, video_issue.video.bundle
    type(video).objects.filter(pk=video.pk).update(name=evil)
    type(bundle).objects.filter(pk=bundle.pk).update(title=evil, platform=evil)
    type(bob).objects.filter(pk=bob.pk).update(name=evil)
    Issue.objects.filter(pk=video_issue.pk).update(
        comment=evil, platform=evil, verdict=evil[:40], links=[evil], assignee=bob, claimed_by=bob,
        claimed_at=timezone.now(), episode=3,
    )  # fmt: skip
    issue = Issue.objects.select_related("video__bundle").get(pk=video_issue.pk)
    with transaction.atomic():
        record(
            issue.team_id,
            Actor.system(Origin.SYNC),
            [Event.about_issue(Verb.ISSUE_UPDATED, issue, {"comment": ["", evil]})],
        )

    for place in ("issues", "history"):
        content = page(place).content.decode()
        assert "<img src=x" not in content
        assert content.count("&lt;img src=x onerror=alert(1)&gt;{who}") > 2


def test_a_line_of_the_history_says_from_where_it_came(page, swept):
    said = text(page("history"))

    assert "TokDash, Sync" in said


@pytest.mark.parametrize(
    "query",
    [{"platform": "tiktok"}, {"country": "DE"}, {"verdict": "dead"}, {"due": "late"}, {"due": "today"}, {"q": "taco"}, {"workspace": "TokPortal"}],
)  # fmt: skip
def test_filters_narrow_the_list_and_the_counts_agree(page, swept, query):
    content = page("issues", **query).content.decode()

    rows = len(re.findall(r'<tr class="link-row"', content))
    assert f'Open <span class="count">{rows}</span>' in content


def test_a_search_without_a_match_is_not_all_clear(page, swept):
    said = text(page("issues", q="zzzz-nothing"))

    assert f"0 of {Issue.objects.count()} match" in said
    assert "All clear" not in said


@pytest.mark.parametrize(
    "query", [{"state": "no"}, {"after": "rubbish"}, {"after": "W10"}, {"q": "\x00'\"%"}, {"due": "x"}]
)
def test_nonsense_in_the_address_is_survived(page, swept, query):
    assert page("issues", **query).status_code == 200


def test_pages_of_the_queue_hold_every_issue_once(page, workspace):
    factories.many_issues(workspace, 120)
    seen, after = [], ""
    for _ in range(3):
        content = page("issues", after=after).content.decode()
        seen += re.findall(r'id="issue-(\d+)"', content)
        found = re.search(r'href="[^"]*after=([\w-]+)', content)
        after = found[1] if found else ""

    assert len(seen) == len(set(seen)) == 120


def refresh_of(page, **query):
    """What the page asks by itself: its path and headers."""
    content = page("issues", **query).content.decode()
    found = re.search(r'id="issue-list" hx-get="([^"]+)".*?hx-headers=\'([^\']+)\'', content)
    headers = {"HX-Request": "true", "HX-Target": "issue-list", **json.loads(html.unescape(found[2]))}
    return html.unescape(found[1]), headers


def test_live_refresh_is_silent_until_something_changes(page, swept, monkeypatch):
    now = timezone.now()
    monkeypatch.setattr("issues.views.queue.timezone.now", lambda: now)  # no minute ends meanwhile
    path, headers = refresh_of(page, platform="tiktok")
    assert "platform=tiktok" in path

    silent = page.client.get(path, headers=headers)
    assert (silent.status_code, silent.content) == (304, b"")
    first = Issue.objects.filter(video__bundle__platform="tiktok").first()
    Issue.objects.filter(pk=first.pk).update(comment="something new")

    changed = page.client.get(path, headers=headers)
    assert changed.status_code == 200
    assert "something new" in changed.content.decode()
    assert "<html" not in changed.content.decode()
    assert 'id="views"' in changed.content.decode()  # whose counts change with the list
    assert headers["If-None-Match"] != changed["ETag"]


def test_another_person_never_gets_what_was_cached_for_one(page, swept, as_user, vera):
    path, headers = refresh_of(page)

    assert as_user(vera).get(path, headers=headers).status_code == 200


def test_empty_states_tell_the_truth(page, team, small_sandbox, as_user, alice):
    assert "Nothing is connected yet" in text(page("issues"))

    workspace = factories.connect(team, small_sandbox)
    assert "The first look is under way" in text(page("issues"))

    for bundle, video in small_sandbox.control.videos(download_issue=True):
        small_sandbox.control.clear(bundle["id"], video["position"])
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    assert "All clear" in text(page("issues"))

    SyncGauge.objects.update(oldest_look_at=timezone.now() - timedelta(hours=3))
    behind = text(page("issues"))
    assert "are behind" in behind
    assert "All clear" not in behind

    Workspace.objects.update(state="key_refused")
    refused = text(page("issues"))
    assert "refuses the key" in refused
    assert "All clear" not in refused


# --- Cost --------------------------------------------------------------------------------------------------


def test_no_page_needs_more_than_12_queries_with_2000_open_issues(page, workspace):
    factories.many_issues(workspace, 2000)
    issue = Issue.objects.select_related("video").latest("pk")
    arguments = {"issue": [issue.pk], "bundle": [issue.video.bundle_id], "workspace": [workspace.pk]}
    costs = {}
    for name in ("issues", "issue", "bundles", "bundle", "history", "workspaces", "workspace", "members"):
        with CaptureQueriesContext(connection) as queries:
            assert page(name, *arguments.get(name, [])).status_code == 200
        costs[name] = len(queries)

    assert max(costs.values()) <= 12, costs
