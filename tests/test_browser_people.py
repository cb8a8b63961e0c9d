"""Coming into a team in a real browser: invitation, authenticator app, passkey; and the history's pages."""

import re
import time
from pathlib import Path

import pytest
from allauth.mfa.totp.internal import auth as totp
from playwright.sync_api import expect

from tests import browser as b
from tests.test_browser import run_axe

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not Path(b.CHROMIUM).exists(), reason="no chromium on this machine"),
]

TEAM = "/t/brightside-agency"
SIZES = {"desk": (1440, 900), "phone": (390, 844)}
NEW_PASSWORD = "a long password 42"


@pytest.fixture(scope="module")
def mails(tmp_path_factory):
    return tmp_path_factory.mktemp("mails")


@pytest.fixture(scope="module")
def demo(tmp_path_factory, mails):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMAIL_URL", f"filemail:///{mails}")
        running = b.Demo(tmp_path_factory.mktemp("demo"), "--rate=600", "--latency=5", "--flagged=12")
    # WebAuthn knows hosts by name alone.
    running.url = running.url.replace("127.0.0.1", "localhost")
    yield running
    running.stop()


@pytest.fixture(params=SIZES)
def page(request, chromium, demo):
    width, height = SIZES[request.param]
    opened = b.open_page(chromium, width=width, height=height, dark=request.param == "phone")
    yield opened
    assert [text for text in opened.complaints if "422" not in text] == []
    opened.context.close()


def fits(page):
    assert b.width_of(page) <= page.viewport_size["width"]
    assert run_axe(page).response["violations"] == []


def invite(page, demo, mails, email):
    """As the owner; returns the link of the mail."""
    b.log_in(page, demo.url)
    page.goto(f"{demo.url}{TEAM}/settings/members/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Invite").click()
    expect(page.get_by_text("gets an e-mail with a link to join")).to_be_visible()
    fits(page)
    for _ in range(80):
        text = "".join(file.read_text() for file in mails.iterdir()).replace("=\n", "").replace("=3D", "=")
        for message in text.split("Subject:"):
            if email in message and (found := re.search(r"https?://[^/\s]+(/invitations/\S+)", message)):
                return demo.url + found[1]
        time.sleep(0.5)
    raise AssertionError("no mail came")


def confirm_if_asked(page, password):
    if "reauthenticate" in page.url:
        fits(page)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Go on").click()
        page.wait_for_url(lambda url: "reauthenticate" not in url)


def test_invitation_authenticator_app_and_passkey(page, demo, mails):
    email = f"dora{page.viewport_size['width']}@brightside.example"
    link = invite(page, demo, mails, email)
    page.context.clear_cookies()

    # She joins.
    page.goto(link)
    fits(page)
    page.get_by_label("Your name").fill("Dora Daring")
    page.get_by_label("Password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Join the team").click()
    page.wait_for_url(f"**{TEAM}/")

    # An authenticator app.
    page.goto(f"{demo.url}/accounts/2fa/")
    fits(page)
    page.get_by_role("link", name="Activate").click()
    page.wait_for_url(re.compile("reauthenticate|activate"))
    confirm_if_asked(page, NEW_PASSWORD)
    secret = page.get_by_label("Authenticator secret").input_value()
    fits(page)
    page.get_by_label("Authenticator code").fill(code(secret))
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_role("heading", name="Recovery Codes")).to_be_visible()
    fits(page)

    # A passkey, on an authenticator of the browser's own making.
    cdp = page.context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    page.goto(f"{demo.url}/accounts/2fa/webauthn/add/")
    confirm_if_asked(page, NEW_PASSWORD)
    fits(page)
    page.get_by_label("Name").fill("My laptop")
    if page.get_by_label(re.compile("passwordless", re.I)).count():
        page.get_by_label(re.compile("passwordless", re.I)).check()
    page.get_by_role("button", name="Add").click()
    page.wait_for_url(lambda url: "/add/" not in url)
    page.goto(f"{demo.url}/accounts/2fa/webauthn/")
    expect(page.get_by_text("My laptop")).to_be_visible()
    fits(page)

    # Out, and in again with the passkey alone.
    page.goto(f"{demo.url}/accounts/logout/")
    page.locator("main").get_by_role("button", name="Log out").click()
    page.goto(f"{demo.url}/accounts/login/")
    fits(page)
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.get_by_role("heading", name="Issues")).to_be_visible()

    # Out, and in with password and code.
    page.context.clear_cookies()
    page.goto(f"{demo.url}/accounts/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url("**/2fa/authenticate/**")
    fits(page)
    page.get_by_label(re.compile("code", re.I)).first.fill(code(secret))
    page.get_by_role("button", name="Sign In").click()
    page.wait_for_url(f"**{TEAM}/")

    # All of it is in the history.
    page.goto(f"{demo.url}{TEAM}/history/?q=dora")
    said = page.locator("main").inner_text()
    for sentence in ("logged in", "added a second factor", "made new recovery codes", "added Dora Daring"):
        assert sentence in said, sentence


def code(secret):
    """The code of now."""
    return totp.format_hotp_value(totp.hotp_value(secret, int(time.time()) // 30))


def test_history_pages_and_settings_of_the_team(page, demo):
    b.log_in(page, demo.url)
    page.goto(f"{demo.url}{TEAM}/history/")
    page.get_by_text("Write a note").click()
    page.get_by_label(re.compile("Note for the whole team")).fill("Client called: <b>urgent</b>")
    page.get_by_role("button", name="Add the note").click()
    expect(page.locator(".event.note").first).to_contain_text("noted: Client called: <b>urgent</b>")
    fits(page)

    page.locator(".event .when a").first.click()
    expect(page.get_by_role("heading", name=re.compile(r"Event \d+"))).to_be_visible()
    fits(page)
    page.goto(f"{demo.url}{TEAM}/history/proof/")
    expect(page.get_by_text("Public key")).to_be_visible()
    fits(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Evidence package").click()
    assert download.value.suggested_filename.endswith(".zip")
    for path in ("/settings/team/", "/settings/members/"):
        page.goto(f"{demo.url}{TEAM}{path}")
        fits(page)
    for path in ("/accounts/sessions/", "/accounts/email/", "/accounts/password/change/", "/profile/"):
        page.goto(demo.url + path)
        fits(page)
