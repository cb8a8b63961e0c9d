"""The calls that take files: a place to PUT one, a form that carries one, an address to import one from."""

import re
import secrets
import uuid
from collections.abc import Mapping
from email.parser import HeaderParser
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from issues.sandbox import media
from issues.sandbox.calls import Call, fetched
from issues.sandbox.data import folder_of
from issues.sandbox.http import Handler
from issues.sandbox.storage import Store
from issues.sandbox.world import ApiFailure, Bundle
from issues.tokportal import constants as c


def presign(handler: Handler, app: Any, call: Call) -> tuple[int, Any]:
    is_image = call.path == "/upload/image"
    known = {"filename", "bundle_id", "content_type"} | ({"purpose"} if is_image else set())
    body = call.json(known)
    needed = ("filename", "bundle_id", "content_type") if is_image else ("filename", "bundle_id")
    for name in needed:
        if not isinstance(body.get(name), str) or not body[name]:
            raise ApiFailure(400, c.VALIDATION_ERROR, f"{name} is required", {"field": name})
    bundle = app.world.bundle(body["bundle_id"], call.key.owner)
    _check_purpose(body)
    content_type = str(body.get("content_type") or "video/mp4")
    if not content_type.startswith("image/" if is_image else "video/"):
        raise ApiFailure(400, c.VALIDATION_ERROR, "content_type does not fit", {"field": "content_type"})
    key = _object_key(bundle, body["filename"], is_image)
    expires_in = 900
    signed_type = content_type
    if app.faults.take(frozenset({"presign_expired"}), "POST", call.path):
        expires_in = -1
    if app.faults.take(frozenset({"presign_wrong_type"}), "POST", call.path):
        signed_type = "application/x-other"
    app.world.record("presign", key=key)
    store: Store = app.images if is_image else app.store
    answer = {
        "upload_url": store.sign(key, signed_type, expires_in=expires_in),
        "public_url": store.public_url(key),
        "expires_in": max(expires_in, 0),
    }
    if is_image:
        answer["storage_path"] = key
    return 200, {"data": answer}


def _object_key(bundle: Bundle, filename: str, is_image: bool) -> str:
    ending = re.sub(r"[^A-Za-z0-9.]", "", filename)[-40:] or "file"
    return f"{folder_of(bundle) if is_image else f'videos/{bundle.id}'}/{secrets.token_hex(8)}-{ending}"


def _check_purpose(fields: Mapping[str, Any]) -> None:
    """What an image is for: carousels where it is left out."""
    if fields.get("purpose", "carousel") not in {"carousel", "profile_picture"}:
        raise ApiFailure(400, c.VALIDATION_ERROR, "purpose does not fit", {"field": "purpose"})


def import_image(handler: Handler, app: Any, call: Call) -> tuple[int, Any]:
    """`/upload/image/from-url`: fetched by the rules of fix-download, kept as an image of TokPortal's own."""
    body = call.json({"url", "bundle_id", "purpose"})
    for name in ("url", "bundle_id"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise ApiFailure(400, c.VALIDATION_ERROR, f"{name} is required", {"field": name})
    _check_purpose(body)
    bundle = app.world.bundle(body["bundle_id"], call.key.owner)
    if not fetched(app, body["url"]):
        raise ApiFailure(500, c.UPLOAD_FAILED, "Failed to download or store the image")
    filename = PurePosixPath(urlsplit(body["url"]).path).name or "image"
    picture, key = media.jpeg(60_000), _object_key(bundle, f"{PurePosixPath(filename).stem}.jpg", is_image=True)
    public_url = app.images.store(key, picture)
    app.world.record("import", key=key, url=body["url"])
    return 200, {
        "data": {
            "public_url": public_url,
            "storage_path": key,
            "filename": filename,
            "size_bytes": picture.size,
            "content_type": picture.media_type,
        }
    }


def upload_direct(handler: Handler, app: Any, call: Call) -> tuple[int, Any]:
    """A multipart form, read in pieces: the file goes to disk, never into memory."""
    is_image = "/image/" in call.path
    boundary = re.search(r'boundary="?([^";]+)', call.headers.get("Content-Type", ""))
    if not boundary:
        raise ApiFailure(400, c.VALIDATION_ERROR, "multipart/form-data is expected")
    handler.body_read = True
    store: Store = app.images if is_image else app.store
    temporary = store.file(f"incoming/{uuid.uuid4().hex}")
    fields, filename, content_type, size = _read_form(handler, boundary[1].encode(), temporary)
    if size is None:
        raise ApiFailure(400, c.VALIDATION_ERROR, "file is required", {"field": "file"})
    bundle = app.world.bundle(fields.get("bundle_id", ""), call.key.owner)
    if is_image:
        _check_purpose(fields)
    app.world.record("direct", path=call.path, filename=filename, size=size, content_type=content_type)
    with temporary.open("rb") as file:
        is_heic = is_image and media.is_heic(file.read(32))
    if is_heic:
        # Converted to JPEG: another type, size and name than what was sent.
        filename = re.sub(r"(?i)\.hei[cf]$", "", filename) + ".jpg"
        picture = media.jpeg(max(1000, size * 3))
        temporary.write_bytes(picture.part(0, picture.size))
        size, content_type = picture.size, picture.media_type
    key = _object_key(bundle, filename, is_image)
    temporary.rename(store.file(key))
    store.put_bytes(key, content_type, size)
    app.world.record("put", key=key, size=size, content_type=content_type)
    answer = {
        "public_url": store.public_url(key),
        "filename": filename,
        "size_bytes": size,
        "content_type": content_type,
    }
    if is_image:
        answer["storage_path"] = key
    return 200, {"data": answer}


def _read_form(handler: Handler, boundary: bytes, path: Any) -> tuple[dict[str, str], str, str, int | None]:
    """Fields of the form; the part named `file` is written to `path`. Lines keep memory flat for binary data too."""
    left = handler.content_length()
    mark, last = b"--" + boundary, b"--" + boundary + b"--"

    def line() -> bytes:
        nonlocal left
        text = handler.rfile.readline(min(65536, max(left, 0)))
        left -= len(text)
        return text

    fields: dict[str, str] = {}
    filename, content_type, size = "", "application/octet-stream", None
    current = line()
    while left > 0 and current.rstrip() != last:
        head = b""
        while (text := line()).strip():
            head += text
        about = HeaderParser().parsestr(head.decode("utf-8", "replace"))
        disposition = about.get("Content-Disposition", "")
        name = re.search(r'name="([^"]*)"', disposition)
        found = re.search(r'filename="([^"]*)"', disposition)
        is_file = name is not None and name[1] == "file"
        sink = path.open("wb") if is_file else None
        value, held = b"", b""
        while True:
            current = line()
            if not current or current.rstrip() in {mark, last}:
                break  # the line end before the boundary belongs to it
            piece, held = held, current
            if sink:
                sink.write(piece)
            else:
                value += piece
        held = held[:-2] if held.endswith(b"\r\n") else held
        if sink:
            sink.write(held)
            size = sink.tell()
            sink.close()
            filename = found[1] if found else "file"
            content_type = about.get_content_type()
        elif name:
            fields[name[1]] = (value + held).decode("utf-8", "replace")
    return fields, filename, content_type, size
