"""Calls about what surrounds the videos: Coverage, bans, the catalogue of events, deliveries."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from urllib.parse import quote

from issues.tokportal import constants as c
from issues.tokportal.caller import Caller
from issues.tokportal.payloads import PayloadError
from issues.tokportal.service_payloads import BanPayload, CoveragePayload, DeliveryPayload, parse_catalogue

MAX_PAGES = 20


class ServiceCalls(Caller):
    """A part of `TokPortalClient`."""

    def get_coverage(self, account_id: str) -> CoveragePayload:
        """`GET /accounts/:id/managed-subscription`. NotFoundError: the account has no Coverage, or no longer."""
        answer = self._read(f"/accounts/{quote(account_id, safe='')}/managed-subscription")
        return self._parsed(answer, CoveragePayload.parse)

    def list_bans(self, *, since: str = "") -> Iterator[BanPayload]:
        """`GET /account-bans`, all pages: what was reported or changed at `since` or later."""
        filters = {"since": since} if since else {}
        for page in range(1, MAX_PAGES + 1):
            answer = self._read("/account-bans", params={"page": page, "per_page": c.MAX_PER_PAGE, **filters})
            entries = self._data_list(answer)
            for entry in entries:
                with suppress(PayloadError):
                    yield BanPayload.parse(entry)
            if len(entries) < c.MAX_PER_PAGE:
                return

    def list_event_types(self) -> dict[str, bool]:
        """`GET /webhooks/events`: type → whether TokPortal really emits it."""
        return self._parsed(self._read("/webhooks/events"), parse_catalogue)

    def change_webhook(self, webhook_id: str, *, events: Sequence[str]) -> None:
        """`PATCH /webhooks/:id`: the types that it receives from now on."""
        self._call("PATCH", f"/webhooks/{quote(webhook_id, safe='')}", json_body={"events": list(events)})

    def list_failed_deliveries(self, webhook_id: str) -> Iterator[DeliveryPayload]:
        """`GET /webhooks/:id/deliveries`, those that failed, the latest first, page after page."""
        path = f"/webhooks/{quote(webhook_id, safe='')}/deliveries"
        for page in range(1, MAX_PAGES + 1):
            answer = self._read(path, params={"page": page, "per_page": c.MAX_PER_PAGE, "success": "false"})
            entries = self._data_list(answer)
            for entry in entries:
                with suppress(PayloadError):
                    yield DeliveryPayload.parse(entry)
            if len(entries) < c.MAX_PER_PAGE:
                return

    def retry_delivery(self, webhook_id: str, delivery_id: str) -> None:
        """`POST /webhooks/:id/deliveries/:delivery_id/retry`: TokPortal sends it once more, under the same event id."""
        delivery = quote(delivery_id, safe="")
        self._call("POST", f"/webhooks/{quote(webhook_id, safe='')}/deliveries/{delivery}/retry")
