"""When a temporary link ends, as its address says. No network.

An end is a plausible date or nothing: `expires=3600` is a number of seconds, not the year 1970.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from issues.link_checks.urls import MalformedError, WebLink, parse_link

_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_MAX_JSON = 8192

Query = dict[str, str]

# Parameters that hold the moment itself, beside all whose names speak of expiry. `e` means it only beside a signature.
_MOMENTS = frozenset({
    "exp", "valid_until", "validuntil", "validto", "valid_to", "wowzatokenendtime", "ik-t",
})  # fmt: skip
_SIGNATURES = frozenset({"sig", "sign", "signature", "token", "h", "hash", "t", "st"})


def link_end(url: str) -> datetime | None:
    """When a temporary link runs out, read off its address; `None` if it does not say. The earliest of several ends."""
    try:
        link = parse_link(url)
    except MalformedError:
        return None
    found = [end for end in _ends(link) if end is not None and _EARLIEST <= end < _LATEST]
    return min(found, default=None)


def _ends(link: WebLink) -> Iterator[datetime | None]:
    query = _pairs(link.query)
    yield from _of_query(query)
    for segment in link.path.split("/"):
        if "=" in segment:  # Bunny and others put their token into the path
            yield from _of_query(_pairs(segment.replace(";", "&")))
    text = unquote(unquote(link.href))
    # Akamai and those who do likewise: exp=1735689600~acl=/*~hmac=0123…
    for match in re.finditer(r"(?<![a-z])exp=(\d{9,13})~(?=.{0,2000}?(?:hmac|acl|data)=)", text):
        yield moment_of(match[1])
    # Fastly: token=1735689600_0f3a…
    for match in re.finditer(r"[?&/](?:\w*token|__gda__)=(\d{10})_(?:0x)?[0-9a-f]{16,}", text):
        yield moment_of(match[1])
    for match in re.finditer(r"eyJ[\w-]{5,}\.(eyJ[\w-]{5,})", text):
        yield moment_of(_json_of(match[1]).get("exp"))
    yield from _of_known_paths(link)


def _pairs(query: str) -> Query:
    """The first value of each parameter, by its name in small letters."""
    pairs: Query = {}
    for piece in query.replace("&amp;", "&").split("&"):
        name, _, value = piece.partition("=")
        pairs.setdefault(unquote(name).lower(), unquote(value))
    return pairs


def _of_query(query: Query) -> Iterator[datetime | None]:
    # SigV4 and its relatives: X-Amz-, X-Goog-, x-oss-, X-Tos-, X-Obs-…: a start, and seconds.
    for name, value in query.items():
        if found := re.fullmatch(r"(x-[a-z]+)-expires", name):
            start = _start_of(query.get(f"{found[1]}-date", ""))
            yield _after(start, value) if start else moment_of(value)
    is_signed = bool(_SIGNATURES & query.keys())
    for name, value in query.items():
        if (
            name in _MOMENTS
            or re.search(r"^(?!response-).*expir(?:e|y|ation)", name)
            or (name == "e" and is_signed and re.fullmatch(r"\d{10}", value))
        ):
            yield moment_of(value)
    if "sig" in query and "se" in query:  # Azure
        yield moment_of(query["se"])
    if "hm" in query and "ex" in query:  # Discord
        yield _of_hexadecimal(query["ex"])
    if "oe" in query:  # Meta
        yield _of_hexadecimal(query["oe"])
    if "sign" in query and "t" in query and ("us" in query or "exper" in query):  # Tencent's video service
        yield _of_hexadecimal(query["t"])
    for name in ("q-sign-time", "q-key-time", "sign"):  # Tencent's object store: start;end
        if found := re.search(r"(?:^|q-(?:sign|key)-time=)\d{9,10};(\d{9,10})(?:&|$)", query.get(name, "")):
            yield moment_of(found[1])
    if "policy" in query:
        yield from _of_policy(query["policy"])


def _of_policy(value: str) -> Iterator[datetime | None]:
    """CloudFront's policy: JSON in base64, with `-_~` for `+=/`."""
    statements = _json_of(value.translate(str.maketrans("-_~", "+=/"))).get("Statement")
    for statement in statements if isinstance(statements, list) else [statements]:
        condition = statement.get("Condition") if isinstance(statement, dict) else None
        until = condition.get("DateLessThan") if isinstance(condition, dict) else None
        if isinstance(until, dict):
            yield moment_of(until.get("AWS:EpochTime"))


def _of_known_paths(link: WebLink) -> Iterator[datetime | None]:
    """Ends that stand in the path of hosts that we know; elsewhere a number in a path may be anything."""
    host, path = link.host, link.path
    if host.endswith("airtableusercontent.com") and (found := re.match(r"/v\d+/u/\d+/\d+/(\d{13})/", path)):
        yield moment_of(found[1])
    if re.search(r"(?:^|\.)cdn77(?:-ssl|-storage)?\.(?:org|net|com)$", host) and (
        found := re.match(r"/[\w=-]{16,},(\d{10})/", path)
    ):
        yield moment_of(found[1])
    if host.endswith("googlevideo.com") and (found := re.search(r"/expire/(\d{10})/", path)):
        yield moment_of(found[1])
    if "/video/tos/" in path and (found := re.match(r"/[0-9a-f]{32}/([0-9a-f]{8})/video/tos/", path)):
        yield _of_hexadecimal(found[1])  # TikTok


# --- Moments --------------------------------------------------------------------------------------------------


def moment_of(value: object) -> datetime | None:
    """A moment as people write it into links: seconds since 1970 or parts of them, ISO 8601, or digits in a row."""
    text = str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    if found := re.fullmatch(r"(\d{9,13}|\d{16}|\d{19})(?:\.\d+)?", text):
        number = float(found[1])
        while number > 99_999_999_999:  # milliseconds, microseconds, nanoseconds
            number /= 1000
        return _of_seconds(number)
    for pattern in ("%Y%m%dT%H%M%SZ", "%Y%m%d%H%M%S", "%a, %d %b %Y %H:%M:%S GMT"):
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=UTC)
        except ValueError:
            continue
    if re.match(r"\d{4}-\d\d-\d\d", text):
        try:
            moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        except ValueError:
            return None
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _of_seconds(number: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(number, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _of_hexadecimal(text: str) -> datetime | None:
    return _of_seconds(int(text, 16)) if re.fullmatch(r"[0-9a-fA-F]{8}", text) else None


def _start_of(text: str) -> datetime | None:
    return moment_of(text) if re.fullmatch(r"\d{8}T\d{6}Z", text) else None


def _after(start: datetime, seconds: str) -> datetime | None:
    return start + timedelta(seconds=int(seconds)) if re.fullmatch(r"[0-9]{1,9}", seconds) else None


def _json_of(packed: str) -> dict[str, Any]:
    """A JSON object in base64; empty if it is none."""
    if len(packed) > _MAX_JSON:
        return {}
    packed = packed.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        found = json.loads(base64.b64decode(packed + "=" * (-len(packed) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
