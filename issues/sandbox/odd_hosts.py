"""Hosts of the outside world whose answers are easily misread: stores' words, guards, hosts that dislike ranges."""

import gzip
import json
from collections.abc import Callable, Mapping

from issues.sandbox.media import Content, blob, gif, heic, mov, mp4, text, voice

# Whole answers: status, headers, content.
Fixed = tuple[int, dict[str, str], Content]
Headers = Mapping[str, str]
PAGE = "<!doctype html><html><head><title>{0}</title>{1}</head><body><h1>{0}</h1>{2}</body></html>"
ROBOTS = '<meta name="robots" content="noindex, nofollow">'
ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{0}</Code><Message>{1}</Message>{2}</Error>'
AZURE_FRAME = (
    "<AuthenticationErrorDetail>Signature not valid in the specified time frame: Start [{0}] - Expiry [{1}] - "
    "Current [Thu, 26 Nov 2026 09:00:00 GMT]</AuthenticationErrorDetail>"
)


def page(status: int, title: str, *, head: str = "", body: str = "", **headers: str) -> Fixed:
    content = text("text/html", PAGE.format(title, head, body))
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, content


def store(status: int, code: str, message: str = "", more: str = "") -> Fixed:
    return status, {}, text("application/xml", ERROR.format(code, message, more))


def spoken(number: int, **words: object) -> Fixed:
    return number, {}, text("application/json", json.dumps(words))


def _packed(encoding: str, content: bytes) -> Fixed:
    return 200, {"Content-Encoding": encoding, "Accept-Ranges": "none"}, Content("video/mp4", content, len(content))


_WHOLE = mp4(60_000)
_CLIP = _WHOLE.part(0, _WHOLE.size)

ANSWERS: dict[str, Fixed] = {
    # What stores say when a temporary link has ended, has not begun, or lost its key.
    "expired-token.example.com": store(400, "ExpiredToken", "The provided token has expired."),
    "expired-azure.example.com": store(
        403, "AuthenticationFailed", "Server failed to authenticate the request.",
        AZURE_FRAME.format("Wed, 01 Jan 2025 00:00:00 GMT", "Thu, 02 Jan 2025 00:00:00 GMT"),
    ),
    "not-begun-azure.example.com": store(
        403, "AuthenticationFailed", "Server failed to authenticate the request.",
        AZURE_FRAME.format("Fri, 27 Nov 2026 00:00:00 GMT", "Sat, 28 Nov 2026 00:00:00 GMT"),
    ),
    "expired-json.example.com": spoken(
        400, statusCode="400", error="InvalidJWT", message='"exp" claim timestamp check failed'
    ),
    "key-revoked.example.com": store(
        403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
    ),
    # What they say of the file.
    "gone-400.example.com": spoken(400, statusCode="404", error="not_found", message="Object not found"),
    "gone-403.example.com": store(403, "NoSuchKey", "The specified key does not exist."),
    "gone-200.example.com": store(200, "BlobNotFound", "The specified blob does not exist."),
    "archived.example.com": store(
        403, "InvalidObjectState", "The operation is not valid for the object's storage class"
    ),
    "traffic-limit.example.com": spoken(
        403, code="download_cap_exceeded", message="Download cap exceeded.", status=403
    ),
    # Later.
    "not-ready.example.com": spoken(202, status="processing"),
    "locked.example.com": page(423, "Locked"),
    "too-early.example.com": page(425, "Too Early"),
    # Pages that tell search engines about robots are no bot walls.
    "robots-page.example.com": page(200, "Watch my reel", head=ROBOTS),
    "private-folder.example.com": page(403, "This folder is private", head=ROBOTS),
    "maintenance.example.com": page(503, "Maintenance", head=ROBOTS, Retry_After="3600"),
    # Guards.
    "cloudflare-block.example.com": page(
        403, "Attention Required! | Cloudflare", body="<h2>Sorry, you have been blocked</h2>", Server="cloudflare",
        CF_RAY="8abc-FRA",
    ),
    "akamai-block.example.com": page(
        403, "Access Denied", body="You don't have permission. Reference #18.2d351ab8.1557333295.a4e16ab",
        Server="AkamaiGHost",
    ),
    "datadome-block.example.com": spoken(403, url="https://geo.captcha-delivery.com/captcha/?initialCid=AH"),
    "incapsula-block.example.com": page(200, "Request", body="Request unsuccessful. Incapsula incident ID: 443000-1"),
    "human-block.example.com": page(403, "Access to this page has been denied", body='<div id="px-captcha"></div>'),
    "aws-block.example.com": page(202, "", x_amzn_waf_action="challenge"),
    # Packed although nobody asked for it.
    "gzip-video.example.com": _packed("gzip", gzip.compress(_CLIP, mtime=0)),
    "brotli-junk.example.com": _packed("br", b"\x8b\x02\x80" + b"\xa5\x17\xf3" * 2000),
    "zstd-video.example.com": _packed("zstd", b"\x28\xb5\x2f\xfd" + b"\xa5\x17\xf3" * 2000),
    "odd-encoding.example.com": _packed("utf-8", _CLIP),
    # Files that TokPortal may not take.
    "windows-media.example.com": (
        200, {},
        blob("video/x-ms-wmv", bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(14), 400_000),
    ),
    "prores.example.com": (200, {}, mov(b"apch")),
    "voice-note.example.com": (200, {}, voice()),
    "animation.example.com": (200, {}, gif()),
    "heic.example.com": (200, {}, heic()),
    # Cut off, though the index stands in front.
    "cut-faststart.example.com": (200, {}, Content("video/mp4", mp4(900_000).part(0, 400_000), 400_000)),
}  # fmt: skip

FILE: Fixed = (200, {}, mp4())


def _refuses_ranges(status: int) -> Callable[[Headers], Fixed]:
    return lambda headers: page(status, "No") if headers.get("Range") else _unranged()


def _unranged() -> Fixed:
    return 200, {"Accept-Ranges": "none"}, _WHOLE


def _odd_part(headers: Headers) -> Fixed:
    """A part that nobody asked for."""
    if not headers.get("Range"):
        return _unranged()
    return 206, {"Content-Range": "bytes 5000-59999/60000"}, Content("video/mp4", _CLIP[5000:], 55_000)


def _browsers_only(headers: Headers) -> Fixed:
    return FILE if "Mozilla" in headers.get("User-Agent", "") else page(403, "403 Forbidden")


def _own_pages_only(headers: Headers) -> Fixed:
    return FILE if headers.get("Referer") else page(403, "403 Forbidden")


def _shop_window(headers: Headers) -> Fixed:
    """Visitors from elsewhere see a page."""
    return FILE if headers.get("Referer") else page(200, "Our shop")


def _with_cookie(headers: Headers) -> Fixed:
    if "seen=1" in headers.get("Cookie", ""):
        return FILE
    found = {"Location": "https://cookie.example.com/reel.mp4", "Set-Cookie": "seen=1; Path=/; HttpOnly"}
    return 302, found, text("text/html", "")


def _led_to(location: str) -> Callable[[Headers], Fixed]:
    return lambda headers: (302, {"Location": location}, text("text/html", ""))


# Answers that depend on how the host is asked.
ASKED: dict[str, Callable[[Headers], Fixed]] = {
    **{f"range-{status}.example.com": _refuses_ranges(status) for status in (400, 403, 405, 416, 500, 501)},
    "odd-part.example.com": _odd_part,
    "browsers-only.example.com": _browsers_only,
    "own-pages-only.example.com": _own_pages_only,
    "shop-window.example.com": _shop_window,
    "cookie.example.com": _with_cookie,
    "okta.example.com": _led_to("https://agency.okta.com/app/sso/saml"),
    "sign-in.example.com": _led_to("https://html.example.com/users/sign_in?return_to=%2Freel.mp4"),
}
# From these, the sandbox's TokPortal can download.
GOOD = frozenset(
    {
        "gzip-video.example.com", "odd-encoding.example.com", "prores.example.com", "windows-media.example.com",
        "animation.example.com", "heic.example.com", "odd-part.example.com",
        *(name for name in ASKED if name.startswith("range-")),
    }
)  # fmt: skip
