"""The guarded checker against real servers on loopback, one host for each verdict, hostile ones among them."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from issues.enums import MediaKind
from issues.link_checks import http_fetch as fetching
from issues.link_checks import resolver as networks
from issues.link_checks.catalogue import CATALOGUE
from issues.link_checks.checker import check_link
from issues.link_checks.resolver import Internet, NamesUnavailableError, OutsideWorld
from issues.sandbox.hosts import ADDRESSES
from issues.sandbox.outside import OutsideWorldServer

VERDICTS = {
    "works": "works_for_us", "cdn": "works_for_us", "index-last": "works_for_us", "large": "works_for_us",
    "redirect-good": "works_for_us", "http-404": "http_404", "gone": "http_404", "http-410": "http_410",
    "http-401": "http_401", "http-403": "http_403", "forbidden": "http_403", "signature-expired": "signature_expired",
    "signature-wrong": "signature_wrong", "http-refused": "http_refused", "bot-wall": "bot_wall",
    "rate-limited": "rate_limited", "server-error": "server_error", "html": "html_instead_of_media",
    "json": "html_instead_of_media", "xml": "html_instead_of_media", "lying": "html_instead_of_media",
    "gzip-bomb": "html_instead_of_media", "empty": "empty_file", "truncated": "truncated", "cut-short": "truncated",
    "zip": "not_media", "pdf": "not_media", "sound-only": "not_media", "unfinished": "mp4_unfinished",
    "unknown-bytes": "unknown_bytes", "unreachable": "dns_missing", "dns-failed": "dns_failed",
    "tls-expired": "tls_bad", "tls-self-signed": "tls_bad", "tls-wrong-name": "tls_bad", "reset": "connection_failed",
    "not-http": "not_http", "big-headers": "not_http", "endless-headers": "not_http", "endless": "works_for_us",
    "redirect-loop": "redirect_loop", "redirect-far": "redirect_many", "redirect-downgrade": "redirect_downgrade",
    "redirect-inwards": "private_address", "redirect-name": "private_address", "redirect-file": "redirect_nowhere",
    "expired-token": "signature_expired", "expired-azure": "signature_expired", "expired-json": "signature_expired",
    "not-begun-azure": "not_ready", "key-revoked": "signature_revoked", "gone-400": "file_gone", "gone-403": "file_gone",
    "gone-200": "file_gone", "archived": "archived", "traffic-limit": "traffic_limit", "not-ready": "not_ready",
    "locked": "not_ready", "too-early": "not_ready", "robots-page": "html_instead_of_media", "private-folder": "http_403",
    "maintenance": "server_error", "cloudflare-block": "bot_wall", "akamai-block": "bot_wall", "datadome-block": "bot_wall",
    "incapsula-block": "bot_wall", "human-block": "bot_wall", "aws-block": "bot_wall", "gzip-video": "works_for_us",
    "brotli-junk": "packed_body", "zstd-video": "packed_body", "odd-encoding": "works_for_us",
    "windows-media": "unusual_video", "prores": "unusual_video", "voice-note": "not_media", "animation": "unusual_image",
    "heic": "unusual_image", "cut-faststart": "truncated", "odd-part": "works_for_us", "range-400": "works_for_us",
    "range-403": "works_for_us", "range-405": "works_for_us", "range-416": "works_for_us", "range-500": "works_for_us",
    "range-501": "works_for_us", "browsers-only": "needs_browser", "own-pages-only": "needs_browser", "shop-window": "needs_browser", "cookie": "needs_cookie",
    "okta": "login_page", "sign-in": "login_page",
}  # fmt: skip


@pytest.fixture(scope="module")
def outside():
    server = OutsideWorldServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def look(outside):
    network = OutsideWorld(outside.origin)

    def run(url, **options):
        options.setdefault("pause", lambda seconds: None)
        return check_link(url, network=network, **options)

    return run


@pytest.mark.parametrize(("host", "code"), VERDICTS.items())
def test_each_host_gets_its_verdict(look, host, code):
    report = look(f"https://{host}.example.com/video.mp4")
    assert report.verdict.code == code, report
    assert report.verdict.sentence
    assert report.verdict.advice


@pytest.mark.parametrize("host", ADDRESSES)
def test_names_with_inward_addresses_are_refused_and_nobody_is_asked(look, outside, host):
    before = dict(outside.asked)
    assert look(f"https://{host}/video.mp4").verdict.code == "private_address"
    assert outside.asked == before


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/", "https://169.254.169.254/latest", "https://[::1]/", "https://2130706433/", "//127.0.0.1/x",
        "https://localhost/", "https://rebinding.example.com/", "https://0x7f000001/",
    ],
)  # fmt: skip
def test_redirects_inwards_are_refused(look, location):
    code = look(f"https://redirect-inwards.example.com/?to={location}").verdict.code
    assert code in {"private_address", "redirect_downgrade"}


def test_slow_hosts_are_left_within_their_bounds(look):
    hosts = {"timeout": "timeout", "slow-headers": "timeout", "slow": "too_slow"}

    def timed(host):
        started = time.monotonic()
        return look(f"https://{host}.example.com/v.mp4").verdict.code, time.monotonic() - started

    with ThreadPoolExecutor(3) as pool:
        results = dict(zip(hosts, pool.map(timed, hosts), strict=True))
    assert {host: code for host, (code, _) in results.items()} == hosts
    assert max(seconds for _, seconds in results.values()) < 17  # 15 s by the wall clock, and a busy machine


def test_what_condemns_is_looked_at_twice(look, outside):
    before = outside.asked.get("http-410.example.com", 0)
    report = look("https://http-410.example.com/a.mp4")
    assert outside.asked["http-410.example.com"] == before + 2
    assert report.evidence["looks"] == 2


def test_the_slot_decides_what_fits(look):
    picture, film = "https://media.example.com/a.jpg", "https://media.example.com/a.mp4"
    assert look(picture, expects=MediaKind.IMAGE).verdict.code == "works_for_us"
    assert look(film, expects=MediaKind.VIDEO).verdict.code == "works_for_us"
    assert look(picture, expects=MediaKind.VIDEO).verdict.sentence == "This is an image."
    assert look(film, expects=MediaKind.IMAGE).verdict.sentence == "This is a video."


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("a.png", "PNG"),
        ("a.webp", "WEBP"),
        ("a.JPG", "JPEG"),
        ("a.mov", "MOV"),
        ("a.webm", "WEBM"),
        ("a.mp4", "MP4"),
        ("a", "MP4"),
    ],
)
def test_a_host_that_nobody_listed_gives_what_the_path_names(look, name, fact):
    verdict = look(f"https://media.example.com/{name}").verdict
    assert verdict.code == "works_for_us"
    assert fact in verdict.fact


def test_what_browsers_got_stands_in_the_evidence_and_the_cookie_does_not(look):
    report = look("https://cookie.example.com/reel.mp4")
    assert report.evidence["status_for_browsers"] == 200
    assert "seen" not in json.dumps(report.evidence)
    assert look("https://browsers-only.example.com/a.mp4").evidence["status"] == 403


def test_a_refusal_that_the_host_explains_is_asked_for_once(look, outside):
    for host in ("expired-token", "key-revoked", "forbidden"):
        before = outside.asked.get(f"{host}.example.com", 0)
        look(f"https://{host}.example.com/a.mp4")
        assert outside.asked[f"{host}.example.com"] == before + 1


def test_googles_pages_are_told_apart_and_the_confirmed_form_works(look):
    def drive(key):
        return look(f"https://drive.google.com/uc?export=download&id={key}").verdict

    assert drive("Private1").code == "drive_no_access"
    assert drive("Quota1").code == "drive_quota"
    assert drive("QuotaGerman").code == "drive_quota"
    assert drive("Infected1").code == "drive_infected"
    warned = drive("Large1")
    assert warned.code == "drive_virus_page"
    assert warned.repaired.startswith("https://drive.usercontent.google.com/download?id=Large1&")
    assert look(warned.repaired).verdict.code == "works_for_us"


def test_evidence_tells_the_chain_and_hides_the_secrets(look):
    report = look("https://redirect-good.example.com/v.mp4?X-Amz-Signature=topsecret&token=topsecret")
    assert [hop["status"] for hop in report.evidence["hops"]] == [302, 206]
    assert report.evidence["kind"] == "video/mp4"
    assert report.evidence["length"] == 3_000_000
    assert report.evidence["received"] <= fetching.BODY_BYTES
    assert "topsecret" not in json.dumps(report.evidence)


def test_the_stores_own_copy_is_told(look):
    report = look("https://media.example.com/v.mp4", own_hosts={"media.example.com"})
    assert report.verdict.code == "tokportal_copy_ok"


def test_a_link_that_works_but_ends_soon_is_expiring(look):
    from datetime import timedelta

    from django.utils import timezone

    now = timezone.now()
    link = f"https://media.example.com/a.mp4?x-expires={int((now + timedelta(hours=5)).timestamp())}"
    assert look(link, needed_until=now + timedelta(days=1)).verdict.code == "signature_expires_soon"
    assert look(link, needed_until=now - timedelta(days=2)).verdict.code == "works_for_us"


DRIVE = "https://drive.google.com/file/d/{}/view?usp=sharing&resourcekey=0-abc"
DROPBOX = "https://www.dropbox.com/scl/fi/a/b.mp4?rlkey=x&st=y&dl=0"


@pytest.mark.parametrize(
    ("link", "code", "cls", "repaired"),
    [
        (DRIVE.format("abc"), "drive_view_page", "ok", "https://drive.google.com/uc?export=download&id=abc&resourcekey=0-abc"),
        (DROPBOX, "dropbox_preview", "ok", "https://www.dropbox.com/scl/fi/a/b.mp4?rlkey=x&st=y&dl=1"),
        (DROPBOX.replace("&", "&amp;"), "dropbox_preview", "ok", "https://www.dropbox.com/scl/fi/a/b.mp4?rlkey=x&st=y&dl=1"),
        (DRIVE.format("aPrivate"), "drive_no_access", "blocked", ""),
        (DRIVE.format("aQuota"), "drive_quota", "blocked", ""),
        (DRIVE.format("aLarge"), "drive_view_page", "unsure", ""),
    ],
)  # fmt: skip
def test_share_links_are_judged_by_the_file_behind_them(look, link, code, cls, repaired):
    verdict = look(link).verdict

    assert (verdict.code, verdict.cls, verdict.repaired) == (code, cls, repaired)
    assert ("opens fine here" in verdict.sentence) == (cls == "ok")


def test_the_end_of_a_link_that_works_is_told(look):
    report = look("https://works.example.com/a.mp4?Expires=1900000000&Signature=x&Key-Pair-Id=k")
    assert report.verdict.cls == "ok"
    assert report.verdict.sentence.endswith("This temporary link ends on 17 March 2030, 17:46 UTC.")


def test_a_link_in_a_wrapper_is_opened_as_it_is_and_the_inner_one_is_offered(look, outside):
    inner = "https://www.dropbox.com/scl/fi/a/b.mp4?rlkey=x&dl=0"
    report = look(f"https://eur02.safelinks.protection.outlook.com/?url={quote(inner, safe='')}&data=05")

    assert report.evidence["asked"]
    assert report.verdict.repaired == inner.replace("dl=0", "dl=1")


def test_what_may_be_meant_is_offered_only_if_the_link_itself_fails(look):
    assert look("https://works.example.com/a.mp4.").verdict.repaired == ""
    assert look("https://gone.example.com/a.mp4.").verdict.repaired == "https://gone.example.com/a.mp4"


def test_certain_addresses_ask_nobody(look, outside):
    before = dict(outside.asked)
    assert look("https://drive.google.com/drive/folders/abc").verdict.code == "folder_link"
    assert look("http://192.168.1.40/a.mov").verdict.code == "private_address"
    assert outside.asked == before


def test_without_any_names_the_trouble_is_ours(monkeypatch):
    def nothing(host, *_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(networks.socket, "getaddrinfo", nothing)
    report = check_link("https://cdn.example.com/a.mp4", network=Internet(), pause=lambda seconds: None)
    assert report.verdict.code == "names_unavailable"
    assert report.verdict.cls == "unsure"


def test_a_missing_name_is_told_where_others_resolve(monkeypatch):
    def some(host, *_, **__):
        if host in networks.WELL_KNOWN:
            return [(2, 1, 6, "", ("93.184.215.14", 0))]
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(networks.socket, "getaddrinfo", some)
    report = check_link("https://typo.example.net/a.mp4", network=Internet(), pause=lambda seconds: None)
    assert report.verdict.code == "dns_missing"


def test_a_resolver_that_hangs_is_left_after_two_seconds(monkeypatch):
    monkeypatch.setattr(networks, "DNS_SECONDS", 0.2)
    hung = threading.Event()
    monkeypatch.setattr(networks.socket, "getaddrinfo", lambda *_, **__: hung.wait(5))
    started = time.monotonic()
    network = Internet()
    target = network.parse("https://cdn.example.com/")
    with pytest.raises(NamesUnavailableError):
        network.resolve(target)
    hung.set()
    assert time.monotonic() - started < 3


def test_the_real_network_refuses_what_resolves_inwards(monkeypatch):
    asked = []
    monkeypatch.setattr(networks.socket, "create_connection", lambda *arguments, **_: asked.append(arguments))
    monkeypatch.setattr(networks.socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", 0))])
    report = check_link("https://rebound.example.net/a.mp4", network=Internet(), pause=lambda seconds: None)
    assert report.verdict.code == "private_address"
    assert asked == []


def test_no_proxy_of_the_environment_is_asked(monkeypatch, look):
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert look("https://cdn.example.com/a.mp4").verdict.code == "works_for_us"


def test_every_code_of_the_catalogue_says_and_advises():
    for code, rule in CATALOGUE.items():
        assert rule.say.endswith((".", "?")), code
        assert rule.advice.endswith("."), code
