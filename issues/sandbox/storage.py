"""The object stores, each on an origin of its own: presigned PUT, public GET, CORS.

Objects lie on disk, never in memory. Videos lie on one store, images on another, whose public addresses have a prefix
before the path of the image.
"""

import hashlib
import hmac
import secrets
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlencode

from issues.sandbox.faults import Faults
from issues.sandbox.http import Handler
from issues.sandbox.media import Content
from issues.sandbox.world import World

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, PUT",
    "Access-Control-Allow-Headers": "content-type",
    "Access-Control-Max-Age": "600",
}
EXPIRES_SECONDS = 900
IMAGE_BASE = "storage/v1/object/public/"


class Store:
    """Signed URLs and the objects behind them. `base` stands before the key in each address."""

    def __init__(self, base: str = "") -> None:
        self.base = base
        self._samples: dict[str, Path] = {}
        self._secret = secrets.token_bytes(32)
        self._folder = tempfile.TemporaryDirectory(prefix="tokportal-sandbox-")
        self._lock = threading.Lock()
        self.sizes: dict[str, int] = {}
        self.types: dict[str, str] = {}
        self.origin = ""

    def close(self) -> None:
        self._folder.cleanup()

    def file(self, key: str) -> Path:
        return self._samples.get(key) or Path(self._folder.name) / hashlib.sha256(key.encode()).hexdigest()

    def add_samples(self, keys: Iterable[str], content: Content) -> None:
        """Objects that share one file: thousands of them cost as much as one."""
        shared = Path(self._folder.name) / f"sample-{hashlib.sha256(content.head).hexdigest()[:16]}-{content.size}"
        if not shared.exists():
            shared.write_bytes(content.part(0, content.size))
        for key in keys:
            self._samples[key] = shared
            self.put_bytes(key, content.media_type, content.size)

    def store(self, key: str, content: Content) -> str:
        """Keep this content; its public address."""
        self.file(key).write_bytes(content.part(0, content.size))
        self.put_bytes(key, content.media_type, content.size)
        return self.public_url(key)

    def public_url(self, key: str) -> str:
        return f"{self.origin}/{self.base}{quote(key)}"

    def key_of(self, url: str) -> str | None:
        """The object's key for a URL of this store, `None` for any other."""
        prefix = f"{self.origin}/{self.base}"
        return unquote(url[len(prefix) :].split("?")[0]) if url.startswith(prefix) else None

    def sign(self, key: str, content_type: str, *, expires_in: int = EXPIRES_SECONDS) -> str:
        """A URL to which one may PUT an object of this type until it expires."""
        until = int(time.time()) + expires_in
        query = urlencode({"expires": until, "type": content_type, "signature": self._mac(key, content_type, until)})
        return f"{self.public_url(key)}?{query}"

    def _mac(self, key: str, content_type: str, until: int) -> str:
        return hmac.new(self._secret, f"PUT\n{key}\n{content_type}\n{until}".encode(), hashlib.sha256).hexdigest()

    def check(self, key: str, query: str, content_type: str) -> str:
        """Why a PUT is refused, or an empty string."""
        fields = {name: values[0] for name, values in parse_qs(query).items()}
        until = fields.get("expires", "")
        if not until.isdigit() or not hmac.compare_digest(
            fields.get("signature", ""), self._mac(key, fields.get("type", ""), int(until))
        ):
            return "SignatureDoesNotMatch"
        if int(until) < time.time():
            return "AccessDenied: Request has expired"
        if fields.get("type") and fields["type"] != content_type:
            return "SignatureDoesNotMatch: Content-Type"
        return ""

    def put_bytes(self, key: str, content_type: str, size: int) -> None:
        with self._lock:
            self.sizes[key], self.types[key] = size, content_type


class StorageHandler(Handler):
    """`PUT`, `GET` (with ranges), `HEAD`, `OPTIONS`."""

    def handle_request(self) -> None:
        store: Store = self.server.store  # type: ignore[attr-defined]
        faults: Faults = self.server.app.faults  # type: ignore[attr-defined]
        world: World = self.server.app.world  # type: ignore[attr-defined]
        key = unquote(self.url_path.lstrip("/").removeprefix(store.base))
        cors = {} if faults.take(frozenset({"cors_refused"}), self.command, self.url_path) else CORS
        if self.command == "OPTIONS":
            self.send_bytes(204 if cors else 403, b"", cors)
        elif self.command == "PUT":
            self._put(store, faults, world, key, cors)
        elif self.command in {"GET", "HEAD"} and key in store.sizes:
            self._get(store, key, cors)
        elif self.command in {"GET", "HEAD"} and store.base:
            # Image stores of TokPortal's kind answer so: status 400, and what is meant in the body.
            body = b'{"statusCode":"404","error":"not_found","message":"Object not found"}'
            self.send_bytes(400, body, {"Content-Type": "application/json", **cors})
        elif self.command in {"GET", "HEAD"}:
            self.send_bytes(404, b"<Error><Code>NoSuchKey</Code></Error>", {"Content-Type": "application/xml", **cors})
        else:
            self.send_bytes(405, b"", cors)

    def _put(self, store: Store, faults: Faults, world: World, key: str, cors: dict[str, str]) -> None:
        if "Content-Length" not in self.headers:
            self.close_connection = True
            self.send_bytes(411, b"<Error><Code>MissingContentLength</Code></Error>", cors)
            return
        content_type = self.headers.get("Content-Type", "")
        if "X-API-Key" in self.headers:
            world.record("key_leaked_to_storage", key=key)
        refusal = store.check(key, self.url_query, content_type)
        if refusal:
            self.send_bytes(403, f"<Error><Code>{refusal}</Code></Error>".encode(), cors)
            return
        left = self.content_length()
        self.body_read = True
        size = 0
        started = time.monotonic()
        with store.file(key).open("wb") as file:
            while left > 0:
                if world.store_speed and (early := size / world.store_speed - (time.monotonic() - started)) > 0.005:
                    time.sleep(early)
                chunk = self.rfile.read(min(left, 65536))
                if not chunk:
                    self.close_connection = True
                    return  # broken off: no object
                file.write(chunk)
                left -= len(chunk)
                size += len(chunk)
            if faults.take(frozenset({"short_object"}), "PUT", self.url_path):
                size //= 2
                file.truncate(size)
        store.put_bytes(key, content_type, size)
        world.record("put", key=key, size=size, content_type=content_type)
        self.send_bytes(200, b"", cors)

    def _get(self, store: Store, key: str, cors: dict[str, str]) -> None:
        size = store.sizes[key]
        start, end, status = 0, size - 1, 200
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes=") and size:
            first, _, last = asked[6:].partition("-")
            if first.isdigit():
                start, status = int(first), 206
                end = min(int(last), size - 1) if last.isdigit() else size - 1
        self.send_response(status)
        headers = {"Content-Type": store.types[key], "Accept-Ranges": "bytes", **cors}
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(max(end - start + 1, 0)))
        self.end_headers()
        if self.command == "HEAD":
            return
        with store.file(key).open("rb") as file:
            file.seek(start)
            left = end - start + 1
            while left > 0 and (chunk := file.read(min(left, 65536))):
                self.wfile.write(chunk)
                left -= len(chunk)
