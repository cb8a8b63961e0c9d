"""Links and texts as people may see them: without the secrets that many links carry in their query or path.

Two measures, for two kinds of place:

- `shown_url` is for a link that TokDash shows, logs or records. It hides the query, tokens in the path, and most of an
  id that alone opens a share.
- `mask_secrets` is for what people wrote: comments, notes, names. It hides tokens, signatures and passwords, and leaves
  the rest of a link usable.

Both only ever remove text, and both give the same answer when they are applied twice.
"""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from issues.link_checks.secret_paths import (
    HIDDEN,
    KEY_SHAPES,
    KNOWN_PLACES,
    is_secret_name,
    masked_segment,
    shortened,
)

MAX_SHOWN = 200

_URL_IN_TEXT = re.compile(r"(?i)\b[a-z][a-z0-9+.-]{1,15}://[^\s<>\"“”|`]+")
_USER_INFO = re.compile(r"^((?:[a-z][a-z0-9+.-]*:)?//)?[^/@\s]*:[^/@\s]*@", re.IGNORECASE)
# A name and a password before a host and a path, without a scheme: ann:pass@files.example.com/reel.mp4
_BARE_USER_INFO = re.compile(r"(?i)(?<![\w.:/@+-])(?!mailto:)[\w.+%-]+:[^\s/@:]+@(?=(?:[\w-]+\.)+[a-z]{2,}(?::\d+)?/)")
_CLOSING = ".,;:!?)]}'’"
# Tokens that are recognised wherever they stand: Telegram's, JSON Web Tokens, keys of a known shape.
_LOOSE_SECRETS = re.compile(
    rf"(?<![\w-])(?:bot\d{{5,}}(?::|%3[aA])[\w-]{{10,}}|eyJ[\w-]{{8,}}\.[\w-]+(?:\.[\w-]*)?|{KEY_SHAPES})"
)
_PATH_IN_TEXT = re.compile(r"(?<![\w.:/…-])/(?:[^\s/\"'<>]+/)+[^\s\"'<>]*")
# Parameters that sign or unlock a link of a known host, in addition to the secrets in paths.
_SECRET_PARAMETERS = frozenset({"hm", "oh", "code", "se", "sp", "e", "ik-s"})


@lru_cache(maxsize=4096)
def shown_url(url: str) -> str:
    """Host and path without secrets, and `?…` where a query was: fit for a list, a log, an export or the history."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return _cut(_shown_rest(url))
    if not parts.scheme or not host:
        return _cut(_shown_rest(url))
    text = _cut(f"{parts.scheme}://" + masked_place(f"{host}{port}{parts.path}"))
    return f"{text}?{HIDDEN}" if parts.query or parts.fragment else text


def shown_beside(url: str, other: str) -> str:
    """`shown_url`. If the other link would look the same, with those harmless parameters in which they differ."""
    shown = shown_url(url)
    if shown != shown_url(other) or not shown.endswith(f"?{HIDDEN}"):
        return shown
    parameters = url.partition("#")[0].partition("?")[2].split("&")
    others = other.partition("#")[0].partition("?")[2].split("&")
    differing = [_masked_query(parameter) for parameter in parameters if parameter not in others]
    return shown.removesuffix(HIDDEN) + "&".join([*differing, HIDDEN])


def mask_secrets(text: str) -> str:
    """What somebody wrote, without the tokens, signatures and passwords in its links."""
    text = _URL_IN_TEXT.sub(lambda found: _usable(found[0]), text)
    text = _BARE_USER_INFO.sub("", text)
    return _LOOSE_SECRETS.sub(_hidden_token, text)


def mask_values(value: Any) -> Any:
    """A JSON value with `mask_secrets` applied to each text in it."""
    if isinstance(value, str):
        return mask_secrets(value)
    if isinstance(value, list | tuple):
        return [mask_values(entry) for entry in value]
    if isinstance(value, dict):
        return {name: mask_values(entry) for name, entry in value.items()}
    return value


def mask_log(text: str) -> str:
    """A line of a log: every link as `shown_url` has it, and secrets in bare paths, such as urllib3 writes them."""
    text = _URL_IN_TEXT.sub(lambda found: _shown_in_text(found[0]), text)
    text = _BARE_USER_INFO.sub("", text)
    text = _PATH_IN_TEXT.sub(lambda found: _shown_path(found[0]), text)
    return _LOOSE_SECRETS.sub(_hidden_token, text)


def masked_place(place: str, *, shares: bool = True) -> str:
    """Host and path, without the secrets in the path. `shares`: also shorten ids that open a share."""
    place = _USER_INFO.sub(r"\1", place)
    for pattern in KNOWN_PLACES:
        place = pattern.sub(lambda found: _masked_groups(found, shares=shares), place)
    segments = place.split("/")
    plain = [_decoded(segment) for segment in segments]
    shown = segments[:1]
    for segment, text, before, after in zip(segments[1:], plain[1:], plain, [*plain[2:], ""], strict=False):
        masked = _masked_part(text, before, after, shares=shares)
        shown.append(segment if masked == text else masked)
    return "/".join(shown)


def _decoded(segment: str) -> str:
    """Without percent signs, which some programs put in twice."""
    for _ in range(3):
        if "%" not in segment:
            break
        segment = unquote(segment)
    return segment


def _masked_part(text: str, before: str, after: str, *, shares: bool) -> str:
    if "://" in text:  # a link within the path
        return shown_url(text) if shares else _usable(text)
    masked = masked_segment(text, before=before, after=after, shares=shares)
    if masked == text and "/" in text:
        return masked_place(f"/{text}", shares=shares)[1:]
    return masked


def _masked_groups(found: re.Match[str], *, shares: bool) -> str:
    """A known place with the groups of its pattern masked: `secret…` as a whole, `id…` but for its beginning."""
    text, start = found[0], found.start()
    spans = [(found.span(name), name) for name in found.re.groupindex if found[name]]
    for (first, end), name in sorted(spans, reverse=True):
        if name.startswith("id") and not shares:
            continue
        held = shortened(text[first - start : end - start]) if name.startswith("id") else HIDDEN
        text = text[: first - start] + held + text[end - start :]
    return text


def _shown_rest(text: str) -> str:
    """What is not a complete link: still without a query, user info and secrets in its path."""
    head = re.split(r"[?#]", text.strip())[0].strip()
    scheme, mark, place = head.partition("://")
    return f"{scheme}{mark}{masked_place(place)}" if mark else masked_place(head).strip()


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + HIDDEN


def _usable(url: str) -> str:
    """A link in somebody's words: its ids and its harmless parameters stay."""
    url, rest = _without_closing(url)
    scheme, _, place = url.partition("://")
    place, mark, query = _split_query(place)
    return f"{scheme}://{masked_place(place, shares=False)}{mark}{_masked_query(query)}{rest}"


def _shown_in_text(url: str) -> str:
    url, rest = _without_closing(url)
    return shown_url(url) + rest


def _shown_path(path: str) -> str:
    place, mark, _ = _split_query(path)
    return masked_place(place, shares=False) + (f"?{HIDDEN}" if mark else "")


def _without_closing(url: str) -> tuple[str, str]:
    """The link, and the punctuation of the sentence behind it."""
    bare = url.rstrip(_CLOSING)
    return bare, url[len(bare) :]


def _split_query(place: str) -> tuple[str, str, str]:
    found = re.search(r"[?#]", place)
    return (place[: found.start()], found[0], place[found.end() :]) if found else (place, "", "")


def _masked_query(query: str) -> str:
    return re.sub(r"([^=&;#?]+)=([^&;#]*)", _masked_parameter, query)


def _masked_parameter(found: re.Match[str]) -> str:
    name, value = found[1], found[2]
    inner = _decoded(value)
    if "://" in inner and (masked := mask_secrets(inner)) != inner:  # a link within the query
        return f"{name}={masked}"
    is_secret = name.lower() in _SECRET_PARAMETERS or is_secret_name(name.rpartition("amp;")[2])
    return f"{name}={HIDDEN}" if value and is_secret else found[0]


def _hidden_token(found: re.Match[str]) -> str:
    return f"bot{HIDDEN}" if found[0].startswith("bot") else HIDDEN
