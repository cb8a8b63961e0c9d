"""Workspaces and members on their pages: keys are checked, never shown, and people come and go."""

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from issues.models import AuditEvent, Membership, SyncGauge, User, Workspace
from issues.notify.keys import tell_owners_of_refused_keys
from issues.sandbox.server import FULL_KEY, READ_KEY
from tests import factories
from tests.reading import text


def url(name, team, *args):
    return reverse(name, args=[team.slug, *args])


def test_connect_checks_the_key_and_never_shows_it(owner, team, small_sandbox, settings):
    settings.TOKPORTAL_BASE_URL = small_sandbox.base_url
    connect = url("workspace_connect", team)

    bad = owner.post(connect, {"name": "Main", "read_key": "sk_wrong"})
    odd = owner.post(connect, {"name": "Main", "read_key": "a key with spaces"})
    assert (bad.status_code, odd.status_code) == (422, 422)
    assert "TokPortal refuses this key" in text(bad)
    assert 'value="Main"' in bad.content.decode()
    assert not Workspace.objects.exists()

    good = owner.post(
        connect, {"name": "Main", "read_key": FULL_KEY, "base_url": "http://169.254.169.254/"}, follow=True
    )
    assert "Connected to ops@brightside-agency.example" in text(good)
    workspace = Workspace.objects.get()
    assert workspace.base_url == small_sandbox.base_url
    shown = owner.get(url("workspace_keys", team, workspace.pk)).content.decode()
    assert FULL_KEY not in shown + good.content.decode()
    assert workspace.read_key_fingerprint in shown
    event = AuditEvent.objects.get(verb="workspace.connected")
    assert event.changes["read_key"] == [None, "set"]


def test_unreachable_and_wrong_addresses_are_told_apart(owner, team, small_sandbox, settings):
    connect = url("workspace_connect", team)
    settings.TOKPORTAL_BASE_URL = "http://127.0.0.1:9/api/ext"
    assert "could not be reached" in text(owner.post(connect, {"name": "A", "read_key": "sk_x"}))
    settings.TOKPORTAL_BASE_URL = small_sandbox.store.origin
    assert "is not TokPortal" in text(owner.post(connect, {"name": "A", "read_key": "sk_x"}))


def test_rotate_wakes_a_refused_workspace(owner, team, workspace, small_sandbox):
    Workspace.objects.update(state="key_refused", key_refused_code="AUTH_REVOKED_KEY")
    small_sandbox.control.key("sk_new_key")
    rotate = url("workspace_rotate", team, workspace.pk)

    assert owner.post(rotate, {}).status_code == 422
    assert owner.post(rotate, {"read_key": "sk_bad"}).status_code == 422
    assert Workspace.objects.get().state == "key_refused"
    owner.post(rotate, {"read_key": "sk_new_key", "write_key": FULL_KEY})

    fresh = Workspace.objects.get()
    assert (fresh.state, fresh.read_key.reveal(), fresh.fix_key.reveal()) == ("active", "sk_new_key", FULL_KEY)
    event = AuditEvent.objects.get(verb="workspace.key_changed")
    assert event.changes["read_key"] == ["set", "changed"]
    assert "sk_new_key" not in event.canonical


def test_check_pause_resume_change_and_sweep(owner, team, workspace, small_sandbox):
    assert "The key works" in text(owner.post(url("workspace_check", team, workspace.pk), follow=True))
    small_sandbox.control.key(FULL_KEY, revoked=True)
    assert "refuses this key" in text(owner.post(url("workspace_check", team, workspace.pk), follow=True))

    owner.post(url("workspace_pause", team, workspace.pk), {"paused": "1"})
    assert Workspace.objects.get().state == "paused"
    owner.post(url("workspace_pause", team, workspace.pk), {"paused": "0"})
    assert Workspace.objects.get().state == "active"

    change = url("workspace_change", team, workspace.pk)
    assert owner.post(change, {"name": "New", "max_age_minutes": "1"}).status_code == 422
    owner.post(change, {"name": "New", "max_age_minutes": "45"})
    assert Workspace.objects.values_list("name", "max_age_minutes").get() == ("New", 45)

    Workspace.objects.update(next_sync_at=None)
    response = owner.post(url("workspace_sweep", team, workspace.pk), {"next": "https://evil.example/"})
    assert response["Location"] == url("workspace", team, workspace.pk)
    assert Workspace.objects.get().next_sync_at is not None
    assert list(AuditEvent.objects.filter(verb__startswith="workspace.").order_by("seq").values_list("verb", flat=True)) == [
        "workspace.connected", "workspace.paused", "workspace.resumed", "workspace.changed",
        "workspace.sweep_wanted",
    ]  # fmt: skip


def test_last_looks_are_listed(owner, team, swept, workspace):
    said = text(owner.get(url("workspace", team, workspace.pk)))

    assert f"{swept.requests} requests" in said
    assert "Fresh" in text(owner.get(url("workspaces", team)))
    SyncGauge.objects.update(trouble_code="CONNECTION_REFUSED", trouble_since=timezone.now())
    assert "Not answering" in text(owner.get(url("workspaces", team)))
    assert "No connection to TokPortal can be made" in text(owner.get(url("issues", team)))


def test_a_refused_second_key_does_not_stop_the_sweeps(team, small_sandbox, actor):
    from issues.audit import Actor
    from issues.enums import Origin
    from issues.fixes.lifecycle import drive_fix
    from issues.fixes.submit import submit_links
    from issues.models import Fix
    from issues.sync.sweeps import sweep_workspace

    small_sandbox.control.key("sk_second")
    workspace = factories.connect(team, small_sandbox, key=READ_KEY, write_key="sk_second")
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))
    small_sandbox.control.key("sk_second", revoked=True)
    fix = submit_links(issue=factories.open_issue("video"), links=["https://cdn.example.com/a.mp4"], actor=actor)
    drive_fix(fix.pk)

    assert Fix.objects.get().state == "rejected"
    refused = Workspace.objects.get()
    assert (refused.state, refused.write_key_refused_code) == ("active", "AUTH_REVOKED_KEY")
    assert tell_owners_of_refused_keys() == 1
    assert "second key" in mail.outbox[0].body


def test_roles_change_and_the_last_owner_stays(owner, team, alice, bob):
    def membership(user):
        return Membership.objects.get(team=team, user=user)

    owner.post(url("member_role", team, membership(bob).pk), {"role": "viewer"})
    assert membership(bob).role == "viewer"
    assert "needs an owner" in text(
        owner.post(url("member_role", team, membership(alice).pk), {"role": "viewer"}, follow=True)
    )
    assert "needs an owner" in text(owner.post(url("member_remove", team, membership(alice).pk), follow=True))
    assert membership(alice).role == "owner"
    owner.post(url("member_role", team, membership(bob).pk), {"role": "king"})
    assert membership(bob).role == "viewer"
    owner.post(url("member_remove", team, membership(bob).pk))
    assert not Membership.objects.filter(team=team, user=bob).exists()
    assert User.objects.filter(pk=bob.pk).exists()
    assert AuditEvent.objects.get(verb="member.removed").changes == {"role": ["viewer", None]}


def test_nobody_signs_up_by_himself(client, db):
    response = client.post(
        "/accounts/signup/",
        {"email": "x@x.example", "password1": "a long password 9", "password2": "a long password 9"},
    )

    assert not User.objects.exists()
    assert "by invitation" in text(response)


@pytest.mark.parametrize("path", ["login", "password/reset", "password/reset/done", "signup", "inactive"])
def test_account_pages_render_in_our_frame(client, db, path):
    content = client.get(f"/accounts/{path}/").content.decode()

    assert "tokdash.css" in content
    assert "<style" not in content


@pytest.mark.parametrize("path", ["password/change", "logout", "email", "reauthenticate"])
def test_account_pages_of_somebody_who_is_logged_in(owner, path):
    response = owner.get(f"/accounts/{path}/", follow=True)

    assert response.status_code == 200
    assert "tokdash.css" in response.content.decode()
