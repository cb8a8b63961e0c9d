"""Hostile and broken links, by their address alone: none of them may make our server ask anybody."""

import ipaddress
import re
from urllib.parse import urlsplit

import pytest
from ada_url import URL
from hypothesis import given, settings
from hypothesis import strategies as st

from issues.link_checks.ssrf import MalformedError, NotPublicError, PortError, is_public, parse_target
from issues.link_checks.urls import sendable_form

PRIVATE = [
    "http://127.0.0.1/", "http://127.1/", "http://127.0.1/", "http://2130706433/", "http://0x7f000001/",
    "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://017700000001/", "http://127.0.0.1.:80/", "http://0/",
    "http://0.0.0.0/", "http://10.0.0.1/", "http://10.1/", "http://172.16.0.1/", "http://172.31.255.255/",
    "http://192.168.1.40/a.mov", "http://169.254.169.254/latest/meta-data/", "http://100.64.0.1/", "http://100.127.9.9/",
    "http://192.0.0.192/", "http://192.0.2.1/", "http://198.18.0.1/", "http://198.51.100.7/", "http://203.0.113.9/",
    "http://224.0.0.1/", "http://239.255.255.250/", "http://240.0.0.1/", "http://255.255.255.255/",
    "http://168.63.129.16/", "http://192.88.99.1/", "http://[::1]/", "http://[::]/", "http://[::127.0.0.1]/",
    "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[64:ff9b::7f00:1]/", "http://[64:ff9b:1::1]/",
    "http://[2002:7f00:1::]/", "http://[2001:0:7f00:1::]/", "http://[2001:db8::1]/", "http://[3fff::1]/",
    "http://[fc00::1]/", "http://[fd12:3456::1]/", "http://[fe80::1]/", "http://[fec0::1]/", "http://[ff02::1]/",
    "http://[100::1]/", "http://[5f00::1]/", "http://[2001:10::1]/", "http://localhost/", "http://LOCALHOST:80/",
    "http://localhost./", "http://intranet/", "http://printer.local/", "http://nas.lan/a.mp4", "http://db.internal/",
    "http://metadata.google.internal/", "http://build.corp/", "http://router.home.arpa/", "http://site.localhost/",
    "http://hidden.onion/", "http://１２７.０.０.１/", "http://127。0。0。1/", "http:\\\\127.0.0.1\\", "http:127.0.0.1",
    "http:///127.0.0.1/", "http://127.0.0.\u200b1/", "http://127\t.0.0.1/", "http://LOCAL\u00adHOST/", "http://ｌocalhost/",
    "http://3639549966/", "http://0xd8.0x3a.0xd6.0xce/", "http://1.2.3/", "http://256.256.256.256/", "http://1.2.3.4.5/", "http://0x/",
    ]  # fmt: skip
MALFORMED = [
    "", "   ", "cdn.example.com/a.mp4", "//cdn.example.com/a.mp4", "https://", "file:///etc/passwd", "gopher://cdn.example.com/", "ftp://cdn.example.com/a.mp4",
    "dict://cdn.example.com:80/", "javascript:alert(1)", "data:video/mp4;base64,AAAA", "C:\\videos\\a.mp4",
    "http://user@cdn.example.com/", "http://user:secret@cdn.example.com/", "http://127.0.0.1@cdn.example.com/",
    "http://cdn.example.com@127.0.0.1/", "http://cdn.example.com\\@127.0.0.1/",
    "http://cdn.example.com\\.evil.example/", "http:\\\\cdn.example.com@127.0.0.1\\", "http://@cdn.example.com/",
    "http://cdn.example.com\t\\@127.0.0.1/", "https://cdn.example.com:99999/",
    "https://cdn.example.com:-80/", "https://cdn.example.com:0/", "https://cdn.example.com:8o/",
    "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1/", "http://[::g]/", "http://cdn..example.com/",
    "http://-cdn.example.com/", "http://.example.com/", "http://exa%6dple.com/", "http://127.0.0.1%00.example.com/",
    "http://cdn.example.com%2f@127.0.0.1/", "https://cdn.example.com/" + "a" * 8192, "https://cdn.example.com/" + "é" * 1400, "http://" + "a" * 64 + ".example.com/",
    "http://cdn.example.com#@127.0.0.1:80@/<", "https://ex\u00adample.com\u2028/",
    "https://cdn.example.com/\ud800",
]  # fmt: skip
ODD_PORTS = [
    "http://cdn.example.com:22/",
    "http://cdn.example.com:6379/",
    "https://cdn.example.com:25/",
    "http://cdn.example.com:9200/_cat",
]
FINE = {
    "https://cdn.example.com/a.mp4": ("https", "cdn.example.com", 443, "/a.mp4"),
    "HTTPS://CDN.Example.COM/A.mp4?x=1&y=%20#t=3": ("https", "cdn.example.com", 443, "/A.mp4?x=1&y=%20"),
    "http://cdn.example.com": ("http", "cdn.example.com", 80, "/"),
    "http://cdn.example.com:8080/a": ("http", "cdn.example.com", 8080, "/a"),
    "https://cdn.example.com./a": ("https", "cdn.example.com", 443, "/a"),
    "https://bücher.example/ü.mp4": ("https", "xn--bcher-kva.example", 443, "/%C3%BC.mp4"),
    "http://93.184.215.14/a": ("http", "93.184.215.14", 80, "/a"),
    "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/a": (
        "https",
        "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
        443,
        "/a",
    ),
    "https://cdn.example.com/a?next=http://127.0.0.1/": ("https", "cdn.example.com", 443, "/a?next=http://127.0.0.1/"),
    "https://my_bucket.s3.example.com/a": ("https", "my_bucket.s3.example.com", 443, "/a"),
    "http:cdn.example.com/a": ("http", "cdn.example.com", 80, "/a"),
    "https:\\\\cdn.example.com\\clips\\a.mp4": ("https", "cdn.example.com", 443, "/clips/a.mp4"),
    "https://cdn.example.com:/a": ("https", "cdn.example.com", 443, "/a"),
    "https://cdn.example.com/a b.mp4": ("https", "cdn.example.com", 443, "/a%20b.mp4"),
    "https://cdn.example.com/a\r\nHost: x": ("https", "cdn.example.com", 443, "/aHost:%20x"),
    "https://cdn.example.com/a\x00b\x7f": ("https", "cdn.example.com", 443, "/a%00b%7F"),
    "https://cdn.example.com/“a”": ("https", "cdn.example.com", 443, "/%E2%80%9Ca%E2%80%9D"),
    "https://cdn.example.com/Kids'+Set.mp4?a={b}|c": ("https", "cdn.example.com", 443, "/Kids'+Set.mp4?a=%7Bb%7D%7Cc"),
    "https://cdn.example.com/f_jpg/https://acme.example.com/a.jpg": (
        "https",
        "cdn.example.com",
        443,
        "/f_jpg/https://acme.example.com/a.jpg",
    ),
    "https://cdn.example.com/" + "a" * 8100: ("https", "cdn.example.com", 443, "/" + "a" * 8100),
}


def test_the_table_is_as_large_as_it_says():
    hostile = [*PRIVATE, *MALFORMED, *ODD_PORTS]
    assert len(set(hostile)) == len(hostile)
    assert len(hostile) >= 110


@pytest.mark.parametrize("url", PRIVATE)
def test_inward_addresses_are_refused(url):
    with pytest.raises(NotPublicError):
        parse_target(url)


@pytest.mark.parametrize("url", MALFORMED)
def test_links_that_are_broken_or_read_in_two_ways_are_malformed(url):
    with pytest.raises(MalformedError):
        parse_target(url)


@pytest.mark.parametrize("url", ODD_PORTS)
def test_other_ports_are_not_asked(url):
    with pytest.raises(PortError):
        parse_target(url)


@pytest.mark.parametrize(("url", "parts"), FINE.items())
def test_good_links_are_read_exactly(url, parts):
    target = parse_target(url)
    assert (target.scheme, target.host, target.port, target.path) == parts


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("//files.example.com/b.mp4", "https://files.example.com/b.mp4"),
        ("b.mp4?x=1", "https://cdn.example.com/clips/b.mp4?x=1"),
        ("?x=1", "https://cdn.example.com/clips/a.mp4?x=1"),
        ('/b?d=attachment; filename="my reel.mp4"', "https://cdn.example.com/b?d=attachment;%20filename=%22my%20reel.mp4%22"),
        ("/b?filename*=UTF-8''a.mp4", "https://cdn.example.com/b?filename*=UTF-8%27%27a.mp4"),
        ("/été résumé.mp4", "https://cdn.example.com/%C3%A9t%C3%A9%20r%C3%A9sum%C3%A9.mp4"),
        ("/b?Policy=" + "e" * 2300 + "&Signature=a~b-c_", "https://cdn.example.com/b?Policy=" + "e" * 2300 + "&Signature=a~b-c_"),
    ],
)  # fmt: skip
def test_redirects_are_read_as_browsers_read_them(location, leads_to):
    assert parse_target("https://cdn.example.com/clips/a.mp4").join(location) == leads_to


@pytest.mark.parametrize(
    "location", ["http://user@cdn.example.com/", "ftp://cdn.example.com/", "//a@b/c", "https://2130706433/"]
)
def test_redirects_that_nobody_may_follow(location):
    target = parse_target("https://cdn.example.com/clips/a.mp4")
    with pytest.raises((MalformedError, NotPublicError)):
        parse_target(target.join(location))


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("https://CDN.example.com:443/a/../b.mp4?sig=a%2fB%2F+'~x", None),
        ("https://cdn.example.com", None),
        ("https://cdn.example.com/a%zz.mp4#t=1", None),
        ("https://cdn.example.com/my reel.mp4?sig=a%2fB+'", "https://cdn.example.com/my%20reel.mp4?sig=a%2fB+%27"),
        ("https://cdn.example.com/a?x={y}|z&sig=a%2fB", "https://cdn.example.com/a?x=%7By%7D%7Cz&sig=a%2fB"),
        ("https://cdn.example.com/ü.mp4", "https://cdn.example.com/%C3%BC.mp4"),
        ("https://bücher.example/a", "https://xn--bcher-kva.example/a"),
        ('https://cdn.example.com/a?n="b"', "https://cdn.example.com/a?n=%22b%22"),
        ("https:/cdn.example.com/a", "https://cdn.example.com/a"),
    ],
)
def test_a_link_is_sent_as_given_or_as_a_browser_encodes_it(given, sent):
    assert sendable_form(given) == (sent or given)


_PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "http:",
                "https:",
                "//",
                "/",
                "\\",
                "@",
                "#",
                "?",
                ":",
                ".",
                "127.0.0.1",
                "0x7f",
                "2130706433",
                "[::1]",
                "[",
                "]",
                "localhost",
                "cdn.example.com",
                "10.0.0.1",
                "。",
                "１２７",
                "%",
                "%2e",
                "\t",
                "\n",
                "\x00",
                " ",
                "xn--",
                "\u200b",
                "\u00ad",
                ":80",
                ":22",
                "0177",
                "[::ffff:10.0.0.1]",
                "é",
                "/a.mp4",
            ]
        ),
        st.text(max_size=4),
    ),
    max_size=10,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(_PIECES, _PIECES.map("http://".__add__), st.text(max_size=40)))
def test_whatever_may_be_asked_is_public_and_what_a_browser_would_ask(text):
    try:
        target = parse_target(text)
    except (MalformedError, NotPublicError, PortError):
        return
    browser = URL(text)
    assert browser.protocol in {"http:", "https:"}
    assert not browser.username
    assert browser.hostname.strip("[]").removesuffix(".") == target.host
    assert target.host.isascii()
    assert re.fullmatch(r"[!-~]+", target.path)
    assert parse_target(target.url) == target  # normal forms stay as they are
    try:
        assert is_public(ipaddress.ip_address(target.host))
    except ValueError:
        assert "." in target.host
        assert not target.host.endswith((".local", ".internal", "localhost"))
    sent = sendable_form(text)
    assert parse_target(sent) == target
    assert urlsplit(sent).hostname.strip("[]").removesuffix(".") == target.host  # older parsers read it alike


def test_every_special_network_is_refused_at_both_ends():
    networks = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24",
        "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "::/128", "::1/128", "::ffff:0:0/96",
        "64:ff9b::/96", "100::/64", "2001::/32", "2001:db8::/32", "2002::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    ]  # fmt: skip
    for text in networks:
        network = ipaddress.ip_network(text)
        assert not is_public(network[0]), text
        assert not is_public(network[-1]), text


@pytest.mark.parametrize("text", ["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450:4001::200e"])
def test_public_addresses_are_public(text):
    assert is_public(ipaddress.ip_address(text))
