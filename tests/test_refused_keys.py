"""A key that TokPortal refuses: everything that uses it stops at once, and the owners hear of it once."""

import pytest
from django.core import mail

from issues.audit import Actor
from issues.enums import Origin, Role, SyncState, WorkspaceState
from issues.models import Issue, Workspace
from issues.notify.keys import tell_owners_of_refused_keys
from issues.problems import Refusal
from issues.sync.claims import due_workspaces
from issues.sync.sweeps import sweep_workspace
from issues.tokportal import constants as c
from tests import factories

SYNC = Actor.system(Origin.SYNC)


def sweep(workspace):
    return sweep_workspace(workspace, actor=SYNC)


def test_revoked_key_stops_every_workspace_of_it_and_tells_the_owners(
    swept, workspace, small_sandbox, alice, bob, charlie
):
    factories.join(workspace.team, charlie, Role.OWNER)
    other_team = charlie.teams.exclude(pk=workspace.team_id).get()
    same_key = factories.connect(other_team, small_sandbox, name="The same account")
    known = Issue.objects.filter(state="open").count()
    small_sandbox.control.fault("key_revoked", path="^/bundles$")

    run = sweep(workspace)

    assert (run.state, run.code) == (SyncState.FAILED, c.AUTH_REVOKED_KEY)
    assert set(Workspace.objects.values_list("state", flat=True)) == {WorkspaceState.KEY_REFUSED}
    assert Issue.objects.filter(state="open").count() == known
    assert due_workspaces() == []
    with pytest.raises(Refusal):
        sweep(same_key)
    assert tell_owners_of_refused_keys() == 2
    assert tell_owners_of_refused_keys() == 0
    told = sorted((message.to[0], same_key.name in message.subject) for message in mail.outbox)
    assert told == [
        ("alice@team.example", False), ("charlie@other.example", False), ("charlie@other.example", True),
    ]  # fmt: skip
    assert str(workspace.pk) in mail.outbox[0].body + mail.outbox[1].body + mail.outbox[2].body


def test_a_mail_server_that_is_away_is_tried_again(workspace, monkeypatch):
    Workspace.objects.update(state="key_refused", key_refused_code="AUTH_REVOKED_KEY")

    def away(*args, **kwargs):
        raise OSError("no route")

    monkeypatch.setattr("issues.notify.keys.send_mail", away)
    assert tell_owners_of_refused_keys() == 0
    monkeypatch.undo()

    assert tell_owners_of_refused_keys() == 1


def test_a_key_without_the_right_to_read_is_refused_too(team, workspace, small_sandbox):
    small_sandbox.control.fault("status", path="^/bundles$", status=403, code=c.INSUFFICIENT_SCOPE)

    run = sweep(workspace)

    workspace.refresh_from_db()
    assert run.code == c.INSUFFICIENT_SCOPE
    assert workspace.state == WorkspaceState.KEY_REFUSED
