"""`make bench-fixes [PARTS="kills click silent upload relay checker drain"]`: that a fix survives, and what it costs.

Prints a table for each part, then `RESULT` and one JSON object. The kill matrix runs on both databases at once and
takes some 35 minutes for 20 kills at each point (KILLS=20); the rest takes five.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from tests.bench import repair
from tests.bench.ground import own_database, result, say, table

PARTS = ("kills", "click", "silent", "upload", "relay", "checker", "drain")
FIGURES = (
    "kills", "lost", "doubled", "resume_max_s", "click_to_send_p95_ms", "submit_silent_redis_p99_ms",
    "browser_upload_ratio", "relay_memory_mb", "checker_max_s",
)  # fmt: skip


def kills(count: int) -> dict[str, Any]:
    """Both databases side by side, each in a process of its own; a line for each row of the matrix."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.bench.kills", database, str(count)], stdout=subprocess.PIPE, text=True
        )
        for database in ("postgres", "sqlite")
    ]
    found = []
    for process in running:
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
        if process.wait():
            raise RuntimeError("\n".join(lines[-20:]))
        say("\n".join(lines[:-1]))
        found.append(json.loads(lines[-1]))
    return {
        "kills": sum(one["kills"] for one in found),
        "lost": sum(one["lost"] for one in found),
        "doubled": sum(one["doubled"] for one in found),
        "resume_max_s": max(one["resume_max_s"] for one in found),
    }


def main(wanted: list[str]) -> None:
    wanted = wanted or list(PARTS)
    figures: dict[str, Any] = dict.fromkeys(FIGURES)
    if "kills" in wanted:
        figures.update(kills(int(os.environ.get("KILLS", "20"))))
    if set(wanted) - {"kills"}:
        with own_database() as ground:
            from issues.sandbox.server import Sandbox

            say(f"# {ground}")
            with Sandbox(rate=600_000, bundles=120, videos=1800, flagged=900) as sandbox:
                os.environ["TOKDASH_OUTSIDE_WORLD"] = sandbox.outside.origin
                from django.conf import settings

                settings.TOKDASH_OUTSIDE_WORLD = sandbox.outside.origin
                trial = repair.Trial(sandbox, 0)
                parts: dict[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {
                    "checker": ("200 checks in parallel, 50 hostile", repair.checker),
                    "click": ("From the click to the first byte at TokPortal, worker idle", repair.click_to_send),
                    "silent": ("Submitting with a Redis that stays silent", repair.silent_redis),
                    "upload": ("A file from chromium to the store, beside curl", repair.browser_upload),
                    "relay": ("1 GiB through our server", repair.relay_memory),
                    "drain": ("500 fixes in bulk at 300 requests a minute", repair.drain),
                }
                for name, (title, run) in parts.items():
                    if name in wanted:
                        found = run(trial)
                        table(title, list(found.items()))
                        figures.update(found)
    result(
        {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in figures.items()
            if value is not None
        }
    )


if __name__ == "__main__":
    main(sys.argv[1:])
