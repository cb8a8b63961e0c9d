"""Hostile and broken links, by their address alone: none of them may make our server ask anybody."""

import ipaddress

import pytest

from issues.link_checks.ssrf import MalformedError, NotPublicError, PortError, is_public, parse_target

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
    "http://hidden.onion/", "http://1.2.3/", "http://256.256.256.256/", "http://1.2.3.4.5/", "http://0x/",
    ]  # fmt: skip
MALFORMED = [
    "http://１２７.０.０.１/", "http://127。0。0。1/",
    "", "   ", "cdn.example.com/a.mp4", "//cdn.example.com/a.mp4", "http:cdn.example.com/a", "http:/cdn.example.com/a",
    "https://", "https:///a.mp4", "file:///etc/passwd", "gopher://cdn.example.com/", "ftp://cdn.example.com/a.mp4",
    "dict://cdn.example.com:80/", "javascript:alert(1)", "data:video/mp4;base64,AAAA", "C:\\videos\\a.mp4",
    "http://user@cdn.example.com/", "http://user:secret@cdn.example.com/", "http://127.0.0.1@cdn.example.com/",
    "http://cdn.example.com@127.0.0.1/", "http://cdn.example.com\\@127.0.0.1/", "http:\\\\127.0.0.1\\",
    "http://cdn.example.com\\.evil.example/", "https://cdn.example.com/a b.mp4", "https://cdn.example.com/a\tb",
    "https://cdn.example.com/a\r\nHost: 127.0.0.1", "https://cdn.example.com/a\x00b", "https://cdn.example.com/\x7f",
    "https://cdn.example.com/a\u200bb.mp4", "https://cdn.example.com/“a”", "https://cdn.example.com:99999/",
    "https://cdn.example.com:-80/", "https://cdn.example.com:0/", "https://cdn.example.com:/", "https://cdn.example.com:8o/",
    "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1/", "http://[::g]/", "http://cdn..example.com/",
    "http://-cdn.example.com/", "http://.example.com/", "http://exa%6dple.com/", "http://127.0.0.1%00.example.com/",
    "http://cdn.example.com%2f@127.0.0.1/", "https://cdn.example.com/" + "a" * 2048, "http://" + "a" * 64 + ".example.com/",
    "http://cdn.example.com#@127.0.0.1:80@/<", "https://ex\u00adample.com\u2028/", "https://cdn.example.com/a|b",
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
def test_what_is_no_single_clear_link_is_malformed(url):
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
