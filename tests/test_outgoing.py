"""Webhooks to the team's own systems: what is told, signed, delivered again, and to whom it never goes."""

import hashlib
import hmac
import json
import time
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from issues.audit import Actor
from issues.enums import Origin
from issues.fixes.lifecycle import drive_fix
from issues.fixes.submit import submit_links
from issues.models import AuditEvent, AuditHead, Channel, Hook, HookDelivery, Issue, OutgoingCursor
from issues.outgoing import hooks
from issues.outgoing.announce import announce_all
from issues.outgoing.deliver import WAITS, deliver_due
from issues.outgoing.payloads import TYPES
from issues.problems import Refusal
from issues.retention import tidy
from issues.sync.sweeps import sweep_workspace
from tests import factories
from tests.reading import text

URL = "https://hooks.example.com/tokdash?key=geheim"
GOOD = "https://cdn.example.com/ok.mp4"


@pytest.fixture
def boss(alice):
    return Actor.person(alice, Origin.PAGE)


@pytest.fixture
def hook(team, workspace, boss):
    """An endpoint that is told of everything; `hook.told_secret` is its secret."""
    made, secret = hooks.add_hook(team=team, name="CRM", url=URL, types=list(TYPES), actor=boss)
    made.told_secret = secret
    return made


@pytest.fixture
def received(small_sandbox):
    return small_sandbox.outside.hooked


def sweep(workspace):
    sweep_workspace(workspace, actor=Actor.system(Origin.SYNC))


def deliver():
    announce_all()
    while deliver_due():
        pass


def to(hook, path):
    Hook.objects.filter(pk=hook.pk).update(url=f"https://hooks.example.com/{path}")


def due_now():
    HookDelivery.objects.filter(state="waiting").update(next_try_at=timezone.now())


# --- What is told --------------------------------------------------------------------------------------------


def test_each_new_flag_is_told_once_with_a_signature_that_fits(hook, workspace, received):
    sweep(workspace)
    deliver()
    deliver()

    assert len(received) == Issue.objects.count() > 0
    assert len({said["headers"]["TokDash-Event-Id"] for said in received}) == len(received)
    said = received[0]
    moment, _, value = said["headers"]["TokDash-Signature"].partition(",v1=")
    expected = hmac.new(hook.told_secret.encode(), f"{moment[2:]}.".encode() + said["body"], hashlib.sha256).hexdigest()
    assert value == expected
    assert abs(time.time() - int(moment[2:])) < 60
    body = json.loads(said["body"])
    assert body["id"] == said["headers"]["TokDash-Event-Id"]
    assert body["type"] == said["headers"]["TokDash-Event-Type"] == "issue.opened"
    issue = Issue.objects.get(pk=body["data"]["issue"]["id"])
    assert body["data"]["issue"]["bundle"]["id"] == issue.video.bundle.tokportal_id
    assert body["data"]["issue"]["comment"] == issue.comment
    assert AuditEvent.objects.get(team=hook.team, seq=body["sequence"]).issue_id == issue.pk


def test_a_fix_and_its_end_are_told(hook, video_issue, received, actor):
    announce_all()
    HookDelivery.objects.all().delete()

    fix = submit_links(issue=video_issue, links=[GOOD], actor=actor)
    drive_fix(fix.pk)
    deliver()

    bodies = [json.loads(said["body"]) for said in received]
    assert [body["type"] for body in bodies] == ["issue.fixed"]
    assert bodies[0]["data"]["fix"]["id"] == str(fix.pk)
    assert bodies[0]["data"]["issue"]["state"] == "fixed"


def test_a_refused_fix_needs_a_human(hook, video_issue, received, actor, small_sandbox):
    announce_all()
    HookDelivery.objects.all().delete()
    fix = submit_links(issue=video_issue, links=["https://broken.invalid/clip.mp4"], actor=actor, unchecked=True)
    drive_fix(fix.pk)
    deliver()

    body = json.loads(received[-1]["body"])
    assert body["type"] == "issue.needs_human"
    assert body["data"]["fix"]["code"] == "UPLOAD_FAILED"


def test_a_flag_that_goes_away_is_told(hook, video_issue, workspace, received, small_sandbox):
    announce_all()
    HookDelivery.objects.all().delete()
    small_sandbox.control.clear(video_issue.video.bundle.tokportal_id, video_issue.video.position)
    sweep(workspace)
    deliver()

    assert [json.loads(said["body"])["type"] for said in received] == ["issue.cleared"]


def test_links_come_without_their_secrets(hook, workspace, received):
    sweep(workspace)
    deliver()

    assert all("X-Amz-Signature" not in said["body"].decode() for said in received)


def test_only_what_was_chosen_is_told_and_only_from_now_on(team, swept, boss, video_issue, received, actor):
    hooks.add_hook(team=team, name="Fixed", url=URL, types=["issue.fixed"], actor=boss)
    deliver()
    assert received == []  # the flags were there before

    drive_fix(submit_links(issue=video_issue, links=[GOOD], actor=actor).pk)
    deliver()

    assert [said["headers"]["TokDash-Event-Type"] for said in received] == ["issue.fixed"]


def test_without_anybody_to_tell_the_history_is_only_read_on(team, swept):
    Channel.objects.all().delete()

    assert announce_all() == 0
    assert OutgoingCursor.objects.get().seq == AuditHead.objects.get(team=team).seq


def test_another_teams_endpoint_hears_nothing(hook, charlie, workspace, received):
    other = charlie.teams.get()
    hooks.add_hook(
        team=other, name="Theirs", url="https://hooks.example.com/theirs", types=list(TYPES), actor=factories.OPERATOR
    )
    sweep(workspace)
    deliver()

    assert received
    assert all(said["path"] == "/tokdash" for said in received)


# --- Delivery ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "status"), [("500", 500), ("404", 404), ("301", 301)])
def test_what_is_not_taken_is_tried_again_and_fails_in_the_end(hook, received, boss, path, status):
    to(hook, path)
    hooks.send_test(hook=hook, actor=boss)
    for tries in range(1, len(WAITS) + 2):
        due_now()
        assert deliver_due() == 1
        delivery = HookDelivery.objects.get()
        assert (delivery.tries, delivery.status) == (tries, status)

    assert delivery.state == "failed"
    assert deliver_due() == 0
    assert len({said["body"] for said in received}) == 1  # the same bytes each time
    hooks.replay(delivery=delivery, actor=boss)
    to(hook, "200")
    deliver_due()
    assert HookDelivery.objects.get().state == "delivered"


def test_the_wait_grows_and_a_retry_after_is_kept(hook, boss):
    to(hook, "503")
    hooks.send_test(hook=hook, actor=boss)
    deliver_due()
    wait = (HookDelivery.objects.get().next_try_at - timezone.now()).total_seconds()
    assert 8 < wait < 13

    to(hook, "429")
    due_now()
    deliver_due()
    assert 1100 < (HookDelivery.objects.get().next_try_at - timezone.now()).total_seconds() < 1210


def test_gone_stops_the_endpoint(hook, boss, page, workspace, received):
    to(hook, "410")
    hooks.send_test(hook=hook, actor=boss)
    deliver_due()

    hook.refresh_from_db()
    assert (hook.is_active, hook.stopped_code) == (False, "gone")
    assert "Stopped: it answered “gone”" in text(page("hook", hook.pk))
    before = len(received)
    sweep(workspace)
    deliver()
    assert len(received) == before
    hooks.change_hook(hook=hook, name="CRM", url=URL, types=["issue.fixed"], is_active=True, actor=boss)
    hook.refresh_from_db()
    assert hook.stopped_code == ""


@pytest.mark.parametrize(
    "host", ["timeout.example.com", "reset.example.com", "tls-expired.example.com", "nowhere.invalid"]
)
def test_hosts_that_fail_are_said_in_words(hook, boss, page, host, monkeypatch):
    monkeypatch.setattr("issues.outgoing.deliver.POST_SECONDS", 0.7)
    Hook.objects.filter(pk=hook.pk).update(url=f"https://{host}/")
    hooks.send_test(hook=hook, actor=boss)
    deliver_due()

    delivery = HookDelivery.objects.get()
    assert delivery.status is None
    assert delivery.code
    said = text(page("hook", hook.pk))
    assert any(word in said for word in ("did not answer in time", "cannot be reached", "certificate", "no such host"))


@pytest.mark.parametrize("host", ["private.example.com", "loopback.example.com", "metadata.example.com"])
def test_a_name_that_leads_inwards_is_never_asked(hook, boss, small_sandbox, host):
    Hook.objects.filter(pk=hook.pk).update(url=f"https://{host}/")
    hooks.send_test(hook=hook, actor=boss)
    deliver_due()

    assert HookDelivery.objects.get().code == "private_address"
    assert host not in small_sandbox.outside.asked


def test_a_delivery_whose_worker_died_is_taken_up_again(hook, boss, received):
    hooks.send_test(hook=hook, actor=boss)
    HookDelivery.objects.update(claimed_until=timezone.now() + timedelta(seconds=50))
    assert deliver_due() == 0
    HookDelivery.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))

    assert deliver_due() == 1
    assert len(received) == 1


def test_old_deliveries_go_and_waiting_ones_stay(hook, boss):
    for _ in range(2):
        hooks.send_test(hook=hook, actor=boss)
    first = HookDelivery.objects.first()
    HookDelivery.objects.update(created_at=timezone.now() - timedelta(days=31))
    HookDelivery.objects.filter(pk=first.pk).update(state="delivered")

    tidy()

    assert HookDelivery.objects.exclude(pk=first.pk).count() == HookDelivery.objects.count() == 1


# --- Settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example.com/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.8/x", "ftp://x.example/", "",
     "https://user:pass@hooks.example.com/", "https://hooks.example.com:22/"],
)  # fmt: skip
def test_addresses_that_are_not_public_https_are_refused(team, workspace, boss, url):
    with pytest.raises(Refusal):
        hooks.add_hook(team=team, name="x", url=url, types=list(TYPES), actor=boss)


def test_an_owner_adds_changes_and_removes_one(owner, team, workspace):
    add = reverse("hook_add", args=[team.slug])
    added = owner.post(add, {"name": "CRM", "url": URL, "types": ["issue.opened"]})
    hook = Hook.objects.get()
    secret = hook.secret.reveal()
    assert secret in added.content.decode()
    assert added["Cache-Control"] == "no-store"
    shown = owner.get(reverse("hook", args=[team.slug, hook.pk])).content.decode()
    assert secret not in shown

    url = reverse("hook_change", args=[team.slug, hook.pk])
    owner.post(url, {"name": "CRM 2", "url": URL, "types": ["issue.fixed"]})
    owner.post(url, {"active": "0"})
    hook.refresh_from_db()
    assert (hook.name, hook.types, hook.is_active) == ("CRM 2", ["issue.fixed"], False)
    renewed = owner.post(reverse("hook_secret", args=[team.slug, hook.pk]))
    hook.refresh_from_db()
    assert hook.secret.reveal() != secret
    assert hook.secret.reveal() in renewed.content.decode()
    owner.post(reverse("hook_remove", args=[team.slug, hook.pk]))
    assert not Hook.objects.exists()
    verbs = list(AuditEvent.objects.filter(verb__startswith="hook.").order_by("seq").values_list("verb", flat=True))
    assert verbs == ["hook.added", "hook.changed", "hook.changed", "hook.changed", "hook.removed"]
    assert not AuditEvent.objects.filter(canonical__contains="geheim").exists()
    assert not AuditEvent.objects.filter(canonical__contains=secret).exists()


@pytest.mark.parametrize("said", [{"name": ""}, {"types": []}, {"types": ["x"]}, {"url": "https://localhost/"}])
def test_a_wrong_form_keeps_what_was_typed(owner, team, workspace, said):
    answer = owner.post(
        reverse("hook_add", args=[team.slug]), {"name": "CRM", "url": URL, "types": ["issue.opened"], **said}
    )

    assert answer.status_code == 422
    assert not Hook.objects.exists()


def test_names_are_one_of_a_kind_and_endpoints_bounded(team, workspace, boss, hook):
    with pytest.raises(Refusal, match="already an endpoint"):
        hooks.add_hook(team=team, name="CRM", url=URL, types=list(TYPES), actor=boss)
    for number in range(9):
        hooks.add_hook(team=team, name=str(number), url=URL, types=list(TYPES), actor=boss)
    with pytest.raises(Refusal, match="at most 10"):
        hooks.add_hook(team=team, name="one more", url=URL, types=list(TYPES), actor=boss)


def test_the_log_shows_what_was_sent_and_answered(owner, team, hook, boss):
    owner.post(reverse("hook_try", args=[team.slug, hook.pk]))
    deliver_due()

    said = text(owner.get(reverse("hook", args=[team.slug, hook.pk])))
    assert "webhook.test" in said
    assert "answered 200" in said
    delivery = HookDelivery.objects.get()
    owner.post(reverse("hook_replay", args=[team.slug, delivery.pk]))
    delivery.refresh_from_db()
    assert delivery.state == "waiting"
    assert "1 delivered" not in text(owner.get(reverse("hooks", args=[team.slug])))
