"""What hosts answer, judged by its words and marks: any answer gives a verdict."""

import gzip
import http.client
import time
import zlib
from email.message import Message

import brotli
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from issues.link_checks.answer import Answer, Hop
from issues.link_checks.catalogue import CATALOGUE, Verdict
from issues.link_checks.cookies import CookieJar
from issues.link_checks.encodings import StreamUnpacker, unpack
from issues.link_checks.header_values import content_range, plain, seconds_to_wait, whole_number
from issues.link_checks.known_pages import verdict_of_page
from issues.link_checks.sign_in import leads_to_sign_in, sign_in_host
from issues.link_checks.ssrf import Target
from issues.link_checks.statuses import should_ask_as_browser, should_ask_for_all, verdict_of_status
from issues.link_checks.store_errors import meaning_of
from issues.link_checks.walls import is_wall


def answer(status=403, body=b"", *, host="files.example.com", path="/a.mp4", hops=1, **headers):
    message = http.client.HTTPMessage()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    content = body if isinstance(body, bytes) else body.encode()
    return Answer(Target("https", host, 443, path), status, message, content, True, [Hop("x")] * hops, has_ended=True)


def xml(code, message="", more=""):
    return f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"


def frame(start, expiry):
    return (
        f"<AuthenticationErrorDetail>Signature not valid in the specified time frame: Start [{start}] - Expiry [{expiry}] - "
        "Current [Thu, 26 Nov 2026 09:00:00 GMT]</AuthenticationErrorDetail>"
    )


# --- The words of stores ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        # Expired: S3, R2, Google, Azure, Alibaba, CloudFront, Supabase, Backblaze, social networks' CDNs, pages.
        (400, xml("ExpiredToken", "The provided token has expired."), "signature_expired"),
        (403, xml("AccessDenied", "Request has expired", "<X-Amz-Expires>60</X-Amz-Expires>"), "signature_expired"),
        (403, xml("AccessDenied", "Request has expired."), "signature_expired"),
        (400, xml("ExpiredToken", "Invalid argument.", "<Details>Request signature expired at: 2025-01-01</Details>"), "signature_expired"),
        (403, xml("AuthenticationFailed", "Server failed.", frame("Wed, 01 Jan 2025 00:00:00 GMT", "Thu, 02 Jan 2025 00:00:00 GMT")), "signature_expired"),
        (403, xml("AuthenticationFailed", "x", "<AuthenticationErrorDetail>Signature not valid in the specified time frame</AuthenticationErrorDetail>"), "signature_expired"),
        (401, '{"code": "expired_auth_token", "message": "Authorization token has expired", "status": 401}', "signature_expired"),
        (400, '{"statusCode":"400","error":"InvalidJWT","message":"\\"exp\\" claim timestamp check failed"}', "signature_expired"),
        (403, "URL signature expired", "signature_expired"),
        (403, '{"error": {"message": "jwt expired"}}', "signature_expired"),
        (410, "<html><head><title>Link expired</title></head></html>", "signature_expired"),
        (403, "<html><body><h1>This link has <b>expired</b></h1></body></html>", "signature_expired"),
        (404, "<html><head><title>Der Link ist abgelaufen</title></head></html>", "signature_expired"),
        # Not yet.
        (403, xml("AccessDenied", "Request is not valid yet"), "not_ready"),
        (403, xml("AuthenticationFailed", "x", frame("Fri, 27 Nov 2026 00:00:00 GMT", "Sat, 28 Nov 2026 00:00:00 GMT")), "not_ready"),
        (409, '{"error": "processing"}', "not_ready"), (400, '{"message": "The video is still being encoded"}', "not_ready"),
        (409, xml("BlobBeingRehydrated"), "not_ready"),
        # Gone, whatever the number.
        (404, xml("NoSuchKey"), "http_404"), (410, "", "http_410"), (403, xml("NoSuchKey"), "file_gone"),
        (400, xml("NoSuchBucket", "The specified bucket does not exist"), "file_gone"),
        (400, '{"statusCode":"404","error":"not_found","message":"Object not found"}', "file_gone"),
        (403, '{"errors": [{"code": "FILE_NOT_FOUND"}]}', "file_gone"), (401, '{"error_summary": "x", "error": {"reason": "shared_link_not_found"}}', "file_gone"),
        (500, xml("NoSuchKey"), "file_gone"), (400, "<html><title>The page you want does not exist</title></html>", "file_gone"),
        # The key, the signature.
        (403, xml("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."), "signature_revoked"),
        (400, xml("InvalidToken", "The provided token is malformed or otherwise invalid."), "signature_revoked"),
        (403, xml("SignatureDoesNotMatch"), "signature_wrong"), (400, xml("AuthorizationQueryParametersError"), "signature_wrong"),
        (403, xml("MissingKey", "Missing Key-Pair-Id query parameter or cookie value"), "signature_wrong"),
        (403, xml("AuthenticationFailed", "Make sure the value of Authorization header is formed correctly including the signature."), "signature_wrong"),
        (403, "Bad URL hash", "signature_wrong"),
        # Access.
        (403, xml("AccessDenied", "Access Denied"), "http_403"), (409, xml("PublicAccessNotPermitted"), "http_refused"),
        (401, xml("NoAuthenticationInformation"), "http_401"), (403, '{"error":{"code":403,"message":"Permission denied."}}', "http_403"),
        (403, "<html><head><title>403 Forbidden</title></head></html>", "http_403"),
        # Said to outsiders of every file, whether it is there or not.
        (401, '{"error":{"code":401,"message":"Anonymous caller does not have storage.objects.get access to the object. '
              'Permission \'storage.objects.get\' denied on resource (or it may not exist)."}}', "http_401"),
        (403, '{"message":"The file does not exist, or you are not allowed to see it"}', "http_403"),
        # Cold stores, traffic, busy hosts.
        (403, xml("InvalidObjectState"), "archived"), (409, xml("BlobArchived"), "archived"),
        (403, '{"code":"download_cap_exceeded"}', "traffic_limit"), (509, "Bandwidth Limit Exceeded", "traffic_limit"),
        (429, "<html><title>Dropbox - Error</title><h1>This account's links are generating too much traffic</h1></html>", "traffic_limit"),
        (503, xml("SlowDown", "Please reduce your request rate."), "rate_limited"), (429, "", "rate_limited"),
        (503, xml("ServerBusy"), "rate_limited"),
        # Not ready by number, refused by number, in trouble.
        (202, "{}", "not_ready"), (204, "", "not_ready"), (408, "", "not_ready"), (423, "", "not_ready"), (425, "", "not_ready"),
        (202, xml("NoSuchKey"), "file_gone"), (402, "", "http_refused"), (451, "", "http_refused"), (300, "", "not_http"), (304, "", "not_http"),
        (500, "expired", "server_error"), (502, "", "server_error"), (599, "", "server_error"), (503, "<title>Maintenance</title>", "server_error"),
        (403, "Your session has expired, please log in", "http_403"), (403, "[" * 100_000, "http_403"), (400, "{" + '"a":' * 3000, "http_refused"),
    ],
)  # fmt: skip
def test_refusals_are_judged_by_their_words(status, body, code):
    assert verdict_of_status(answer(status, body)).code == code


def test_headers_speak_too():
    assert verdict_of_status(answer(404, x_ms_error_code="BlobNotFound")).code == "http_404"
    assert verdict_of_status(answer(400, x_ms_error_code="BlobNotFound")).code == "file_gone"
    assert verdict_of_status(answer(403, x_tengine_error="denied by expired timestamp")).code == "signature_expired"
    assert verdict_of_status(answer(400, x_cld_error="Resource not found - x")).code == "file_gone"
    assert verdict_of_status(answer(401, WWW_Authenticate='Bearer error_description="The access token expired"')).code == "signature_expired"  # fmt: skip


# --- Guards and sign-in pages ----------------------------------------------------------------------------------

CHALLENGES = {
    "cf-mitigated": answer(403, "", cf_mitigated="challenge"),
    "cloudflare": answer(403, "<title>Attention Required! | Cloudflare</title><h1>Sorry, you have been blocked</h1>"),
    "cloudflare 1020": answer(403, '<title>Access denied</title><span class="cf-error-code">1020</span>'),
    "cloudflare 1015": answer(429, "error code: 1015", Content_Type="text/plain"),
    "just a moment": answer(200, "<title>Just a moment...</title>", cf_ray="8abc", Content_Type="text/html"),
    "nur einen moment": answer(503, "<title>Nur einen Moment…</title><script>window._cf_chl_opt={}</script>"),
    "datadome": answer(403, '<script src="https://ct.captcha-delivery.com/c.js"></script>'),
    "datadome json": answer(403, '{"url":"https://geo.captcha-delivery.com/"}', Content_Type="application/json"),
    "human": answer(403, '<div id="px-captcha"></div>'),
    "akamai": answer(
        403, "<TITLE>Access Denied</TITLE>Reference&#32;&#35;18&#46;2d351ab8&#46;1557 https://errors.edgesuite.net/18"
    ),
    "akamai challenge": answer(428, '<div id="sec-if-cpt-container"></div>'),
    "incapsula": answer(200, '<iframe src="/_Incapsula_Resource?CWUDNSAI=9"></iframe>', Content_Type="text/html"),
    "aws": answer(405, "", x_amzn_waf_action="captcha"),
    "wordfence": answer(403, "<h1>Your access has been limited</h1><p>Generated by Wordfence at Thu</p>"),
    "mod_security": answer(406, "<h1>Not Acceptable!</h1><p>This error was generated by Mod_Security.</p>"),
    "hold the button": answer(403, "<title>Robot or human?</title>"),
    "sucuri": answer(403, "<title>Sucuri WebSite Firewall - Access Denied</title>"),
    "vercel": answer(429, "<title>Vercel Security Checkpoint</title>"),
    "f5": answer(403, "The requested URL was rejected. Please consult with your administrator."),
    "kasada": answer(429, "", x_kpsdk_ct="x"),
    "anubis": answer(403, "<title>Making sure you&#39;re not a bot!</title>"),
    "google": answer(429, "Our systems have detected unusual traffic from your computer network"),
    "linkedin": answer(999, ""),
}
NO_WALLS = {
    "robots for search engines": answer(403, '<meta name="robots" content="noindex"><title>This folder is private</title>'),
    "the word": answer(403, "<title>Robot parts</title>No robot may open this. captcha"),
    "a form with a captcha": answer(403, '<form><div class="g-recaptcha"></div><script src="https://www.google.com/recaptcha/api.js">'),
    "cloudflare's script in a good page": answer(404, "<title>Gone</title><script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'>", cf_ray="8a"),
    "a host behind cloudflare": answer(403, xml("AccessDenied"), Server="cloudflare", cf_ray="8abc"),
    "cloudflare cannot reach the host": answer(522, "<title>host | 522: Connection timed out</title>Error code 522", Server="cloudflare"),
    "a guarded page": answer(403, "<title>Private</title><script src='https://js.datadome.co/tags.js'>"),
    "a film of that name": answer(200, "<title>Just a moment</title>", Content_Type="text/html"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHALLENGES)
def test_a_bot_wall_is_recognised_by_its_marks(name):
    assert is_wall(CHALLENGES[name])


@pytest.mark.parametrize("name", NO_WALLS)
def test_words_alone_are_no_wall(name):
    assert not is_wall(NO_WALLS[name])


@pytest.mark.parametrize(
    ("host", "path", "first", "code"),
    [
        ("accounts.google.com", "/v3/signin", "drive.google.com", "drive_no_access"), ("accounts.google.com", "/", "files.example.com", "login_page"),
        ("login.microsoftonline.com", "/common/oauth2", "x.sharepoint.com", "sharepoint_login"), ("agency.b2clogin.com", "/", "x", "sharepoint_login"),
        ("fs.agency.example.com", "/adfs/ls/?SAMLRequest=1", "x", "sharepoint_login"), ("agency.okta.com", "/", "x", "login_page"),
        ("dev-1.eu.auth0.com", "/u/login", "x", "login_page"), ("account.box.com", "/login", "app.box.com", "login_page"),
        ("files.example.com", "/a.mp4", "files.example.com", ""),
    ],
)  # fmt: skip
def test_hosts_that_sign_people_in(host, path, first, code):
    assert sign_in_host(answer(200, host=host, path=path, hops=2), first) == code


@pytest.mark.parametrize(
    ("host", "path", "hops", "expected"),
    [
        ("www.dropbox.com", "/login?cont=x", 2, True), ("x.example.com", "/users/sign_in", 3, True), ("x.example.com", "/wp-login.php", 2, True),
        ("sso.agency.com", "/", 2, True), ("x.example.com", "/login", 1, False), ("cdn.example.com", "/blogin/reel.mp4", 2, False),
        ("cdn.example.com", "/videos/signing-day.mp4", 2, False),
    ],
)  # fmt: skip
def test_addresses_that_look_like_a_sign_in_page(host, path, hops, expected):
    assert leads_to_sign_in(answer(200, host=host, path=path, hops=hops), "first.example.com") is expected


def test_a_page_with_a_field_for_a_password_is_a_login():
    assert verdict_of_page(answer(200, "<form><input name=p type='password'></form>")).code == "login_page"
    assert verdict_of_page(answer(200, "<title>Log in</title>")) is None


@pytest.mark.parametrize(
    ("page", "code"),
    [
        ('<title>Google Drive – Quota dépassé</title><p class="uc-error-caption">Désolé</p>', "drive_quota"),
        ('<p class="uc-error-subcaption">この動画は視聴回数が多すぎるため</p>', "drive_quota"),
        ('<p class="uc-error-caption">Diese Datei ist mit einem Virus infiziert.</p>', "drive_infected"),
        ('<form id="download-form" action="https://drive.usercontent.google.com/download"><input type="hidden" name="id" value="a&amp;b">', "drive_virus_page"),
        ("<title>Sie benötigen Zugriff</title>", "drive_no_access"), ("<title>Vous devez demander l’accès</title>", "drive_no_access"),
        ("<title>Anmelden – Google Konten</title>", "drive_no_access"), ('<a href="/requestaccess?id=1">x</a>', "drive_no_access"),
    ],
)  # fmt: skip
def test_googles_pages_are_known_in_any_language(page, code):
    assert verdict_of_page(answer(200, page, host="drive.usercontent.google.com")).code == code


def test_the_viewer_of_a_public_file_is_not_taken_for_a_login():
    viewer = "<title>reel.mp4 - Google Drive</title><a href='https://accounts.google.com/ServiceLogin'>Sign in</a>"
    assert verdict_of_page(answer(200, viewer, host="drive.google.com")) is None


# --- Asking again ----------------------------------------------------------------------------------------------


def test_what_is_asked_again_without_a_range_and_as_a_browser():
    assert should_ask_for_all(answer(416))
    assert should_ask_for_all(answer(403, "<title>Forbidden</title>"))
    assert should_ask_for_all(answer(206, b"x"))
    assert should_ask_for_all(answer(206, b"x", Content_Range="bytes 5-9/10"))
    assert not should_ask_for_all(answer(206, b"x", Content_Range="bytes 0-0/10"))
    assert not should_ask_for_all(answer(403, xml("AccessDenied")))
    assert not should_ask_for_all(answer(404))
    refusal = answer(403, "<title>Forbidden</title>")
    assert should_ask_as_browser(refusal, verdict_of_status(refusal))
    page = answer(200, "<title>Our shop</title>")
    page.hops[0].url = "https://files.example.com/reel.mp4?…"
    assert should_ask_as_browser(page, Verdict("html_instead_of_media"))
    page.hops[0].url = "https://files.example.com/watch?…"
    assert not should_ask_as_browser(page, Verdict("html_instead_of_media"))
    for other in (answer(403, xml("AccessDenied")), answer(451), answer(401), answer(404)):
        assert not should_ask_as_browser(other, verdict_of_status(other))


# --- Header values, packed bodies, cookies ---------------------------------------------------------------------


@pytest.mark.parametrize("text", ["9" * 5000, "²", "-1", "1.5", "0x10", "", None, "1e999", "٣", "1 2", "nan", "+5"])
def test_odd_numbers_are_no_numbers(text):
    assert whole_number(text) is None
    assert content_range(f"bytes 0-{text}/{text}") is None


def test_ranges_and_waits_are_read():
    from datetime import UTC, datetime

    now = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
    assert content_range("bytes 0-9/10") == (0, 9, 10)
    assert content_range("BYTES 5-9/*") == (5, 9, None)
    assert content_range("bytes 9-5/10") is None
    assert seconds_to_wait("240", now) == 240
    assert seconds_to_wait("Thu, 26 Nov 2026 09:02:00 GMT", now) == 120
    for odd in (
        "nan",
        "²",
        "9" * 400,
        "-5",
        "0",
        "soon",
        "Thu, 99 Nov 99999 99:99:99 GMT",
        "Mon, 01 Jan 0001 00:00:00 +9999",
    ):
        assert seconds_to_wait(odd, now) is None
    assert plain("a\x00b\r\nc\u202e") == "abc"


@pytest.mark.parametrize(
    ("encoding", "body", "readable"),
    [
        ("", b"abc", True), ("identity", b"abc", True), ("aws-chunked", b"abc", True), ("gzip", gzip.compress(b"abc", mtime=0), True),
        ("x-gzip", gzip.compress(b"abc", mtime=0), True), ("deflate", zlib.compress(b"abc"), True), ("deflate", zlib.compress(b"abc")[2:-4], True),
        ("br", brotli.compress(b"abc"), True), ("gzip, br", brotli.compress(gzip.compress(b"abc", mtime=0)), True), ("GZIP", gzip.compress(b"abc", mtime=0), True),
        ("gzip", b"abc", False), ("br", b"\x8b\x02\x80" + bytes(50), False), ("zstd", b"abc", False), ("br, br, br", b"abc", False),
        ("gzip", b"", False),
    ],
)  # fmt: skip
def test_packed_bodies(encoding, body, readable):
    found = unpack(body, encoding, 1000)
    assert found.is_readable is readable
    assert not readable or found.content == b"abc"


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_a_whole_file_is_unpacked_as_it_comes(size):
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    packed = gzip.compress(content, 1)
    for encoding, body in (("gzip", packed), ("", content), ("utf-8", content), ("unheard-of", content)):
        unpacker = StreamUnpacker(encoding)
        pieces = [piece for at in range(0, len(body), 100_000) for piece in unpacker.feed(body[at : at + 100_000])]
        assert b"".join(pieces) == content
        assert all(len(piece) <= StreamUnpacker.PIECE for piece in pieces)
    with pytest.raises(ValueError):
        StreamUnpacker("br")
    with pytest.raises(ValueError):
        list(StreamUnpacker("gzip").feed(b"nonsense"))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_a_bomb_stays_small(encoding):
    size = 50 * 1024 * 1024
    pack = {"gzip": gzip.compress, "deflate": zlib.compress, "br": lambda data: brotli.compress(data, quality=1)}[
        encoding
    ]
    found = unpack(pack(bytes(size)), encoding, 1024 * 1024)
    assert len(found.content) <= 1024 * 1024
    assert not found.is_whole


def test_cookies_go_to_their_host_alone_and_no_line_gets_into_a_request():
    jar, message = CookieJar(), Message()
    for line in (
        "a=1; Path=/",
        "b=2; Domain=.example.com",
        "c=3; Domain=evil.com",
        "bad\r\nHost: x=1",
        "d=x\r\nEvil: 1",
        "=x",
        "e=" + "y" * 9000,
    ):
        message._headers.append(("Set-Cookie", line))
    jar.note(Target("https", "files.example.com", 443, "/"), message)
    assert jar.line_for(Target("https", "files.example.com", 443, "/")) == "a=1; b=2; c=3"
    assert jar.line_for(Target("https", "cdn.example.com", 443, "/")) == "b=2"
    assert jar.line_for(Target("https", "evil.com", 443, "/")) == ""


# --- Any answer gives a verdict --------------------------------------------------------------------------------

HEADER_NAMES = ("Content-Type", "Content-Encoding", "Content-Range", "Content-Length", "Retry-After", "Server", "cf-ray", "WWW-Authenticate", "x-ms-error-code", "Set-Cookie")  # fmt: skip
STARTS = (
    b"",
    b"<?xml version='1.0'?><Error><Code>",
    b'{"error": ',
    b"[[[[",
    b"<html><title>",
    b"\xff\xfe",
    b"\x1f\x8b",
    b"<Error>",
    b"GIF89a",
)


@settings(max_examples=300, deadline=None)
@given(
    st.integers(100, 999),
    st.dictionaries(
        st.sampled_from(HEADER_NAMES),
        st.one_of(st.text(max_size=60), st.sampled_from(["9" * 5000, "²", "bytes 0-1/2", "gzip", "text/html"])),
    ),
    st.tuples(st.sampled_from(STARTS), st.binary(max_size=300)),
    st.sampled_from(["files.example.com", "drive.google.com", "agency.okta.com"]),
)
@example(206, {"Content-Range": "bytes ²-³/⁴"}, (b"", b"x"), "files.example.com")
@example(403, {"Content-Encoding": "gzip"}, (b"\x1f\x8b", b""), "drive.google.com")
def test_any_answer_gives_a_verdict(status, headers, body, host):
    found = answer(status, b"".join(body), host=host, hops=2, **headers)
    verdict = verdict_of_status(found)
    assert verdict is None or verdict.code in CATALOGUE
    page = verdict_of_page(found)
    assert page is None or page.code in CATALOGUE
    meaning_of(found)
    should_ask_for_all(found)
    assert found.total is None or found.total >= 0
    assert found.content_type.isprintable()
    sign_in_host(found, host)
    leads_to_sign_in(found, host)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="<>/=\"' abcdeprsx\n", max_size=2000))
def test_no_page_keeps_the_patterns_busy(text):
    started = time.process_time()
    found = answer(403, "<html><form id=download-form>" + text * 20, host="drive.google.com")
    verdict_of_status(found)
    verdict_of_page(found)
    assert time.process_time() - started < 1
