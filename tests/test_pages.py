"""Bundles, history, and what every page has around it."""

import io
import logging
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from issues.fixes.lifecycle import drive_fix
from issues.logs import ScrubFilter
from issues.models import AuditEvent, Bundle, Fix, Issue
from tests import factories
from tests.reading import text

GOOD = "https://cdn.example.com/ok.mp4"
HX = {"HX-Request": "true", "HX-Target": "fix-panel"}


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


# --- Bundles, history, settings ----------------------------------------------------------------------------


def test_bundles_and_a_bundle(page, swept):
    bundle = Issue.objects.select_related("video__bundle").first().video.bundle

    assert bundle.title in page("bundles", q=bundle.external_ref).content.decode().replace("&amp;", "&")
    content = page("bundle", bundle.pk).content.decode()
    assert len(re.findall(r'<li id="slot-\d+" class="tile', content)) == bundle.videos.count()
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
    monkeypatch.setattr("issues.views.queue.freshness_of", lambda team: 1 / 0)
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
