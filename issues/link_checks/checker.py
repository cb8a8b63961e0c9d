"""Look at a link as TokPortal would have to: the address first, then a ranged GET, then the bytes.

HEAD alone lies, so a megabyte is really fetched. Answers that would condemn a link are looked at twice.
"""

import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any
from urllib.parse import urlencode

from django.utils import timezone

from issues.enums import MediaKind, VerdictClass
from issues.link_checks.catalogue import Verdict
from issues.link_checks.http_fetch import Answer, Clock, FetchError, Hop, fetch
from issues.link_checks.resolver import Network, current_network
from issues.link_checks.url_rules import judge_link
from issues.link_checks.urls import host_of
from issues.media.examiner import Media, OutOfReachError, Pieces, examine, name_of
from issues.media.fitness import Fitness, judge
from issues.media.names import short_name_of

SECOND_LOOK_AFTER = 1.0  # seconds
TAIL_BYTES = 64 * 1024
MAX_TAILS = 4
TOO_SLOW_MINUTES = 20
# What is not certain by itself: said only when a second look, some time later, sees the same.
_LOOK_TWICE = frozenset({"http_404", "http_410", "dns_missing", "empty_file", "truncated", "redirect_loop"})


@dataclass(frozen=True, slots=True)
class Report:
    """A verdict with what was seen. The evidence holds no secret of the link."""

    verdict: Verdict
    evidence: dict[str, Any] = field(default_factory=dict)


def check_link(
    url: str,
    *,
    expects: MediaKind | None = None,
    needed_until: datetime | None = None,
    own_hosts: Collection[str] = (),
    network: Network | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Report:
    """Look at one link; takes at most 15 seconds and never raises.

    `expects`: what the slot takes, `None` for either. `needed_until`: until when it must work. `own_hosts`: hosts of
    TokPortal's own store.
    """
    network = network or current_network()
    by_address = judge_link(url, needed_until=needed_until, now=timezone.now())
    if by_address.code == "tokportal_file":
        return Report(by_address, {"asked": False})  # checks.store opens it, if it knows where it lies
    is_own = by_address.code == "private_address" and _is_reachable(url, network)
    if by_address.is_bad and not is_own:
        return Report(by_address, {"asked": False})
    looker = _Looker(url.strip(), expects, network)
    verdict = looker.look()
    if verdict.code in _LOOK_TWICE and looker.clock_left() > SECOND_LOOK_AFTER:
        pause(SECOND_LOOK_AFTER)
        second = looker.look()
        if second.code != verdict.code:
            verdict = (
                second if second.cls in {VerdictClass.OK, VerdictClass.UNSURE} else replace(second, code="unsteady")
            )
    if verdict.cls is VerdictClass.OK:
        if host_of(url) in own_hosts:
            verdict = replace(verdict, code="tokportal_copy_ok")
        if by_address.cls is VerdictClass.EXPIRING:
            verdict = by_address
    return Report(verdict, looker.evidence())


def stored_size(url: str, network: Network | None = None) -> int | None:
    """How many bytes a public address has, `None` where that cannot be told. Takes at most five seconds."""
    try:
        answer = fetch(url, network or current_network(), Clock(5), last=0, most=1)
    except FetchError:
        return None
    if answer.status == 416:
        return 0
    return answer.total if answer.status in {200, 206} else None


def _is_reachable(url: str, network: Network) -> bool:
    """The sandbox's object store has a loopback address, and yet stands for a public one."""
    try:
        return bool(network.parse(url.strip()))
    except ValueError:
        return False


class _Looker:
    """One check: its clock, its hops, what it saw."""

    def __init__(self, url: str, expects: MediaKind | None, network: Network) -> None:
        self._url, self._expects, self._network = url, expects, network
        self._clock = Clock()
        self._started = time.monotonic()
        self._hops: list[Hop] = []
        self._answer: Answer | None = None
        self._media: Media | None = None
        self._looks = 0
        self._trouble = ""

    def clock_left(self) -> float:
        try:
            return self._clock.left()
        except FetchError:
            return 0.0

    def evidence(self) -> dict[str, Any]:
        """Status chain, hops, type, length, the kind of the first bytes, times."""
        seen: dict[str, Any] = {
            "asked": True,
            "looks": self._looks,
            "hops": [hop.to_json() for hop in self._hops],
            "seconds": round(time.monotonic() - self._started, 3),
        }
        if self._trouble:
            seen["trouble"] = self._trouble
        if self._answer:
            seen |= {
                "status": self._answer.status,
                "type": self._answer.content_type,
                "length": self._answer.total,
                "received": len(self._answer.body),
            }
        if self._media:
            seen |= {
                "kind": self._media.kind,
                "has_video": self._media.has_video,
                "has_sound": self._media.has_sound,
                "duration": self._media.seconds,
            }
        return seen

    def look(self) -> Verdict:
        self._looks += 1
        self._hops.clear()
        self._answer = self._media = None
        self._trouble = ""
        try:
            self._answer = fetch(self._url, self._network, self._clock, hops=self._hops)
        except FetchError as error:
            self._trouble = error.detail[:200]
            return Verdict(error.code, fact=error.detail[:100] if error.code == "tls_bad" else "")
        return self._of_host(self._answer) or self._of_status(self._answer) or self._of_bytes(self._answer)

    # --- What the answer says -------------------------------------------------------------------------------

    def _of_host(self, answer: Answer) -> Verdict | None:
        """Where the redirects ended."""
        host = answer.target.host
        if host == "accounts.google.com":
            return Verdict("drive_no_access")
        if host in {"login.microsoftonline.com", "login.live.com"}:
            return Verdict("sharepoint_login")
        return None

    def _of_status(self, answer: Answer) -> Verdict | None:
        status = answer.status
        if status in {200, 206}:
            return None
        if status in {403, 429, 503} and _is_challenge(answer):
            return Verdict("bot_wall")
        if status in {401, 404, 410}:
            return Verdict(f"http_{status}")
        if status == 403:
            return _of_403(answer)
        if status == 429:
            return Verdict("rate_limited", fact=_wait(answer))
        if status == 416 and str(answer.headers.get("Content-Range", "")).strip().endswith("/0"):
            return Verdict("empty_file")
        if status >= 500:
            return Verdict("server_error")
        return Verdict("empty_file") if status in {204, 205} else Verdict("http_refused", fact=str(status))

    def _of_bytes(self, answer: Answer) -> Verdict:
        if not answer.body:
            slow = self.clock_left() == 0.0 or answer.body_seconds > 5
            return Verdict("timeout") if slow else Verdict("empty_file" if answer.is_whole else "truncated")
        text = answer.text()
        if str(answer.headers.get("Content-Encoding", "identity")).lower() not in {"", "identity"}:
            # Packed although we asked for it plain: what is inside can be told for text alone.
            self._media = Media(examine(Pieces([(0, text.encode())]), len(text.encode())).kind if text else "")
        else:
            remote = _Remote(self, answer)
            self._media = examine(remote, answer.total, at_hand=remote.at_hand)
        finding = judge(self._media, size=answer.total, expects=self._expects)
        if finding.fitness is Fitness.PAGE or (not self._media.kind and answer.content_type == "text/html"):
            return _of_page(answer, text) or Verdict("html_instead_of_media", fact=finding.fact or name_of("text/html"))
        if finding.fitness is Fitness.WRONG:
            return Verdict("not_media", fact=finding.fact)
        if not answer.is_whole:
            return Verdict("truncated", fact=_percent(len(answer.body), answer.total))
        if finding.fitness is Fitness.CUT:
            return Verdict("truncated", fact=finding.fact)
        if finding.fitness is Fitness.UNFINISHED:
            return Verdict("mp4_unfinished")
        if minutes := _projected_minutes(answer):
            return Verdict("too_slow", fact=f"{minutes} minutes" if minutes < 600 else "many hours")
        if finding.fitness is Fitness.UNUSUAL:
            return Verdict("unusual_image" if self._media.is_image else "unusual_video", fact=finding.fact)
        if not self._media.kind and not answer.content_type.startswith(("video/", "image/")):
            return Verdict("unknown_bytes")
        return Verdict("works_for_us", fact=_description(self._media, answer))

    def read_more(self, answer: Answer, offset: int) -> bytes:
        """A later part of the file, for an index that stands at its end."""
        try:
            part = fetch(
                answer.target.url, self._network, self._clock, first=offset, last=offset + TAIL_BYTES - 1,
                most=TAIL_BYTES,
            )  # fmt: skip
        except FetchError as error:
            raise OutOfReachError from error
        if part.status != 206:
            raise OutOfReachError
        return part.body


class _Remote(Pieces):
    """`read_at` over what was fetched; asks for a few more parts where the host gives ranges."""

    def __init__(self, looker: _Looker, answer: Answer) -> None:
        super().__init__([(0, answer.body)])
        self._looker, self._answer, self._left = looker, answer, MAX_TAILS

    def at_hand(self, offset: int, count: int) -> bytes:
        return super().__call__(offset, count)

    def __call__(self, offset: int, count: int) -> bytes:
        try:
            return super().__call__(offset, count)
        except OutOfReachError:
            total = self._answer.total
            if not self._answer.takes_ranges or not total or offset + count > total or not self._left:
                raise
            self._left -= 1
            self.add(offset, self._looker.read_more(self._answer, offset))
            return super().__call__(offset, count)


_CHALLENGE_HEADERS = ("cf-mitigated", "x-datadome", "x-amzn-waf-action")
_CHALLENGE = re.compile(r"(?i)just a moment|captcha|challenge-platform|are you (a )?human|robot")
_EXPIRED = re.compile(r"(?i)request has expired|token (has )?expired|expiredtoken|signature (has )?expired")


def _is_challenge(answer: Answer) -> bool:
    if any(answer.headers.get(name) for name in _CHALLENGE_HEADERS):
        return True
    return "html" in answer.content_type and bool(_CHALLENGE.search(answer.text()))


def _of_403(answer: Answer) -> Verdict:
    text = answer.text()
    if _EXPIRED.search(text):
        return Verdict("signature_expired")
    if re.search(r"SignatureDoesNotMatch|InvalidSignature|AuthenticationFailed", text):
        return Verdict("signature_wrong")
    if _is_google(answer) and re.search(r"(?i)quota|too many users", text):
        return Verdict("drive_quota")
    return Verdict("drive_no_access") if _is_google(answer) else Verdict("http_403")


def _is_google(answer: Answer) -> bool:
    host = answer.target.host
    return host.endswith((".google.com", ".googleusercontent.com"))


def _of_page(answer: Answer, text: str) -> Verdict | None:
    """Pages that well-known hosts put in front of a file."""
    if _is_google(answer):
        if re.search(r"(?i)virus scan warning|id=\"download-form\"|id='download-form'", text):
            return Verdict("drive_virus_page", repaired=_confirmed(text))
        if re.search(r"(?i)quota exceeded|too many users have viewed", text):
            return Verdict("drive_quota")
        if re.search(r"(?i)you need access|request access|sign in", text):
            return Verdict("drive_no_access")
    return Verdict("bot_wall") if _is_challenge(answer) else None


def _confirmed(page: str) -> str:
    """The link behind Google's warning: its form, filled in."""
    action = re.search(r"<form[^>]*id=[\"']download-form[\"'][^>]*action=[\"']([^\"']+)", page) or re.search(
        r"<form[^>]*action=[\"']([^\"']+)[\"'][^>]*id=[\"']download-form", page
    )
    if not action or not re.match(r"https://drive(\.usercontent)?\.google\.com/", unescape(action[1])):
        return ""
    fields = re.findall(r"<input[^>]*name=[\"']([\w-]+)[\"'][^>]*value=[\"']([^\"']*)", page)
    query = urlencode([(name, unescape(value)) for name, value in fields])
    target = unescape(action[1])
    return f"{target}{'&' if '?' in target else '?'}{query}" if query else target


def _wait(answer: Answer) -> str:
    text = str(answer.headers.get("Retry-After", "")).strip()
    if text.isdigit():
        return f"{int(text)} s" if int(text) < 120 else f"{round(int(text) / 60)} minutes"
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return ""
    seconds = (moment - timezone.now()).total_seconds() if moment.tzinfo else 0
    return f"{max(round(seconds / 60), 1)} minutes" if seconds > 0 else ""


def _percent(part: int, whole: int | None) -> str:
    return f"{max(0, min(99, 100 * part // whole))} %" if whole else "the beginning"


def _projected_minutes(answer: Answer) -> int:
    """How long the whole file would take at the speed that we saw; 0 where that is no matter."""
    received = len(answer.body)
    if answer.body_seconds < 2 or not received:
        return 0
    size = answer.total or received * 1000
    minutes = round(size / (received / answer.body_seconds) / 60)
    return minutes if minutes >= TOO_SLOW_MINUTES else 0


def size_text(size: int) -> str:
    """`24 MB`, as people say it."""
    value = float(size)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def _description(media: Media, answer: Answer) -> str:
    """`24 MB MP4, 31 s`."""
    name = short_name_of(media.kind or answer.content_type)
    parts = [f"{size_text(answer.total)} {name}" if answer.total else name]
    if media.seconds:
        parts.append(f"{round(media.seconds)} s")
    return ", ".join(parts)
