"""The outside world on loopback: one server for HTTP, one for TLS, and what a resolver would say.

The link checker reaches it in place of the internet where `TOKDASH_OUTSIDE_WORLD` says so.
"""

import ssl
import threading
import time
from typing import Any
from urllib.parse import parse_qs

from issues.sandbox.certificates import Certificates
from issues.sandbox.hosts import PLAYED, TLS_KINDS, addresses_of, answer_of
from issues.sandbox.http import Handler, Reset, Server
from issues.sandbox.media import Content, mp4

MOST_SECONDS = 40.0  # how long a hostile host keeps a connection


class OutsideHandler(Handler):
    """Answers for every host."""

    def handle_request(self) -> None:
        outside: OutsideWorldServer = self.server.app  # type: ignore[attr-defined]
        host = (self.headers.get("Host") or "").split(":")[0].lower()
        if host == "127.0.0.1":
            self._about(outside)
            return
        outside.note(host, self.path)
        if host in PLAYED:
            getattr(self, f"_{PLAYED[host]}")(host)
            return
        query = {name: values[0] for name, values in parse_qs(self.url_query).items()}
        status, headers, content = answer_of(host, self.url_path, query, dict(self.headers.items()))
        self._give(status, headers, content)

    def _about(self, outside: "OutsideWorldServer") -> None:
        if self.url_path == "/_world":
            self.send_json(200, outside.about())
        elif self.url_path.startswith("/_names/"):
            self.send_json(200, addresses_of(self.url_path.removeprefix("/_names/")))
        elif self.url_path == "/_asked":
            self.send_json(200, outside.asked)
        else:
            self.send_json(404, {})

    def _give(self, status: int, headers: dict[str, str], content: Content) -> None:
        """The file, or the part of it that was asked for."""
        start, end = 0, content.size
        asked = self.headers.get("Range", "")
        takes_ranges = headers.get("Accept-Ranges") != "none"
        if status == 200 and takes_ranges and asked.startswith("bytes=") and content.size:
            first, _, last = asked[6:].partition("-")
            start = int(first) if first.isdigit() else 0
            end = min(int(last) + 1, content.size) if last.isdigit() else content.size
            if start >= content.size:
                self.send_bytes(416, b"", {"Content-Range": f"bytes */{content.size}"})
                return
            status = 206
            headers = {**headers, "Content-Range": f"bytes {start}-{end - 1}/{content.size}"}
        self.send_response(status)
        for name, value in {"Content-Type": content.media_type, "Accept-Ranges": "bytes", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        for position in range(start, end, 65536):
            self.wfile.write(content.part(position, min(position + 65536, end)))

    # --- Behaviours ----------------------------------------------------------------------------------------

    def _raw(self, content: bytes) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.sendall(content)

    def _for_a_while(self, pause: float) -> Any:
        until = time.monotonic() + MOST_SECONDS
        while time.monotonic() < until and not self.server.app.stopping.wait(pause):  # type: ignore[attr-defined]
            yield

    def _hook(self, host: str) -> None:
        """Takes what is posted, and answers with the status of its path: `/503` answers 503."""
        outside: OutsideWorldServer = self.server.app  # type: ignore[attr-defined]
        body = self.read_body() if self.command == "POST" else b""
        outside.hooked.append({"path": self.url_path, "headers": dict(self.headers.items()), "body": body})
        status = int(self.url_path[1:]) if self.url_path[1:].isdecimal() else 200
        self.send_bytes(status, b"ok", {"Retry-After": "1200"} if status == 429 else {})

    def _silent(self, host: str) -> None:
        self.close_connection = True
        for _ in self._for_a_while(0.5):
            pass

    def _drip(self, host: str) -> None:
        size = 9_000_000_000
        self._raw(
            f"HTTP/1.1 206 Partial Content\r\nContent-Type: video/quicktime\r\nContent-Length: 1048576\r\n"
            f"Content-Range: bytes 0-1048575/{size}\r\n\r\n".encode()
        )
        content = mp4(1_048_576)
        for number, _ in enumerate(self._for_a_while(0.1)):
            self._raw(content.part(number * 200, number * 200 + 200))

    def _slow_headers(self, host: str) -> None:
        self._raw(b"HTTP/1.1 200 OK\r\n")
        for _ in self._for_a_while(0.2):
            self._raw(b"X")

    def _big_headers(self, host: str) -> None:
        self._raw(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 900) for n in range(90)) + b"\r\n")

    def _endless_headers(self, host: str) -> None:
        self._raw(b"HTTP/1.1 200 OK\r\n")
        for _ in self._for_a_while(0.0005):
            self._raw(b"X-Filler: " + b"y" * 4000 + b"\r\n")

    def _endless(self, host: str) -> None:
        self._raw(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n" + mp4().head)
        for _ in self._for_a_while(0.0001):
            self._raw(bytes(65536))

    def _gzip_bomb(self, host: str) -> None:
        bomb: bytes = self.server.app.bomb  # type: ignore[attr-defined]
        self.send_bytes(200, bomb, {"Content-Type": "text/html", "Content-Encoding": "gzip"})

    def _truncated(self, host: str) -> None:
        content = mp4(900_000)
        self._raw(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 900000\r\n\r\n")
        self._raw(content.part(0, 300_000))

    def _reset(self, host: str) -> None:
        raise Reset

    def _not_http(self, host: str) -> None:
        self._raw(b"SSH-2.0-OpenSSH_9.6\r\n")

    def _redirect(self, location: str) -> None:
        self.send_bytes(302, b"", {"Location": location})

    def _redirect_loop(self, host: str) -> None:
        self._redirect(f"https://{host}/again")

    def _redirect_downgrade(self, host: str) -> None:
        self._redirect("http://works.example.com/video.mp4")

    def _redirect_inwards(self, host: str) -> None:
        self._redirect(parse_qs(self.url_query).get("to", ["https://127.0.0.1/admin"])[0])

    def _redirect_name(self, host: str) -> None:
        self._redirect("https://private.example.com/secret")

    def _redirect_file(self, host: str) -> None:
        self._redirect("file:///etc/passwd")

    def _redirect_far(self, host: str) -> None:
        number = int(self.url_path.strip("/") or 0) if self.url_path.strip("/").isdigit() else 0
        self._redirect(f"https://{host}/{number + 1}")

    def _redirect_good(self, host: str) -> None:
        self._redirect("https://works.example.com/video.mp4")


class _TlsServer(Server):
    """Wraps each connection in its own thread, with the certificate for the name that is asked for."""

    certificates: Certificates

    def finish_request(self, request: Any, client_address: Any) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

        def choose(connection: Any, name: str | None, _: ssl.SSLContext) -> None:
            connection.context = self.certificates.context(name or "", TLS_KINDS.get(name or "", "good"))

        context.sni_callback = choose
        request.settimeout(5)
        try:
            wrapped = context.wrap_socket(request, server_side=True)
        except (ssl.SSLError, OSError):
            return
        super().finish_request(wrapped, client_address)


def _bomb() -> bytes:
    """200 MB of a page in 194 KB."""
    import zlib

    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    piece = b"<html>" + b" " * (1024 * 1024 - 6)
    return b"".join([*(packer.compress(piece) for _ in range(200)), packer.flush()])


class OutsideWorldServer:
    """Both servers; port 0 takes any free port."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.certificates = Certificates()
        self.direct: list[str] = []
        self.asked: dict[str, int] = {}
        self.hooked: list[dict[str, Any]] = []  # what was posted to hooks.example.com
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._bomb: bytes | None = None
        try:
            self._plain = Server((host, port), OutsideHandler)
            self._tls = _TlsServer((host, 0), OutsideHandler)
        except OSError:
            self.certificates.close()
            raise
        self._tls.certificates = self.certificates
        self._plain.app = self._tls.app = self
        self.origin = f"http://{host}:{self._plain.server_address[1]}"

    @property
    def bomb(self) -> bytes:
        with self._lock:
            self._bomb = self._bomb or _bomb()
            return self._bomb

    def note(self, host: str, path: str) -> None:
        """Count who was really asked."""
        with self._lock:
            self.asked[host] = self.asked.get(host, 0) + 1

    def about(self) -> dict[str, Any]:
        return {
            "plain_port": self._plain.server_address[1],
            "tls_port": self._tls.server_address[1],
            "authority": self.certificates.authority_pem,
            "direct": self.direct,
        }

    def start(self) -> None:
        for server in (self._plain, self._tls):
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self.stopping.set()
        for server in (self._plain, self._tls):
            server.shutdown()
            server.server_close()
        self.certificates.close()
