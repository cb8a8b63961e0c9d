"""What people paste: a link with all that came along from a chat, a mail, a spreadsheet or a web page.

`clean` takes away what certainly is no part of a link. Everything else is read, and offered: `read` says whether a text
is one link, and which better link may be meant.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from itertools import islice
from urllib.parse import unquote

from issues.link_checks.urls import MalformedError, is_web_link, parse_link, sendable_form
from issues.link_checks.wrappers import unwrap

MAX_TEXT = 40_000  # characters that are read
MAX_LINKS = 100
_MEDIA_ENDINGS = (
    "mp4", "m4v", "mov", "qt", "webm", "mkv", "avi", "wmv", "flv", "mpg", "mpeg", "3gp", "ts", "ogv", "mxf",
    "jpg", "jpeg", "png", "webp", "gif", "heic", "heif", "avif", "bmp", "tif", "tiff",
)  # fmt: skip
_MEDIA_NAME = re.compile(rf"(?i)[^/\s?#]\.(?:{'|'.join(_MEDIA_ENDINGS)})$")

# Zero-width spaces and joiners, byte order marks, soft hyphens, and the marks that tell the direction of writing.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2065\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f\ufe0f\ufeff\ufff9\ufffa\ufffb"
)
_SPACES = (
    "\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\u2800\x7f"
)
_SELECTORS = "".join(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0000, 0xE0080), *range(0xE0100, 0xE01F0)]))
_AT_ENDS = _INVISIBLE + _SPACES + _SELECTORS + "".join(map(chr, range(33)))
# A joiner inside a name may belong to it: emoji and Persian words are written with them.
_INSIDE = str.maketrans(dict.fromkeys(set(_INVISIBLE) - set("\u200c\u200d\ufe0f"), ""))
_PAIRS = {
    '"': '"', "'": "'", "`": "`", "´": "´", "“": "”", "”": "”", "„": "“”", "‟": "”", "‘": "’", "’": "’", "‚": "‘’",
    "‛": "’", "«": "»", "»": "«", "‹": "›", "›": "‹", "「": "」", "『": "』", "《": "》", "〈": "〉", "<": ">",
    "(": ")", "[": "]", "{": "}", "（": "）", "【": "】", "＂": "＂",
}  # fmt: skip
# Quotation marks do not belong to a link, even if only one of them was copied.
_LONE = '"“”„‟«»‹›「」『』《》〈〉＂'


# Chats write bold, slanted and struck words so: `_https://…_`.
_EMPHASIS = re.compile(r"(?is)([_~*]{1,3})(https?://.+)\1")
# A link as JSON and scripts write it, and one in full-width characters.
_ESCAPED = re.compile(r"(?i)https?:\\/\\/")
_ENTITY_SCHEME = re.compile(r"(?i)https?:(?:&#x2f;|&#47;|&sol;){2}")
_WIDE_SCHEME = re.compile("(?i)[hｈＨ][tｔＴ]{2}[pｐＰ][sｓＳ]?[:：][/／]{2}")


def clean(text: str) -> str:
    """The text without invisible characters and without marks around the whole."""
    found = _in_plain_characters(text[:MAX_TEXT].translate(_INSIDE))
    for _ in range(10):
        before = found
        found = found.strip(_AT_ENDS)
        if marked := _EMPHASIS.fullmatch(found):
            found = marked[2]
        if len(found) > 1 and found[-1] in _PAIRS.get(found[0], "") and _is_around(found):
            found = found[1:-1]
        found = found.strip(_LONE)
        if found == before:
            break
    return found


def _in_plain_characters(text: str) -> str:
    """Without the escapes of JSON, HTML and Markdown, and with a scheme that a browser can read."""
    if _ENTITY_SCHEME.search(text):
        text = unescape(text)
    if re.search(r"(?i)https?://", text):
        text = re.sub(r"(?<!\\)\\(?=[_*~()\[\]#&-])", "", text)
    if _ESCAPED.search(text):
        text = re.sub(r"(?i)\\u00(26|3d|2f)", lambda found: chr(int(found[1], 16)), text).replace("\\/", "/")
    return _WIDE_SCHEME.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)


def _is_around(text: str) -> bool:
    """Whether the first and last characters stand around the whole, as in `(a)`, and not as in `(a) and (b)`."""
    opening, closing, inside = text[0], text[-1], text[1:-1]
    if opening == "<" and re.match(r"[^\s>]*\|", inside):
        return False  # Slack's <link|label>
    return opening not in inside and closing not in inside if opening in "<([{（【" else True


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text is. `link`: itself, as it would be sent, if it is one link. `offer`: the link that may be meant."""

    link: str = ""
    offer: str = ""
    is_wrapped: bool = False  # the offer stands inside the link, which leads to it by way of another site
    count: int = 0  # different links in the text


# Mails end a line that goes on with a `=`. In a query, it may be the link's own.
_SOFT_BREAK = re.compile(r"(?<=[^\s=])=[ \t]*\r?\n(?=\S)")


def read(text: str) -> Reading:
    """Read what was pasted where one link is wanted. The text is expected to be clean."""
    if not text:
        return Reading()
    joined = _SOFT_BREAK.sub("", text) if "?" not in text else text
    if joined != text:
        inner = read(joined)
        return Reading(offer=inner.offer or inner.link, count=inner.count)
    found = links_in(text)
    if len(found) > 1:
        return Reading(count=len(found))
    link = _one_link(text)
    if not link:
        offer = next(filter(None, map(_best, [*found, *_completed(text)])), "")
        return Reading(offer=offer, count=1 if offer else 0)
    offer = _best(text)
    return Reading(
        link=link,
        offer="" if offer == link else offer,
        is_wrapped=bool(unwrap(_unescaped(link))),
        count=1,
    )


def _one_link(text: str) -> str:
    """The text as a link that can be sent, if all of it is one."""
    if (
        re.search(r"[\r\n\t]", text)
        or len(_split(text)) > 1
        or (re.search(r"\s", text) and not _has_spaces_in_name(text))
    ):
        return ""
    if re.match(r"(?i)https?:/?[^/\\]|https?:[/\\]{3}", text) or _TWO_SCHEMES.match(text) or _hidden_name(text):
        return ""
    try:
        return sendable_form(text)
    except MalformedError:
        return ""


_TWO_SCHEMES = re.compile(r"(?i)(?:https?:?[/\\]+)+(?=https?:[/\\])")


def _has_spaces_in_name(text: str) -> bool:
    """Whether the spaces belong to the link, as in `…/my reel.mp4`, rather than to words after it."""
    first, *words = text.split() or [""]
    if _MEDIA_NAME.search(first) or not re.match(r"(?i)https?:[/\\]{2}", first) or not words:
        return False
    rest = " ".join(words)
    return bool(re.search(r"[/=&%]|\.\w{2,5}(?:[?#]|$)|_", rest)) and "://" not in rest


def _hidden_name(text: str) -> str:
    """The link with `%23` for a `#` that belongs to a file's name: browsers would ask for what stands before it."""
    before, sign, after = text.partition("#")
    name, mark, query = after.partition("?")
    is_name = sign and _MEDIA_NAME.search(name) and "=" not in name and "?" not in before
    # `/#/videos/reel.mp4` is a place in an application.
    is_name = is_name and ("/" not in name or (before[-1:] not in "/!" and name[0] not in "/!"))
    if not is_name or _MEDIA_NAME.search(before):
        return ""
    return f"{before}%23{name.replace('#', '%23')}{mark}{query}"


# --- The links in a text ------------------------------------------------------------------------------------

_URL = r"https?:[/\\]{2}"
_VALUE = r"""(?:"([^"<>]*)"|'([^'<>]*)'|([^\s<>]+))"""
_MARKUP = (
    # HTML: where a tag leads, or what it shows.
    re.compile(rf"(?i)<a\s[^<>]{{0,500}}?\bhref\s?=\s?{_VALUE}[^<>]*>"),
    re.compile(rf"(?i)<(?:video|source|img|iframe|embed)\s[^<>]{{0,500}}?\bsrc\s?=\s?{_VALUE}[^<>]*>"),
    # Markdown: [words](link "title"), [words](<link>); parentheses inside the link are balanced.
    re.compile(rf"(?i)!?\[[^\[\]]*\]\(\s?<({_URL}[^<>]*)>[^()]*\)"),
    re.compile(rf"""(?i)!?\[[^\[\]]*\]\(\s?({_URL}(?:[^\s()]|\([^\s()]*\))*)(?:\s["'(][^()]*\)?)?\s?\)"""),
    # Forums: [url=link]words[/url], [url]link[/url]. Org: [[link][words]]. Jira: [words|link].
    re.compile(rf"""(?i)\[(?:url|video|img|link)\s?=\s?["']?({_URL}[^\]"'\s]*)["']?\][^\[\]]*\[/\w{{2,5}}\]"""),
    re.compile(rf"(?i)\[(?:url|video|img|link)\]\s?({_URL}[^\[\]\s]*)\s?\[/\w{{2,5}}\]"),
    re.compile(rf"(?i)\[\[({_URL}[^\[\]\s]*)\](?:\[[^\[\]]*\])?\]"),
    re.compile(rf"(?i)\[[^\[\]|]*\|({_URL}[^\[\]|\s]*)(?:\|[^\[\]]*)?\]"),
    re.compile(rf"(?i)\\(?:href|url)\{{\s?({_URL}[^{{}}\s]*)\}}"),  # LaTeX
    # Slack: <link|label>. Markdown and mail: <link>, <URL:link>.
    re.compile(rf"(?i)<({_URL}[^<>|\s]+)\|[^<>]*>"),
    re.compile(rf"(?i)<\s?(?:URL:\s?)?({_URL}[^<>\s]+)\s?>"),
    # Markdown by reference: [id]: link
    re.compile(rf"(?im)^[ \t]{0, 9}\[[^\]\n]+\]:[ \t]{0, 9}<?({_URL}[^\s>]+)>?.*$"),
)
# The words of an HTML link often are a link too, shortened or not: where it leads counts.
_LABEL = re.compile(r"(?i)(?<=>)[^<>]*<(?=/a\s?>)")
_PLAIN = re.compile(rf"(?i)(?<!blob:)(?<!filesystem:){_URL}[^\s<>\"“”„«»]+")
# Another link that begins right after this one, outside its path and query.
_GLUED = re.compile(rf"(?i)(?<=[a-z0-9.)\]])(?<!%[0-9a-f]{{2}})(?={_URL})")
_LISTED = re.compile(rf"(?i)[,;|]+(?={_URL})")


def _split(text: str) -> list[str]:
    """Links that stand next to each other with nothing, or only a comma, between them."""
    pieces = []
    for piece in _GLUED.split(text):
        path, mark, query = piece.partition("?")
        *whole, last = _LISTED.split(path)
        pieces += [*whole, f"{last}{mark}{query}"]
    return pieces


def links_in(text: str) -> list[str]:
    """The different web links in a text, in order, without what stands around them."""
    found: dict[str, str] = {}
    for link in _links(text[:MAX_TEXT]):
        found.setdefault(_sameness(link), link)
    return list(found.values())


def _links(text: str) -> Iterator[str]:
    if _has_spaces_in_name(text):
        yield text
        return
    places: list[tuple[int, str]] = []

    def take(match: re.Match[str]) -> str:
        link = clean(unescape(next((group for group in match.groups() if group), "")))
        if len(places) < MAX_LINKS and is_web_link(link):
            places.append((match.start(), link))
            return " " * len(match[0])
        return match[0]

    text = _LABEL.sub("<", text)
    for pattern in _MARKUP:
        text = pattern.sub(take, text)
    for match in islice(_PLAIN.finditer(text), MAX_LINKS):
        pieces = _split(_TWO_SCHEMES.sub("", match[0]))
        places += [(match.start(), link) for link in map(_found, pieces) if is_web_link(link)]
    yield from (link for _, link in sorted(places))


def _found(piece: str) -> str:
    return _trimmed(_unescaped(piece).strip(_AT_ENDS))


def _sameness(link: str) -> str:
    inner = unwrap(_unescaped(link)) or _unescaped(link)
    try:
        return parse_link(inner).href
    except MalformedError:
        return inner


# --- What may be meant --------------------------------------------------------------------------------------


def _best(link: str) -> str:
    """The link without entities, wrappers and punctuation, encoded as a browser does; empty if it is none."""
    for _ in range(6):
        better = _unescaped(link)
        better = unwrap(better) or _trimmed(better)
        better = clean(_hidden_name(better) or better)
        try:
            better = sendable_form(better)
        except MalformedError:
            return ""
        if better == link:
            return link
        link = better
    return link


def _unescaped(link: str) -> str:
    """Replace `&amp;` and the like by their characters, but not the `&copy=` of a query."""
    if "&" not in link:
        return link
    return re.sub(
        r"(?i)&(?:amp|quot|lt|gt|apos|nbsp|#\d{1,6}|#x[0-9a-f]{1,6});", lambda found: unescape(found[0]), link
    )


_CLOSING = {")": "(", "]": "[", "}": "{", ">": "<"}
# Marks of Chinese and Japanese sentences, which need no space behind them. Browsers copy them in their encoded form.
_WIDE_MARK = re.compile(r"[，。、；！？）】」』》〉،؛؟]")
_MEDIA_THEN_WORDS = re.compile(rf"(?i)^([^?#]*[^/?#]\.(?:{'|'.join(_MEDIA_ENDINGS)}))[^\x00-\x7f][^/?#.]*$")
_PUNCTUATION = ".,;:!?…*\"”’»›'`´。，、；：！？،؛؟—–"


def _trimmed(link: str) -> str:
    """Without punctuation at the end, a closing bracket that nothing opens, or a sentence behind it."""
    if (found := _WIDE_MARK.search(link)) and (
        "?" in link[: found.start()] or _MEDIA_NAME.search(link[: found.start()])
    ):
        link = link[: found.start()]
    link = _MEDIA_THEN_WORDS.sub(r"\1", link)
    missing = {closing: link.count(opening) - link.count(closing) for closing, opening in _CLOSING.items()}
    end = len(link)
    while end:
        last = link[end - 1]
        if last in missing:
            if missing[last] >= 0:
                break
            missing[last] += 1
        elif last not in _PUNCTUATION:
            break
        end -= 1
    return link[:end]


def _completed(text: str) -> list[str]:
    """Links that a text may mean: without its scheme, with backslashes, or broken over lines."""
    candidates = []
    if "\n" in text or "\r" in text or "\t" in text:
        candidates.append(re.sub(r"\s*[\r\n\t]+\s*", "", text))
    candidates.append(text)
    if re.match(r"(?i)https?%3a%2f%2f[^\s/?]+$", text):
        candidates.append(unquote(text))
    results = []
    for candidate in candidates:
        if hidden := _hidden_name(candidate):
            results.append(hidden)
        # hxxps://, ttps://, https//, https:/ and so on.
        if broken := re.match(r"(?i)(h?[tx]{1,3}ps?)\s*[:;]?\s*[/\\]{1,3}\s*(?=[\w.-]+\.\w{2,})", candidate):
            scheme = "https" if "s" in broken[1].lower() else "http"
            results.append(f"{scheme}://{candidate[broken.end() :]}".replace("\\", "/"))
        elif re.match(r"(?i)(?://)?(?:[\w-]+\.)+[a-z][\w-]+(?::\d+)?/\S", candidate) or re.match(
            r"(?i)(?://)?www\.[\w.-]+\.[a-z]+$", candidate
        ):
            results.append(f"https://{candidate.removeprefix('//')}")
    return [result for result in results if not re.search(r"\s", result) or _has_spaces_in_name(result)]


def names_media(path: str) -> bool:
    """Whether the last part of a path has the ending of a video or an image."""
    return bool(_MEDIA_NAME.search(unquote(path).rstrip("/")))
