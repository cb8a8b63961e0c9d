"""The client of TokPortal's public API: each call of the contract's sections on reading, fixing and uploading.

One instance speaks for one key. It is safe to use from several threads only where `requests.Session` is; give each
thread its own. Every request first takes a slot of the key's shared budget.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO
from urllib.parse import quote

import requests
from requests_toolbelt import MultipartEncoder

from issues.tokportal import constants as c
from issues.tokportal.errors import (
    NotFoundError,
    StorageRefusedError,
    UnreadableAnswerError,
)
from issues.tokportal.payloads import (
    AccountPayload,
    BundlePage,
    BundlePayload,
    DirectUpload,
    FixAnswer,
    PayloadError,
    PresignedUpload,
    VideoList,
    VideoPayload,
    WebhookPayload,
)
from issues.tokportal.service_calls import ServiceCalls
from issues.tokportal.service_payloads import read_number
from issues.tokportal.transport import UNCHANGED, SizedFile, SizedStream, new_session, send

MAX_PAGES = 10_000
MAX_WEBHOOK_PAGES = 20
# A PUT of a large file takes as long as the line needs; this bounds a line that has died.
UPLOAD_DEADLINE = 6 * 3600.0


@dataclass(slots=True)
class Listing:
    """How far a listing was read, so that it can go on later, and elsewhere: `next_page` and `count` are enough.

    `total_pages` is not trusted alone: an empty page ends the listing, a full last page asks for one more.
    """

    next_page: int = 1
    count: int = 0  # different bundles so far
    is_complete: bool = False
    _seen: set[str] = field(default_factory=set)

    def feed(self, page: BundlePage) -> list[BundlePayload]:
        """Take the page that was asked for; the bundles in it that are new."""
        fresh = []
        for bundle in page.bundles:
            if bundle.id not in self._seen:
                self._seen.add(bundle.id)
                fresh.append(bundle)
        self.count += len(fresh)
        promised = page.total_pages is not None and self.next_page < page.total_pages
        all_there = page.total is not None and self.count >= page.total
        goes_on = bool(page.received) and (promised or (page.received >= page.per_page and not all_there))
        self.next_page += 1
        self.is_complete = not goes_on or self.next_page > MAX_PAGES
        return fresh


class TokPortalClient(ServiceCalls):
    """Typed calls to TokPortal for one API key, through one shared rate budget.

    `max_wait` is how many seconds a call may wait for its slot (and for a `Retry-After`) before it raises.
    """

    # --- Reading -------------------------------------------------------------------------------------------

    def me(self) -> AccountPayload:
        """`GET /me`: whose key this is."""
        return AccountPayload.parse(self._data_object(self._read("/me")))

    def list_bundles(self, *, page: int = 1, per_page: int = c.MAX_PER_PAGE, **filters: str) -> BundlePage:
        """One page of `GET /bundles`. Filters: status, bundle_type, platform, external_ref, account_status."""
        answer = self._read("/bundles", params={"page": page, "per_page": per_page, **filters})
        entries = self._data_list(answer)
        bundles = []
        for entry in entries:
            try:
                bundles.append(BundlePayload.parse(entry))
            except PayloadError:
                continue
        about = answer.body.get("pagination")
        about = about if isinstance(about, dict) else {}

        def number(name: str) -> int | None:
            value = about.get(name)
            return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

        return BundlePage(
            bundles=tuple(bundles),
            received=len(entries),
            page=page,
            per_page=number("per_page") or per_page,
            total=number("total"),
            total_pages=number("total_pages"),
        )

    def iter_bundles(self, *, per_page: int = c.MAX_PER_PAGE, **filters: str) -> Iterator[BundlePayload]:
        """All bundles, page by page, each once.

        `total_pages` is not trusted alone: an empty page ends the listing, a full last page asks for one more.
        """
        listing = Listing()
        while not listing.is_complete:
            yield from listing.feed(self.list_bundles(page=listing.next_page, per_page=per_page, **filters))

    def get_bundle(self, bundle_id: str) -> BundlePayload:
        """`GET /bundles/:id`."""
        answer = self._read(f"/bundles/{quote(bundle_id, safe='')}")
        return self._parsed(answer, BundlePayload.parse)

    def list_videos(self, bundle_id: str, *, known_digest: str = "") -> VideoList:
        """`GET /bundles/:id/videos`: every slot. A position that comes twice counts once, the later one.

        An answer with the same bytes as the one of `known_digest` is not read again: it comes back `unchanged`.
        """
        answer = self._read(f"/bundles/{quote(bundle_id, safe='')}/videos", known_digest=known_digest)
        if answer.body is UNCHANGED:
            return VideoList((), digest=known_digest, unchanged=True)
        videos: dict[int, VideoPayload] = {}
        unreadable = 0
        for entry in self._data_list(answer):
            try:
                video = VideoPayload.parse(entry)
            except PayloadError:
                unreadable += 1
                continue
            videos[video.position] = video
        return VideoList(tuple(videos[position] for position in sorted(videos)), unreadable, answer.digest)

    def get_video(self, bundle_id: str, position: int) -> VideoPayload:
        """`GET /bundles/:id/videos/:position`."""
        answer = self._read(f"/bundles/{quote(bundle_id, safe='')}/videos/{int(position)}")
        return self._parsed(answer, VideoPayload.parse)

    # --- The fix -------------------------------------------------------------------------------------------

    def fix_download(
        self, bundle_id: str, position: int, body: bytes, *, idempotency_key: str, dry_run: bool = False
    ) -> FixAnswer:
        """`POST .../fix-download` with exactly the bytes of `body`; sent once, never repeated from here.

        Takes as long as TokPortal needs to download the media, at most `timeouts.fix` seconds.
        An answer of TokPortal's without a readable video is still an effect: `video` is `None` then. An answer that is
        not TokPortal's (a proxy's page with status 200) raises UnreadableAnswerError: the outcome is unknown.
        """
        headers = {c.IDEMPOTENCY_HEADER: idempotency_key, "Content-Type": "application/json"}
        if dry_run:
            headers[c.DRY_RUN_HEADER] = "true"
        path = f"/bundles/{quote(bundle_id, safe='')}/videos/{int(position)}/fix-download"
        answer = self._call(
            "POST",
            path,
            data=body,
            headers=headers,
            read_timeout=self._timeouts.fix,
            deadline=self._timeouts.fix,
        )
        outer = answer.body
        if not isinstance(outer, dict) or "data" not in outer:
            raise UnreadableAnswerError("not TokPortal's form", status=answer.status)
        data = outer["data"]
        inner = data if isinstance(data, dict) else {}
        try:
            video = VideoPayload.parse(data)
        except PayloadError:
            video = None
        return FixAnswer(
            video=video,
            dry_run=outer.get("dry_run") is True or inner.get("dry_run") is True,
            request_id=answer.headers.get(c.TOKPORTAL_REQUEST_ID_HEADER, "")[:128],
            credits=read_number(outer.get("credits_would_charge", inner.get("credits_would_charge"))),
        )

    def patch_video(self, bundle_id: str, position: int, body: bytes, *, idempotency_key: str) -> None:
        """`PATCH` of a slot with exactly the bytes of `body`; sent once, never repeated from here.

        An answer that is not TokPortal's raises UnreadableAnswerError: the outcome is unknown. What holds afterwards is
        for a read-back to tell.
        """
        headers = {c.IDEMPOTENCY_HEADER: idempotency_key, "Content-Type": "application/json"}
        path = f"/bundles/{quote(bundle_id, safe='')}/videos/{int(position)}"
        answer = self._call("PATCH", path, data=body, headers=headers)
        if not isinstance(answer.body, dict) or "data" not in answer.body:
            raise UnreadableAnswerError("not TokPortal's form", status=answer.status)

    # --- Uploads -------------------------------------------------------------------------------------------

    def presign_video(self, *, filename: str, bundle_id: str, content_type: str = "") -> PresignedUpload:
        """`POST /upload/video`: where to PUT a video. Give its `public_url` to fix-download."""
        body = {"filename": filename, "bundle_id": bundle_id}
        if content_type:
            body["content_type"] = content_type
        return self._presign("/upload/video", body)

    def presign_image(self, *, filename: str, bundle_id: str, content_type: str) -> PresignedUpload:
        """`POST /upload/image` for a carousel. Give its `storage_path` to fix-download, not its public URL."""
        return self._presign(
            "/upload/image",
            {
                "filename": filename,
                "content_type": content_type,
                "bundle_id": bundle_id,
                "purpose": "carousel",
            },
        )

    def _presign(self, path: str, body: dict[str, str]) -> PresignedUpload:
        # No Idempotency-Key: TokPortal refuses one where the answer is a secret. A second URL costs nothing.
        answer = self._call("POST", path, json_body=body)
        return self._parsed(answer, PresignedUpload.parse)

    def put_presigned(
        self,
        upload_url: str,
        source: IO[bytes] | Iterator[bytes],
        *,
        size: int,
        content_type: str,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        """PUT `size` bytes of `source` to the object store, without our key, in chunks of 64 KiB.

        `on_progress` is called with the bytes sent so far. Raises StorageRefusedError where the store says no,
        LostAnswerError where the line broke; both may be repeated with a fresh URL.
        """
        with new_session(1) as session:
            request = requests.Request(
                "PUT",
                upload_url,
                data=SizedStream(source, size, on_progress),
                headers={"Content-Type": content_type},
            )
            answer = send(
                session,
                request,
                connect_timeout=self._timeouts.connect,
                read_timeout=self._timeouts.total,
                deadline=UPLOAD_DEADLINE,
            )
        if not 200 <= answer.status < 300:
            raise StorageRefusedError("the object store refused the file", status=answer.status)

    def upload_video_direct(
        self, file: IO[bytes], *, filename: str, bundle_id: str, content_type: str, idempotency_key: str
    ) -> DirectUpload:
        """`POST /upload/video/direct`: the file through TokPortal itself, streamed."""
        return self._upload_direct(
            "/upload/video/direct", file, filename, content_type, {"bundle_id": bundle_id}, idempotency_key
        )

    def upload_image_direct(
        self, file: IO[bytes] | SizedFile, *, filename: str, bundle_id: str, content_type: str, idempotency_key: str
    ) -> DirectUpload:
        """`POST /upload/image/direct` for a carousel, streamed. TokPortal makes JPEG of HEIC and HEIF here."""
        fields = {"bundle_id": bundle_id, "purpose": "carousel"}
        return self._upload_direct("/upload/image/direct", file, filename, content_type, fields, idempotency_key)

    def _upload_direct(
        self,
        path: str,
        file: IO[bytes] | SizedFile,
        filename: str,
        content_type: str,
        fields: dict[str, str],
        idempotency_key: str,
    ) -> DirectUpload:
        form = MultipartEncoder({**fields, "file": (filename, file, content_type)})
        answer = self._call(
            "POST",
            path,
            data=form,
            headers={"Content-Type": form.content_type, c.IDEMPOTENCY_HEADER: idempotency_key},
            read_timeout=self._timeouts.fix,
            deadline=UPLOAD_DEADLINE,
        )
        return self._parsed(answer, DirectUpload.parse)

    # --- Webhooks ------------------------------------------------------------------------------------------

    def list_webhooks(self) -> list[WebhookPayload]:
        """`GET /webhooks`: the endpoints that are registered, all pages."""
        found: dict[str, WebhookPayload] = {}
        for page in range(1, MAX_WEBHOOK_PAGES + 1):
            entries = self._data_list(self._read("/webhooks", params={"page": page, "per_page": c.MAX_PER_PAGE}))
            before = len(found)
            for entry in entries:
                with suppress(PayloadError):
                    endpoint = WebhookPayload.parse(entry)
                    found[endpoint.id] = endpoint
            if len(entries) < c.MAX_PER_PAGE or len(found) == before:
                break
        return list(found.values())

    def create_webhook(self, *, url: str, events: Sequence[str], description: str) -> WebhookPayload:
        """`POST /webhooks`. The answer's `signing_secret` is never told again. No idempotency key: it is refused."""
        body = {"url": url, "events": list(events), "description": description}
        return self._parsed(self._call("POST", "/webhooks", json_body=body), WebhookPayload.parse)

    def delete_webhook(self, webhook_id: str) -> None:
        """`DELETE /webhooks/:id`. One that is not there any more is as good as deleted."""
        with suppress(NotFoundError):
            self._call("DELETE", f"/webhooks/{quote(webhook_id, safe='')}")

    def test_webhook(self, webhook_id: str) -> None:
        """`POST /webhooks/:id/test`: TokPortal sends a `webhook.test` event to the endpoint."""
        self._call("POST", f"/webhooks/{quote(webhook_id, safe='')}/test")
