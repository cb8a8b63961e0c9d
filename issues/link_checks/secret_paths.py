"""Where links carry secrets in their paths: the schemes of known hosts, and what tells a token by its surroundings.

Sources: the hosts' own documentation of signed links (Telegram's Bot API, Bunny, Akamai, CDN77, Alibaba and Tencent
Cloud, nginx's secure_link, Cloudinary, Airtable) and of share links (Drive, Dropbox, OneDrive, Box and others).
"""

import re
from itertools import pairwise

HIDDEN = "…"
SHARE_SHOWN = 4  # characters of a share's id, so that people can tell two of them apart


def _at(host: str, path: str) -> re.Pattern[str]:
    """A place at a host or below it, wherever it stands in a text. Groups `secret…` and `id…` are masked."""
    return re.compile(rf"(?i)(?<![\w-]){re.escape(host)}(?::\d+)?/+{path}")


_ID = r"(?P<id>[^/?#;]+)"
_SECOND = r"(?:/+(?P<secret>[^/?#]+))?"
_LAST_ID = r"(?:[^/?#]+/+)*(?P<id>[^/?#]+)/?$"
_C = r"(?::|%3A)"

# The id alone opens what "anyone with the link" may see; in a known place it is never shown whole.
_SHARES = (
    _at("drive.google.com", rf"(?:a/[^/]+/)?(?:file/)?(?:u/\d+/)?d/{_ID}"),
    _at("drive.google.com", rf"(?:drive/)?(?:u/\d+/)?folders/{_ID}"),
    _at("docs.google.com", rf"(?:a/[^/]+/)?[a-z]+/(?:u/\d+/)?d/(?:e/)?{_ID}"),
    _at("googleusercontent.com", r"(?:[^/]{1,19}/+)*(?P<id>[^/?#]{20,})(?:/+(?P<id2>[^/?#]{20,}))?"),
    _at("photos.app.goo.gl", _ID),
    _at("photos.google.com", rf"(?:u/\d+/)?share/{_ID}(?:/photo/(?P<id2>[^/?#]+))?"),
    _at("dropbox.com", rf"(?:s|t|transfer|request|replay)/{_ID}"),
    _at("dropbox.com", rf"(?:sh|scl/fo)/{_ID}{_SECOND}"),
    _at("dropboxusercontent.com", rf"s/{_ID}"),
    _at("dropboxusercontent.com", r"(?:cd/\d+/[a-z]+|1/view)/(?P<secret>[^/?#]+)"),
    _at("1drv.ms", _LAST_ID),
    _at("sharepoint.com", rf"{_C}[a-z]{_C}/[gst]/{_LAST_ID}"),
    _at("box.com", r"(?:s|v|shared/static|public/static)/(?P<id>[^/?#.]+)"),
    _at("boxcloud.com", r"d/\d+/(?P<secret>[^/?#]+)"),
    _at("we.tl", _ID),
    _at("wetransfer.com", rf"downloads/{_ID}{_SECOND}(?:/+(?P<secret2>[^/?#]+))?"),
    _at("f.io", _ID),
    _at("frame.io", rf"(?:presentations|reviews|r|share|player|f|v)/{_ID}"),
    _at("swisstransfer.com", rf"d/{_ID}"),
    _at("fromsmash.com", _ID),
    _at("filemail.com", rf"(?:d|t)/{_ID}"),
    _at("mega.nz", rf"(?:file|folder|embed)/{_ID}"),
    _at("mediafire.com", rf"(?:file|folder|view|download)/{_ID}"),
    _at("gofile.io", rf"(?:d|download(?:/web)?)/{_ID}"),
    _at("pixeldrain.com", rf"(?:u|l|d|api/file|api/list)/{_ID}"),
    _at("transfer.sh", rf"(?:get/)?{_ID}/"),
    _at("jumpshare.com", rf"(?:v|s|b)/{_ID}"),
    _at("icloud.com", rf"(?:iclouddrive|photos|sharedalbum|attachment)/{_ID}"),
    _at("icloud-content.com", r"B/(?P<secret>[^/?#]+)"),
    _at("loom.com", rf"(?:share|embed)/{_ID}"),
    _at("canva.com", rf"design/(?P<id>[^/?#]+){_SECOND}"),
    _at("figma.com", rf"(?:file|proto|design)/{_ID}"),
    _at("vimeo.com", r"(?:video/)?\d+/(?P<secret>[0-9a-f]{6,})"),
)
_TOKENS = (
    _at("slack-files.com", r"T\w+-F\w+-(?P<secret>\w+)"),
    _at("hooks.slack.com", r"(?:services|workflows|triggers)/(?P<secret>[^?#\s]+)"),
    _at("discord.com", r"api/(?:v\d+/)?webhooks/\d+/(?P<secret>[^/?#]+)"),
    _at("discordapp.com", r"api/(?:v\d+/)?webhooks/\d+/(?P<secret>[^/?#]+)"),
    _at("webhook.office.com", r"webhookb2/(?P<secret>[^?#\s]+)"),
    _at("hooks.zapier.com", r"hooks/(?:standard|catch)/\d+/(?P<secret>[^/?#]+)"),
    re.compile(r"(?i)(?<![\w-])hook\.(?:[\w-]+\.)?make\.com/(?P<secret>[^/?#]+)"),
    _at("airtableusercontent.com", r"v\d+/u/(?P<secret>[^?#\s]+)"),
    _at("dl.airtable.com", r"\.attachments/(?P<secret>[^/?#]+(?:/[^/?#]+)?)/"),
    _at("protected_static", r"(?P<secret>[^/?#]+)"),
)
KNOWN_PLACES = (*_SHARES, *_TOKENS)

# The segment after one of these is always a secret; a file's name is not.
_STRONG = frozenset(
    {
        "token", "tokens", "accesstoken", "authtoken", "downloadtoken", "sessiontoken", "sig", "lsig", "signature",
        "hmac", "jwt", "bearer", "apikey", "accesskey", "authkey", "secretkey", "password", "passwd", "pwd",
        "sessionid", "jsessionid", "sas", "otp", "bcdntoken", "pubsecret",
    }
)  # fmt: skip
# After one of these it is, if it looks like a code.
_WEAK = frozenset(
    {
        "sign", "signed", "presigned", "signedurl", "key", "auth", "secret", "credential", "credentials", "webhook",
        "webhooks", "hook", "invite", "invitation", "invitations",
    }
)  # fmt: skip
# After one of these stands what opens a share, if it looks like one.
_SHARE = frozenset(
    {
        "s", "sh", "share", "shared", "shares", "sharing", "secure", "session", "ticket", "private", "d", "dl", "t",
        "transfer", "link", "links", "r", "review", "reviews", "public", "protected", "fsdownload", "f", "publicfiles",
    }
)  # fmt: skip
_SECRET_NAMES = frozenset(
    {
        "sig", "sign", "key", "pass", "pwd", "pw", "sid", "auth", "jwt", "hash", "md5", "ticket", "policy", "acl", "st",
        "hdnea", "secure", "rlkey",
    }
)  # fmt: skip
_SECRET_WORDS = (
    "token", "signature", "hmac", "secret", "password", "passwd", "apikey", "accesskey", "authkey", "session",
    "credential", "resourcekey", "hdnts", "hdntl", "authsign",
)  # fmt: skip
# Keys of TokPortal and of others that are known by their shape.
KEY_SHAPES = (
    r"(?:(?:sk|rk|pk)_(?:live_|test_)?[A-Za-z0-9]{24,}|tok_live_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=-]{16,}"
    r"|gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{8,}|shp(?:at|ca|pa|ss)_\w{16,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{12,}|AIza[\w-]{30,}|SG\.[\w-]{16,}\.[\w-]{16,})"
)

_BOT = re.compile(r"(?i)^(bot)\d{3,}[:_].+")
_MATRIX = re.compile(r";([^=;]*)=[^;]*")
_CLOUDINARY = re.compile(r"^s--[^/]+--$")
_JSON_BLOB = re.compile(r"eyJ[\w+-]{8,}={0,2}(?:\.[\w-]*){0,4}")
_KEYS = re.compile(rf"(?<![A-Za-z0-9]){KEY_SHAPES}")
_PAIR = re.compile(r"(?:^|[&~,!|])([\w.-]{1,40})=")
_NAMED = re.compile(r"^([A-Za-z][A-Za-z_-]{1,30}?)([:_-])([A-Za-z0-9]{12,})$")  # token-1a2b3c…
_ASP_SESSION = re.compile(r"^\((?:[A-Z]\([^()]*\))+\)$")  # ASP.NET: (S(…))
_FILE_NAME = re.compile(r"(?i)^.*\.(?:[a-z]{2,5}|mp[34]|m3u8?|3gp|h26[45]|7z|jp2|m4[avs])$")
_UUID = re.compile(r"(?i)^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_CODE = re.compile(r"^[\w+=~.!-]+$")
_MOMENT = re.compile(r"^(?:1[2-9]\d{8}|[2-4]\d{9}|1[2-9]\d{11}|20\d{10}|[4-9a-fA-F][0-9a-fA-F]{7})$")
_WITH_MOMENT = re.compile(
    r"^(?:[\w+=-]{16,}[,_~.|:-](?:1[2-9]|[23]\d)\d{8}|(?:1[2-9]|[23]\d)\d{8}(?:\d{3})?[,_~.|:-][\w+=,.-]{16,})$"
)


def masked_segment(segment: str, *, before: str, after: str, shares: bool) -> str:
    """One decoded segment of a path without its secrets; `before` and `after` are its neighbours."""
    if not segment or segment == HIDDEN:
        return segment
    segment = _without_marked_secrets(segment, before)
    word = re.sub(r"[_.-]", "", before.lower())
    if segment.endswith(HIDDEN):
        return segment
    if _FILE_NAME.match(segment):
        return _masked_file(segment, word)
    if word in _STRONG or _is_signed_by_time(segment, before, after):
        return HIDDEN
    if word in _WEAK and _looks_like_code(segment):
        return HIDDEN
    if shares and ((word in _SHARE and _looks_like_share(segment)) or (len(segment) >= 32 and _is_random(segment))):
        return shortened(segment)
    return segment


def _without_marked_secrets(segment: str, before: str) -> str:
    """Without what says by itself that it is one."""
    if found := _BOT.match(segment):
        return f"{found[1]}{HIDDEN}"
    if _ASP_SESSION.match(segment):
        return re.sub(r"\([^()]+\)", f"({HIDDEN})", segment)
    if (found := _NAMED.match(segment)) and is_secret_name(found[1]) and _has_both(found[3]):
        return f"{found[1]}{found[2]}{HIDDEN}"
    if _CLOUDINARY.match(segment):
        return f"s--{HIDDEN}--"
    if (before == "" and "@" in segment) or re.match(r"^[^@]*:[^@]*@", segment):
        segment = f"{HIDDEN}@{segment.rpartition('@')[2]}"  # a link within the path, with user info
    segment = _MATRIX.sub(rf";\1={HIDDEN}", segment)
    segment = _KEYS.sub(HIDDEN, _JSON_BLOB.sub(HIDDEN, segment))
    if "?" in segment:  # a link within the path, whose query was encoded
        segment = segment.partition("?")[0] + f"?{HIDDEN}"
    for found in _PAIR.finditer(segment):
        if is_secret_name(found[1]):
            first = segment.index("=")
            return segment[: first + 1] + HIDDEN
    return segment


def is_secret_name(name: str) -> bool:
    """Whether a value of this name is a secret."""
    folded = re.sub(r"[^a-z0-9]", "", name.lower())
    return folded in _SECRET_NAMES or any(word in folded for word in _SECRET_WORDS)


def _masked_file(segment: str, word: str) -> str:
    """A file keeps its name, unless the place says that it is a token."""
    stem, _, ending = segment.rpartition(".")
    return f"{HIDDEN}.{ending}" if word in _STRONG and _looks_like_code(stem) else segment


def _is_signed_by_time(segment: str, before: str, after: str) -> bool:
    """A code next to a moment, as networks sign their paths: `/<hash>/<until>/file.mp4`, `/<hash>,<until>/`."""
    if _WITH_MOMENT.match(segment):
        return True
    beside = _MOMENT.match(before) or _MOMENT.match(after)
    return bool(beside) and len(segment) >= 16 and not _MOMENT.match(segment) and _is_random(segment)


def _looks_like_code(segment: str) -> bool:
    """Eight characters or more, with digits or changing case in them."""
    if len(segment) < 8 or not _CODE.match(segment):
        return False
    return any(ch.isdigit() for ch in segment) or bool(re.search(r"[a-z][A-Z]", segment))


def _has_both(text: str) -> bool:
    """Letters and digits that change more than once: no word with a year behind it."""
    return len(re.findall(r"\d+", text)) > 1 and any(ch.isalpha() for ch in text)


def _looks_like_share(segment: str) -> bool:
    """Ten letters and digits in one piece, a UUID, or what no person has written."""
    if _UUID.match(segment) or _is_random(segment):
        return True
    return len(segment) >= 10 and segment.isalnum() and _looks_like_code(segment)


def _is_random(segment: str) -> bool:
    """Whether no person has written this: hexadecimal, or letters and digits that change too often for words."""
    if not _CODE.match(segment) or _UUID.match(segment) or not any(ch.isdigit() for ch in segment):
        return False
    bare = re.sub(r"[^A-Za-z0-9]", "", segment)
    if len(bare) < 16:
        return False
    if re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", bare) and re.search(r"[A-Fa-f]", bare):
        return True
    kinds = ["d" if ch.isdigit() else "u" if ch.isupper() else "l" for ch in bare]
    changes = sum(first != second for first, second in pairwise(kinds))
    return changes / len(bare) >= 0.3


def shortened(secret: str) -> str:
    """The beginning of an id that opens a share, too little of it to open anything."""
    if secret.endswith(HIDDEN):
        return secret
    return (secret[:SHARE_SHOWN] if len(secret) >= 3 * SHARE_SHOWN else "") + HIDDEN
