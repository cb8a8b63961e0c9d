"""Channels: who may have which, what a target must be, the pages, and how long the log is kept."""

from datetime import time, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from issues.enums import ChannelKind, NoticeKind
from issues.models import AuditEvent, Channel, Message, Notice, Workspace
from issues.notify import channels
from issues.notify.channels import Wishes
from issues.problems import Refusal
from issues.retention import tidy
from tests.reading import text
from tests.telling import SLACK, sweep, tell

# --- Settings ------------------------------------------------------------------------------------------------


def test_a_new_member_hears_of_what_concerns_him(team, bobs):
    channel = Channel.objects.get(owner=bobs)

    assert (channel.kind, channel.only_mine) == ("email", True)
    assert "new" in channel.notices


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("slack", "https://evil.example/services/T1/A1/x"), ("slack", "https://hooks.slack.com/"), ("slack", ""),
        ("discord", "https://discord.com.evil.example/api/webhooks/1/x"), ("teams", "https://office.com/x"),
        ("webhook", "https://10.0.0.1/"), ("webhook", "http://hooks.example.com/"), ("email", "other@team.example"),
    ],
)  # fmt: skip
def test_targets_that_are_none_are_refused(quiet_team, bobs, actor, workspace, kind, target):
    with pytest.raises(Refusal):
        channels.add_channel(
            team=quiet_team, owner=bobs, wishes=Wishes(ChannelKind(kind), "x", target, [NoticeKind.NEW]), actor=actor
        )


def test_a_member_adds_changes_tries_and_removes_his_own(page, quiet_team, bobs):
    add = reverse("channel_add", args=[quiet_team.slug])
    form = {"kind": "slack", "name": "Chat", "target": SLACK, "notices": ["new", "overdue"], "pace": "hourly"}
    page.client.post(add, form)
    channel = Channel.objects.get()
    assert (channel.owner, channel.pace, channel.notices) == (bobs, "hourly", ["new", "overdue"])
    shown = page("channel", channel.pk).content.decode()
    assert "hooks.slack.com" in shown
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in shown
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in "".join(AuditEvent.objects.values_list("canonical", flat=True))

    args = [quiet_team.slug, channel.pk]
    page.client.post(
        reverse("channel_change", args=args), {**form, "target": "", "quiet_from": "22:00", "quiet_until": "07:00"}
    )
    channel.refresh_from_db()
    assert channel.quiet_from == time(22)
    assert channel.is_active is False  # the box was not ticked
    assert channel.target.reveal() == SLACK
    page.client.post(reverse("channel_try", args=args))
    assert Message.objects.count() == 1
    page.client.post(reverse("channel_remove", args=args))
    assert not Channel.objects.exists()


def test_nobody_sees_the_channels_of_another(as_user, alice, channel, quiet_team):
    owner = as_user(alice)
    for name in ("channel", "channel_change", "channel_remove", "channel_try"):
        ask = owner.get if name == "channel" else owner.post
        assert ask(reverse(name, args=[quiet_team.slug, channel.pk])).status_code == 404


def test_only_owners_change_the_teams(page, as_user, alice, quiet_team):
    add = reverse("channel_add", args=[quiet_team.slug])
    form = {
        "kind": "email",
        "name": "Desk",
        "target": "desk@team.example",
        "notices": ["new"],
        "pace": "soon",
        "team": "1",
    }

    assert page.client.post(add, form).status_code == 403
    assert as_user(alice).post(add, form).status_code == 302
    made = Channel.objects.get()
    assert made.owner is None
    assert page("channel", made.pk).status_code == 200
    assert page.client.post(reverse("channel_try", args=[quiet_team.slug, made.pk])).status_code == 403


def test_where_the_team_is_told_is_set_by_whoever_confirms_who_he_is(as_user, alice, quiet_team):
    client = as_user(alice)
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": 0}]
    session.save()
    said = {
        "team": "1",
        "kind": "email",
        "name": "Ours",
        "target": "ops@team.example",
        "notices": ["new"],
        "pace": "soon",
    }

    response = client.post(reverse("channel_add", args=[quiet_team.slug]), said)

    assert response["Location"].startswith(reverse("account_reauthenticate"))
    assert not Channel.objects.exists()


def test_the_list_of_channels_costs_the_same_whatever_the_log_holds(
    page, channel, quiet_team, django_assert_max_num_queries
):
    for number in range(30):
        Message.objects.create(channel=channel, subject=f"Message {number}", body="x" * 1000)

    with django_assert_max_num_queries(14):
        shown = page("notifications")

    assert "Message 29" in text(shown)
    assert "Message 28" not in text(shown)


@pytest.mark.parametrize(
    "said",
    [
        {"notices": []},
        {"quiet_from": "22:00"},
        {"time_zone": "Mars/Olympus"},
        {"name": ""},
        {"pace": "x"},
        {"kind": "fax"},
    ],
)
def test_a_wrong_form_is_said_so(page, quiet_team, said):
    form = {"kind": "email", "name": "Mail", "notices": ["new"], "pace": "soon", **said}
    answer = page.client.post(reverse("channel_add", args=[quiet_team.slug]), form)

    assert answer.status_code == 422
    assert not Channel.objects.exists()


def test_the_page_lists_mine_and_ours(page, channel, quiet_team, workspace):
    sweep(workspace)
    tell()

    said = text(page("notifications"))
    assert "bob@team.example" in said
    assert "new issues · Bright Team" in said


def test_old_messages_and_notices_go(channel, workspace, actor):
    sweep(workspace)
    tell()
    old = timezone.now() - timedelta(days=31)
    Message.objects.update(created_at=old)
    Notice.objects.update(created_at=old)
    channels.try_channel(channel=channel, actor=actor)

    tidy()

    assert Message.objects.count() == 1
    assert not Notice.objects.exists()
    assert Workspace.objects.exists()
