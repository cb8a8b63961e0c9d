"""Faults that the sandbox produces on request, each one of the list in the reliability design.

A fault is JSON: `{"kind": ..., "method": "POST", "path": "regular expression", "times": 1, ...}`. It applies to the
next `times` requests that match (-1: for ever). Kinds and their parameters:

before the effect (the request is not acted on)
  status          status, code, message, details, headers, html: answer this instead; `sticky` keeps it as the
                  replay of the request's idempotency key
  reset_before    close the connection without reading on
  timeout_before  seconds: silence, then close
  key_revoked     the key that asks is revoked from now on
  fixed_meanwhile (fix) somebody else fixes the video just before
after the effect (the request is acted on)
  reset_after     close the connection instead of answering
  reset_during    send half of the answer, then reset
  timeout_after   seconds: silence, then close
  slow_headers, slow_body   bytes_per_second: the answer trickles
  truncated       a Content-Length that is longer than the body
  malformed       broken JSON
  html            a proxy's page with status 200
  huge            bytes: an answer of that size; announced: whether it says so before (true)
  missing_fields, null_fields, wrong_types, unknown_enums, new_fields, duplicate_ids   the answer's objects changed
  total_pages     value: the listing lies about its pages
  shift_listing   by: entries move between pages
  flag_stays      (fix) 200, but the flag is still set afterwards
  ignore_dry_run  (fix) a dry run is a real write
  dates_ignored   (PATCH of a slot) 200, but the dates are as before
uploads
  presign_expired, presign_wrong_type   the URL handed out will be refused
  short_object    the store keeps fewer bytes than it got
  cors_refused    the store sends no CORS headers
"""

import re
import threading
from dataclasses import dataclass, field
from typing import Any

BEFORE = frozenset({"status", "reset_before", "timeout_before", "key_revoked", "fixed_meanwhile"})
ANSWER = frozenset(
    {"reset_after", "reset_during", "timeout_after", "slow_headers", "slow_body", "truncated", "malformed", "html",
     "huge", "missing_fields", "null_fields", "wrong_types", "unknown_enums", "new_fields", "duplicate_ids",
     "total_pages", "shift_listing"}
)  # fmt: skip
INSIDE = frozenset(
    {
        "flag_stays",
        "ignore_dry_run",
        "dates_ignored",
        "presign_expired",
        "presign_wrong_type",
        "short_object",
        "cors_refused",
    }
)
KINDS = BEFORE | ANSWER | INSIDE


@dataclass
class Fault:
    kind: str
    method: str = ""
    path: str = ""
    times: int = 1
    params: dict[str, Any] = field(default_factory=dict)

    def matches(self, method: str, path: str) -> bool:
        return (not self.method or self.method == method) and (not self.path or re.search(self.path, path) is not None)


class Faults:
    """The faults in force. Thread-safe."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, spec: dict[str, Any]) -> None:
        """Raises ValueError for an unknown kind or a bad pattern."""
        spec = dict(spec)
        kind = str(spec.pop("kind", ""))
        if kind not in KINDS:
            raise ValueError(f"unknown fault {kind!r}; known: {', '.join(sorted(KINDS))}")
        path = str(spec.pop("path", ""))
        re.compile(path)
        fault = Fault(kind, str(spec.pop("method", "")), path, int(spec.pop("times", 1)), spec)
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def take(self, kinds: frozenset[str], method: str, path: str) -> Fault | None:
        """The first fault of these kinds that matches, counted down."""
        with self._lock:
            for fault in self._faults:
                if fault.kind in kinds and fault.times != 0 and fault.matches(method, path):
                    if fault.times > 0:
                        fault.times -= 1
                    return fault
        return None


def change_objects(kind: str, body: Any) -> Any:
    """The answer with its `data` objects changed in the way of `kind`."""
    if not isinstance(body, dict) or "data" not in body:
        return body
    data = body["data"]
    entries = data if isinstance(data, list) else [data]
    changed = [_change(kind, entry) if isinstance(entry, dict) else entry for entry in entries]
    if kind == "duplicate_ids" and isinstance(data, list):
        changed = changed + changed[:1]
    return {**body, "data": changed if isinstance(data, list) else changed[0]}


def _change(kind: str, entry: dict[str, Any]) -> dict[str, Any]:
    keep = {"id", "position", "download_issue"}
    if kind == "missing_fields":
        return {key: value for key, value in entry.items() if key in keep}
    if kind == "null_fields":
        return {key: value if key in keep else None for key, value in entry.items()}
    if kind == "wrong_types":
        return {key: value if key in keep else {"unexpected": [1, 2]} for key, value in entry.items()}
    if kind == "unknown_enums":
        enums = ("status", "video_type", "platform", "bundle_type")
        return {key: "quantum" if key in enums else value for key, value in entry.items()}
    if kind == "new_fields":
        return {**entry, "hologram_depth": 3, "reviewers": [{"name": "Zoë"}]}
    return entry
