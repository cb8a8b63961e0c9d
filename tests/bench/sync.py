"""`make bench-sync`: how soon a flag is seen, what the budget yields, what the mirror and the webhooks bear."""

import sys
from collections.abc import Callable
from typing import Any

from tests.bench.ground import own_database, result, say, table

PARTS = ("plan", "live", "mirror", "memory", "webhooks")


def main(wanted: list[str]) -> None:
    wanted = wanted or list(PARTS)
    with own_database() as about:
        from tests.bench import intake, live, mirroring, planning

        say(about)
        figures: dict[str, Any] = {}

        def part(name: str, title: str, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
            if name not in wanted:
                return {}
            found = run()
            table(title, list(found.items()))
            return found

        part("plan", "Picking the next 16 of 20,000 bundles", planning.time_the_query)
        free = part(
            "plan",
            "Simulated, 3,000 bundles, 120 a minute, no floor (bound: D*)",
            lambda: planning.simulate(floor=planning.NO_FLOOR_SECONDS),
        )
        floored = part(
            "plan",
            "Simulated, the same with a floor of 30 minutes (bound: the same promise; free_bound_s: D*)",
            lambda: planning.simulate(floor=planning.FLOOR_SECONDS),
        )
        lived = part("live", "Live, two workers, a bucket of 120 a minute", live.run)
        mirrored = part("mirror", "Mirror on one process, unthrottled sandbox, 30 videos a bundle", mirroring.run)
        memory = part("memory", "Peak memory of a mirroring process", mirroring.memory)
        taken = part("webhooks", f"Webhooks, {intake.PER_SECOND} a second for {intake.SECONDS:.0f} s", intake.run)
        if floored:
            # The worse of the two: the rule against D*, and the rule with its floor against the same promise.
            figures["bound_ratio"] = max(free["bound_ratio"], floored["bound_ratio"])
            for name in ("sweep_ratio", "uniform_ratio", "worst_age_s"):
                figures[name] = floored[name]
        for source, names in (
            (lived, ("budget_used", "rate_limited")),
            (mirrored, ("mirror_ratio",)),
            (memory, ("memory_growth_mb",)),
            (taken, ("webhook_per_s", "webhook_p99_ms", "webhook_lost")),
        ):
            figures.update({name: source[name] for name in names if name in source})
        result({name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()})


if __name__ == "__main__":
    main(sys.argv[1:])
