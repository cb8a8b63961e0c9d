"""Owners are warned once of keys that expire soon and of credits that run out."""

import json
from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.urls import reverse

from issues import tasks
from issues.enums import NoticeKind, Role
from issues.models import AuditEvent, Channel, Notice, Workspace
from issues.notify.collect import collect_events
from issues.notify.compose import compose_due
from issues.notify.warnings import warn_owners
from issues.problems import Refusal
from issues.sandbox.server import FULL_KEY, READ_KEY
from issues.sync.key_expiry import set_expiry, step_of, today
from issues.sync.workspaces import change_workspace, rotate_key
from tests import factories
from tests.factories import OPERATOR
from tests.reading import text
from tests.test_care import care_now


def in_days(days):
    return today() + timedelta(days=days)


def events(verb):
    return AuditEvent.objects.filter(verb=verb)


@pytest.fixture
def expiring(workspace):
    def make(days, **fields):
        Workspace.objects.update(read_key_expires_on=in_days(days), read_key_reminded_days=None, **fields)
        return Workspace.objects.get()

    return make


# --- Keys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "step"), [(15, None), (14, 14), (13, 14), (4, 14), (3, 3), (1, 3), (0, 0), (-1, 0), (-100, 0)]
)
def test_the_reminders_come_nearer(days, step):
    assert step_of(in_days(days)) == step


@pytest.mark.parametrize(
    ("days", "subject"),
    [(14, "expires in 14 days"), (3, "expires in 3 days"), (1, "expires in 1 day"), (0, "expires today"), (-2, "has expired")],
)  # fmt: skip
def test_owners_are_reminded_once_at_each_step(expiring, team, days, subject):
    expiring(days)

    assert [warn_owners(), warn_owners(), warn_owners()] == [1, 0, 0]

    (sent,) = mail.outbox
    assert sent.to == ["alice@team.example"]  # the owner alone
    assert subject in sent.subject
    assert "/keys/" in sent.body
    assert events("workspace.key_expires").count() == 1


def test_each_step_is_told_and_a_missed_one_is_not_made_up_for(expiring):
    expiring(20)
    assert warn_owners() == 0
    for days, told in ((12, 1), (11, 0), (2, 1), (1, 0), (0, 1), (-1, 0)):
        Workspace.objects.update(read_key_expires_on=in_days(days))
        assert warn_owners() == told, days
    expiring(2)
    assert warn_owners() == 1  # not the one of fourteen days as well


def test_both_keys_are_watched(team, small_sandbox):
    workspace = factories.connect(team, small_sandbox, key=READ_KEY, write_key=FULL_KEY)
    set_expiry(workspace=workspace, expires={"read_key": in_days(2), "write_key": in_days(3)}, actor=OPERATOR)

    assert warn_owners() == 2
    assert "the one for fixes" in "".join(message.body for message in mail.outbox)


def test_a_new_key_needs_a_new_day(expiring, workspace):
    expiring(2)
    warn_owners()

    rotate_key(workspace=Workspace.objects.get(), read_key=FULL_KEY, actor=OPERATOR)

    current = Workspace.objects.get()
    assert (current.read_key_expires_on, current.read_key_reminded_days) == (None, None)
    rotate_key(workspace=current, read_key=FULL_KEY, expires={"read_key": in_days(1)}, actor=OPERATOR)
    assert warn_owners() == 1


def test_another_day_arms_the_reminders_again(expiring):
    workspace = expiring(2)
    warn_owners()

    assert set_expiry(workspace=workspace, expires={"read_key": in_days(3)}, actor=OPERATOR)
    assert not set_expiry(workspace=workspace, expires={"read_key": in_days(3)}, actor=OPERATOR)

    assert warn_owners() == 1
    assert events("workspace.changed").get().changes["read_key_expires_on"][1] == in_days(3).isoformat()


def test_a_day_that_has_passed_is_refused(workspace):
    with pytest.raises(Refusal) as caught:
        set_expiry(workspace=workspace, expires={"read_key": in_days(-1)}, actor=OPERATOR)

    assert caught.value.code == "EXPIRY_PASSED"


# --- Pages and the command -----------------------------------------------------------------------------------


def test_the_form_takes_days_with_and_without_a_key(workspace, as_user, alice):
    client = as_user(alice)
    path, rotate = (
        reverse(name, args=[workspace.team.slug, workspace.pk]) for name in ("workspace_keys", "workspace_rotate")
    )

    client.post(rotate, {"read_key": "", "write_key": "", "read_key_expires_on": in_days(5).isoformat()})
    assert Workspace.objects.get().read_key_expires_on == in_days(5)
    assert "expires in 5 days" in text(client.get(path))
    answer = client.post(rotate, {"read_key": "", "write_key": "", "read_key_expires_on": "2001-01-01"})
    assert answer.status_code == 422
    client.post(rotate, {"read_key": FULL_KEY, "write_key": "", "read_key_expires_on": in_days(90).isoformat()})
    assert Workspace.objects.get().read_key_expires_on == in_days(90)
    client.post(rotate, {"read_key": FULL_KEY, "write_key": "", "read_key_expires_on": in_days(90).isoformat()})
    assert Workspace.objects.get().read_key_expires_on is None  # that was the former key's day
    client.post(rotate, {"read_key": "", "write_key": "", "read_key_expires_on": in_days(6).isoformat()})
    client.post(rotate, {"read_key": "", "write_key": "", "read_key_expires_on": ""})
    assert Workspace.objects.get().read_key_expires_on is None


def test_connecting_takes_a_day(team, small_sandbox, as_user, alice, settings):
    settings.TOKPORTAL_BASE_URL = small_sandbox.base_url

    as_user(alice).post(
        f"/t/{team.slug}/settings/workspaces/connect/",
        {"name": "New", "read_key": FULL_KEY, "read_key_expires_on": in_days(30).isoformat()},
    )

    assert Workspace.objects.get().read_key_expires_on == in_days(30)
    connected = events("workspace.connected").get()
    assert connected.changes["read_key_expires_on"] == [None, in_days(30).isoformat()]


def test_the_command_takes_days(team, small_sandbox, monkeypatch, capsys):
    monkeypatch.setenv("TOKPORTAL_API_KEY", READ_KEY)
    monkeypatch.setenv("TOKPORTAL_WRITE_KEY", FULL_KEY)
    days = ["--key-expires", in_days(40).isoformat(), "--write-key-expires", in_days(20).isoformat()]

    call_command("connect_workspace", team.name, "Main", "--base-url", small_sandbox.base_url, "--json", *days)

    made = json.loads(capsys.readouterr().out)
    assert (made["key_expires_on"], made["write_key_expires_on"]) == (days[1], days[3])
    with pytest.raises((CommandError, SystemExit)):
        call_command("connect_workspace", team.name, "Other", "--key-expires", "tomorrow")


@pytest.mark.parametrize("who", ["alice", "vera"])
def test_everybody_sees_the_banner_and_only_owners_replace(expiring, team, as_user, request, who):
    expiring(3)

    page = text(as_user(request.getfixturevalue(who)).get(f"/t/{team.slug}/settings/workspaces/"))

    assert "expires in 3 days" in page
    assert ("Replace the key" in page) is (who == "alice")
    assert ("Ask an owner" in page) is (who != "alice")


# --- Credits -------------------------------------------------------------------------------------------------


def test_few_credits_are_told_once_and_again_after_a_refill(workspace, small_sandbox, as_user, bob):
    for credits, told in ((51, 0), (49, 1), (12, 0), (400, 0), (3, 1)):
        small_sandbox.control.settings(credits=credits)
        Workspace.objects.update(credits_at=None)
        care_now(workspace)
        assert warn_owners() == told, credits

    assert [message.to for message in mail.outbox] == [["alice@team.example"]] * 2
    assert "49 credits" in mail.outbox[0].subject
    assert events("workspace.low_credits").count() == 2
    assert "3 credits left" in text(as_user(bob).get(f"/t/{workspace.team.slug}/settings/workspaces/"))


@pytest.mark.parametrize(("limit", "told"), [(0, 0), (420, 0), (421, 1)])
def test_the_limit_is_the_teams(workspace, limit, told):
    change_workspace(workspace=workspace, name="", max_age_minutes=30, low_credits=limit, actor=OPERATOR)

    assert warn_owners() == told


def test_credits_that_nobody_told_warn_nobody(workspace):
    Workspace.objects.update(credits=None)

    assert warn_owners() == 0


def test_channels_are_told_as_well(expiring, team):
    kinds = [NoticeKind.KEY_EXPIRES.value, NoticeKind.LOW_CREDITS.value]
    channel = Channel.objects.create(team=team, kind="email", name="Ours", notices=kinds)
    expiring(2, credits=1)

    tasks.tell_owners()
    found = list(AuditEvent.objects.filter(verb__in=["workspace.key_expires", "workspace.low_credits"]))
    collect_events(team.pk, found)
    collect_events(team.pk, found)

    assert set(Notice.objects.values_list("kind", flat=True)) == set(kinds)
    Channel.objects.update(due_at=found[0].at)
    assert compose_due() == 1
    message = channel.messages.get()
    assert "1 key expires" in message.subject
    assert "its key expires soon" in message.body
    assert "it has few credits left" in message.body


def test_viewers_and_editors_get_no_mail(expiring, team):
    factories.join(team, factories.user("second@team.example", "Second"), Role.OWNER)
    expiring(0)

    warn_owners()

    assert {message.to[0] for message in mail.outbox} == {"alice@team.example", "second@team.example"}
