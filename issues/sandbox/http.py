"""HTTP for the sandbox: one request handler base with control over every byte, for its faults."""

import json
import socket
import struct
import time
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit

MAX_JSON_BODY = 5 * 1024 * 1024


class Reset(Exception):
    """The connection is to be reset without an answer."""


class Server(ThreadingHTTPServer):
    """Threads that die with the process, and a backlog for bursts."""

    daemon_threads = True
    request_queue_size = 256
    app: Any
    store: Any = None  # of an object store

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to print."""
        import sys

        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler, ABC):
    """What the API and the object store share."""

    protocol_version = "HTTP/1.1"
    server_version = "TokPortalSandbox/1"
    sys_version = ""
    disable_nagle_algorithm: ClassVar[bool] = True
    wbufsize = -1  # headers and body leave in one packet
    timeout = 60

    def log_message(self, format: str, *args: Any) -> None:
        """The ledger is the log."""

    @abstractmethod
    def handle_request(self) -> None:
        """Answer the request."""

    def _dispatch(self) -> None:
        parts = urlsplit(self.path)
        self.url_path, self.url_query = parts.path, parts.query
        self.body_read = False
        try:
            self.handle_request()
        except Reset:
            self.reset()
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_HEAD = _dispatch

    def content_length(self) -> int:
        text = self.headers.get("Content-Length", "0")
        return int(text) if text.isdigit() else 0

    def read_body(self) -> bytes:
        """The request's body, for calls whose body is small."""
        self.body_read = True
        length = self.content_length()
        if length > MAX_JSON_BODY:
            self.close_connection = True
            return b""
        return self.rfile.read(length)

    def skip_body(self) -> None:
        """Read the rest away, so that the connection stays usable."""
        if self.body_read:
            return
        self.body_read = True
        left = self.content_length()
        while left > 0 and (chunk := self.rfile.read(min(left, 65536))):
            left -= len(chunk)

    def send_json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.send_bytes(status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})

    def send_bytes(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.skip_body()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def trickle(self, content: bytes, bytes_per_second: float) -> None:
        """Send raw bytes slowly."""
        self.wfile.flush()
        for index in range(len(content)):
            self.connection.sendall(content[index : index + 1])
            time.sleep(1.0 / bytes_per_second)

    def reset(self) -> None:
        """RST instead of a polite end."""
        self.close_connection = True
        try:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        except OSError:
            pass
