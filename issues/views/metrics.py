"""`/metrics` for Prometheus: django-prometheus' figures of this process, and ours from the database."""

import hmac
import ipaddress

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from django_prometheus.exports import ExportToDjangoView
from prometheus_client import generate_latest

from issues.queries.metrics import registry


def _may_scrape(request: HttpRequest) -> bool:
    """With the token; or, where none is set, straight from this machine or a private network, not through a proxy."""
    token = settings.TOKDASH_METRICS_TOKEN
    if token:
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return address.is_loopback or address.is_private


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """404 for whoever may not know that it is here."""
    if not _may_scrape(request):
        raise Http404
    response: HttpResponse = ExportToDjangoView(request)
    response.content = bytes(response.content) + generate_latest(registry)
    return response
