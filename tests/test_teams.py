"""Teams and their people: invitations, roles, rules, removal, and being asked again."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from issues import invitations
from issues.enums import Role
from issues.models import AuditEvent, Invitation, Membership, User
from issues.notify.invitations import mail_invitations
from issues.queries.history_lines import read_events
from tests import factories
from tests.people import invited, last_event, url, with_totp
from tests.reading import text

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
