"""`make bench-grow`: more workers for more workspaces, a rolling restart under load, and a soak with faults.

Parts: `workers` (1, 2 and 4 of them, 8 workspaces), `restart`, `soak` (SOAK_SECONDS, 600 without it).
"""

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any

from tests.bench.at_work import all_looked, at_work, connect, flag_on, wait_for
from tests.bench.ground import ROOT, deployed, own_database, result, say, table
from tests.bench.processes import celery, process_group, sandbox_process, worker

PARTS = ("workers", "restart", "soak")
WORKERS = ("workers-1", "workers-2", "workers-4")
WORKSPACES, BUNDLES, RATE = 8, 60, 240
SECONDS = int(os.environ.get("SECONDS", "60"))
SOAK_SECONDS = int(os.environ.get("SOAK_SECONDS", "600"))
FAULT_EVERY = 5.0
WATCHED = ("web", "worker-steady")  # whose memory is told
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 500}, {"kind": "status", "status": 503, "headers": {"Retry-After": "2"}},
    {"kind": "status", "status": 429, "code": "RATE_LIMIT_EXCEEDED", "headers": {"Retry-After": "2"}},
    {"kind": "reset_before"}, {"kind": "reset_after"}, {"kind": "reset_during"}, {"kind": "timeout_after", "seconds": 8},
    {"kind": "reset_after", "method": "POST", "path": "fix-download"}, {"kind": "truncated"}, {"kind": "malformed"},
    {"kind": "html"}, {"kind": "missing_fields"}, {"kind": "null_fields"}, {"kind": "unknown_enums"}, {"kind": "shift_listing", "by": 3},
    {"kind": "timeout_before", "seconds": 8, "method": "POST", "path": "fix-download"}, {"kind": "huge", "bytes": 80_000_000, "announced": False},
)  # fmt: skip


# --- More workers ---------------------------------------------------------------------------------------------


def grow(count: int) -> dict[str, float]:
    """So many worker processes, two beats, eight workspaces: how soon a flag is seen in each, and requests a second."""
    from issues.models import Issue

    chance = random.Random(count)
    with sandbox_process(bundles=BUNDLES, videos=BUNDLES * 6, flagged=6, rate=RATE, latency=40) as (base_url, control):
        _team, workspaces = connect(f"Grow{count}", base_url, control, WORKSPACES)
        with deployed() as environment, process_group(**environment) as group:
            for number in range(count):
                worker(group, f"worker-{number}")
            for number in range(2):
                celery(group, f"beat-{number}", "beat", "-s", str(group.log_dir / f"beat-{number}"), "-l", "ERROR")
            wait_for(lambda: all_looked(workspaces), 150, "the first look is complete")
            quiet = [
                (bundle["id"], video["position"])
                for bundle, video in control.videos(download_issue=False, video_type="video")
                if bundle["status"] in {"published", "accepted", "in_review"}
            ]
            before, began, raised = control.counts(), time.monotonic(), {}
            while time.monotonic() - began < SECONDS:
                place = quiet.pop(chance.randrange(len(quiet)))
                control.flag(*place)
                raised[place] = time.time()
                time.sleep(3)
            took, after = time.monotonic() - began, control.counts()
            wait_for(lambda: found(workspaces, raised).keys() >= wanted(workspaces, raised), 120, "every flag is seen")
            if ended := group.ended():
                raise RuntimeError(group.tail(ended))
        delays = sorted(found(workspaces, raised).values())
        doubled = Issue.objects.filter(workspace__in=workspaces).values_list("video", flat=True)
        return {
            "workers": count,
            "requests_per_s": (after["requests"] - before["requests"]) / took,
            "granted_per_s": RATE / 60 * WORKSPACES,
            "delay_mean_s": statistics.mean(delays),
            "delay_p95_s": delays[int(len(delays) * 0.95)],
            "flags": len(delays),
            "throttled": after["throttled"],
            "doubled": sum(count - 1 for count in Counter(doubled).values()),
        }


def wanted(workspaces: list[Any], raised: dict[Any, float]) -> set[Any]:
    return {(workspace.pk, place) for workspace in workspaces for place in raised}


def found(workspaces: list[Any], raised: dict[Any, float]) -> dict[Any, float]:
    """Seconds from each flag to the question that saw it, by workspace and place."""
    from issues.models import Issue

    rows = Issue.objects.filter(workspace__in=workspaces).values_list(
        "workspace", "video__bundle__tokportal_id", "video__position", "opened_at"
    )
    return {
        (workspace, (bundle, position)): max(opened.timestamp() - raised[bundle, position], 0.0)
        for workspace, bundle, position, opened in rows
        if (bundle, position) in raised
    }


# --- A rolling restart ------------------------------------------------------------------------------------------


def restart() -> dict[str, Any]:
    """Workers, beat and web are replaced one after the other, twice, while people work."""
    workers = ("worker-0", "worker-1")
    with at_work("Restart", workers=workers, members=3, bundles=40, videos=600, flagged=60, rate=3000) as site:
        group, began = site.group, time.monotonic()
        for _ in range(2):
            time.sleep(5)
            for name in workers:
                old = group.running.pop(name)
                worker(group, name)
                old.send_signal(signal.SIGTERM)
                old.wait(60)
            old = group.running.pop("beat")
            celery(group, "beat", "beat", "-s", str(group.log_dir / f"beat-{time.monotonic()}"), "-l", "ERROR")
            old.send_signal(signal.SIGTERM)
            old.wait(30)
            group.running["web"].send_signal(signal.SIGHUP)  # granian replaces its workers one after the other
            time.sleep(8)
        return {"seconds": time.monotonic() - began, **site.end()}


# --- A soak ---------------------------------------------------------------------------------------------------


def memory_mb(process: Any) -> float:
    """Proportional memory of a process and its children."""
    from tests.bench.load import pss_mb

    return pss_mb(process.pid)


def soak() -> dict[str, Any]:
    """Minutes of work with a fault every five seconds: one of TokPortal's, a killed worker, or an emptied Redis."""
    import redis
    from django.conf import settings

    chance, faults, samples, stopped = random.Random(11), Counter[str](), [], threading.Event()
    workers = ("worker-steady", "worker-doomed")
    with at_work("Soak", workers=workers, members=2, bundles=60, videos=900, flagged=20, rate=1200) as site:
        group = site.group
        threading.Thread(target=flag_on, args=(site.control, stopped, 2.0), daemon=True).start()
        began = time.monotonic()
        while time.monotonic() - began < SOAK_SECONDS:
            time.sleep(FAULT_EVERY)
            kind = chance.choice(("tokportal",) * 8 + ("kill", "redis"))
            faults[kind] += 1
            if kind == "tokportal":
                site.control.fault(**chance.choice(FAULTS))
            elif kind == "kill":
                group.running.pop("worker-doomed").kill()
                worker(group, "worker-doomed")
            elif settings.CELERY_BROKER_URL.startswith("redis"):
                redis.Redis.from_url(settings.CELERY_BROKER_URL).flushdb()
            samples.append({name: memory_mb(group.running[name]) for name in WATCHED})
            if len(samples) % 12 == 0:
                told = "  ".join(f"{name} {mb:.1f} MB" for name, mb in samples[-1].items())
                say(f"  {time.monotonic() - began:4.0f} s  {told}")
            if ended := group.ended():
                raise RuntimeError(group.tail(ended))
        stopped.set()
        verdict = site.end()
    growth = {name: growth_percent([sample[name] for sample in samples]) for name in WATCHED}
    return {
        "seconds": SOAK_SECONDS, "faults": sum(faults.values()), **{f"faults_{name}": count for name, count in faults.items()},
        **verdict, "web_mb": samples[-1]["web"], "worker_mb": samples[-1]["worker-steady"],
        **{f"growth_percent_{name}": value for name, value in growth.items()},
        "memory_growth_percent": max(growth.values()),
    }  # fmt: skip


def growth_percent(values: list[float]) -> float:
    """The last third beside the middle one, both by their median: the first one warms up."""
    third = max(len(values) // 3, 1)
    return (statistics.median(values[-third:]) / statistics.median(values[third : 2 * third]) - 1) * 100


def measure(step: str) -> dict[str, float]:
    """One step in a database of its own: its figures."""
    with own_database() as about:
        say(f"{about}: {step}")
        part, _, count = step.partition("-")
        if count:
            row: dict[str, Any] = grow(int(count))
            table(f"{count} workers, two beats, {WORKSPACES} workspaces of {BUNDLES} bundles", list(row.items()))
            return {f"{name}_{count}": row[name] for name in ("delay_mean_s", "requests_per_s")}
        row = {"restart": restart, "soak": soak}[part]()
        table(part.capitalize(), list(row.items()))
        names = ("fixes", "lost", "doubled", "wrong", *(("memory_growth_percent",) if part == "soak" else ()))
        return {f"{part}_{name}": row[name] for name in names}


def apart(step: str) -> dict[str, float]:
    """The same in a process of its own: what one step leaves behind would be work for the workers of the next."""
    command = [sys.executable, "-m", "tests.bench.grow", step]
    figures: dict[str, float] = {}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            if line.startswith("RESULT "):
                figures = json.loads(line.removeprefix("RESULT "))
            else:
                say(line.rstrip("\n"))
    if process.returncode:
        raise SystemExit(process.returncode)
    return figures


def main(wanted_parts: list[str]) -> None:
    steps = [step for part in wanted_parts or PARTS for step in (WORKERS if part == "workers" else (part,))]
    figures: dict[str, float] = {}
    for step in steps:
        figures |= measure(step) if len(steps) == 1 else apart(step)
    result({name: round(value, 2) for name, value in figures.items()})


if __name__ == "__main__":
    main(sys.argv[1:])
