"""What a host answered, as evidence."""

import http.client
import re
from dataclasses import dataclass, field
from typing import Any

from issues.link_checks.encodings import Unpacked, unpack
from issues.link_checks.header_values import content_range, plain, whole_number
from issues.link_checks.ssrf import Target

BODY_BYTES = 1024 * 1024
TEXT_BYTES = 64 * 1024


@dataclass(slots=True)
class Hop:
    """One request of a chain, as evidence: `url` is shown without its secrets."""

    url: str
    status: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {"url": self.url, "status": self.status, "seconds": round(self.seconds, 3)}


@dataclass(slots=True)
class Answer:
    """The last answer of a chain. `body` is at most 1 MiB, as it came."""

    target: Target
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    is_whole: bool  # all bytes that were announced for this answer have come, or as many as we take
    hops: list[Hop] = field(default_factory=list)
    seconds: float = 0.0
    body_seconds: float = 0.0
    is_ranged: bool = True  # we requested a part of the file
    has_ended: bool = False  # the host closed it, and nothing was left unread
    _unpacked: Unpacked | None = None

    def header(self, name: str) -> str:
        return str(self.headers.get(name, "")).strip()

    @property
    def content_type(self) -> str:
        return plain(self.header("Content-Type").split(";")[0].strip().lower())

    @property
    def total(self) -> int | None:
        """The size of the whole file in bytes, as it is sent, if the host tells it."""
        if self.status == 206:
            found = content_range(self.header("Content-Range"))
            return found[2] if found else None
        length = whole_number(self.header("Content-Length"))
        if length is None and self.is_whole and self.has_ended:
            return len(self.body)
        return length

    @property
    def takes_ranges(self) -> bool:
        return self.status == 206

    @property
    def is_odd_part(self) -> bool:
        """Whether this is another part of the file than the requested one, or does not say which."""
        if self.status != 206:
            return False
        found = content_range(self.header("Content-Range"))
        return found is None or found[0] != 0

    @property
    def encoding(self) -> str:
        return ", ".join(str(value) for value in self.headers.get_all("Content-Encoding", []))[:200]

    @property
    def unpacked(self) -> Unpacked:
        """The body without its `Content-Encoding`, within bounds."""
        if self._unpacked is None:
            self._unpacked = unpack(self.body, self.encoding, BODY_BYTES)
        return self._unpacked

    def text(self, most: int = TEXT_BYTES) -> str:
        """The beginning of the body as text."""
        content = self.unpacked.content[:most]
        for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
            if content.startswith(mark):
                return content[2:].decode(encoding, "replace")
        return content.decode("utf-8", "replace").removeprefix("\ufeff")

    def title(self) -> str:
        """What stands in a page's title."""
        found = re.search(r"(?is)<title[^>]*>(.{0,300}?)</title", self.text())
        return " ".join(found[1].split()) if found else ""
