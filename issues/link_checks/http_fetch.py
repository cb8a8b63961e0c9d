"""One guarded GET or POST: every hop parsed, resolved and refused again, every byte counted, a clock over it all."""

import http.client
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from issues.link_checks.answer import BODY_BYTES, Answer, Hop
from issues.link_checks.cookies import CookieJar
from issues.link_checks.exchange import Clock, FetchError, TooSlowError, exchange
from issues.link_checks.masking import shown_url
from issues.link_checks.resolver import Network
from issues.link_checks.ssrf import MalformedError, NotPublicError, PortError, Target

__all__ = ["BODY_BYTES", "Answer", "Clock", "FetchError", "Hop", "fetch", "open_link", "post"]

MAX_HOPS = 10
POST_ANSWER_BYTES = 4096
REDIRECTS = frozenset({301, 302, 303, 307, 308})
USER_AGENT = "TokDash link check (the account team asks whether this file can be downloaded)"
BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)


def _get(target: Target, first: int, last: int | None, *, as_browser: bool, cookies: str) -> bytes:
    """The bytes of a GET, as we ask, or as a browser would if somebody clicked the link on the host's own page."""
    lines = [f"GET {target.path.partition('#')[0]} HTTP/1.1", f"Host: {target.origin}"]
    if as_browser:
        lines += [
            f"User-Agent: {BROWSER}",
            "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
            "Accept-Language: en-US,en;q=0.9",
            f"Referer: {target.scheme}://{target.origin}/",
            "Upgrade-Insecure-Requests: 1",
        ]
    else:
        lines += [f"User-Agent: {USER_AGENT}", "Accept: video/*, image/*, */*;q=0.5", "Accept-Language: en"]
    lines.append("Accept-Encoding: identity")
    if last is not None:
        lines.append(f"Range: bytes={first}-{last}")
    if cookies:
        lines.append(f"Cookie: {cookies}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("ascii")


def _read(response: http.client.HTTPResponse, most: int) -> tuple[bytes, bool, bool]:
    """(at most `most` bytes of the body, whether all that was announced has come so far, whether it has ended)"""
    pieces: list[bytes] = []
    size = 0
    try:
        while size < most and (piece := response.read1(min(65536, most - size))):
            pieces.append(piece)
            size += len(piece)
    except http.client.IncompleteRead as error:
        return b"".join([*pieces, error.partial])[:most], False, True
    except TooSlowError:
        return b"".join(pieces), True, False  # slow, not short: judged by its speed
    except (OSError, http.client.HTTPException, ValueError):
        return b"".join(pieces), False, True
    # `length`: what Content-Length announced and has not come; None for chunks, which tell their end themselves.
    return b"".join(pieces), size >= most or not response.length, size < most


def fetch(
    url: str,
    network: Network,
    clock: Clock,
    *,
    first: int = 0,
    last: int | None = BODY_BYTES - 1,
    most: int = BODY_BYTES,
    hops: list[Hop] | None = None,
    as_browser: bool = False,
    jar: CookieJar | None = None,
) -> Answer:
    """GET bytes `first` to `last` of a link (`last` None: the file from its beginning, as if nobody knew of ranges).

    Follows at most ten redirects. Raises FetchError. The hops that were made stand in `hops` also then. `as_browser`:
    with the headers of a browser. `jar`: cookies that are sent and kept.
    """
    started = time.monotonic()
    hops = [] if hops is None else hops
    opened = open_link(url, network, clock, first=first, last=last, hops=hops, as_browser=as_browser, jar=jar)
    with opened as (response, target):
        body_started = time.monotonic()
        body, is_whole, has_ended = _read(response, most)
        now = time.monotonic()
        return Answer(
            target, response.status, response.headers, body, is_whole, hops, now - started, now - body_started,
            is_ranged=last is not None, has_ended=has_ended,
        )  # fmt: skip


def post(url: str, network: Network, clock: Clock, *, body: bytes, headers: Mapping[str, str]) -> Answer:
    """POST a body under the same guard; redirects are not followed, and little of the answer is read.

    Raises FetchError. The headers are our own: no line of a stranger's may be in them.
    """
    started = time.monotonic()
    target = _parse(network, url)
    lines = {"Host": target.origin, **headers, "Content-Length": str(len(body)), "Connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    request = f"POST {target.path.partition('#')[0]} HTTP/1.1\r\n{head}\r\n".encode("ascii") + body
    with exchange(network, target, clock, request) as response:
        body_started = time.monotonic()
        found, is_whole, _ = _read(response, POST_ANSWER_BYTES)
        now = time.monotonic()
        return Answer(target, response.status, response.headers, found, is_whole, [], now - started, now - body_started)


@contextmanager
def open_link(
    url: str,
    network: Network,
    clock: Clock,
    *,
    first: int = 0,
    last: int | None = None,
    hops: list[Hop] | None = None,
    as_browser: bool = False,
    jar: CookieJar | None = None,
) -> Iterator[tuple[http.client.HTTPResponse, Target]]:
    """Likewise, with the last answer open for reading: what is streamed stays under the clock."""
    hops = [] if hops is None else hops
    target = _parse(network, url)
    seen: set[tuple[str, str]] = set()
    sets_cookie = False
    while True:
        hop = Hop(shown_url(target.url))
        hops.append(hop)
        started = time.monotonic()
        cookies = jar.line_for(target) if jar else ""
        request = _get(target, first, last, as_browser=as_browser, cookies=cookies)
        try:
            with exchange(network, target, clock, request) as response:
                hop.status, hop.seconds = response.status, time.monotonic() - started
                location = response.headers.get("Location")
                sets_cookie = sets_cookie or "Set-Cookie" in response.headers
                if jar:
                    jar.note(target, response.headers)
                if response.status not in REDIRECTS or not location:
                    yield response, target
                    return
        finally:
            hop.seconds = hop.seconds or time.monotonic() - started
        seen.add((target.url, cookies))
        try:
            following = network.parse(target.join(_readable(location)))
        except NotPublicError as error:
            raise FetchError("private_address") from error
        except ValueError as error:
            raise FetchError("redirect_nowhere") from error
        if (following.url, jar.line_for(following) if jar else "") in seen:
            raise FetchError("redirect_loop", sets_cookie=sets_cookie)
        if len(hops) > MAX_HOPS:
            raise FetchError("redirect_many", sets_cookie=sets_cookie)
        if target.scheme == "https" and following.scheme == "http":
            raise FetchError("redirect_downgrade")
        target = following


def _readable(location: str) -> str:
    """A Location header is latin-1 on the wire, and hosts put raw UTF-8 into it."""
    with suppress(UnicodeError):
        location = location.encode("latin-1").decode("utf-8")
    return location


def _parse(network: Network, url: str) -> Target:
    try:
        return network.parse(url)
    except MalformedError as error:
        raise FetchError("malformed", str(error)) from error
    except PortError as error:
        raise FetchError("odd_port") from error
    except NotPublicError as error:
        raise FetchError("private_address") from error
