"""Videos mirrored a second against an unthrottled sandbox, beside a bare loop that only downloads and parses."""

import json
import math
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench.making import make_workspace
from tests.bench.processes import ROOT, sandbox_process

RATE = 100_000_000  # requests a minute: never in the way
BUNDLES, VIDEOS = 600, 18_000  # thirty a bundle
CHANGED_PART = 0.1


def bare_loop(base_url: str, key: str, *, flaggable: bool = True) -> tuple[float, int]:
    """(seconds, videos): the same pages with a plain `requests` session, read into Python objects and dropped."""
    import requests

    from issues.tokportal import constants as c

    began, videos = time.perf_counter(), 0
    with requests.Session() as session:
        session.headers["X-API-Key"] = key
        page, pages = 1, 1
        bundles = []
        while page <= pages:
            answer = session.get(f"{base_url}/bundles", params={"page": page, "per_page": 100}, timeout=30).json()
            bundles += answer["data"]
            pages, page = answer["pagination"]["total_pages"], page + 1
        for bundle in bundles:
            if bundle["status"] not in c.NOT_FLAGGABLE_STATUSES:
                videos += len(session.get(f"{base_url}/bundles/{bundle['id']}/videos", timeout=30).json()["data"])
    return time.perf_counter() - began, videos


def mirror_once(workspace: Any) -> tuple[float, int]:
    """(seconds, videos) of one sweep."""
    from issues.audit import Actor
    from issues.enums import Origin, SyncState
    from issues.models import Workspace
    from issues.sync.sweeps import sweep_workspace

    began = time.perf_counter()
    run = sweep_workspace(Workspace.objects.get(pk=workspace.pk), actor=Actor.system(Origin.SYNC))
    if run.state != SyncState.DONE or run.errors:
        raise RuntimeError(f"{run.state} {run.code}")
    return time.perf_counter() - began, run.videos


def run() -> dict[str, Any]:
    """Each pass between two bare loops; the ratio is to their mean."""
    from issues.sandbox.server import FULL_KEY

    figures: dict[str, Any] = {}
    with sandbox_process(bundles=BUNDLES, videos=VIDEOS, flagged=60, rate=RATE) as (base_url, control):
        workspace = make_workspace("Mirror", base_url, FULL_KEY)
        bare = [_rate(bare_loop(base_url, FULL_KEY))]
        passes = ("first (all new)", "second (nothing changed)", f"third ({CHANGED_PART:.0%} of the bundles changed)")
        ratios = []
        for number, name in enumerate(passes):
            if number == 2:
                _change_some(control)
            mirrored = _rate(mirror_once(workspace))
            bare.append(_rate(bare_loop(base_url, FULL_KEY)))
            ratios.append(mirrored / ((bare[-1] + bare[-2]) / 2))
            figures[f"{name}: videos/s"] = mirrored
            figures[f"{name}: ratio"] = ratios[-1]
    figures["bare loop: videos/s"] = sum(bare) / len(bare)
    # What the sync does all day is to read again what it has; the import of everything happens once.
    figures["mirror_ratio"] = ratios[1]
    return figures


def _rate(measured: tuple[float, int]) -> float:
    seconds, videos = measured
    return videos / seconds


def _change_some(control: Any) -> None:
    from issues.sandbox.data import OWNER

    bundles = [bundle for bundle in control.state()["bundles"] if bundle["owner"] == OWNER and bundle["videos"]]
    for bundle in bundles[:: math.ceil(1 / CHANGED_PART)]:
        control.flag(bundle["id"], bundle["videos"][0]["position"], "changed for the benchmark")


# --- Memory ------------------------------------------------------------------------------------------------


def memory(small: int = 100, large: int = 2000) -> dict[str, float]:
    """Peak memory, in MB, of a process that mirrors so many bundles of ten videos, and how much the larger one adds."""
    peaks = {bundles: _peak(bundles) for bundles in (small, large)}
    return {
        f"peak at {small} bundles, MB": peaks[small],
        f"peak at {large} bundles, MB": peaks[large],
        "memory_growth_mb": peaks[large] - peaks[small],
    }


def _peak(bundles: int) -> float:
    with sandbox_process(bundles=bundles, videos=bundles * 10, flagged=30, rate=RATE) as (base_url, _):
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.mirroring", base_url, f"Memory {bundles}"],
            cwd=ROOT, capture_output=True, text=True, check=True, timeout=300,
        )  # fmt: skip
    return float(json.loads(done.stdout.splitlines()[-1])["peak_mb"])


def _child(base_url: str, name: str) -> None:
    import django

    django.setup()
    from django.conf import settings

    from issues.sandbox.server import FULL_KEY

    settings.DEBUG = False
    workspace = make_workspace(name, base_url, FULL_KEY)
    for _ in range(2):
        mirror_once(workspace)
    print(json.dumps({"peak_mb": _peak_memory()}))


def _peak_memory() -> float:
    """MB. Linux's high-water mark of this program; getrusage would count the parent from before the exec too."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    _child(sys.argv[1], sys.argv[2])
