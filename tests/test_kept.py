"""What a web process keeps of the queue: what happens is shown at once, the rest some seconds late, and nobody sees another's."""

import re
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import caches
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override
from jinja2 import Environment, meta

from issues.audit import Actor
from issues.enums import Origin
from issues.models import Issue
from issues.queries.filters import IssueFilters
from issues.queries.kept import kept
from issues.queries.queue import list_issues, matching_issues
from issues.sync.sweeps import sweep_workspace
from issues.templatetags.tokdash import unchanging
from issues.triage.notes import note_seen, write_note
from issues.triage.presence import note_presence
from issues.triage.saved import save_view
from tests import factories
from tests.reading import text

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _keeping(settings):
    caches["own"].clear()
    settings.KEPT_SECONDS = 60
    yield
    caches["own"].clear()


def number_of_queries(get):
    with CaptureQueriesContext(connection) as queries:
        assert get().status_code == 200
    return len(queries)


def whose(answer, issue):
    """What the row of an issue says in the column "Whose"; None where it is not in the list."""
    row = re.search(rf'id="issue-{issue.pk}".*?</tr>', answer.content.decode(), re.DOTALL)
    return row and re.sub("<[^>]+>|\\s+", " ", re.search(r'<td class="whose.*?</td>', row[0], re.DOTALL)[0]).strip()


def test_the_second_page_asks_only_who_it_is_for(page, swept):
    assert number_of_queries(lambda: page("issues")) > 8
    assert number_of_queries(lambda: page("issues")) == 3  # session, user, membership
    assert number_of_queries(lambda: page("issues", part="list")) == 3
    assert number_of_queries(lambda: page("issues", state="fixed")) > 3


def test_a_colleagues_page_shares_all_but_what_is_his(page, swept, as_user, alice, team):
    first = number_of_queries(lambda: page("issues"))
    his = as_user(alice)
    url = reverse("issues", args=[team.slug])
    assert number_of_queries(lambda: his.get(url)) == 4 < first  # the fourth: his views
    assert number_of_queries(lambda: his.get(url)) == 3


def test_what_is_done_is_shown_at_once(page, swept, as_user, alice, bob, team):
    """In the answer to the click, on the next page, and on a colleague's."""
    his, url = as_user(alice), reverse("issues", args=[team.slug])
    issue = Issue.objects.filter(state="open").first()
    assert whose(page("issues", who="me"), issue) is None
    assert whose(his.get(url), issue) == whose(page("issues"), issue) == "nobody"
    answer = page.client.post(
        reverse("issue_act", args=[team.slug]), {"do": "assign", "to": "me", "issue": issue.pk}, headers={"HX-Request": "true"}
    )  # fmt: skip
    assert whose(answer, issue) == whose(page("issues"), issue) == whose(page("issues", who="me"), issue) == "You"
    assert whose(his.get(url), issue) == bob.get_full_name()
    assert "Mine 1" in text(page("issues"))
    assert "Mine 0" in text(his.get(url))


def test_a_call_that_was_seen_is_gone_at_once(page, video_issue, alice, bob, team):
    """Opening an issue is no event, but one's own doing."""
    write_note(team=team, text="@BobEditor, is this right?", actor=Actor.person(alice, Origin.PAGE), issue=video_issue)
    for _ in range(2):
        assert whose(page("issues", state="all", who="called"), video_issue)
        assert "Where I am called 1" in text(page("issues"))
    note_seen(issue=video_issue, user=bob)
    assert whose(page("issues", state="all", who="called"), video_issue) is None
    assert "Where I am called" not in text(page("issues"))


def test_what_the_looks_find_is_shown_at_once(page, swept, workspace, small_sandbox):
    before = text(page("issues"))
    bundle, video = factories.slot(small_sandbox, "video")
    small_sandbox.control.flag(bundle["id"], video["position"], "a very new comment")
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    assert "a very new comment" not in before
    assert "a very new comment" in text(page("issues"))


def test_what_is_no_event_is_shown_some_seconds_late(page, video_issue, alice, settings):
    settings.KEPT_SECONDS = 0.5
    page("issues")
    note_presence(issue=video_issue, user=alice)
    Issue.objects.filter(pk=video_issue.pk).update(verdict="http_410", verdict_class="dead")
    assert "is on it" not in text(page("issues"))
    time.sleep(0.6)
    assert f"{alice.get_full_name()} is on it" in text(page("issues"))
    assert 'class="chip dead"' in page("issues").content.decode()


def test_each_member_sees_what_is_his(page, swept, as_user, alice, bob, vera, team):
    issue = Issue.objects.filter(state="open").first()
    Issue.objects.filter(pk=issue.pk).update(assignee=bob)
    his, viewers, url = as_user(alice), as_user(vera), reverse("issues", args=[team.slug])
    assert whose(page("issues", who="me"), issue) == whose(page("issues"), issue) == "You"
    assert whose(his.get(url, {"who": "me"}), issue) is None
    assert whose(his.get(url), issue) == whose(viewers.get(url), issue) == bob.get_full_name()
    assert "data-pick " in page("issues").content.decode()
    assert "data-pick " not in viewers.get(url).content.decode()


def test_each_person_reads_his_own_language_and_zone(page, swept, bob):
    assert "Issues" in text(page("issues"))
    type(bob).objects.filter(pk=bob.pk).update(language="de", time_zone="Pacific/Kiritimati")
    german = page("issues").content.decode()
    assert "auswählen" in german
    assert "+14" in german  # the zone's name in the times' titles
    with override("fr"):
        french = unchanging("components/help.html")
    assert "Touches" in french
    assert "Keys" not in french


def test_a_member_with_views_of_his_own_sees_their_counts(page, swept, bobs, bob, actor):
    """Then how many are his is counted with them, not with everybody's."""
    Issue.objects.filter(pk=Issue.objects.filter(state="open")[0].pk).update(assignee=bob)
    for name, filters in (
        ("Tik", IssueFilters(platform="tiktok")),
        ("Late ones of mine", IssueFilters(who="me", due="late")),
    ):
        save_view(membership=bobs, name=name, query=filters.address, is_team=False, actor=actor)
    for _ in range(2):
        shown = text(page("issues"))
        assert "Mine 1" in shown
        assert f"Tik {Issue.objects.filter(state='open', platform='tiktok').count()}" in shown
        assert f"Late ones of mine {matching_issues(bobs, IssueFilters(who='me', due='late')).count()}" in shown


def test_teams_share_nothing(page, swept, alice, team):
    other = factories.team("Other", alice)
    for one, value in ((team, "theirs"), (other, "ours")):
        assert kept(one, "what", lambda value=value: value) == value


def test_days_end_where_the_person_is(bobs, swept):
    """“Late or today” is another list in another zone."""
    ends = {zone: datetime.combine(timezone.now().astimezone(ZoneInfo(zone)), datetime.max.time(), ZoneInfo(zone)) for zone in (
        "Pacific/Kiritimati", "UTC", "Pacific/Pago_Pago",
    )}  # fmt: skip
    deadline = min(ends.values()) + timedelta(minutes=1)
    Issue.objects.update(deadline=deadline)
    for zone, end in ends.items():
        with timezone.override(zone):
            found = list_issues(bobs, IssueFilters(due="today"))
            assert found.total == len(found.page.rows) == (Issue.objects.count() if deadline <= end else 0)


def test_nobody_changes_what_others_get(team):
    first = kept(team, "list", lambda: [1])
    first.append(2)
    assert kept(team, "list", lambda: None) == [1]
    assert kept(team, "nothing", lambda: None) is None
    assert kept(team, "nothing", lambda: 1) is None  # that there is nothing is kept, too


def test_rows_show_nothing_that_does_not_count_for_their_key():
    """`views.queue` names in `rows_show` all that the rows show: whoever lets them show more names it there."""
    source = (ROOT / "templates/jinja2/issues/queue_rows.html").read_text()
    words = {"_", "ago", "posting", "host", "icon", "numbered_url", "until", "url"}
    assert meta.find_undeclared_variables(Environment(autoescape=True).parse(source)) - words == {
        "filters", "freshness", "list", "picking", "request", "team",
    }  # fmt: skip
    assert source.count("request.") == source.count("request.user.pk") == 1
    assert source.count("freshness.") == 1
    assert source.count("list.") == source.count("list.page.rows") == 1


def test_whoever_has_left_sees_nothing(page, swept, bobs):
    assert page("issues").status_code == 200
    bobs.delete()
    assert page("issues").status_code == 404


def test_nothing_is_kept_where_the_operator_says_so(page, swept, settings):
    settings.KEPT_SECONDS = 0
    first = number_of_queries(lambda: page("issues"))
    assert number_of_queries(lambda: page("issues")) == first
