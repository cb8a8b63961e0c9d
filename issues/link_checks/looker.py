"""One look at a link: asked as TokPortal would ask, once more in another way if that may matter, then judged."""

import time
from typing import Any

from issues.enums import MediaKind
from issues.link_checks.answer import BODY_BYTES, Answer, Hop
from issues.link_checks.catalogue import Verdict
from issues.link_checks.cookies import CookieJar
from issues.link_checks.encodings import is_known
from issues.link_checks.exchange import Clock, FetchError
from issues.link_checks.header_values import content_range, plain
from issues.link_checks.http_fetch import fetch
from issues.link_checks.known_pages import verdict_of_page
from issues.link_checks.resolver import Network
from issues.link_checks.sign_in import leads_to_sign_in, sign_in_host
from issues.link_checks.statuses import should_ask_as_browser, should_ask_for_all, verdict_of_status
from issues.media.examiner import Media, OutOfReachError, Pieces, examine, name_of
from issues.media.fitness import Fitness, judge, share_of
from issues.media.names import short_name_of

TAIL_BYTES = 64 * 1024
MAX_TAILS = 4
TOO_SLOW_MINUTES = 20
ENOUGH_TIME = 1.0  # seconds that must be left for one more request


class Looker:
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
        self._as_browser: int | None = None

    def clock_left(self) -> float:
        try:
            return self._clock.left()
        except FetchError:
            return 0.0

    def evidence(self) -> dict[str, Any]:
        """Status chain, hops, type, length, the kind of the first bytes, times. No secret of the link, no cookie."""
        seen: dict[str, Any] = {
            "asked": True,
            "looks": self._looks,
            "hops": [hop.to_json() for hop in self._hops],
            "seconds": round(time.monotonic() - self._started, 3),
        }
        if self._trouble:
            seen["trouble"] = self._trouble
        if self._as_browser is not None:
            seen["status_for_browsers"] = self._as_browser
        if self._answer:
            seen |= {
                "status": self._answer.status,
                "type": self._answer.content_type,
                "length": self._answer.total,
                "received": len(self._answer.body),
                "ranged": self._answer.is_ranged,
            }
            if self._answer.encoding:
                seen["encoding"] = plain(self._answer.encoding)
        if self._media:
            seen |= {
                "kind": self._media.kind,
                "has_video": self._media.has_video,
                "has_sound": self._media.has_sound,
                "duration": self._media.seconds,
                "codec": plain(self._media.codec, 32),
                "width": self._media.width,
                "height": self._media.height,
            }
        return seen

    def look(self) -> Verdict:
        """The verdict of one look; call it again for a second one."""
        self._looks += 1
        self._answer = self._media = self._as_browser = None
        self._trouble = ""
        try:
            answer = self._ask()
            if should_ask_for_all(answer) and self.clock_left() > ENOUGH_TIME:
                answer = self._ask(is_ranged=False)
        except FetchError as error:
            return self._of_error(error)
        self._answer = answer
        verdict = self._judge(answer)
        if should_ask_as_browser(answer, verdict):
            jar = CookieJar()
            jar.note(answer.target, answer.headers)
            return self._of_browser(verdict, "needs_browser", jar)
        return verdict

    def _ask(self, *, is_ranged: bool = True) -> Answer:
        self._hops.clear()
        last = BODY_BYTES - 1 if is_ranged else None
        return fetch(self._url, self._network, self._clock, last=last, hops=self._hops)

    def _of_error(self, error: FetchError) -> Verdict:
        self._trouble = plain(error.detail, 200)
        verdict = Verdict(error.code, fact=plain(error.detail) if error.code == "tls_bad" else "")
        return self._of_browser(verdict, "needs_cookie", CookieJar()) if error.sets_cookie else verdict

    def _of_browser(self, verdict: Verdict, code: str, jar: CookieJar) -> Verdict:
        """Ask as a browser would, with its cookies: a difference shows that the host tells visitors apart."""
        if self.clock_left() <= ENOUGH_TIME:
            return verdict
        try:
            other = fetch(self._url, self._network, self._clock, last=None, hops=[], as_browser=True, jar=jar)
        except FetchError:
            return verdict
        self._as_browser = other.status
        judged = verdict_of_status(other)
        if judged:
            return judged if judged.code == "bot_wall" else verdict
        kept = self._media
        found = self._of_bytes(other)
        self._media = kept
        if found.code == "bot_wall":
            return found
        return verdict if found.is_bad or found.code in {"packed_body", "unknown_bytes"} else Verdict(code)

    # --- What the answer says -------------------------------------------------------------------------------

    def _judge(self, answer: Answer) -> Verdict:
        first_host = self._first_host()
        if code := sign_in_host(answer, first_host):
            return Verdict(code)
        by_status = verdict_of_status(answer)
        if by_status:
            return by_status
        verdict = self._of_bytes(answer)
        if verdict.code == "html_instead_of_media" and leads_to_sign_in(answer, first_host):
            return Verdict("login_page")
        return verdict

    def _first_host(self) -> str:
        try:
            return self._network.parse(self._url).host
        except ValueError:
            return ""

    def _of_bytes(self, answer: Answer) -> Verdict:
        if not answer.body:
            slow = self.clock_left() == 0.0 or answer.body_seconds > 5
            return Verdict("timeout") if slow else Verdict("empty_file" if answer.is_whole else "truncated")
        media, size = self._examined(answer)
        if media is None:
            return Verdict("packed_body")
        self._media = media
        finding = judge(media, size=size, expects=self._expects)
        if finding.fitness is Fitness.PAGE or (not media.kind and answer.content_type == "text/html"):
            page = verdict_of_page(answer)
            return page or Verdict("html_instead_of_media", fact=finding.fact or name_of("text/html"))
        if finding.fitness is Fitness.WRONG:
            return Verdict("not_media", fact=finding.fact)
        if not answer.is_whole:
            return Verdict("truncated", fact=share_of(len(answer.body), answer.total) or "the beginning")
        if finding.fitness is Fitness.CUT or _packing_breaks_off(answer):
            return Verdict("truncated", fact=finding.fact)
        if finding.fitness is Fitness.UNFINISHED:
            return Verdict("mp4_unfinished")
        if minutes := _projected_minutes(answer):
            return Verdict("too_slow", fact=f"{minutes} minutes" if minutes < 600 else "many hours")
        if finding.fitness is Fitness.UNUSUAL:
            return Verdict("unusual_image" if media.is_image else "unusual_video", fact=finding.fact)
        if not media.kind and not answer.content_type.startswith(("video/", "image/")):
            return Verdict("unknown_bytes")
        return Verdict("works_for_us", fact=_description(media, answer, size))

    def _examined(self, answer: Answer) -> tuple[Media | None, int | None]:
        """What the bytes are, and how many the whole file has; no media for bytes that cannot be unpacked."""
        unpacked = answer.unpacked
        if not unpacked.is_packed:
            remote = _Remote(self, answer)
            return examine(remote, answer.total, at_hand=remote.at_hand), answer.total
        if not unpacked.is_readable:
            # Under a name that browsers do not know, they take the bytes as they are.
            if is_known(answer.encoding):
                return None, None
            media = examine(Pieces([(0, answer.body)]), answer.total)
            return (media, answer.total) if media.kind else (None, None)
        is_whole = unpacked.is_whole and answer.is_whole and len(unpacked.content) < BODY_BYTES
        size = len(unpacked.content) if is_whole else None
        media = examine(Pieces([(0, unpacked.content)]), size)
        # Broken packing often unpacks to a few stray bytes: they prove no video, even if the host calls them one.
        is_shown = media.kind or not answer.content_type.startswith(("video/", "image/"))
        return (media, size) if is_shown else (None, None)

    def read_more(self, answer: Answer, offset: int) -> bytes:
        """A later part of the file, for an index that stands at its end."""
        try:
            part = fetch(
                answer.target.url, self._network, self._clock, first=offset, last=offset + TAIL_BYTES - 1,
                most=TAIL_BYTES,
            )  # fmt: skip
        except FetchError as error:
            raise OutOfReachError from error
        found = content_range(part.header("Content-Range"))
        if part.status != 206 or found is None or found[0] != offset:
            raise OutOfReachError
        return part.body


class _Remote(Pieces):
    """`read_at` over what was fetched; asks for a few more parts where the host gives ranges."""

    def __init__(self, looker: Looker, answer: Answer) -> None:
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


def _packing_breaks_off(answer: Answer) -> bool:
    """Whether all has come, and yet what was packed does not end."""
    unpacked, total = answer.unpacked, answer.total
    if not unpacked.is_packed or not unpacked.is_readable or unpacked.is_whole or len(unpacked.content) >= BODY_BYTES:
        return False
    return answer.has_ended and (total is None or total <= len(answer.body))


def _projected_minutes(answer: Answer) -> int:
    """How long the whole file would take at the speed that we saw; 0 if that does not matter."""
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


def _description(media: Media, answer: Answer, size: int | None) -> str:
    """`24 MB MP4, 31 s`."""
    name = short_name_of(media.kind or answer.content_type)
    parts = [f"{size_text(size)} {name}" if size else name]
    if media.seconds:
        parts.append(f"{round(media.seconds)} s")
    return ", ".join(parts)
