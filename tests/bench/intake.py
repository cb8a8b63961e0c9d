"""Webhook intake: so many signed events a second through the real server, each timed from when it was due.

An open loop: an event is sent when its time has come, however slow the former ones are, and its latency counts from
that time, so that a server that stalls cannot hide it. One process sends over kept-alive connections.
"""

import asyncio
import json
import random
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

from tests.bench.making import make_workspace
from tests.bench.processes import ROOT, free_port, process_group

SECRET = "whsec_" + "42" * 24
PER_SECOND, SECONDS = 500, 10.0
CONNECTIONS = 48
KNOWN_BUNDLES = 300


def _requests(url: str, count: int, bundles: list[str]) -> list[bytes]:
    """Whole HTTP requests, signed now; one in fifty is a repetition of the one before."""
    from issues.sandbox.webhooks import sign

    rng, parts, made = random.Random(5), urlsplit(url), []
    now = int(time.time())
    for number in range(count):
        if number % 50 == 49:
            made.append(made[-1])
            continue
        body = json.dumps(
            {
                "id": f"evt_{uuid.uuid4().hex}",
                "type": rng.choice(["video.configured", "video.in_review", "bundle.published"]),
                "created_at": "2026-11-23T10:00:00Z",
                "data": {"bundle_id": rng.choice(bundles), "position": rng.randint(1, 9), "status": "published"},
            }
        ).encode()
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
            f"TokPortal-Signature: {sign(SECRET, body, now)}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


async def _drive(
    host: str, port: int, requests: list[bytes], per_second: float
) -> tuple[list[tuple[int, float]], float]:
    """(status, seconds from when it was due) for each request, and how long it took from the first to the last answer."""
    due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    results: list[tuple[int, float]] = []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        while True:
            at, request = await due.get()
            try:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length")
                )
                await reader.readexactly(length)
                results.append((int(head[9:12]), time.perf_counter() - at))
            except (OSError, asyncio.IncompleteReadError, StopIteration):
                results.append((0, time.perf_counter() - at))
                reader, writer = await asyncio.open_connection(host, port)
            finally:
                due.task_done()

    workers = [asyncio.create_task(connection()) for _ in range(CONNECTIONS)]
    await asyncio.sleep(0.2)
    start = time.perf_counter()
    for number, request in enumerate(requests):
        at = start + number / per_second
        pause = at - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        due.put_nowait((at, request))
    await due.join()
    took = time.perf_counter() - start
    for task in workers:
        task.cancel()
    return results, took


def run(per_second: int = PER_SECOND, seconds: float = SECONDS) -> dict[str, Any]:
    """Start the server, deliver, and count what lies in the database afterwards."""
    import sys
    from datetime import timedelta

    from django.utils import timezone

    from issues.management.processes import wait_for_url
    from issues.models import Bundle, WebhookEndpoint, WebhookEvent, Workspace

    workspace = make_workspace(f"Intake {per_second}")
    endpoint = WebhookEndpoint(workspace=workspace, tokportal_id="wh", url="x", registered_at=timezone.now())
    endpoint.secret = SECRET
    endpoint.save()
    # A runner is at work on it, as it would be.
    Workspace.objects.filter(pk=workspace.pk).update(sync_lease_until=timezone.now() + timedelta(hours=1))
    names = [f"intake-{per_second}-{number}" for number in range(KNOWN_BUNDLES)]
    Bundle.objects.bulk_create(
        Bundle(workspace=workspace, tokportal_id=name, status="accepted", heat=20) for name in names
    )
    port = free_port()
    with process_group(DEBUG="0", SECRET_KEY="benchmark" * 6, **_field_keys()) as group:
        group.start(
            "web", sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
            "--workers", "2", "--blocking-threads", "4", "--log-level", "error", "tokdash.wsgi:application",
        )  # fmt: skip
        if not wait_for_url(f"http://127.0.0.1:{port}/healthz", group):
            raise RuntimeError(group.tail("web"))
        url = f"http://127.0.0.1:{port}/webhooks/tokportal/{workspace.pk}/"
        asyncio.run(_drive("127.0.0.1", port, _requests(url, 200, names), 100))
        before = WebhookEvent.objects.count()
        requests = _requests(url, int(per_second * seconds), names)
        results, took = asyncio.run(_drive("127.0.0.1", port, requests, per_second))
    taken = WebhookEvent.objects.count() - before
    waits = sorted(wait * 1000 for _, wait in results)
    acknowledged = sum(status == 200 for status, _ in results)
    return {
        "events sent": len(requests),
        "different ones": len(set(requests)),
        "webhook_per_s": acknowledged / took,
        "webhook_p50_ms": waits[len(waits) // 2],
        "webhook_p99_ms": waits[int(len(waits) * 0.99)],
        "worst_ms": waits[-1],
        "not acknowledged": len(results) - acknowledged,
        "webhook_lost": len(set(requests)) - taken,
    }


def _field_keys() -> dict[str, str]:
    from django.conf import settings

    return {
        "TOKDASH_FIELD_KEYS": settings.TOKDASH_FIELD_KEYS,
        "TOKDASH_STATIC_ROOT": str(ROOT / "var" / "bench-static"),
    }
