"""Two worker processes and a sandbox with its real bucket: how much of the lane's budget is used, and is any 429 earned?"""

import time
from typing import Any

from tests.bench.making import make_workspace
from tests.bench.processes import celery, process_group, sandbox_process, worker

LIMIT = 120
WARM_UP, SECONDS = 25.0, 120.0


def run() -> dict[str, Any]:
    """The sync lane may use what TokPortal grants at the steady rate; its burst is spent in the warm-up."""
    from issues.models import Issue, SyncGauge
    from issues.sandbox.server import FULL_KEY

    with sandbox_process(bundles=400, videos=4000, flagged=30, rate=LIMIT, latency=60) as (base_url, control):
        workspace = make_workspace("Live", base_url, FULL_KEY)
        with process_group() as group:
            for name in ("worker-1", "worker-2"):
                worker(group, name)
            celery(group, "beat", "beat", "-s", str(group.log_dir / "beat"))
            until = time.monotonic() + 60
            while control.counts()["requests"] < 62 and time.monotonic() < until:
                time.sleep(0.2)
            time.sleep(WARM_UP)
            began, before = time.monotonic(), control.counts()
            time.sleep(SECONDS)
            took, after = time.monotonic() - began, control.counts()
            ended = group.ended()
            if ended:
                raise RuntimeError(group.tail(ended))
        gauge = SyncGauge.objects.get(workspace=workspace)
        requests = after["requests"] - before["requests"]
        return {
            "seconds": took,
            "requests": requests,
            "granted": LIMIT / 60 * took,
            "budget_used": requests / (LIMIT / 60 * took),
            "rate_limited": after["throttled"],
            "expected_delay_s": gauge.expected_delay,
            "best_delay_s": gauge.best_delay,
            "flags_found": Issue.objects.filter(workspace=workspace).count(),
        }
