"""What the pages say and do."""

import io
import json
import logging
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from issues.audit import Actor
from issues.enums import Origin
from issues.fixes.lifecycle import drive_fix
from issues.logs import ScrubFilter
from issues.models import AuditEvent, Bundle, Fix, Issue, Workspace
from issues.sync.runner import sweep_workspace
from tests import factories

GOOD = "https://cdn.example.com/ok.mp4"
HX = {"HX-Request": "true", "HX-Target": "fix-panel"}


def text(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.fixture
def page(as_user, bob, team):
    client = as_user(bob)

    def get(name, *args, **query):
        return client.get(reverse(name, args=[team.slug, *args]), query)

    get.client = client
    return get


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


def test_live_refresh_is_silent_until_something_changes(page, swept):
    url = re.search(r'hx-get="([^"]+)"', page("issues").content.decode())[1].replace("&amp;", "&")
    path = page("issues").wsgi_request.path + url
    headers = {"HX-Request": "true", "HX-Target": "issue-list"}

    assert page.client.get(path, headers=headers).status_code == 204
    Issue.objects.filter(pk=Issue.objects.first().pk).update(comment="something new")

    changed = page.client.get(path, headers=headers)
    assert changed.status_code == 200
    assert "something new" in changed.content.decode()
    assert "<html" not in changed.content.decode()


def test_empty_states_tell_the_truth(page, team, small_sandbox, as_user, alice):
    assert "Connect your TokPortal account" in text(page("issues"))

    workspace = factories.connect(team, small_sandbox)
    assert "The first look is under way" in text(page("issues"))

    for bundle, video in small_sandbox.control.videos(download_issue=True):
        small_sandbox.control.clear(bundle["id"], video["position"])
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    assert "All clear" in text(page("issues"))

    Workspace.objects.update(last_swept_at=timezone.now() - timedelta(hours=3))
    behind = text(page("issues"))
    assert "are behind" in behind
    assert "All clear" not in behind

    Workspace.objects.update(state="key_refused")
    refused = text(page("issues"))
    assert "refuses the key" in refused
    assert "All clear" not in refused


# --- An issue ----------------------------------------------------------------------------------------------


def test_issue_page_has_both_voices_and_hides_secrets(page, video_issue):
    Issue.objects.filter(pk=video_issue.pk).update(
        comment="<script>alert(1)</script>", links=["https://a.example/x.mp4?X-Amz-Signature=geheim"]
    )

    content = page("issue", video_issue.pk).content.decode()

    assert "&lt;script&gt;alert(1)" in content
    assert "<script>alert" not in content
    assert "https://a.example/x.mp4?…" in content
    assert "geheim" not in re.sub(r'href="[^"]*"', "", content)


def test_fix_by_htmx_moves_to_verified(page, video_issue):
    url = reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk])

    sent = page.client.post(url, {"links": GOOD}, headers=HX)
    assert sent.status_code == 200
    assert 'hx-trigger="every 1s"' in sent.content.decode()
    drive_fix(Fix.objects.get().pk)

    done = page.client.get(reverse("issue", args=[video_issue.team.slug, video_issue.pk]), headers=HX)
    assert "Fixed and verified" in text(done)
    assert "every 1s" not in done.content.decode()
    assert AuditEvent.objects.filter(verb="fix.submitted", actor_name__startswith="Bob Editor").count() == 1


def test_fix_without_javascript_redirects(page, video_issue):
    url = reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk])

    response = page.client.post(url, {"links": GOOD})

    assert response.status_code == 302
    assert "Bob Editor" in text(page.client.get(response["Location"]))


@pytest.mark.parametrize("links", ["", "not a link", "https://a.example/a\nhttps://b.example/b"])
def test_bad_links_are_said_where_the_person_is_and_kept(page, video_issue, links):
    response = page.client.post(
        reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk]), {"links": links}, headers=HX
    )

    assert response.status_code == 422
    assert links.split("\n")[0] in response.content.decode()
    assert not Fix.objects.exists()


def test_a_rejected_fix_keeps_what_was_typed_and_says_what_next(page, video_issue):
    bad = "https://broken.invalid/clip.mp4"
    page.client.post(reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk]), {"links": bad})
    drive_fix(Fix.objects.get().pk)

    response = page("issue", video_issue.pk)

    assert "could not download or store this replacement" in text(response)
    assert "Give another link, or upload the file." in text(response)
    assert f">{bad}</textarea>" in response.content.decode()


def test_the_second_person_hears_who_was_faster(page, as_user, alice, video_issue):
    url = reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk])
    page.client.post(url, {"links": GOOD})

    response = as_user(alice).post(url, {"links": "https://other.example/b.mp4"}, headers=HX)

    assert response.status_code == 422
    assert "Bob Editor" in text(response)
    assert Fix.objects.count() == 1


def test_a_carousel_starts_with_its_own_links(page, carousel_issue):
    content = page("issue", carousel_issue.pk).content.decode()

    links = "\n".join(carousel_issue.video.carousel_images)
    assert f">{links}</textarea>" in content


def test_no_template_tag_is_left_in_any_page(page, video_issue, carousel_issue, workspace):
    bundle = video_issue.video.bundle_id
    for name, *args in (("issues",), ("issue", video_issue.pk), ("issue", carousel_issue.pk), ("bundles",), ("bundle", bundle),
                        ("history",), ("workspaces",), ("workspace", workspace.pk), ("members",)):  # fmt: skip
        content = page(name, *args).content.decode()
        assert "{{" not in content, name
        assert "{%" not in content, name


def test_viewers_see_no_form(as_user, vera, video_issue):
    content = as_user(vera).get(reverse("issue", args=[video_issue.team.slug, video_issue.pk])).content.decode()

    assert "Your role is viewer" in content
    assert "Send the fix" not in content


def test_stories_say_that_nothing_can_be_sent(page, video_issue):
    video_issue.video.video_type = "story"
    video_issue.video.save()

    assert "This is a story" in text(page("issue", video_issue.pk))


def test_link_check_answers_while_typing(page, video_issue):
    response = page("check_link", video_issue.pk, links="https://drive.google.com/file/d/abc/view")

    assert "Google Drive" in text(response)
    assert "uc?export=download&amp;id=abc" in response.content.decode()


def test_cancel_takes_a_queued_fix_back(page, video_issue):
    page.client.post(reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk]), {"links": GOOD})

    response = page.client.post(reverse("fix_cancel", args=[video_issue.team.slug, Fix.objects.get().pk]), headers=HX)

    assert response.status_code == 200
    assert Issue.objects.get(pk=video_issue.pk).state == "open"


# --- Uploads by the page's JSON ----------------------------------------------------------------------------


def test_upload_through_the_pages_own_steps(page, video_issue, small_sandbox):
    import requests

    begin = reverse("upload_begin", args=[video_issue.team.slug, video_issue.pk])
    files = [{"name": "clip.mp4", "size": len(factories.MP4), "head": factories.MP4[:64].hex()}]
    plan = page.client.post(begin, json.dumps({"files": files}), content_type="application/json").json()

    place = page.client.post(plan["files"][0]["presign"])
    assert place["Cache-Control"] == "no-store"
    assert page.client.post(plan["alive"]).status_code == 200
    put = requests.put(
        place.json()["upload_url"],
        data=factories.MP4,
        headers={"Content-Type": place.json()["content_type"]},
        timeout=5,
    )
    done = page.client.post(plan["files"][0]["done"])
    drive_fix(plan["fix"])

    assert put.status_code == 200
    assert done.json() == {"state": "uploaded"}
    assert Fix.objects.get().state == "succeeded"
    assert page.client.post(plan["alive"]).status_code == 409


def test_upload_relay_streams_through_us(page, video_issue, small_sandbox):
    begin = reverse("upload_begin", args=[video_issue.team.slug, video_issue.pk])
    files = [{"name": "clip.mp4", "size": len(factories.MP4), "head": factories.MP4[:64].hex()}]
    plan = page.client.post(begin, json.dumps({"files": files}), content_type="application/json").json()
    steps = plan["files"][0]

    short = page.client.put(steps["relay"], b"123", content_type="application/octet-stream")
    whole = page.client.put(steps["relay"], factories.MP4, content_type="application/octet-stream")
    page.client.post(steps["done"])

    assert (short.status_code, whole.status_code) == (422, 200)
    assert Fix.objects.get().state == "uploaded"
    assert small_sandbox.control.ledger("put")[0]["size"] == len(factories.MP4)


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"files": 3}', '{"files": [{"name": "a", "size": "x", "head": "zz"}]}', '{"files": []}']
)
def test_upload_begin_survives_nonsense(page, video_issue, body):
    response = page.client.post(
        reverse("upload_begin", args=[video_issue.team.slug, video_issue.pk]), body, content_type="application/json"
    )

    assert response.status_code == 422
    assert response.json()["message"]


# --- Bundles, history, settings ----------------------------------------------------------------------------


def test_bundles_and_a_bundle(page, swept):
    bundle = Issue.objects.select_related("video__bundle").first().video.bundle

    assert bundle.title in page("bundles", q=bundle.external_ref).content.decode().replace("&amp;", "&")
    content = page("bundle", bundle.pk).content.decode()
    assert content.count('<li class="tile') == bundle.videos.count()
    assert "Repair it" in content
    assert "No bundle here" in text(page("bundles", q="zzzz"))
    assert page("bundles", show="all").content.decode().count("link-row") == Bundle.objects.count()


def test_history_tells_a_fix_in_sentences_and_filters(page, video_issue):
    page.client.post(
        reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk]), {"links": f"{GOOD}?token=geheim"}
    )
    drive_fix(Fix.objects.get().pk)

    said = text(page("history"))
    assert f"Bob Editor gave a new link: {GOOD}?…" in said
    assert "read the video back: the flag is gone" in said
    assert "geheim" not in page("history").content.decode()
    event = AuditEvent.objects.get(verb="fix.submitted")
    for query in (
        {"verb": "fix.submitted"},
        {"person": "bob", "verb": "fix.submitted"},
        {"bundle": event.bundle_id, "position": event.position, "verb": "fix.submitted"},
        {"request": event.request_id, "origin": "page"},
        {"q": "cdn.example.com", "verb": "fix.submitted"},
    ):
        assert page("history", **query).content.decode().count('<li class="event') == 1, query
    assert "Nothing matches" in text(page("history", since="2099-01-01"))
    assert "Nothing matches" in text(page("history", until="2001-01-01"))


@pytest.mark.parametrize(
    "query", [{"since": "x"}, {"until": "0001-01-01"}, {"position": "9" * 30}, {"workspace": "x"}, {"after": "x"}]
)
def test_history_survives_nonsense(page, swept, query):
    assert page("history", **query).status_code == 200


def test_history_pages_hold_every_event_once(page, workspace, team):
    from django.db import transaction

    from issues.audit import Event, Verb, record

    with transaction.atomic():
        record(team.pk, factories.OPERATOR, [Event(Verb.ISSUE_OPENED, label=f"n{n}") for n in range(120)])
    seen, after = [], ""
    for _ in range(3):
        content = page("history", after=after).content.decode()
        seen += re.findall(r'id="event-(\d+)"', content)
        found = re.search(r'href="[^"]*after=([\w-]+)', content)
        after = found[1] if found else ""

    assert len(seen) == len(set(seen)) == AuditEvent.objects.filter(team=team).count()


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_export_is_what_the_filter_shows_and_is_written_down(page, swept, team, kind):
    url = reverse("history_export", args=[team.slug, kind]) + "?verb=issue.opened"

    response = page.client.post(url)
    lines = b"".join(response.streaming_content).decode().splitlines()

    shown = AuditEvent.objects.filter(team=team, verb="issue.opened").count()
    assert len(lines) == shown + (1 if kind == "csv" else 0)
    assert f"bright-team-{timezone.now():%Y%m%d}" in response["Content-Disposition"]
    exported = AuditEvent.objects.get(verb="history.exported")
    assert exported.changes["filter"] == [None, "verb=issue.opened"]


def test_unknown_export_formats_do_not_exist(page, team):
    assert page.client.post(reverse("history_export", args=[team.slug, "xls"])).status_code == 404


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


@pytest.mark.parametrize("name", ["issues", "bundles", "history"])
def test_queries_do_not_grow_with_the_rows(page, workspace, team, name):
    from django.db import transaction

    from issues.audit import Event, Verb, record

    def grow(count):
        factories.many_issues(workspace, count)
        with transaction.atomic():
            record(team.pk, factories.OPERATOR, [Event(Verb.ISSUE_OPENED, label="x")] * count)

    def cost():
        with CaptureQueriesContext(connection) as queries:
            assert page(name).status_code == 200
        return len(queries)

    grow(1)
    few = cost()
    grow(29)

    assert cost() == few


@pytest.fixture
def request_log():
    """What goes to the log of failed requests, in our format."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(ScrubFilter())
    handler.setFormatter(logging.Formatter("%(request_id)s %(message)s"))
    logger = logging.getLogger("django.request")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


# --- Frame -------------------------------------------------------------------------------------------------


def test_home_leads_to_the_only_team_or_a_choice(as_user, bob, charlie, team):
    assert as_user(bob).get("/")["Location"] == f"/t/{team.slug}/"
    from issues.enums import Role

    factories.join(charlie.teams.get(), bob, Role.VIEWER)
    assert "Other Agency" in text(as_user(bob).get("/"))


def test_security_headers_are_strict(page, swept):
    response = page("issues")
    policy = response["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert re.search(r"\sstyle=|<script>|onclick=", response.content.decode()) is None


def test_health_is_answered_whatever_the_host_and_the_scheme(client, settings):
    settings.ALLOWED_HOSTS = ["tokdash.example.com"]
    settings.SECURE_SSL_REDIRECT = True

    response = client.get("/healthz", headers={"Host": "10.0.0.7:8000"})

    assert (response.status_code, response.content) == (200, b"ok\n")


def test_every_answer_carries_a_request_id_and_safe_ones_are_kept(client, db):
    given = client.get("/healthz", headers={"X-Request-ID": "proxy-id-12345"})
    bad = client.get("/healthz", headers={"X-Request-ID": "bad id <script>"})

    assert given["X-Request-ID"] == "proxy-id-12345"
    assert re.fullmatch(r"[0-9a-f]{32}", bad["X-Request-ID"])


def test_a_500_says_the_request_id_and_so_does_the_log(as_user, bob, team, monkeypatch, request_log):
    log = request_log
    monkeypatch.setattr("issues.views.issues.freshness_of", lambda team: 1 / 0)
    client = as_user(bob, raise_request_exception=False)

    response = client.get(reverse("issues", args=[team.slug]), headers={"X-Request-ID": "find-me-12345"})

    assert response.status_code == 500
    assert "find-me-12345" in response.content.decode()
    assert log.getvalue().startswith("find-me-12345 Internal Server Error")
    assert "Traceback" not in response.content.decode()


def test_expired_log_in_during_htmx_redirects_the_whole_page(client, team):
    response = client.get(
        reverse("issues", args=[team.slug]), headers={"HX-Request": "true", "HX-Current-URL": "/t/bright-team/"}
    )

    assert response.status_code == 200
    assert response["HX-Redirect"] == "/t/bright-team/"


def test_times_are_in_the_persons_zone(page, video_issue, bob):
    Issue.objects.update(deadline="2026-12-01T23:30:00Z")
    page.client.cookies["tz"] = "Asia/Tokyo"
    assert "Wed 2 Dec, 08:30" in text(page("issues"))
    bob.time_zone = "America/New_York"
    bob.save()
    assert "Tue 1 Dec, 18:30" in text(page("issues"))
    page.client.cookies["tz"] = "../../etc/passwd"
    assert page("issues").status_code == 200


def test_profile_saves_name_and_zone(as_user, bob):
    client = as_user(bob)

    assert client.post("/profile/", {"name": "Bobby", "time_zone": "Mars/Base"}).status_code == 422
    client.post("/profile/", {"name": "Bobby", "time_zone": "Europe/Paris"})

    bob.refresh_from_db()
    assert (bob.name, bob.time_zone) == ("Bobby", "Europe/Paris")


# --- Each error of the contract ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("BUNDLE_NOT_FOUND", 404),
        ("BUNDLE_NOT_OWNED", 403),
        ("VIDEO_NOT_FOUND", 404),
        ("VIDEO_POSITION_OUT_OF_RANGE", 400),
        ("VIDEO_NO_DOWNLOAD_ISSUE", 409),
        ("UPLOAD_FAILED", 500),
    ],
)
def test_each_error_has_its_sentence_and_next_step_on_the_page(page, video_issue, small_sandbox, code, status):
    from issues.fixes.outcomes import OUTCOMES

    if code == "VIDEO_NO_DOWNLOAD_ISSUE":
        small_sandbox.control.clear(video_issue.video.bundle.tokportal_id, video_issue.video.position)
    else:
        small_sandbox.control.fault("status", method="POST", path="fix-download", status=status, code=code)
    page.client.post(reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk]), {"links": GOOD})
    drive_fix(Fix.objects.get().pk)

    response = page("issue", video_issue.pk)

    assert OUTCOMES[code].say in text(response)
    assert OUTCOMES[code].next_step in text(response)
    if code != "VIDEO_NO_DOWNLOAD_ISSUE":
        assert f">{GOOD}</textarea>" in response.content.decode()


def test_a_moving_fix_is_left_alone_while_nothing_changes(page, video_issue):
    sent = page.client.post(
        reverse("submit_fix", args=[video_issue.team.slug, video_issue.pk]), {"links": GOOD}, headers=HX
    )
    address = re.search(r'hx-get="([^"]+)"[^>]*every 1s', sent.content.decode())[1]

    assert page.client.get(address, headers=HX).status_code == 204
    drive_fix(Fix.objects.get().pk)
    assert "Fixed and verified" in text(page.client.get(address, headers=HX))
