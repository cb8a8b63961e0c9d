"""`manage.py generate_load --bundles N --videos N --issues N --events N --seed N`"""

import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from django.core.management.base import CommandParser
from django.db import connection, connections, transaction
from django.utils import timezone

from issues.audit.watch import seal
from issues.load.history import write_history
from issues.load.pour import gather_statistics, number_on, without_indexes
from issues.load.world import Size, World, make_team
from issues.management.base import TokDashCommand
from issues.models import AuditCheckpoint, AuditEvent, Team

# What an agency of twenty teams has after years, and what a laptop's file takes well.
LARGE = Size(teams=20, bundles=20_000, videos=1_000_000, issues=200_000, events=5_000_000)
SMALL = Size(teams=4, bundles=400, videos=12_000, issues=4_000, events=60_000)


class Command(TokDashCommand):
    help = (
        "Fill an empty installation with made-up teams (Load Agency 01, …), for measuring. Log in as "
        "owner@load01.example with the password in TOKDASH_PASSWORD. Their workspaces are paused: "
        "TokPortal is never asked for them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        usual = LARGE if connection.vendor == "postgresql" else SMALL
        for name in ("teams", "bundles", "videos", "issues", "events"):
            parser.add_argument(
                f"--{name}", type=int, default=getattr(usual, name), metavar="N", help="over all teams; %(default)s"
            )
        parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same world (%(default)s)")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        size = Size(**{name: options[name] for name in ("teams", "bundles", "videos", "issues", "events")})
        if size.teams < 1 or min(size.bundles, size.videos, size.issues, size.events) < size.teams:
            self.wrong_use("Each team needs at least one bundle, video, issue and event.")
        if size.issues > size.videos:
            self.wrong_use("There cannot be more issues than videos: each video is flagged once.")
        if Team.objects.exists():
            self.fail(
                "There are teams already: this is for an empty installation, never for one that people work with."
            )
        began = time.monotonic()
        counts = self._make(size, options["seed"])
        counts |= {"teams": size.teams, "seconds": round(time.monotonic() - began, 1)}
        if options["json"]:
            self.print_json(counts)
        else:
            for name, value in counts.items():
                self.stdout.write(f"{name:>8}  {value:>12,}")

    def _make(self, size: Size, seed: int) -> dict[str, Any]:
        now, password = timezone.now(), os.environ.get("TOKDASH_PASSWORD") or None
        with transaction.atomic():
            teams = [make_team(number, now, password) for number in range(size.teams)]
        world = World(size, teams, now, seed)
        counts: dict[str, Any] = world.make()
        with without_indexes(AuditEvent):
            jobs = [
                (team, people, world.told[number], size.share(number).events, now, seed + number)
                for number, (team, people, _workspaces) in enumerate(teams)
            ]
            counts["events"] = sum(self._in_parallel(jobs))
        number_on(AuditEvent)
        number_on(AuditCheckpoint)
        gather_statistics()
        broken = [team.slug for team, _people, _workspaces in teams if not isinstance(seal(team.pk), AuditCheckpoint)]
        if broken:
            self.fail(f"The history that was made does not hold: {', '.join(broken)}.")
        return counts

    def _in_parallel(self, jobs: list[tuple[Any, ...]]) -> list[int]:
        """A process a core where the database takes several writers; each team has a chain of its own."""
        if connection.vendor != "postgresql" or (os.cpu_count() or 1) < 2:
            return [write_history(*job) for job in jobs]
        connections.close_all()  # a child must not share our connection
        with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("fork")) as pool:
            return list(pool.map(_write, jobs))


def _write(job: tuple[Any, ...]) -> int:
    return write_history(*job)
