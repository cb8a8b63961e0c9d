"""Links inside links: sites that lead on to another address, which stands in their own.

Mail gateways, chats and social networks wrap links so. A file's address does not survive every one of them, and
TokPortal converts no share link inside a wrapper.
"""

import base64
import binascii
import re
from collections.abc import Callable
from urllib.parse import parse_qsl, unquote

from issues.link_checks.urls import MalformedError, WebLink, is_web_link, parse_link

# Host (or ".ending"), path, and the parameters that hold the link, in order of preference.
_BY_PARAMETER: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (".safelinks.protection.outlook.com", r"/", ("url",)),
    (".safelinks.protection.office365.us", r"/", ("url",)),
    ("statics.teams.cdn.office.net", r"/evergreen-assets/safelinks/", ("url",)),
    ("google", r"/(?:url|imgres|amp/s)$", ("q", "url", "imgurl")),
    ("notifications.googleapis.com", r"/", ("url", "q")),
    ("l.facebook.com", r"/l\.php", ("u",)),
    ("lm.facebook.com", r"/l\.php", ("u",)),
    ("l.messenger.com", r"/l\.php", ("u",)),
    ("www.facebook.com", r"/(?:l\.php|flx/warn)", ("u",)),
    ("l.instagram.com", r"/", ("u",)),
    ("l.threads.com", r"/", ("u",)),
    ("l.threads.net", r"/", ("u",)),
    ("l.wl.co", r"/l", ("u",)),
    ("slack-redir.net", r"/link", ("url",)),
    ("t.umblr.com", r"/redirect", ("z",)),
    ("www.linkedin.com", r"/(?:safety/go|redir/(?:redirect|general-malware-page|suspicious-page))", ("url",)),
    ("linkedin.com", r"/(?:safety/go|redir/)", ("url",)),
    ("www.youtube.com", r"/redirect", ("q",)),
    ("youtube.com", r"/redirect", ("q",)),
    ("m.youtube.com", r"/redirect", ("q",)),
    ("www.tiktok.com", r"/link/v2", ("target",)),
    ("out.reddit.com", r"/", ("url",)),
    ("away.vk.com", r"/", ("to",)),
    ("vk.com", r"/away\.php", ("to",)),
    ("steamcommunity.com", r"/linkfilter", ("u", "url")),
    ("exit.sc", r"/", ("url",)),
    ("www.pinterest.com", r"/offsite", ("url",)),
    ("disq.us", r"/url", ("url",)),
    ("duckduckgo.com", r"/l/", ("uddg",)),
    ("r.search.yahoo.com", r"/", ("RU",)),
    ("href.li", r"/$", ("",)),
    ("protect.checkpoint.com", r"/v2/", ("",)),
    (".mimecastprotect.com", r"/", ("url",)),
    ("linkprotect.cudasvc.com", r"/url", ("a",)),
    (".trendmicro.com", r"/wis/clicktime", ("url",)),
    ("secure-web.cisco.com", r"/", ("",)),
    ("mailtrack.io", r"/(?:trace/)?link/", ("url",)),
    (".hubspotlinks.com", r"/", ("url",)),
    ("mandrillapp.com", r"/track/click", ("url",)),
    ("www.deviantart.com", r"/users/outgoing", ("",)),
    ("gate.sc", r"/", ("url",)),
    ("l.workplace.com", r"/l\.php", ("u",)),
    ("urlsand.esvalabs.com", r"/", ("u",)),
    ("shared.outlook.inky.com", r"/link", ("url",)),
    ("clicktime.symantec.com", r"/", ("u",)),
    (".fireeye.com", r"/v\d/url", ("u",)),
    (".zixcentral.com", r"/u/", ("u",)),
    ("t.me", r"/(?:iv|share/url)$", ("url",)),
)
# Gateways that nobody has listed: a name or a path that speaks of leading on, and a whole link in a parameter.
_LEADS_ON = re.compile(
    r"(?i)(?:^|[./_-])(?:safe-?links?|link-?(?:protect|filter|scan)\w*|url-?(?:protect|defen[cs]e|scan)\w*|click(?:s|time|track\w*)?"
    r"|track(?:ing)?|redirect\w*|redir|away|out(?:bound|going|link)?|leav(?:e|ing)|exit|goto|go|jump)(?=$|[./_-])"
)
_LEADS_TO = (
    "url",
    "u",
    "target",
    "to",
    "dest",
    "destination",
    "redirect",
    "redirect_url",
    "redirect_to",
    "link",
    "href",
    "goto",
)
_A_PAGE = re.compile(r"(?i)(?:/[^./]*|\.(?:php|aspx?|html?|jsp|cgi))$")
_GOOGLE = re.compile(r"(?:www\.)?google\.(?:com?\.)?[a-z]{2,3}")


def unwrap(text: str) -> str:
    """The web link inside a known wrapper, decoded once; else an empty string."""
    try:
        link = parse_link(text)
    except MalformedError:
        return ""
    for found in [*_candidates(link), *_of_unlisted(link)]:
        if is_web_link(found) and re.match(r"(?i)https?://", found):
            return found
    return ""


def _candidates(link: WebLink) -> list[str]:
    found = []
    for host, path, names in _BY_PARAMETER:
        if not _is_on(link.host, host) or not re.match(path, link.path):
            continue
        pairs = parse_qsl(link.query)
        found += [value for name in names for key, value in pairs if key == name]
        if "" in names:
            found.append(_rest_of(link))
    for matches, decode in _BY_DECODING:
        if re.fullmatch(matches, link.host):
            found.append(decode(link))
    return found


def _of_unlisted(link: WebLink) -> list[str]:
    is_lookalike = any(f"{name.strip('.')}." in f"{link.host}" for name, _, _ in _BY_PARAMETER if "." in name)
    if is_lookalike or not _LEADS_ON.search(link.host + link.path) or not _A_PAGE.search(link.path):
        return []
    pairs = parse_qsl(link.query)
    return [value for name in _LEADS_TO for key, value in pairs if key.lower() == name]


def _is_on(host: str, name: str) -> bool:
    if name == "google":
        return bool(_GOOGLE.fullmatch(host))
    return host.endswith(name) if name.startswith(".") else host == name


def _rest_of(link: WebLink) -> str:
    """A link that stands at the end of path and query, as in `href.li/?https://…`, encoded or not."""
    text = f"{link.path}?{link.query}" if link.query else link.path
    if found := re.search(r"(?i)https?(?::|%3a)(?:/|%2f){2}.*", text):
        inner = found[0]
        # Check Point writes its own number behind three underscores on both sides.
        inner = inner.partition("___")[0]
        return unquote(inner) if re.match(r"(?i)https?%3a|https?:%2f", inner) else inner
    return ""


# --- Proofpoint's URL Defense ---------------------------------------------------------------------------------


def _proofpoint(link: WebLink) -> str:
    pairs = dict(parse_qsl(link.query))
    if link.path.startswith("/v1/"):
        return pairs.get("u", "")
    if link.path.startswith("/v2/"):
        return unquote(pairs.get("u", "").translate(str.maketrans("-_", "%/")))
    if link.path.startswith("/v3/"):
        return _proofpoint_v3(f"{link.path}?{link.query}" if link.query else link.path)
    return ""


_RUNS = {chr(code): number for number, code in enumerate([*range(65, 91), *range(97, 123), *range(48, 58), 45, 95], 2)}


def _proofpoint_v3(text: str) -> str:
    """`/v3/__LINK__;CHARACTERS!…`: each `*` in the link stands for one character, `**X` for a run of them."""
    found = re.match(r"/v3/__(.+?)__;([\w=-]*)!", text)
    if not found:
        return ""
    inner, packed = found[1], found[2]
    # One slash of the scheme is lost on the way through some programs.
    inner = re.sub(r"(?i)^(https?:)/([^/])", r"\1//\2", inner)
    if "*" not in inner:
        return unquote(inner) if "://" not in inner else inner
    try:
        characters = iter(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode())
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""

    def replace(match: re.Match[str]) -> str:
        count = _RUNS[match[1]] if match[1] else 1
        return "".join(next(characters, "") for _ in range(count))

    return re.sub(r"\*(?:\*([\w-]))?", replace, inner)


def _in_base64(link: WebLink) -> str:
    """A link in base64: Sophos' `u=…`, and Bing's `u=a1…`."""
    value = dict(parse_qsl(link.query)).get("u", "").removeprefix("a1")
    value = value.replace(" ", "-").replace("+", "-").replace("/", "_").rstrip("=")
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


_BY_DECODING: tuple[tuple[str, Callable[[WebLink], str]], ...] = (
    (r"(?:.+\.)?urldefense\.(?:com|us|proofpoint\.com)", _proofpoint),
    (r"(?:www\.)?bing\.com|(?:.+\.)?protection\.sophos\.com", _in_base64),
)
