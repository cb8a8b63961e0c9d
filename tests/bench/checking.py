"""200 link checks at once in a process of its own, 50 of hostile hosts; prints what it saw as JSON.

`python -m tests.bench.checking ORIGIN`: where the sandbox's outside world is.
"""

import json
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

CHECKS, HOSTILE, AT_A_TIME = 200, 50, 64
HOSTILE_HOSTS = (
    "slow", "slow-headers", "timeout", "gzip-bomb", "endless", "endless-headers", "redirect-inwards", "tls-expired",
    "tls-self-signed", "rebinding",
)  # fmt: skip


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(origin: str) -> None:
    os.environ.update(DJANGO_SETTINGS_MODULE="tokdash.settings", DEBUG="1", TOKDASH_OUTSIDE_WORLD=origin)
    import django

    django.setup()
    from issues.link_checks.checker import check_link

    took: list[float] = []

    def look(url: str) -> None:
        started = time.monotonic()
        check_link(url)
        took.append(time.monotonic() - started)

    def run(urls: list[str]) -> float:
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(look, urls))
        return peak_mb()

    good = [f"https://media.example.com/{number}.mp4" for number in range(CHECKS - HOSTILE)]
    hostile = [f"https://{HOSTILE_HOSTS[n % len(HOSTILE_HOSTS)]}.example.com/{n}" for n in range(HOSTILE)]
    before = run([*good, *good[:HOSTILE]])  # as many well-behaved ones: what follows may need no more
    took.clear()
    after = run([*hostile, *good])
    print(
        json.dumps(
            {
                "checks": len(took),
                "checker_max_s": max(took),
                "checker_peak_mb": after,
                "checker_growth_mb": after - before,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
