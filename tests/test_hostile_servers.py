"""Hostile servers, byte by byte: each gets a verdict in time."""

import gzip
import http.client
import io
import socket
import threading
import time

import pytest

from issues.link_checks.answer import Answer
from issues.link_checks.catalogue import CATALOGUE
from issues.link_checks.checker import check_link
from issues.link_checks.resolver import OutsideWorld
from issues.link_checks.ssrf import Target
from issues.sandbox.media import mp4
from issues.sandbox.outside import OutsideWorldServer

FILE = mp4(30_000).part(0, 30_000)
OK = b"HTTP/1.1 200 OK\r\n"
RAW = {
    "nothing at all": (b"", "connection_failed"),
    "no protocol": (b"hello\r\n\r\n", "not_http"),
    "a status of letters": (b"HTTP/1.1 abc\r\n\r\n", "not_http"),
    "a status of 5,000 digits": (b"HTTP/1.1 " + b"2" * 5000 + b"\r\n\r\n", "not_http"),
    "a status beyond all": (b"HTTP/1.1 700 What\r\nContent-Length: 0\r\n\r\n", "server_error"),
    "a length of 5,000 digits": (OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n" + FILE, "works_for_us"),
    "a length of superscripts": (OK + "Content-Length: ²\r\n\r\n".encode("latin-1") + FILE, "works_for_us"),
    "a negative length": (OK + b"Content-Length: -5\r\n\r\n" + FILE, "works_for_us"),
    "two lengths": (OK + b"Content-Length: 30000\r\nContent-Length: 5\r\n\r\n" + FILE, "works_for_us"),
    "an odd range": (b"HTTP/1.1 206 P\r\nContent-Range: bytes \xb2-9/" + b"9" * 5000 + b"\r\n\r\n" + FILE, None),
    "chunks of nonsense": (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + FILE, "truncated"),
    "a chunk beyond all": (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 5000 + b"\r\n" + FILE, "truncated"),
    "hints before the answer": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK + b"Content-Length: 30000\r\n\r\n" + FILE, "works_for_us"),
    "hints without an end": (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50, "not_http"),
    "a wait that is not a number": (b"HTTP/1.1 429 X\r\nRetry-After: nan\r\nContent-Length: 0\r\n\r\n", "rate_limited"),
    "a type full of zeros": (b"HTTP/1.1 403 X\r\nContent-Type: \x00\x00text/html\r\nContent-Length: 0\r\n\r\n", None),
    "nested brackets": (b"HTTP/1.1 400 X\r\nContent-Type: application/json\r\n\r\n" + b"[" * 60_000, "http_refused"),
    "a redirect to nonsense": (b"HTTP/1.1 302 X\r\nLocation: \xff\xfe://[[[\r\nContent-Length: 0\r\n\r\n", None),
    "a redirect without a place": (b"HTTP/1.1 302 X\r\nContent-Length: 0\r\n\r\n", "not_http"),
    "a cookie with a line end": (b"HTTP/1.1 302 X\r\nSet-Cookie: a=\x0b\x01b\r\nLocation: /a.mp4\r\nContent-Length: 0\r\n\r\n", "redirect_loop"),
    "less than announced": (OK + b"Content-Length: 90000\r\n\r\n" + FILE, "truncated"),
    "packed nonsense": (OK + b"Content-Encoding: gzip\r\nContent-Length: 30000\r\n\r\n" + FILE, "packed_body"),
    "packing that breaks off": (OK + b"Content-Encoding: gzip\r\nContent-Length: 20000\r\n\r\n" + gzip.compress(FILE, 0)[:20_000], "truncated"),
    "a packed nothing": (OK + b"Content-Encoding: br\r\nContent-Length: 0\r\n\r\n", "empty_file"),
    "no end of the head": (OK + b"X: y\r\n" * 3, None),
}  # fmt: skip


class RawServer(threading.Thread):
    """Says the same bytes to everybody."""

    def __init__(self, said):
        super().__init__(daemon=True)
        self.said = said
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                try:
                    connection.recv(65536)
                    connection.sendall(self.said)
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(1)
                except OSError:
                    pass


@pytest.fixture(scope="module")
def names():
    server = OutsideWorldServer()
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("name", RAW)
def test_a_hostile_server_gets_a_verdict(names, name, monkeypatch):
    said, code = RAW[name]
    server = RawServer(said)
    server.start()

    class Raw(OutsideWorld):
        def connect(self, address, port, timeout):
            return socket.create_connection(("127.0.0.1", server.port), timeout)

    started = time.monotonic()
    report = check_link("http://raw.example.com/a.mp4", network=Raw(names.origin), pause=lambda seconds: None)
    server.socket.close()

    assert report.verdict.code == code if code else report.verdict.code in CATALOGUE, report
    assert time.monotonic() - started < 15
    assert report.verdict.sentence


def test_the_stub_of_a_response_is_what_the_answer_needs():
    head = http.client.parse_headers(io.BytesIO(b"Content-Type: text/html; charset=x\r\n\r\n"))
    found = Answer(Target("https", "a.example.com", 443, "/"), 200, head, b"<title> A \n b </title>", True)
    assert (found.content_type, found.title(), found.total) == ("text/html", "A b", None)
