"""The first steps of a new team, from nothing to the queue."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from issues.audit import Actor
from issues.enums import Origin, Role
from issues.models import AuditEvent, SyncGauge, Team, Workspace
from issues.sandbox.server import FULL_KEY
from issues.sync.sweeps import sweep_workspace
from tests import factories
from tests.reading import text


@pytest.fixture
def founder(as_user, charlie):
    """Charlie, alone with a new team and no workspace."""
    client = as_user(charlie)
    client.team = charlie.teams.get()
    client.queue = reverse("issues", args=[client.team.slug])
    return client


def current_step(response):
    found = re.search(r'<li aria-current="step".*?<strong>([^<]+)<', response.content.decode(), re.S)
    return found[1] if found else None


def test_three_steps_from_nothing_to_the_queue(founder, small_sandbox):
    assert current_step(founder.get(founder.queue)) == "Connect your TokPortal account"

    workspace = factories.connect(founder.team, small_sandbox)
    SyncGauge.objects.create(
        workspace=workspace, measured_at=timezone.now(), flaggable=40, never_looked=30, limit_per_minute=120
    )
    looking = founder.get(founder.queue)
    assert current_step(looking) == "The first look at everything"
    assert '<progress max="40" value="10"' in looking.content.decode()
    assert "10 of 40 bundles looked at. About 15 s to go." in text(looking)
    part = founder.get(founder.queue, {"part": "steps"}, headers={"HX-Request": "true"})
    assert "10 of 40" in text(part)
    assert "<html" not in part.content.decode()

    SyncGauge.objects.all().delete()
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    assert founder.get(founder.queue, {"part": "steps"}, headers={"HX-Request": "true"})["HX-Redirect"] == founder.queue
    assert current_step(founder.get(founder.queue)) == "Invite a colleague"

    founder.post(reverse("member_invite", args=[founder.team.slug]), {"email": "new@other.example", "role": "editor"})
    assert "Three steps" not in text(founder.get(founder.queue))


def test_whoever_works_alone_for_long_is_not_asked_any_more(founder, small_sandbox):
    sweep_workspace(factories.connect(founder.team, small_sandbox), actor=Actor.system(Origin.SYNC))
    assert "Invite a colleague" in text(founder.get(founder.queue))

    Team.objects.update(created_at=timezone.now() - timedelta(days=15))

    assert "Three steps" not in text(founder.get(founder.queue))


def test_a_team_at_work_sees_no_steps(page, swept):
    assert "Three steps" not in text(page("issues"))


def test_viewers_are_told_whom_to_ask(as_user, founder, vera):
    factories.join(founder.team, vera, Role.VIEWER)

    said = text(as_user(vera).get(founder.queue))
    assert "An owner of the team can connect it." in said
    assert "Connect a workspace" not in said


def test_a_key_is_checked_while_it_is_pasted_and_nothing_is_kept(founder, small_sandbox, settings):
    settings.TOKPORTAL_BASE_URL = small_sandbox.base_url
    url = reverse("workspace_try_key", args=[founder.team.slug])
    before = AuditEvent.objects.count()

    assert "TokPortal accepts this key." in text(founder.post(url, {"read_key": FULL_KEY}))
    assert "TokPortal refuses this key" in text(founder.post(url, {"read_key": "tkp_wrong"}))
    assert "has no spaces" in text(founder.post(url, {"read_key": "two words"}))
    assert text(founder.post(url, {"read_key": ""})).strip() == ""
    assert not Workspace.objects.filter(team=founder.team).exists()
    assert AuditEvent.objects.count() == before
