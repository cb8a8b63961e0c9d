"""Teams and their people: invitations, roles, rules, erasing, second factors, sessions, single sign-on."""

import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from allauth.usersessions.models import UserSession
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from issues import erasing, invitations, members, rotation
from issues.audit import Actor
from issues.audit.personal import people_of
from issues.audit.verify import verify_team
from issues.enums import Origin, Role
from issues.fixes.lifecycle import drive_fix
from issues.models import AuditEvent, Fix, Invitation, Membership, PersonalValue, User, Workspace
from issues.notify.invitations import mail_invitations
from issues.problems import Refusal
from issues.queries.history_lines import read_events
from issues.sealed import SealError
from tests import factories
from tests.reading import text


@pytest.fixture
def owner(as_user, alice, team):
    return as_user(alice)


def url(name, team, *args):
    return reverse(name, args=[team.slug, *args])


def invited(owner, team, email, role="editor"):
    owner.post(url("member_invite", team), {"email": email, "role": role})
    mail_invitations()
    message = mail.outbox[-1]
    assert message.to == [email.lower()]
    return re.search(r"https?://[^/]+(/invitations/\S+)", message.body)[1]


def last_event(team, verb):
    return AuditEvent.objects.filter(team=team, verb=verb).order_by("-seq").first()


def with_totp(user):
    return totp.TOTP.activate(user, totp.generate_totp_secret())


def code_of(user):
    secret = Authenticator.objects.get(user=user, type="totp").wrap()
    return totp.format_hotp_value(totp.hotp_value(secret_of(secret), next(totp.yield_hotp_counters_from_time())))


def secret_of(authenticator):
    from allauth.mfa.utils import decrypt

    return decrypt(authenticator.instance.data["secret"])


# --- Invitations ---------------------------------------------------------------------------------------------


def test_somebody_new_joins_by_the_link_and_is_logged_in(owner, team):
    link = invited(owner, team, "Dora@team.example")
    visitor = Client()

    shown = text(visitor.get(link))
    weak = visitor.post(link, {"name": "Dora", "password": "dora"})
    done = visitor.post(link, {"name": "Dora", "password": "a long password 2"})

    assert "Join “Bright Team”" in shown
    assert weak.status_code == 422
    assert done["Location"] == f"/t/{team.slug}/"
    assert visitor.get(f"/t/{team.slug}/").status_code == 200
    assert Membership.objects.get(user__email="dora@team.example").role == "editor"
    assert EmailAddress.objects.get(email="dora@team.example").verified
    [line] = read_events([last_event(team, "member.added")])
    assert "dora@team.example" in line.sentence
    assert last_event(team, "account.logged_in").actor_id == User.objects.get(email="dora@team.example").pk


def test_a_link_works_once(owner, team):
    link = invited(owner, team, "dora@team.example")
    Client().post(link, {"name": "Dora", "password": "a long password 2"})

    again = Client().post(link, {"name": "Eve", "password": "a long password 3"})

    assert again.status_code == 410
    assert User.objects.get(email="dora@team.example").name == "Dora"


@pytest.mark.parametrize("end", ["expired", "withdrawn", "invited anew", "forged", "of another key"])
def test_a_link_that_is_over_lets_nobody_in(owner, team, end, settings):
    link = invited(owner, team, "dora@team.example")
    found = Invitation.objects.get()
    if end == "expired":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif end == "withdrawn":
        owner.post(url("invitation_revoke", team, found.pk))
        assert last_event(team, "member.invitation_revoked")
    elif end == "invited anew":
        invited(owner, team, "dora@team.example", "viewer")
    elif end == "forged":
        link = link[:-3] + "abc/"
    else:
        settings.SECRET_KEY = "y" * 60

    answer = Client().get(link)
    joined = Client().post(link, {"name": "Dora", "password": "a long password 2"})

    assert (answer.status_code, joined.status_code) == (410, 410)
    assert not Membership.objects.filter(user__email="dora@team.example").exists()


def test_somebody_with_an_account_logs_in_first_and_joins(owner, team, charlie, as_user):
    link = invited(owner, team, charlie.email)

    shown = text(Client().get(link))
    stranger = as_user(User.objects.get(email="bob@team.example")).post(link)
    joined = as_user(charlie).post(link, follow=True)

    assert "log in, and you come back here" in shown
    assert stranger.status_code == 422
    assert "in the team “Bright Team” now" in text(joined)
    assert Membership.objects.filter(team=team, user=charlie, role="editor").exists()


def test_a_visitor_cannot_take_over_an_existing_account_by_a_link(owner, team, charlie):
    link = invited(owner, team, charlie.email)

    Client().post(link, {"name": "Eve", "password": "a long password 3"})

    charlie.refresh_from_db()
    assert charlie.check_password(factories.PASSWORD)
    assert not Membership.objects.filter(team=team, user=charlie).exists()


def test_members_are_not_invited_and_an_address_is_needed(owner, team, bob):
    again = owner.post(url("member_invite", team), {"email": bob.email.upper(), "role": "viewer"})
    odd = owner.post(url("member_invite", team), {"email": "nonsense", "role": "viewer"})

    assert "is already in this team" in text(again)
    assert odd.status_code == 422
    assert 'value="nonsense"' in odd.content.decode()
    assert not Invitation.objects.exists()


def test_an_invitation_whose_mail_failed_is_mailed_later(owner, team, monkeypatch):
    owner.post(url("member_invite", team), {"email": "dora@team.example", "role": "viewer"})

    def refuse(*args, **kwargs):
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr("issues.notify.invitations.send_mail", refuse)
        assert mail_invitations() == 0

    assert (mail_invitations(), mail_invitations()) == (1, 0)


# --- Rules, roles, removal -----------------------------------------------------------------------------------


def test_ownership_is_handed_over(owner, team, alice, bob):
    page = owner.post(
        url("team_hand_over", team), {"member": Membership.objects.get(team=team, user=bob).pk}, follow=True
    )

    assert "owns the team now" in text(page)
    roles = dict(Membership.objects.filter(team=team).values_list("user__email", "role"))
    assert (roles[bob.email], roles[alice.email]) == ("owner", "editor")
    assert AuditEvent.objects.filter(team=team, verb="member.role_changed").count() == 2
    assert owner.get(url("team_rules", team)).status_code == 403


def test_nobody_of_another_team_gets_the_ownership(owner, team, charlie):
    answer = owner.post(url("team_hand_over", team), {"member": Membership.objects.get(user=charlie).pk})

    assert answer.status_code == 404


def test_removal_ends_access_of_open_sessions_at_once(owner, team, bob, as_user):
    open_session = as_user(bob)
    assert open_session.get(url("issues", team)).status_code == 200

    owner.post(url("member_remove", team, Membership.objects.get(team=team, user=bob).pk))

    assert open_session.get(url("issues", team)).status_code == 404


def test_rules_change_with_history(owner, team):
    page = owner.post(url("team_rules", team), {"name": "Brighter Team", "history_days": "400"}, follow=True)
    short = owner.post(url("team_rules", team), {"name": "Brighter Team", "history_days": "5"})

    assert "Saved." in text(page)
    assert short.status_code == 422
    team.refresh_from_db()
    assert (team.name, team.history_days) == ("Brighter Team", 400)
    assert last_event(team, "team.rules_changed").changes == {"history_days": [None, 400]}
    assert last_event(team, "team.renamed").changes == {"name": ["Bright Team", "Brighter Team"]}


def test_a_second_factor_is_required_of_everybody(owner, team, alice, bob, as_user):
    without = text(owner.post(url("team_rules", team), {"name": team.name, "requires_two_factor": "on"}))
    with_totp(alice)
    owner.post(url("team_rules", team), {"name": team.name, "requires_two_factor": "on"})

    refused = as_user(bob).get(url("issues", team))
    with_totp(bob)

    assert "Set up a second factor for yourself first" in without
    assert refused.status_code == 403
    assert "A second factor is needed" in text(refused)
    assert reverse("mfa_index") in refused.content.decode()
    assert as_user(bob).get(url("issues", team)).status_code == 200


# --- Asking again --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["member_invite", "member_role", "member_remove", "member_erase", "team_rules", "team_hand_over",
             "invitation_revoke", "history_export", "workspace_connect"],
)  # fmt: skip
def test_what_matters_asks_again_who_it_is(team, alice, bob, actor, name):
    client = Client()
    client.force_login(alice)
    arguments = {
        "member_role": [Membership.objects.get(team=team, user=bob).pk],
        "member_remove": [Membership.objects.get(team=team, user=bob).pk],
        "member_erase": [bob.pk],
        "invitation_revoke": [invitations.invite(team=team, email="x@x.example", role=Role.VIEWER, actor=actor).pk],
        "history_export": ["csv"],
    }.get(name, [])
    before = AuditEvent.objects.count()

    answer = client.post(url(name, team, *arguments), {"read_key": "sk_geheim_geheim", "name": "x"})

    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_reauthenticate"))
    assert AuditEvent.objects.count() == before
    assert "geheim" not in str(dict(client.session.items()))  # what was sent does not wait in the session


def test_after_the_password_it_goes_on(team, alice):
    client = Client()
    client.force_login(alice)
    first = client.post(url("history_export", team, "csv"))

    back = client.post(first["Location"], {"password": factories.PASSWORD})

    assert back["Location"] == url("history", team)
    assert client.post(url("history_export", team, "csv")).status_code == 200


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_no_open_redirects(team, alice, target):
    client = Client()
    log_in = client.post("/accounts/login/", {"login": alice.email, "password": factories.PASSWORD, "next": target})
    again = client.post("/accounts/reauthenticate/", {"password": factories.PASSWORD, "next": target})
    out = client.post("/accounts/logout/", {"next": target})

    for answer in (log_in, again, out):
        assert "evil" not in answer.get("Location", "")
        assert "javascript" not in answer.get("Location", "")


def test_fields_that_a_form_does_not_name_change_nothing(owner, team, alice, bob):
    owner.post(
        "/profile/", {"name": "Alice", "time_zone": "", "email": "x@x.example", "is_active": "", "is_staff": "1"}
    )
    owner.post(url("team_rules", team), {"name": team.name, "slug": "stolen", "id": "99"})
    member = Membership.objects.get(team=team, user=bob)
    owner.post(url("member_role", team, member.pk), {"role": "viewer", "team": "1", "user": str(alice.pk)})

    alice.refresh_from_db()
    team.refresh_from_db()
    member.refresh_from_db()
    assert (alice.email, alice.is_active, team.slug) == ("alice@team.example", True, "bright-team")
    assert (member.user_id, member.team_id, member.role) == (bob.pk, team.pk, "viewer")


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

    members.change_profile(user=bob, name="Robert", time_zone="Europe/Paris", actor=Actor.person(bob, Origin.PAGE))

    for one in (team, other):
        event = last_event(one, "profile.changed")
        assert event.changes["time_zone"] == ["", "Europe/Paris"]
        assert people_of(one.pk, [event]).changes(event)["name"] == ["Bob Editor", "Robert"]
