"""`manage.py sync [--team TEAM] [--workspace NAME] [--json]`: one full sweep in the foreground."""

import sys
import time
from typing import Any

from django.core.management.base import CommandParser

from issues.audit import Actor
from issues.enums import Origin, SyncState
from issues.management.base import TokDashCommand
from issues.models import SyncRun, Workspace
from issues.problems import Refusal
from issues.sync.claims import LEASE_SECONDS, SweepRunningError, reserve_workspace
from issues.sync.sweeps import sweep_workspace

BAR = 24


class Command(TokDashCommand):
    help = (
        "Sweep workspaces once, now: all bundles listed, the videos of those that can be flagged read. Exit code 1 "
        "where a workspace could not be swept to its end; bundles that gave no answer are counted in `errors`."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--team", metavar="TEAM")
        parser.add_argument("--workspace", metavar="NAME")
        self.add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        workspaces = Workspace.objects.filter(team__in=self.teams(options["team"])).order_by("team_id", "name")
        if options["workspace"]:
            workspaces = workspaces.filter(name=options["workspace"])
            if not workspaces:
                self.wrong_use(f"There is no workspace named “{options['workspace']}”.")
        if not workspaces:
            self.wrong_use("No workspace is connected yet: see connect_workspace.")
        started = time.monotonic()
        names = ("bundles", "videos", "issues_opened", "issues_closed", "requests", "throttled", "errors")
        total: dict[str, float] = dict.fromkeys(names, 0)
        failures = []
        for workspace in workspaces:
            try:
                run = self._sweep(workspace)
            except Refusal as refusal:
                failures.append(refusal.sentence)
                continue
            for name in names:
                total[name] += getattr(run, name)
            if run.state != SyncState.DONE:
                failures.append(f"“{workspace.name}” was not swept to its end: {run.code}.")
        total["seconds"] = round(time.monotonic() - started, 3)
        if options["json"]:
            self.print_json(total)
        else:
            self.stdout.write(
                "{bundles} bundles, {videos} videos: {issues_opened} issues opened, {issues_closed} closed. "
                "{requests} requests, {throttled} throttled, {errors} errors, {seconds} s.".format(**total)
            )
        if failures:
            self.fail(" ".join(failures))

    def _sweep(self, workspace: Workspace) -> SyncRun:
        """Sweep. A shift of the background sync gives way within a second; a dead one holds its lease for longer."""
        until = time.monotonic() + LEASE_SECONDS + 10
        while True:
            try:
                return sweep_workspace(workspace, actor=Actor.system(Origin.COMMAND), on_progress=self._progress())
            except SweepRunningError:
                if time.monotonic() > until:
                    raise
                reserve_workspace(workspace)
                time.sleep(1)

    def _progress(self) -> Any:
        """A bar on a terminal, nothing elsewhere."""
        if not sys.stderr.isatty():
            return None

        def show(run: SyncRun) -> None:
            if run.bundles_to_read is None:
                text = f"{run.bundles} bundles listed"
            else:
                share = min(run.looks / max(run.bundles_to_read, 1), 1.0)
                bar = "█" * round(share * BAR)
                found = f"{run.videos} videos, {run.issues_opened} issues opened"
                text = f"{bar:<{BAR}} {run.looks}/{run.bundles_to_read} bundles, {found}"
            self.stderr.write(f"\r\x1b[K{text}", ending="\n" if run.bundles_to_read == run.looks else "")
            self.stderr.flush()

        return show
