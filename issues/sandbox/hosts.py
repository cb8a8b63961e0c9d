"""The hosts of the outside world: what each does to whoever asks it. One host for each verdict of the catalogue."""

from collections.abc import Callable
from pathlib import PurePosixPath

from issues.sandbox import media, odd_hosts
from issues.sandbox.media import FTYP, Content, blob, jpeg, mp4, text
from issues.sandbox.odd_hosts import Fixed

PAGE = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"

# Names for a resolver's other answers.
MISSING_NAMES = frozenset({"unreachable.example.com", "dns-missing.example.com"})
FAILING_NAMES = frozenset({"dns-failed.example.com"})
PUBLIC_ADDRESS = "93.184.215.14"
ADDRESSES: dict[str, list[str]] = {
    "private.example.com": ["10.0.0.7"],
    "loopback.example.com": ["127.0.0.1"],
    "metadata.example.com": ["169.254.169.254"],
    "shared.example.com": ["100.64.1.1"],
    "azure-wire.example.com": ["168.63.129.16"],
    "multicast.example.com": ["224.0.0.1"],
    "mapped.example.com": ["::ffff:127.0.0.1"],
    "compatible.example.com": ["::127.0.0.1"],
    "nat64.example.com": ["64:ff9b::7f00:1"],
    "sixtofour.example.com": ["2002:7f00:1::1"],
    "teredo.example.com": ["2001:0:7f00:1::1"],
    "sitelocal.example.com": ["fec0::1"],
    "linklocal.example.com": ["fe80::1"],
    "unique.example.com": ["fd00::1"],
    # One good and one bad address: whichever would be taken, the name is refused.
    "rebinding.example.com": [PUBLIC_ADDRESS, "127.0.0.1"],
    "rebinding6.example.com": ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::1"],
}

S3_ERROR = '<?xml version="1.0"?><Error><Code>{0}</Code><Message>{1}</Message></Error>'


def _xml(status: int, code: str, message: str = "") -> Fixed:
    return status, {}, text("application/xml", S3_ERROR.format(code, message))


def _page(status: int, title: str, **headers: str) -> Fixed:
    return (
        status,
        {name.replace("_", "-"): value for name, value in headers.items()},
        text("text/html", PAGE.format(title)),
    )


FIXED: dict[str, Fixed] = {
    "http-404.example.com": _page(404, "Not found"),
    "gone.example.com": _page(404, "Not found"),
    "cdn.gone.example.com": _page(404, "Not found"),
    "http-410.example.com": _page(410, "Gone"),
    "http-401.example.com": _page(401, "Log in", WWW_Authenticate="Basic"),
    "http-403.example.com": _page(403, "Forbidden"),
    "forbidden.example.com": _xml(403, "AccessDenied", "Access Denied"),
    "signature-expired.example.com": _xml(403, "AccessDenied", "Request has expired"),
    "signature-wrong.example.com": _xml(403, "SignatureDoesNotMatch"),
    "http-refused.example.com": _page(451, "Not in your country"),
    "bot-wall.example.com": _page(403, "Just a moment...", cf_mitigated="challenge"),
    "rate-limited.example.com": _page(429, "Slow down", Retry_After="240"),
    "server-error.example.com": _page(503, "Down for maintenance"),
    "html.example.com": _page(200, "Watch the video"),
    "json.example.com": (200, {}, text("application/json", '{"error": "not for you"}')),
    "xml.example.com": (200, {}, text("application/xml", "<?xml version='1.0'?><list/>")),
    # A page that claims to be a video.
    "lying.example.com": (200, {}, Content("video/mp4", PAGE.format("Log in").encode(), 90)),
    "empty.example.com": (200, {}, Content("video/mp4", b"", 0)),
    "zip.example.com": (200, {}, blob("application/zip", b"PK\x03\x04", 200_000)),
    "pdf.example.com": (200, {}, blob("application/pdf", b"%PDF-1.7\n", 90_000)),
    "unknown-bytes.example.com": (
        200,
        {},
        blob("application/octet-stream", b"\x9d\x01\xfe\xee\x00\x13\x37" * 9, 90_000),
    ),
    "unfinished.example.com": (200, {}, mp4(index="missing")),
    "render.example.com": (200, {}, mp4(index="missing")),
    "cut-short.example.com": (200, {}, Content("video/mp4", FTYP + b"\x00\x40\x00\x00mdat", 900_000)),
    "index-last.example.com": (200, {}, mp4(index="last")),
    "sound-only.example.com": (200, {}, mp4(handlers=(b"soun",))),
    "large.example.com": (200, {}, mp4(48_000_000)),
    "works.example.com": (200, {}, mp4()),
    **odd_hosts.ANSWERS,
}
# Behaviours that no whole answer can show; outside.py plays them.
PLAYED: dict[str, str] = {
    "hooks.example.com": "hook",
    "timeout.example.com": "silent",
    "slow.example.com": "drip",
    "slow-headers.example.com": "slow_headers",
    "big-headers.example.com": "big_headers",
    "endless-headers.example.com": "endless_headers",
    "endless.example.com": "endless",
    "gzip-bomb.example.com": "gzip_bomb",
    "truncated.example.com": "truncated",
    "reset.example.com": "reset",
    "not-http.example.com": "not_http",
    "redirect-loop.example.com": "redirect_loop",
    "redirect-downgrade.example.com": "redirect_downgrade",
    "redirect-inwards.example.com": "redirect_inwards",
    "redirect-name.example.com": "redirect_name",
    "redirect-file.example.com": "redirect_file",
    "redirect-far.example.com": "redirect_far",
    "redirect-good.example.com": "redirect_good",
}
TLS_KINDS = {
    "tls-expired.example.com": "expired",
    "tls-self-signed.example.com": "self_signed",
    "tls-wrong-name.example.com": "wrong_name",
}
_GOOD = frozenset(
    {
        "hooks.example.com",
        "works.example.com",
        "index-last.example.com",
        "large.example.com",
        "redirect-good.example.com",
    }
    | odd_hosts.GOOD
)
# Hosts from which the sandbox's TokPortal cannot download, besides everything under .invalid.
FAILING_HOSTS = (
    MISSING_NAMES | FAILING_NAMES | set(ADDRESSES) | set(FIXED) | set(PLAYED) | set(TLS_KINDS) | set(odd_hosts.ASKED)
) - _GOOD


def addresses_of(name: str) -> dict[str, object]:
    """What a resolver would answer."""
    if name in MISSING_NAMES or name.endswith(".invalid"):
        return {"error": "missing"}
    if name in FAILING_NAMES:
        return {"error": "failed"}
    return {"addresses": ADDRESSES.get(name, [PUBLIC_ADDRESS])}


# What hosts that nobody listed give: a file of the kind that the path names, a video if it names none.
BY_ENDING: dict[str, Callable[[], Content]] = {
    ".jpg": jpeg, ".jpeg": jpeg, ".png": media.png, ".webp": media.webp, ".gif": media.gif, ".heic": media.heic,
    ".mov": media.mov, ".webm": media.webm, ".ogg": media.voice,
    ".pdf": lambda: blob("application/pdf", b"%PDF-1.7\n", 90_000),
    ".zip": lambda: blob("application/zip", b"PK\x03\x04", 200_000),
    ".html": lambda: text("text/html", PAGE.format("A page")),
}  # fmt: skip


def answer_of(host: str, path: str, query: dict[str, str], headers: odd_hosts.Headers) -> Fixed:
    """The whole answer of a host that behaves; hosts that nobody listed have the file that is asked for."""
    if host in FIXED:
        return FIXED[host]
    if host in odd_hosts.ASKED:
        return odd_hosts.ASKED[host](headers)
    if host in {"drive.google.com", "drive.usercontent.google.com"}:
        return _drive(query, headers)
    return 200, {}, BY_ENDING.get(PurePosixPath(path).suffix.lower(), mp4)()


WARNING = """<!doctype html><html><head><title>Google Drive - Virus scan warning</title></head><body>
<form id="download-form" action="https://drive.usercontent.google.com/download" method="get">
<input type="hidden" name="id" value="{0}"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="5d2"></form></body></html>"""


QUOTA = {
    "en": ("Google Drive - Quota exceeded", "Too many users have viewed or downloaded this file recently."),
    "de": ("Google Drive – Kontingent überschritten", "Zu viele Nutzer haben diese Datei in letzter Zeit angesehen."),
}
GOOGLE_ERROR = """<!doctype html><html><head><title>{0}</title></head><body>
<p class="uc-error-caption">{1}</p></body></html>"""


def _drive(query: dict[str, str], headers: odd_hosts.Headers) -> Fixed:
    """Google's ways: a warning page before large files, an account page, a quota page; in the visitor's language."""
    file_id = query.get("id", "")
    language = "en" if headers.get("Accept-Language", "en").lower().startswith("en") else "de"
    if "Quota" in file_id or file_id.startswith("Qp0"):
        # A file in whose id a language stands has an owner who set it for all visitors.
        return 200, {}, text("text/html", GOOGLE_ERROR.format(*QUOTA["de" if "German" in file_id else language]))
    if "Infected" in file_id:
        said = "Sorry, this file is infected with a virus. Only the owner is allowed to download infected files."
        return 200, {}, text("text/html", GOOGLE_ERROR.format("Google Drive - Infected file", said))
    if "Private" in file_id:
        return 302, {"Location": "https://accounts.google.com/ServiceLogin"}, text("text/html", "")
    if "Large" in file_id and query.get("confirm") != "t":
        return 200, {}, text("text/html", WARNING.format(file_id))
    return 200, {}, mp4()
