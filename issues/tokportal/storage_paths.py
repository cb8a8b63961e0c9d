"""Storage paths: how TokPortal names the images that it keeps itself.

`carousel_images` holds either web links or paths such as `carousel-images/org_x/bundle/photo-1.jpg`. A path is
TokPortal's own file: it is no web link and cannot be broken by its form. TokPortal does not say where the file can be
opened. The address is a prefix and the path; the prefix is learned from any answer that holds both (an image upload:
`public_url` minus `storage_path`), for each workspace.

What counts as a path:

- at least one folder and a name (`a/b`), at most 1,024 characters, the limit of the stores that TokPortal uses;
- no scheme, no leading or trailing slash, no empty, `.` or `..` part (also not in percent-encoded form);
- no white space, control or invisible character, backslash, quote, angle bracket, `?` or `#`;
- the first folder is a plain word without a dot, colon or tilde. So a link that lost its `https://`
  (`cdn.example.com/photo.jpg`), `localhost/x.jpg` and `C:/photos/x.jpg` are not paths.

By its form, `photos/summer.jpg` could also be a file on somebody's computer. So a path that a *person* gives must be in
TokPortal's folder for carousels, or be one that the slot holds (`is_given_path`).
"""

import re
import unicodedata
from collections.abc import Collection
from urllib.parse import quote, unquote, urlsplit

CAROUSEL_FOLDER = "carousel-images/"
MAX_PATH = 1024
_FIRST_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_FORBIDDEN = frozenset("\\\"'`<>?#|{}“”‘’")
# What stands unencoded in a URL's path. `%` is left alone: a path that holds one is encoded already.
_SAFE = "/%!$&'()*+,;:=@~-._"


def is_storage_path(text: str) -> bool:
    """Whether this has the form of a path in TokPortal's own storage (see the module's docstring)."""
    if not text or len(text) > MAX_PATH or text.lower().startswith("localhost/"):
        return False
    if any(ch in _FORBIDDEN or ch.isspace() or unicodedata.category(ch)[0] == "C" for ch in text):
        return False
    first, *others = text.split("/")
    return bool(others) and bool(_FIRST_FOLDER.fullmatch(first)) and all(map(_is_part, others))


def _is_part(part: str) -> bool:
    plain = unquote(unquote(part))
    return bool(plain) and plain not in {".", ".."} and "/" not in plain and "\\" not in plain


def is_given_path(text: str, held: Collection[str] = ()) -> bool:
    """Whether a person who writes this means a storage path: one in TokPortal's folder, or one that the slot holds."""
    return is_storage_path(text) and (text.startswith(CAROUSEL_FOLDER) or text in held)


def public_address(path: str, prefix: str) -> str:
    """Where a storage path can be opened; empty if the prefix is not known yet."""
    return prefix + quote(path, safe=_SAFE) if prefix and is_storage_path(path) else ""


def storage_prefix(public_url: str, storage_path: str) -> str:
    """What stands before the path in a public address, with its slash; empty if the two do not belong together."""
    if not is_storage_path(storage_path):
        return ""
    try:
        parts = urlsplit(public_url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
    except ValueError:
        return ""
    # A query after the path is a signature or a cache breaker: it belongs to this one image.
    address = public_url.split("?", 1)[0]
    for ending in (storage_path, quote(storage_path, safe=_SAFE), quote(storage_path)):
        if is_address and address.endswith("/" + ending):
            return address[: -len(ending)]
    return ""
