"""Single sign-on by OpenID Connect, against a small provider over real HTTP."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from issues import invitations
from issues.enums import Role
from issues.models import AuditEvent, Membership, User

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Provider(BaseHTTPRequestHandler):
    """Discovery, token, keys and user info; who comes in is `server.person`."""

    def do_GET(self):
        origin = self.server.origin
        if self.path.startswith("/.well-known/openid-configuration"):
            self.answer({
                "issuer": origin, "authorization_endpoint": f"{origin}/authorize", "token_endpoint": f"{origin}/token",
                "userinfo_endpoint": f"{origin}/userinfo", "jwks_uri": f"{origin}/keys",
                "response_types_supported": ["code"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"], "token_endpoint_auth_methods_supported": ["client_secret_post"],
            })  # fmt: skip
        elif self.path.startswith("/keys"):
            key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
            self.answer({"keys": [{**key, "kid": "1", "alg": "RS256", "use": "sig"}]})
        else:
            self.answer(self.server.person)

    def do_POST(self):
        sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.token_requests.append(sent)
        claims = {
            **self.server.person, "iss": self.server.origin, "aud": "tokdash", "iat": int(time.time()),
            "exp": int(time.time()) + 300,
        }  # fmt: skip
        token = jwt.encode(claims, KEY, "RS256", headers={"kid": "1"})
        self.answer(
            {"access_token": "secret-access-token", "token_type": "Bearer", "expires_in": 300, "id_token": token}
        )

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def provider(settings):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.origin, server.token_requests = f"http://127.0.0.1:{server.server_port}", []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.OIDC_SERVER = server.origin
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "OAUTH_PKCE_ENABLED": True,
            "APPS": [{"provider_id": "sso", "name": "Agency SSO", "client_id": "tokdash", "secret": "s",
                      "settings": {"server_url": server.origin}}],
        }
    }  # fmt: skip
    yield server
    server.shutdown()
    server.server_close()


def person(email, *, verified=True, name="Bob Single"):
    return {"sub": f"sub-{email}", "email": email, "email_verified": verified, "name": name}


def come_in(provider, who):
    provider.person = who
    client = Client()
    begun = client.post("/accounts/oidc/sso/login/")
    asked = parse_qs(urlsplit(begun["Location"]).query)
    back = client.get("/accounts/oidc/sso/login/callback/?" + urlencode({"code": "c", "state": asked["state"][0]}))
    return client, asked, back


def test_the_log_in_page_offers_it(provider, client, db):
    assert "Log in with Agency SSO" in client.get("/accounts/login/").content.decode()


def test_a_member_comes_in_by_his_verified_address(provider, team, bob):
    client, asked, _ = come_in(provider, person(bob.email.upper()))

    assert client.get(f"/t/{team.slug}/").status_code == 200
    assert asked["code_challenge_method"] == ["S256"]
    assert len(base64.urlsafe_b64decode(provider.token_requests[0]["code_verifier"][0] + "==")) > 20
    event = AuditEvent.objects.filter(team=team, verb="account.logged_in").get()
    assert event.actor_id == bob.pk


@pytest.mark.parametrize("who", [person("nobody@x.example"), person("bob@team.example", verified=False)])
def test_strangers_and_unverified_addresses_stay_outside(provider, team, who):
    people = User.objects.count()

    client, _, _ = come_in(provider, who)

    assert client.get(f"/t/{team.slug}/").status_code == 302
    assert User.objects.count() == people


def test_somebody_who_is_invited_gets_an_account_and_joins(provider, team, actor):
    invitation = invitations.invite(team=team, email="dora@team.example", role=Role.EDITOR, actor=actor)

    client, _, _ = come_in(provider, person("dora@team.example", name="Dora Single"))
    client.post(f"/invitations/{invitations.token_of(invitation)}/")

    dora = User.objects.get(email="dora@team.example")
    assert (dora.name, dora.has_usable_password()) == ("Dora Single", False)
    assert Membership.objects.filter(team=team, user=dora, role="editor").exists()


def test_tokens_of_the_provider_are_not_kept(provider, team, bob):
    from allauth.socialaccount.models import SocialToken

    client, _, _ = come_in(provider, person(bob.email))

    assert not SocialToken.objects.exists()
    assert "secret-access-token" not in str(dict(client.session.items()))
