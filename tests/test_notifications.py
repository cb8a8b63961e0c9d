"""Notifications: who is told of what, once, grouped, at the right hour, and of what is still open only."""

import json
from datetime import UTC, datetime, time, timedelta

import pytest
from django.core import mail
from django.utils import timezone

from issues.audit import Actor
from issues.enums import ChannelKind, NoticeKind, Origin, Pace
from issues.fixes.lifecycle import drive_fix
from issues.fixes.submit import submit_links
from issues.models import Channel, Issue, Message, Notice, SyncGauge
from issues.notify import channels, collect, post
from issues.notify.channels import Wishes
from issues.outgoing.announce import announce_all
from issues.triage.assigning import assign
from issues.triage.notes import write_note
from issues.triage.snoozing import snooze
from tests import factories
from tests.reading import text
from tests.telling import DISCORD, SLACK, TEAMS, sweep, tell

# --- What is told --------------------------------------------------------------------------------------------


def test_a_storm_of_flags_is_one_message_grouped_by_cause(channel, workspace, quiet_team):
    sweep(workspace)
    Issue.objects.update(deadline=timezone.now() + timedelta(days=2))
    tell()
    tell()

    assert len(mail.outbox) == 1
    message = mail.outbox[0]
    count = Issue.objects.count()
    assert message.subject == f"{count} new issues · Bright Team"
    assert message.to == ["bob@team.example"]
    issue = Issue.objects.first()
    assert f"http://127.0.0.1:8000/t/{quiet_team.slug}/issues/{issue.pk}/" in message.body
    assert issue.host in message.body
    assert Message.objects.get().state == "delivered"


def test_the_largest_cause_comes_first_and_a_long_one_is_a_link(channel, workspace):
    sweep(workspace)
    announce_all()
    factories.many_issues(workspace, 12)
    many = Issue.objects.filter(comment__startswith="broken")
    many.update(host="cdn.example.com", verdict="http_404", verdict_class="dead")
    Notice.objects.bulk_create(
        Notice(channel=channel, kind="new", key=f"new:x{issue.pk}", issue=issue) for issue in many
    )
    tell()

    body = mail.outbox[0].body
    assert body.index("cdn.example.com: The file is gone (404). (12)") < body.index("#1 ")
    assert "and 4 more: http://127.0.0.1:8000/t/bright-team/?host=cdn.example.com&cause=http_404" in body


def test_what_is_over_before_the_message_goes_out_is_not_told(channel, workspace, small_sandbox):
    sweep(workspace)
    announce_all()
    Issue.objects.update(state="cleared", closed_at=timezone.now())
    tell()

    assert mail.outbox == []
    assert not Notice.objects.filter(settled_at=None).exists()


def test_a_failed_fix_is_told_to_others_and_by_whom_it_was_not(channel, video_issue, quiet_team, alice):
    announce_all()
    Notice.objects.all().delete()
    bad = ["https://broken.invalid/clip.mp4"]
    fix = submit_links(issue=video_issue, links=bad, actor=Actor.person(alice, Origin.PAGE), unchecked=True)
    drive_fix(fix.pk)
    tell()

    assert mail.outbox[0].subject == "1 failed fix · Bright Team"


def test_what_one_did_oneself_is_no_news(channel, swept, quiet_team, bob, actor):
    announce_all()
    Notice.objects.all().delete()

    assign(team=quiet_team, keys=[Issue.objects.first().pk], to=bob, actor=actor)
    tell()

    assert mail.outbox == []


def test_given_issues_and_calls_are_told_to_the_one(channel, swept, quiet_team, bob, alice):
    announce_all()
    Notice.objects.all().delete()
    boss, issue = Actor.person(alice, Origin.PAGE), Issue.objects.first()
    Issue.objects.update(deadline=timezone.now() + timedelta(days=2))
    assign(team=quiet_team, keys=[issue.pk], to=bob, actor=boss)
    write_note(team=quiet_team, text="@bob please", actor=boss, issue=issue)
    write_note(team=quiet_team, text="@alice no news for Bob", actor=Actor.person(bob, Origin.PAGE), issue=issue)
    tell()

    assert mail.outbox[0].subject == "1 note for you, 1 given to you · Bright Team"


def test_only_mine_means_mine_and_nobodys(quiet_team, bobs, alice, swept, actor):
    wishes = Wishes(ChannelKind.EMAIL, "E-mail", "", [NoticeKind.OVERDUE], only_mine=True)
    channels.add_channel(team=quiet_team, owner=bobs, wishes=wishes, actor=actor)
    Channel.objects.update(created_at=timezone.now() - timedelta(days=1))
    issues = list(Issue.objects.all())
    Issue.objects.update(deadline=timezone.now() - timedelta(minutes=5))
    Issue.objects.exclude(pk=issues[0].pk).update(assignee=alice)
    tell()

    assert mail.outbox[0].subject == "1 late · Bright Team"


def test_late_issues_are_told_once_and_not_while_they_sleep(channel, swept, quiet_team, actor):
    announce_all()
    Notice.objects.all().delete()
    asleep, late = Issue.objects.order_by("pk")[:2]
    Issue.objects.update(deadline=timezone.now() + timedelta(days=3))
    snooze(team=quiet_team, keys=[asleep.pk], until=timezone.now() + timedelta(hours=5), actor=actor)
    Channel.objects.update(created_at=timezone.now() - timedelta(days=1))
    Issue.objects.filter(pk__in=[asleep.pk, late.pk]).update(deadline=timezone.now() - timedelta(minutes=1))
    tell()
    tell()

    assert [message.subject for message in mail.outbox] == ["1 late · Bright Team"]


def test_a_refused_key_is_told(channel, workspace, quiet_team, small_sandbox):
    from django.db import transaction

    from issues.audit import Event, Verb, record

    with transaction.atomic():
        record(quiet_team.pk, Actor.system(Origin.SYNC), [Event.about_workspace(Verb.WORKSPACE_KEY_REFUSED, workspace)])
    tell()

    assert mail.outbox[0].subject == "1 refused key · Bright Team"
    assert f"/settings/workspaces/{workspace.pk}/keys/" in mail.outbox[0].body


def test_checks_that_are_behind_are_told_once(channel, swept):
    announce_all()
    Notice.objects.all().delete()
    SyncGauge.objects.update(oldest_look_at=timezone.now() - timedelta(hours=3))
    tell()
    tell()

    assert [message.subject for message in mail.outbox] == ["1 workspace behind · Bright Team"]


def test_a_storm_of_late_issues_is_told_to_the_last_one(channel, workspace, monkeypatch):
    factories.many_issues(workspace, 620)
    Issue.objects.update(deadline=timezone.now() - timedelta(minutes=1))
    Channel.objects.update(created_at=timezone.now() - timedelta(hours=2))

    counts = [collect.collect_due() for _ in range(3)]

    assert counts == [500, 120, 0]


def test_a_closed_account_is_told_nothing(channel, swept, bob):
    bob.is_active = False
    bob.save()

    tell()

    assert mail.outbox == []


def test_a_reminder_each_morning_of_what_is_still_open(channel, swept, monkeypatch):
    announce_all()
    Notice.objects.all().delete()
    Channel.objects.update(notices=["reminder"])
    first, second = Issue.objects.order_by("pk")[:2]
    Issue.objects.update(deadline=timezone.now() + timedelta(days=30))
    Issue.objects.filter(pk__in=[first.pk, second.pk]).update(deadline=timezone.now() - timedelta(days=2))
    Issue.objects.filter(pk=second.pk).update(state="cleared", closed_at=timezone.now())
    morning = timezone.now().replace(hour=9, minute=5) + timedelta(days=1)
    monkeypatch.setattr(timezone, "now", lambda: morning - timedelta(hours=2))
    tell()
    assert mail.outbox == []
    monkeypatch.setattr(timezone, "now", lambda: morning)
    tell()
    tell()

    assert [message.subject for message in mail.outbox] == ["1 still open after the deadline · Bright Team"]
    monkeypatch.setattr(timezone, "now", lambda: morning + timedelta(days=1))
    tell()
    assert len(mail.outbox) == 2


# --- When ----------------------------------------------------------------------------------------------------


def at(hour, minute=0):
    return datetime(2026, 11, 24, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pace", "now", "due"),
    [
        (Pace.SOON, at(10), at(10) + timedelta(seconds=30)),
        (Pace.HOURLY, at(10, 12), at(11)),
        (Pace.DAILY, at(6), at(7)),  # 8:00 in Paris
        (Pace.DAILY, at(10), at(7) + timedelta(days=1)),
        (Pace.SOON, at(21, 30), at(6) + timedelta(days=1)),  # quiet from 22:00 to 7:00 in Paris
        (Pace.SOON, at(2), at(6)),
    ],
)
def test_the_pace_and_the_quiet_hours(channel, pace, now, due):
    channel.pace, channel.time_zone = pace, "Europe/Paris"
    channel.quiet_from, channel.quiet_until = time(22), time(7)

    assert collect.due_of(channel, now) == due


def test_after_a_message_a_channel_rests(channel):
    channel.last_message_at = at(10)

    assert collect.due_of(channel, at(10, 1)) == at(10, 5)


def test_nothing_goes_out_in_quiet_hours(channel, workspace):
    now = timezone.now()
    Channel.objects.update(
        quiet_from=(now - timedelta(hours=1)).time(), quiet_until=(now + timedelta(hours=1)).time(), time_zone="UTC"
    )
    sweep(workspace)
    tell()

    assert mail.outbox == []
    channel.refresh_from_db()
    assert timedelta(minutes=50) < channel.due_at - now < timedelta(minutes=65)
    assert Notice.objects.filter(settled_at=None).exists()


def test_a_message_waits_until_what_comes_together_is_gathered(channel, workspace):
    sweep(workspace)
    tell(at_once=False)

    assert mail.outbox == []
    channel.refresh_from_db()
    assert channel.due_at is not None


# --- Sending -------------------------------------------------------------------------------------------------


def test_a_mail_server_that_refuses_is_tried_again_and_fails_in_the_end(channel, actor, monkeypatch, page):
    def refuse(self, *args):
        raise ConnectionRefusedError

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
    channels.try_channel(channel=channel, actor=actor)
    for tries in range(1, len(post.WAITS) + 2):
        Message.objects.update(next_try_at=timezone.now())
        assert post.send_due() == 1
        assert Message.objects.get().tries == tries

    assert Message.objects.get().state == "failed"
    assert "the mail server did not take it" in text(page("channel", channel.pk))


def test_a_message_whose_worker_died_goes_out_later(channel, actor):
    channels.try_channel(channel=channel, actor=actor)
    Message.objects.update(claimed_until=timezone.now() + timedelta(seconds=60))
    assert post.send_due() == 0
    Message.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))

    assert post.send_due() == 1
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(
    ("kind", "target", "word"),
    [("slack", SLACK, "attachments"), ("discord", DISCORD, "content"), ("teams", TEAMS, "AdaptiveCard")],
)
def test_slack_discord_and_teams_get_it_by_apprise(quiet_team, bobs, actor, monkeypatch, kind, target, word):
    posted = []

    class Taken:
        status_code, content, text, headers = 200, b"ok", "ok", {}

    def take(method, url, **options):
        posted.append((url, options))
        return Taken()

    monkeypatch.setattr(
        "requests.sessions.Session.request", lambda self, method, url, **options: take(method, url, **options)
    )
    wishes = Wishes(ChannelKind(kind), "Chat", target, [NoticeKind.NEW])
    made = channels.add_channel(team=quiet_team, owner=bobs, wishes=wishes, actor=actor)
    channels.try_channel(channel=made, actor=actor)
    post.send_due()

    assert Message.objects.get().state == "delivered"
    assert posted[0][0].startswith(target.split("?")[0].rsplit("/", 1)[0])
    assert "how TokDash will tell you" in str(posted[0][1].get("data"))
    assert word in str(posted[0][1].get("data"))


def test_a_webhook_goes_under_the_guard(quiet_team, small_sandbox, workspace, alice):
    boss = Actor.person(alice, Origin.PAGE)
    wishes = Wishes(ChannelKind.WEBHOOK, "Ours", "https://hooks.example.com/notify", [NoticeKind.NEW])
    made = channels.add_channel(team=quiet_team, owner=None, wishes=wishes, actor=boss)
    sweep(workspace)
    tell()

    said = json.loads(small_sandbox.outside.hooked[0]["body"])
    assert said["type"] == "notification"
    assert said["count"] == Issue.objects.count()
    made.target = "https://loopback.example.com/"
    made.save()
    channels.try_channel(channel=made, actor=boss)
    post.send_due()
    assert Message.objects.latest("created_at").code == "private_address"
