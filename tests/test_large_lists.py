"""What keeps the queue quick over many issues: columns repeated from video and bundle, counts with a bound."""

import importlib
import re
from datetime import timedelta

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from issues import tasks
from issues.audit import Actor, Event, Verb, record
from issues.enums import Origin
from issues.models import AuditEvent, Bundle, Channel, Hook, HookDelivery, Issue, Message, Team, WebhookEvent
from issues.queries import counting, history
from issues.queries.counting import bounded_count, bounded_counts, count_text
from issues.queries.filters import text_condition
from issues.queries.pages import encode_cursor
from issues.sealed import Secret
from issues.sync import mirror
from issues.sync.hazard import Hazards
from issues.tokportal.payloads import BundlePayload, VideoList, VideoPayload
from tests import factories
from tests.reading import text

SYNC = Actor.system(Origin.SYNC)


def list_bundle(workspace, **fields):
    data = {
        "id": "b-1",
        "title": "Kopi March",
        "status": "accepted",
        "platform": "tiktok",
        "country": "FR",
        "videos_quantity": 1,
    }
    payload = BundlePayload.parse({**data, **fields})
    mirror.mirror_listing(workspace, [payload], seen_at=timezone.now(), actor=SYNC, hazards=Hazards())
    return Bundle.objects.get(tokportal_id="b-1")


def show_video(bundle, **fields):
    data = {
        "position": 1,
        "id": "v1",
        "video_type": "video",
        "video_url": "https://cdn.example.com/a.mp4",
        "download_issue": True,
    }
    answer = VideoList((VideoPayload.parse({**data, **fields}),), 0, "")
    mirror.mirror_videos(bundle, answer, asked_at=timezone.now(), actor=SYNC, hazards=Hazards())


@pytest.fixture
def issue(workspace):
    show_video(list_bundle(workspace), name="Opening cut", external_ref="EXT-9", download_issue_comment="404 again")
    return Issue.objects.get(video__tokportal_id="v1")


def test_an_issue_is_described_when_it_is_opened(issue):
    assert (issue.platform, issue.country) == ("tiktok", "FR")
    assert issue.words == "opening cut ext-9 kopi march  404 again cdn.example.com"


def test_a_renamed_bundle_and_a_renamed_video_are_found_by_their_new_names(page, workspace, issue):
    bundle = list_bundle(workspace, title="Velo April", country="DE")
    show_video(bundle, name="Closing cut", external_ref="EXT-9", download_issue_comment="404 again")

    for query in ({"q": "velo"}, {"q": "closing"}, {"country": "DE"}):
        assert f'id="issue-{issue.pk}"' in page("issues", **query).content.decode(), query
    for query in ({"q": "kopi"}, {"q": "opening"}, {"country": "FR"}):
        assert f'id="issue-{issue.pk}"' not in page("issues", **query).content.decode(), query


def test_capital_letters_with_accents_are_found_as_they_are(page, workspace):
    show_video(list_bundle(workspace, title="ÉTÉ À PARIS"))
    issue = Issue.objects.get(video__tokportal_id="v1")

    for query in ("ÉTÉ", "paris", "PARIS"):
        assert f'id="issue-{issue.pk}"' in page("issues", q=query).content.decode(), query


def test_a_new_comment_is_found_and_an_ended_issue_keeps_its_words(page, workspace, issue):
    bundle = Bundle.objects.get(tokportal_id="b-1")
    show_video(bundle, name="Opening cut", external_ref="EXT-9", download_issue_comment="needs a password")
    assert f'id="issue-{issue.pk}"' in page("issues", q="password").content.decode()

    show_video(bundle, name="Opening cut", external_ref="EXT-9", download_issue=False)
    assert f'id="issue-{issue.pk}"' in page("issues", q="password", state="ended").content.decode()


def test_a_bundle_is_found_by_the_beginning_of_its_id_only(page, workspace):
    show_video(list_bundle(workspace, id="b-1", title="x"))
    Bundle.objects.filter(tokportal_id="b-1").update(tokportal_id="7f3a91-aa")
    issue = Issue.objects.get(video__tokportal_id="v1")

    assert f'id="issue-{issue.pk}"' in page("issues", q="7f3a91").content.decode()
    assert f'id="issue-{issue.pk}"' not in page("issues", q="3a91-aa").content.decode()


def test_issues_of_before_are_described_by_the_migration(issue):
    described = (issue.platform, issue.country, issue.words)
    Issue.objects.update(platform="", country="", words="")

    for name, step in (("0015_describe_issues", "describe"), ("0018_lower_words", "lower")):
        getattr(importlib.import_module(f"issues.migrations.{name}"), step)(apps, connection.schema_editor())

    issue.refresh_from_db()
    assert (issue.platform, issue.country, issue.words) == described


def test_issues_that_the_version_before_opened_are_described_within_the_hour(issue):
    described = (issue.platform, issue.country, issue.words)
    Issue.objects.update(platform="", country="", words="")

    tasks.tidy()

    issue.refresh_from_db()
    assert (issue.platform, issue.country, issue.words) == described


def test_counts_are_exact_up_to_the_bound_and_say_so_beyond(workspace, monkeypatch):
    monkeypatch.setattr(counting, "BOUND", 10)
    factories.many_issues(workspace, 25)
    bundles = Issue.objects.filter(video__bundle__title="Bulk campaign 0000")

    assert bounded_count(bundles) == 10
    assert bounded_count(Issue.objects.all()) == 11
    one_row = Team.objects.filter(pk=workspace.team_id)
    assert bounded_counts(one_row, {"few": bundles, "many": Issue.objects.all()}) == {"few": 10, "many": 11}
    assert [count_text(10), count_text(11)] == ["10", "10+"]


def test_the_page_says_more_than_the_bound(page, workspace, monkeypatch):
    from issues.queries import queue

    factories.many_issues(workspace, 30)
    Issue.objects.filter(comment__startswith="broken").update(state="cleared", closed_at=timezone.now())
    monkeypatch.setattr(counting, "BOUND", 10)
    monkeypatch.setattr(queue, "BOUND", 10)

    assert "Ended otherwise 10+" in text(page("issues", state="ended"))


def test_a_bundle_that_keeps_its_name_costs_its_issues_nothing(workspace, issue):
    with CaptureQueriesContext(connection) as queries:
        list_bundle(workspace, status="in_review")

    assert [query["sql"] for query in queries if 'UPDATE "issues_issue"' in query["sql"]] == []


# --- Logs of the settings: pages whose depth costs nothing ---------------------------------------------------


def log_of_deliveries(workspace):
    hook = Hook.objects.create(
        team=workspace.team, name="Ours", url="https://ours.example.com/", types=["issue.opened"]
    )
    rows = [
        HookDelivery(hook=hook, event_id=f"entry-{number:03}", event_type="issue.opened", body="{}")
        for number in range(120)
    ]
    HookDelivery.objects.bulk_create(rows)
    return HookDelivery.objects.all(), ("hook", hook.pk)


def log_of_messages(workspace):
    channel = Channel.objects.create(team=workspace.team, name="Team", kind="email", target=Secret("a@example.com"))
    Message.objects.bulk_create(Message(channel=channel, subject=f"entry-{number:03}") for number in range(120))
    return Message.objects.all(), ("channel", channel.pk)


def log_of_webhooks(workspace):
    now = timezone.now()
    WebhookEvent.objects.bulk_create(
        WebhookEvent(workspace=workspace, event_id=f"entry-{number:03}", event_type="x", received_at=now)
        for number in range(120)
    )
    return WebhookEvent.objects.all(), ("workspace_webhooks", workspace.pk)


@pytest.mark.parametrize("log", [log_of_deliveries, log_of_messages, log_of_webhooks])
def test_a_log_is_read_to_its_end_page_by_page_and_each_entry_comes_once(page, workspace, log):
    """Most of them of one moment, as bulk work makes them."""
    rows, (name, key) = log(workspace)
    by = "received_at" if name == "workspace_webhooks" else "created_at"
    rows.update(**{by: timezone.now()})
    oldest = rows.order_by("pk")[0]
    type(oldest).objects.filter(pk=oldest.pk).update(**{by: timezone.now() - timedelta(days=2)})

    seen, after = [], ""
    while True:
        content = page(name, key, after=after).content.decode()
        seen.append(set(re.findall(r"entry-\d{3}", content)))
        more = re.search(r'href="\?after=([\w-]+)"', content)
        if not more:
            break
        after = more[1]

    assert len(seen) > 1
    assert sum(len(entries) for entries in seen) == len(set().union(*seen)) == 120
    assert seen[-1] >= {re.search(r"entry-\d{3}", f"{vars(oldest)}")[0]}


@pytest.mark.parametrize(
    "parts", [("no moment", "1"), ("2026-01-01T00:00:00", "no key"), ("9999-12-31T23:59:59-12:00", "1"), (1, 2)]
)
def test_a_cursor_that_is_not_ours_shows_the_first_page(page, workspace, parts):
    _, (name, key) = log_of_deliveries(workspace)

    first = set(re.findall(r"entry-\d{3}", page(name, key).content.decode()))
    assert set(re.findall(r"entry-\d{3}", page(name, key, after=encode_cursor(*parts)).content.decode())) == first


# --- Words of the history ------------------------------------------------------------------------------------


@pytest.fixture
def long_history(team, owner, monkeypatch):
    """Two teams with the same words in an old event, and more after it than are read before the index is asked."""
    monkeypatch.setattr(history, "FIRST_WINDOW", 5)
    other = factories.team("Other", factories.user("other@example.com"))
    for mine in (team, other):
        with transaction.atomic():
            events = [Event(Verb.ISSUE_OPENED, label="Velo licence"), *[Event(Verb.ISSUE_OPENED, label="Kopi")] * 20]
            record(mine.pk, SYNC, events)
    return team


@pytest.mark.parametrize(("words", "count"), [("licence", 1), ("velo lic", 1), ("velo kopi", 0), ("icence", 0)])
def test_words_of_old_events_are_found_in_the_own_team_alone(page, long_history, words, count):
    found = history.page_of(history.find_events(long_history, history.HistoryFilters(text=words)), "")

    assert [line.label for line in found.rows] == ["Velo licence"] * count
    assert all(line.event.team_id == long_history.pk for line in found.rows)


def test_words_are_looked_up_in_their_index(long_history):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite reads the events; PostgreSQL runs this")
    # Without the team's number, for so few events another index would do; the words' own must fit what is asked.
    found = AuditEvent.objects.filter(history._by_index(long_history, [["velo"], ["licence"]]))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")

    assert "event_by_team_words" in found.explain()


@pytest.mark.django_db
def test_bundles_are_found_by_how_their_id_begins_in_their_index():
    """Searching for a word with a digit looked at every bundle of all teams, five times a page."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite compares them; PostgreSQL runs this")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = Issue.objects.filter(text_condition(1, "bun-77")).explain()

    assert re.search(r"bundle_by_id.*\n.*Index Cond: .*~>=~ 'bun-77'", plan), plan
