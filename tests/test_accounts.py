"""Accounts: what happens to them is written down; sessions, second factors, erasing, keys."""

import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from allauth.usersessions.models import UserSession
from django.core import mail
from django.core.cache import cache
from django.test import Client

from issues import erasing, members, rotation
from issues.audit import Actor
from issues.audit.personal import people_of
from issues.audit.verify import verify_team
from issues.enums import Origin, Role
from issues.fixes.lifecycle import drive_fix
from issues.models import AuditEvent, Fix, Membership, PersonalValue, User, Workspace
from issues.problems import Refusal
from issues.queries.history_lines import read_events
from issues.sealed import SealError
from tests import factories
from tests.people import code_of, last_event, secret_of, url, with_totp
from tests.reading import text

# --- What happens to an account is written down --------------------------------------------------------------


def test_log_ins_and_failed_ones_are_in_the_history(team, bob):
    client = Client(HTTP_USER_AGENT="Tester/1")
    client.post("/accounts/login/", {"login": bob.email, "password": "wrong"})
    client.post("/accounts/login/", {"login": bob.email, "password": factories.PASSWORD})
    client.post("/accounts/logout/")

    for verb in ("account.login_failed", "account.logged_in", "account.logged_out"):
        event = last_event(team, verb)
        assert event.actor_id == bob.pk, verb
        assert "Tester/1" in people_of(team.pk, [event]).changes(event)["place"][1]
        assert "Tester" not in event.canonical
        assert event.request_id


def test_an_unknown_address_leaves_no_event(team):
    before = AuditEvent.objects.count()
    Client().post("/accounts/login/", {"login": "nobody@x.example", "password": "wrong"})

    assert AuditEvent.objects.count() == before


def test_a_changed_password_and_ended_sessions_are_in_the_history(team, bob):
    here, there = Client(), Client()
    for client in (here, there):
        client.post("/accounts/login/", {"login": bob.email, "password": factories.PASSWORD})
        client.get(url("issues", team))
    assert UserSession.objects.filter(user=bob).count() == 2

    here.post("/accounts/sessions/")

    assert there.get(url("issues", team)).status_code == 302
    assert here.get(url("issues", team)).status_code == 200
    assert last_event(team, "account.session_ended").changes["sessions"] == [1, 0]
    new = {"oldpassword": factories.PASSWORD, "password1": "a new password 7", "password2": "a new password 7"}
    here.post("/accounts/password/change/", new)
    assert last_event(team, "account.password_changed").changes["password"] == ["set", "changed"]


def test_a_second_factor_is_asked_sealed_and_written_down(team, bob):
    with_totp(bob)
    stored = Authenticator.objects.get(user=bob).data["secret"]
    client = Client()
    client.post("/accounts/login/", {"login": bob.email, "password": factories.PASSWORD})
    outside = client.get(url("issues", team)).status_code
    client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    client.post("/accounts/2fa/authenticate/", {"code": code_of(bob)})

    assert stored.startswith("k1$")
    assert outside == 302
    assert client.get(url("issues", team)).status_code == 200
    assert last_event(team, "account.login_failed").changes["factor"] == [None, "second factor"]


def test_adding_and_removing_a_factor_is_written_down(team, bob, django_capture_on_commit_callbacks):
    client = Client()
    client.post("/accounts/login/", {"login": bob.email, "password": factories.PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": factories.PASSWORD})
    page = client.get("/accounts/2fa/totp/activate/")
    secret = client.session["mfa.totp.secret"]
    code = totp.format_hotp_value(totp.hotp_value(secret, next(totp.yield_hotp_counters_from_time())))

    with django_capture_on_commit_callbacks(execute=True):
        client.post("/accounts/2fa/totp/activate/", {"code": code})
    client.post("/accounts/2fa/totp/deactivate/")

    assert page.status_code == 200
    assert last_event(team, "account.two_factor_added").actor_id == bob.pk
    assert last_event(team, "account.recovery_codes_made")
    assert last_event(team, "account.two_factor_removed")
    assert secret not in "".join(AuditEvent.objects.values_list("canonical", flat=True))


def test_a_changed_address_is_verified_first_and_written_down(team, bob):
    client = Client()
    client.post("/accounts/login/", {"login": bob.email, "password": factories.PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": factories.PASSWORD})
    client.post("/accounts/email/", {"email": "robert@team.example", "action_add": ""})
    client.post("/accounts/email/", {"email": "robert@team.example", "action_primary": ""})
    unverified = User.objects.get(pk=bob.pk).email
    link = re.search(r"https?://[^/]+(/accounts/confirm-email/\S+)", mail.outbox[-1].body)[1]
    page = client.get(link)
    client.post(link)
    client.post("/accounts/email/", {"email": "robert@team.example", "action_primary": ""})

    assert unverified == "bob@team.example"
    assert "tokdash.css" in page.content.decode()
    assert User.objects.get(pk=bob.pk).email == "robert@team.example"
    event = last_event(team, "account.email_changed")
    changes = people_of(team.pk, [event]).changes(event)
    assert changes["email"] == ["bob@team.example", "robert@team.example"]
    assert "robert" not in event.canonical


@pytest.mark.parametrize(
    "path", ["2fa/", "2fa/totp/activate/", "2fa/webauthn/", "2fa/webauthn/add/", "sessions/", "email/"]
)
def test_account_pages_stand_in_our_frame(team, bob, path):
    client = Client()
    client.post("/accounts/login/", {"login": bob.email, "password": factories.PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": factories.PASSWORD})

    content = client.get(f"/accounts/{path}").content.decode()

    assert "tokdash.css" in content
    assert 'aria-label="Your account"' in content
    assert "Sign Up" not in content


# --- Erasing -------------------------------------------------------------------------------------------------


def test_a_former_member_is_erased_and_the_record_holds(owner, team, bob, video_issue, as_user):
    bobs = as_user(bob)
    bobs.post(url("history_note", team), {"text": "Call Bob's mother", "issue": video_issue.pk})
    bobs.post(url("submit_fix", team, video_issue.pk), {"links": "https://cdn.example.com/a.mp4"})
    drive_fix(Fix.objects.get().pk)  # "TokDash, for Bob Editor"
    assert "Bob" not in "".join(AuditEvent.objects.filter(team=team).values_list("canonical", flat=True))
    still = owner.post(url("member_erase", team, bob.pk), follow=True)
    owner.post(url("member_remove", team, Membership.objects.get(team=team, user=bob).pk))

    done = owner.post(url("member_erase", team, bob.pk), follow=True)

    assert "still in the team" in text(still)
    assert "Erased." in text(done)
    history = text(owner.get(url("history", team)))
    assert "Bob" not in history.replace("Bob's", "Bob")
    assert "(erased)" in history
    assert not PersonalValue.objects.filter(team=team, user_id=bob.pk, erased_at=None).exists()
    assert Fix.objects.get().actor_name == "(erased)"
    assert verify_team(team).ok


def test_an_account_is_erased_when_it_is_in_no_team(team, bob, charlie):
    with pytest.raises(Refusal):
        erasing.erase_account(user=bob, actor=factories.OPERATOR)
    members.remove_member(membership=Membership.objects.get(team=team, user=bob), actor=factories.OPERATOR)

    erasing.erase_account(user=bob, actor=factories.OPERATOR)

    bob.refresh_from_db()
    assert (bob.is_active, bob.name, bob.email) == (False, "", f"erased-{bob.pk}@erased.invalid")
    assert "Bob" not in "".join(PersonalValue.objects.values_list("value", flat=True))
    assert verify_team(team).ok


def test_whoever_comes_back_has_a_name_again(team, bob):
    members.remove_member(membership=Membership.objects.get(team=team, user=bob), actor=factories.OPERATOR)
    erasing.erase_from_team(team=team, user_id=bob.pk, actor=factories.OPERATOR)
    factories.join(team, bob, Role.VIEWER)

    [line] = read_events([last_event(team, "member.added")])

    assert "Bob Editor" in line.sentence


# --- Keys ----------------------------------------------------------------------------------------------------

OTHER = "k2:" + "A" * 43 + "="


def test_field_keys_are_rotated(workspace, bob, settings):
    with_totp(bob)
    key = workspace.read_key.reveal()
    old = settings.TOKDASH_FIELD_KEYS
    settings.TOKDASH_FIELD_KEYS = f"{OTHER},{old}"

    changed, total = rotation.rotate_all()
    again, _ = rotation.rotate_all()
    settings.TOKDASH_FIELD_KEYS = OTHER  # the old key is gone

    assert changed == total > 1
    assert again == 0
    assert Workspace.objects.get().read_key.reveal() == key
    assert secret_of(Authenticator.objects.get(user=bob, type="totp").wrap())


def test_a_wrong_key_stops_loudly(workspace, settings):
    settings.TOKDASH_FIELD_KEYS = OTHER

    with pytest.raises(SealError):
        rotation.rotate_all()


# --- Actors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "name", "arguments"), [("export", "history_export", ["csv"]), ("invite", "member_invite", [])]
)
def test_what_costs_much_is_limited_for_each_person(owner, team, settings, action, name, arguments):
    settings.ACCOUNT_RATE_LIMITS = {action: "2/h/user"}
    cache.clear()

    answers = [owner.post(url(name, team, *arguments), {"email": "x"}).status_code for _ in range(3)]

    assert 429 not in answers[:2]
    assert answers[2] == 429
    cache.clear()


def test_a_change_of_the_profile_reaches_every_team(team, bob):
    other = factories.team("Second Team", bob)

    members.change_profile(
        user=bob, name="Robert", time_zone="Europe/Paris", language="fr", actor=Actor.person(bob, Origin.PAGE)
    )

    for one in (team, other):
        event = last_event(one, "profile.changed")
        assert event.changes["time_zone"] == ["", "Europe/Paris"]
        assert event.changes["language"] == ["", "fr"]
        assert people_of(one.pk, [event]).changes(event)["name"] == ["Bob Editor", "Robert"]
