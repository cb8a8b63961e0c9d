"""The API of the sandbox: authentication, the bucket, idempotent replay and faults around each call."""

import json
import re
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote

from issues.sandbox import control, faults
from issues.sandbox.calls import Call, error_body
from issues.sandbox.http import Handler, Reset
from issues.sandbox.routes import find_route
from issues.sandbox.world import ApiFailure, Key, World, body_digest
from issues.tokportal import constants as c

PREFIX = "/api/ext"
SAFE_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
SENSITIVE = re.compile(r"^/upload/(video|image)$|^/webhooks$")


class ApiHandler(Handler):
    """`/api/ext/...` for clients, `/_sandbox/...` for whoever controls the sandbox."""

    def handle_request(self) -> None:
        app = self.server.app  # type: ignore[attr-defined]
        if self.url_path.startswith("/_sandbox/"):
            control.handle(self, app)
            return
        world: World = app.world
        request_id = self._request_id()
        headers = {c.TOKPORTAL_REQUEST_ID_HEADER: request_id}
        headers |= {c.API_VERSION_HEADER: world.api_version, c.API_STABILITY_HEADER: world.api_stability}
        if world.latency:
            time.sleep(world.latency)
        if not self.url_path.startswith(PREFIX + "/"):
            self.send_json(404, error_body("NOT_FOUND", "No such path"), headers)
            return
        path = self.url_path[len(PREFIX) :]
        if self.command == "OPTIONS":
            self._answer_preflight(headers)
            return
        before = app.faults.take(faults.BEFORE, self.command, path)
        after = app.faults.take(faults.ANSWER, self.command, path)
        try:
            if before:
                self._fail_before(app, before)
            key = world.authenticate(self.headers.get(c.API_KEY_HEADER), self.command)
            headers |= world.spend(key)
            status, body = self._answer(app, path, key, request_id)
        except ApiFailure as failure:
            headers |= failure.headers
            status, body = failure.status, error_body(failure.code, failure.message, failure.details)
        if after:
            self._spoil(after, status, body, headers)
        elif status == 204:
            self.send_bytes(204, b"", headers)
        else:
            self.send_json(status, body, headers)

    def _request_id(self) -> str:
        """The client's own id where it is safe to print, else one of ours."""
        said = self.headers.get(c.REQUEST_ID_HEADER, "")
        return said if SAFE_REQUEST_ID.fullmatch(said) else f"req_{uuid.uuid4().hex}"

    def _answer_preflight(self, headers: dict[str, str]) -> None:
        """What a browser asks first: answered without a key, and no token is taken."""
        self.send_bytes(
            204,
            b"",
            {
                **headers,
                "Access-Control-Allow-Origin": "*",
                "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
                "Access-Control-Allow-Headers": ", ".join(
                    ("Content-Type", c.API_KEY_HEADER, c.IDEMPOTENCY_HEADER, c.REQUEST_ID_HEADER, c.DRY_RUN_HEADER)
                ),
                "Access-Control-Max-Age": "600",
            },
        )

    # --- The request, once -----------------------------------------------------------------------------------

    def _answer(self, app: Any, path: str, key: Key, request_id: str) -> tuple[int, Any]:
        if path in {"/upload/video/direct", "/upload/image/direct"} and self.command == "POST":
            # The file is never held in memory: its size stands for it.
            body, digest = b"", body_digest(self.command, path, str(self.content_length()).encode())
        else:
            body = self.read_body()
            digest = body_digest(self.command, path, body)
        query = {name: values[-1] for name, values in parse_qs(self.url_query).items()}
        call = Call(self.command, path, query, body, self.headers, key, request_id)
        route = find_route(self.command, path)
        idempotency_key = self.headers.get(c.IDEMPOTENCY_HEADER)
        if idempotency_key and self.command != "GET":
            if SENSITIVE.match(path):
                raise ApiFailure(400, c.IDEMPOTENCY_NOT_ALLOWED, "This call does not take an Idempotency-Key")
            return self._replayed(app.world, call, digest, idempotency_key, lambda: route(self, app, call))
        return route(self, app, call)

    def _replayed(
        self, world: World, call: Call, digest: str, idempotency_key: str, work: Callable[[], tuple[int, Any]]
    ) -> tuple[int, Any]:
        """The first answer under a key is the answer for ever; one request at a time works on it."""
        name = (call.key.owner, idempotency_key)
        with world.lock:
            known = world.replays.get(name)
            if known is None:
                world.replays[name] = {"digest": digest, "answer": None}
        if known is not None:
            if known["digest"] != digest:
                raise ApiFailure(409, "IDEMPOTENCY_KEY_REUSED", "This key came with another request")
            if known["answer"] is None:
                raise ApiFailure(409, "IDEMPOTENCY_REQUEST_IN_PROGRESS", "The first request is still running")
            world.record("replay", path=call.path, idempotency_key=idempotency_key)
            answer: tuple[int, Any] = known["answer"]
            return answer
        try:
            answer = work()
        except ApiFailure as failure:
            answer = (failure.status, error_body(failure.code, failure.message, failure.details))
        except BaseException:
            with world.lock:
                world.replays.pop(name, None)
            raise
        with world.lock:
            world.replays[name]["answer"] = answer
        return answer

    # --- Faults --------------------------------------------------------------------------------------------

    def _fail_before(self, app: Any, fault: faults.Fault) -> None:
        world: World = app.world
        if fault.kind == "reset_before":
            raise Reset
        if fault.kind == "timeout_before":
            time.sleep(float(fault.params.get("seconds", 30)))
            raise Reset
        if fault.kind == "key_revoked":
            world.keys[self.headers.get(c.API_KEY_HEADER, "")].revoked = True
            return
        if fault.kind == "fixed_meanwhile":
            found = re.match(rf"{PREFIX}/bundles/([^/]+)/videos/(\d+)/", self.url_path)
            if found:
                bundle = world.bundles[unquote(found[1])]
                video = world.video(bundle, int(found[2]))
                world.finish_fix(bundle, video, video_url="https://media.example.com/by-somebody-else.mp4", images=None)
            return
        status = int(fault.params.get("status", 500))
        code = str(fault.params.get("code", "INTERNAL_ERROR"))
        body = error_body(code, str(fault.params.get("message", code)), fault.params.get("details") or {})
        idempotency_key = self.headers.get(c.IDEMPOTENCY_HEADER)
        if fault.params.get("sticky") and idempotency_key:
            owner = world.keys[self.headers.get(c.API_KEY_HEADER, "")].owner
            digest = body_digest(self.command, self.url_path[len(PREFIX) :], self.read_body())
            world.replays[(owner, idempotency_key)] = {"digest": digest, "answer": (status, body)}
        raise ApiFailure(
            status, code, body["error"]["message"], body["error"]["details"], dict(fault.params.get("headers") or {})
        )

    def _spoil(self, fault: faults.Fault, status: int, body: Any, headers: dict[str, str]) -> None:
        kind, params = fault.kind, fault.params
        content = json.dumps(body).encode()
        typed = {"Content-Type": "application/json", **headers}
        if kind == "reset_after":
            raise Reset
        if kind == "timeout_after":
            time.sleep(float(params.get("seconds", 30)))
            raise Reset
        if kind == "html":
            self.send_bytes(
                int(params.get("status", 200)), b"<html><body>Bad gateway</body></html>", {"Content-Type": "text/html"}
            )
        elif kind == "malformed":
            self.send_bytes(status, content[: len(content) // 2], typed)
        elif kind == "huge":
            huge = b'{"data": "' + b"x" * int(params.get("bytes", 50_000_000)) + b'"}'
            if params.get("announced", True):
                self.send_bytes(status, huge, typed)
                return
            self.skip_body()
            self.connection.sendall(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n\r\n".encode())
            self.close_connection = True
            self.connection.sendall(huge)
        elif kind in {"truncated", "reset_during"}:
            self.skip_body()
            self.send_response(status)
            for name, value in {**typed, "Content-Length": str(len(content) + 100)}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if kind == "reset_during" else content)
            self.wfile.flush()
            self.close_connection = True
            if kind == "reset_during":
                raise Reset
        elif kind in {"slow_headers", "slow_body"}:
            self.skip_body()
            speed = float(params.get("bytes_per_second", 1))
            head = (
                f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
            ).encode()
            if kind == "slow_headers":
                self.trickle(head, speed)
                self.connection.sendall(content)
            else:
                self.connection.sendall(head)
                self.trickle(content, speed)
            self.close_connection = True
        elif kind == "total_pages" and isinstance(body, dict) and "pagination" in body:
            body["pagination"]["total_pages"] = params.get("value", 1)
            self.send_json(status, body, headers)
        else:
            self.send_json(status, faults.change_objects(kind, body), headers)
