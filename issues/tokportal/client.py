"""The client of TokPortal's public API: each call of the contract's sections on reading, fixing and uploading.

One instance speaks for one key. It is safe to use from several threads only where `requests.Session` is; give each
thread its own. Every request first takes a slot of the key's shared budget.
"""

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, TypeVar
from urllib.parse import quote

import requests
from requests_toolbelt import MultipartEncoder

from issues.tokportal import constants as c
from issues.tokportal.answers import header_number, to_error
from issues.tokportal.budget import Budget, Lane, wait_for_slot
from issues.tokportal.errors import (
    LostAnswerError,
    NotSentError,
    RateLimitedError,
    ServerError,
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
)
from issues.tokportal.transport import RawAnswer, SizedStream, new_session, send

_T = TypeVar("_T")

MAX_PAGES = 10_000
READ_TRIES = 3
DEFAULT_RETRY_AFTER = 5.0
# A PUT of a large file takes as long as the line needs; this bounds a line that has died.
UPLOAD_DEADLINE = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `read` bounds the silence between two bytes, `total` a whole call, `fix` a fix-download."""

    connect: float = 5.0
    read: float = 30.0
    total: float = 60.0
    fix: float = 300.0


@dataclass(slots=True)
class Usage:
    """What this client spent: requests sent, and how many were answered with 429."""

    requests: int = 0
    throttled: int = 0


class TokPortalClient:
    """Typed calls to TokPortal for one API key, through one shared rate budget.

    `max_wait` is how many seconds a call may wait for its slot (and for a `Retry-After`) before it raises.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        budget: Budget,
        lane: Lane,
        client_name: str = "tokdash",
        timeouts: Timeouts | None = None,
        max_wait: float = 60.0,
        on_request: Callable[[], None] | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._budget = budget
        self._lane = lane
        self._client_name = client_name
        self._timeouts = timeouts or Timeouts()
        self._max_wait = max_wait
        self._on_request = on_request
        self._session = new_session()
        self.usage = Usage()

    def __enter__(self) -> "TokPortalClient":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<TokPortalClient {self._base_url}>"

    def close(self) -> None:
        self._session.close()

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
        seen: set[str] = set()
        for number in range(1, MAX_PAGES + 1):
            page = self.list_bundles(page=number, per_page=per_page, **filters)
            for bundle in page.bundles:
                if bundle.id not in seen:
                    seen.add(bundle.id)
                    yield bundle
            promised = page.total_pages is not None and number < page.total_pages
            complete = page.total is not None and len(seen) >= page.total
            if not page.received or not (promised or (page.received >= page.per_page and not complete)):
                return

    def get_bundle(self, bundle_id: str) -> BundlePayload:
        """`GET /bundles/:id`."""
        answer = self._read(f"/bundles/{quote(bundle_id, safe='')}")
        return self._parsed(answer, BundlePayload.parse)

    def list_videos(self, bundle_id: str) -> VideoList:
        """`GET /bundles/:id/videos`: every slot. A position that comes twice counts once, the later one."""
        answer = self._read(f"/bundles/{quote(bundle_id, safe='')}/videos")
        videos: dict[int, VideoPayload] = {}
        unreadable = 0
        for entry in self._data_list(answer):
            try:
                video = VideoPayload.parse(entry)
            except PayloadError:
                unreadable += 1
                continue
            videos[video.position] = video
        return VideoList(tuple(videos[position] for position in sorted(videos)), unreadable)

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
        )

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
        self, file: IO[bytes], *, filename: str, bundle_id: str, content_type: str, idempotency_key: str
    ) -> DirectUpload:
        """`POST /upload/image/direct` for a carousel, streamed."""
        fields = {"bundle_id": bundle_id, "purpose": "carousel"}
        return self._upload_direct("/upload/image/direct", file, filename, content_type, fields, idempotency_key)

    def _upload_direct(
        self,
        path: str,
        file: IO[bytes],
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

    # --- One request ---------------------------------------------------------------------------------------

    def _read(self, path: str, params: dict[str, Any] | None = None) -> RawAnswer:
        """A GET, repeated where that helps: no connection, lost or unreadable answer, 5xx, 429."""
        for attempt in range(1, READ_TRIES + 1):
            try:
                answer = self._call("GET", path, params=params)
                if not isinstance(answer.body, dict) or "data" not in answer.body:
                    raise UnreadableAnswerError("no data in the answer", status=answer.status)
            except RateLimitedError as error:
                # The budget is blocked until then; the next call waits there, if it may wait so long.
                if attempt == READ_TRIES or (error.retry_after or 0) > self._max_wait:
                    raise
            except (NotSentError, LostAnswerError, UnreadableAnswerError, ServerError):
                if attempt == READ_TRIES or self._lane is Lane.INTERACTIVE:
                    raise
                time.sleep(random.uniform(0, 0.2 * 2**attempt))  # noqa: S311 - jitter, not a secret
            else:
                return answer
        raise AssertionError("unreachable")

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        json_body: dict[str, Any] | None = None,
        data: Any = None,
        headers: dict[str, str] | None = None,
        read_timeout: float | None = None,
        deadline: float | None = None,
    ) -> RawAnswer:
        """Take a slot, send, and turn everything but a 2xx into an exception."""
        wait_for_slot(self._budget, self._lane, self._max_wait)
        if self._on_request:
            self._on_request()
        self.usage.requests += 1
        request_id = f"tokdash-{uuid.uuid4()}"
        all_headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # what arrives is what is counted against the size cap
            c.API_KEY_HEADER: self._api_key,
            c.CLIENT_HEADER: self._client_name,
            c.REQUEST_ID_HEADER: request_id,
            **(headers or {}),
        }
        if json_body is not None:
            data = json.dumps(json_body).encode()
            all_headers["Content-Type"] = "application/json"
        answer = send(
            self._session,
            requests.Request(method, f"{self._base_url}{path}", params=params, data=data, headers=all_headers),
            connect_timeout=self._timeouts.connect,
            read_timeout=read_timeout or self._timeouts.read,
            deadline=deadline or self._timeouts.total,
        )
        limit = header_number(answer, c.LIMIT_HEADER)
        self._budget.observe(limit=limit, remaining=header_number(answer, c.REMAINING_HEADER))
        if 200 <= answer.status < 300:
            if not answer.is_json and answer.body is None and method == "GET":
                raise UnreadableAnswerError("not JSON", status=answer.status)
            return answer
        error = to_error(answer)
        if isinstance(error, RateLimitedError):
            self.usage.throttled += 1
            self._budget.block(error.retry_after or DEFAULT_RETRY_AFTER)
        raise error

    def _data_list(self, answer: RawAnswer) -> list[Any]:
        data = answer.body["data"]
        if not isinstance(data, list):
            raise UnreadableAnswerError("a list was expected", status=answer.status)
        return data

    def _data_object(self, answer: RawAnswer) -> dict[str, Any]:
        data = answer.body.get("data") if isinstance(answer.body, dict) else None
        if not isinstance(data, dict):
            raise UnreadableAnswerError("an object was expected", status=answer.status)
        return data

    def _parsed(self, answer: RawAnswer, parse: Callable[[dict[str, Any]], _T]) -> _T:
        try:
            return parse(self._data_object(answer))
        except PayloadError as error:
            raise UnreadableAnswerError(str(error), status=answer.status) from error
