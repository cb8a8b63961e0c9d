"""The kill matrix: processes killed at each named point of a fix's life; nothing lost, nothing doubled, all resumed.

Run for one database as a process of its own: `python -m tests.bench.kills postgres|sqlite KILLS [POINT ...]`. The last
line is JSON.
"""

import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from tests.bench.ground import own_database, say
from tests.bench.processes import celery, free_port, process_group

WORKER_POINTS = (
    "fix.claimed", "fix.checked", "fix.sending", "fix.sent", "fix.accepted", "fix.read_back", "fix.succeeding",
    "fix.finished", "fix.dates_wanted", "fix.dates_sending", "fix.dates_sent", "fix.dates_read", "copy.fetched", "copy.stored",
)  # fmt: skip
WEB_POINTS = ("submit.saved", "submit.committed", "upload.begun", "upload.presigned", "upload.stored", "upload.noted")
GOOD = "https://cdn.example.com/ok.mp4"
PATIENCE = 150.0  # seconds for a whole row of the matrix to end
QUEUES = "interactive,maintenance"


class Trial:
    """One installation with a sandbox and many flagged videos, used up row by row."""

    def __init__(self, sandbox: Any, kills: int) -> None:
        from issues.audit import Actor
        from issues.enums import Origin, Role
        from issues.models import Issue
        from issues.sync.sweeps import sweep_workspace
        from tests import factories

        self.sandbox, self.kills = sandbox, kills
        self.user = factories.user("kills@team.example", "Kit Kills")
        self.team = factories.team("Kill Matrix", self.user)
        factories.join(self.team, factories.user("other@team.example", "Other"), Role.EDITOR)
        self.workspace = factories.connect(self.team, sandbox)
        sweep_workspace(self.workspace, actor=Actor.system(Origin.SYNC))
        self.actor = Actor.person(self.user, Origin.PAGE)
        found = Issue.objects.filter(state="open", video__video_type="video").order_by("pk")
        self.left = list(found.select_related("video__bundle", "workspace", "team"))

    def take(self) -> list[Any]:
        taken, self.left = self.left[: self.kills], self.left[self.kills :]
        if len(taken) < self.kills:
            raise RuntimeError("too few flagged videos")
        return taken

    # --- Rows of the matrix --------------------------------------------------------------------------------

    def worker_row(self, point: str, how: str) -> dict[str, Any]:
        """Kill workers at a point: their child alone (prefork), or the whole group (threads)."""
        from issues.fixes.rehost import submit_copy
        from issues.fixes.submit import submit_links

        issues = self.take()
        if "dates" in point:
            self._plan_later(issues)
        with tempfile.TemporaryDirectory() as folder, process_group() as calm:
            celery(calm, "beat", "beat", "-l", "ERROR")
            spec = f"{point},{folder},{how},{self.kills}"
            pool = ("-P", "prefork", "-c", "2") if how == "self" else ("-P", "threads", "-c", "1")

            def start(group: Any) -> None:
                celery(
                    group, "worker", "worker", *pool, "-Q", QUEUES, "-l", "ERROR",
                    "--without-gossip", "--without-mingle", "--without-heartbeat",
                )  # fmt: skip

            with process_group(TOKDASH_CRASH_AT=spec) as doomed:
                start(doomed)
                fixes = [
                    submit_copy(issue=issue, link=GOOD, actor=self.actor)
                    if point.startswith("copy.")
                    else submit_links(issue=issue, links=[GOOD], actor=self.actor, keep_dates="dates" in point)
                    for issue in issues
                ]
                self._watch(fixes, lambda: start(doomed) if doomed.ended() else None)
            return self._judge(point, f"worker {'child' if how == 'self' else 'group'}", issues, Path(folder))

    def web_row(self, point: str) -> dict[str, Any]:
        """Kill the web server at a point; the person comes back and does what a person would do."""
        issues = self.take()
        with tempfile.TemporaryDirectory() as folder, process_group() as calm:
            celery(calm, "beat", "beat", "-l", "ERROR")
            celery(calm, "worker", "worker", "-P", "threads", "-c", "4", "-Q", QUEUES, "-l", "ERROR",
                   "--without-gossip", "--without-mingle", "--without-heartbeat")  # fmt: skip
            with process_group(TOKDASH_CRASH_AT=f"{point},{folder},group,{self.kills}") as doomed:
                browser = Browser(doomed, self.team.slug)
                for issue in issues:
                    if point.startswith("submit."):
                        browser.fix_by_link(issue)
                    else:
                        browser.fix_by_file(issue)
                self._watch(list(_fixes_of(issues)), lambda: None)
            return self._judge(point, "web process", issues, Path(folder))

    def _plan_later(self, issues: list[Any]) -> None:
        """TokPortal plans these videos for next week, each for another day: their fixes have dates to restore."""
        for number, issue in enumerate(issues):
            first = datetime.now(UTC).date() + timedelta(days=7 + number)
            for video in self.sandbox.world.bundles[issue.video.bundle.tokportal_id].videos:
                if video.position == issue.video.position:
                    video.target_publish_date = first.isoformat()
                    video.target_publish_end_date = (first + timedelta(days=1)).isoformat()

    def _watch(self, fixes: list[Any], revive: Callable[[], None]) -> None:
        from issues.enums import UNFINISHED
        from issues.models import Fix

        keys = [fix.pk for fix in fixes]
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            revive()
            if not Fix.objects.filter(pk__in=keys, state__in=UNFINISHED).exists():
                return
            time.sleep(0.1)

    def _judge(self, point: str, who: str, issues: list[Any], folder: Path) -> dict[str, Any]:
        """Count what was killed, lost and doubled, and how long each took from its last kill to its end."""
        from issues.models import Issue

        killed: dict[str, float] = {}
        markers = list(folder.glob(f"{point}.*"))
        for marker in markers:
            key = marker.read_text()
            killed[key] = max(killed.get(key, 0.0), marker.stat().st_mtime)
        fixes = {str(fix.pk): fix for fix in _fixes_of(issues)}
        took = [
            max(fixes[key].finished_at.timestamp() - moment, 0.0)
            for key, moment in killed.items()
            if key in fixes and fixes[key].finished_at
        ]
        effects = Counter((entry["bundle_id"], entry["position"]) for entry in self.sandbox.control.ledger("fix"))
        places = [(issue.video.bundle.tokportal_id, issue.video.position) for issue in issues]
        if "dates" in point:
            effects.update((entry["bundle_id"], entry["position"]) for entry in self.sandbox.control.ledger("patch"))
            # One fix and one window for each; anything more was done twice, a window that is missing counts as lost.
            effects = Counter({place: number - 1 for place, number in effects.items()})
        states = Issue.objects.filter(pk__in=[issue.pk for issue in issues]).values_list("state", flat=True)
        return {
            "point": point,
            "who": who,
            "kills": len(markers),
            "lost": sum(state not in {"fixed", "cleared"} for state in states),
            "doubled": sum(effects[place] > 1 for place in places),
            "without_effect": sum(effects[place] == 0 for place in places),
            "resume_max_s": round(max(took, default=0.0), 1),
        }


def _fixes_of(issues: list[Any]) -> Any:
    from issues.models import Fix

    return Fix.objects.filter(issue__in=[issue.pk for issue in issues])


class Browser:
    """A person with a browser whose server dies now and then."""

    def __init__(self, group: Any, slug: str) -> None:
        self.group, self.slug = group, slug
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.session = requests.Session()
        self.session.trust_env = False
        self._serve()
        page = self.session.get(f"{self.origin}/accounts/login/", timeout=10).text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        answer = self.session.post(
            f"{self.origin}/accounts/login/",
            data={
                "login": "kills@team.example",
                "password": "a long password 1",
                "csrfmiddlewaretoken": token and token[1],
            },
            timeout=10,
        )
        if "/t/" not in answer.url:
            raise RuntimeError("log-in failed")

    def _serve(self) -> None:
        from issues.management.processes import wait_for_url

        self.group.running.pop("web", None)
        self.group.start(
            "web", sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port),
            "--blocking-threads", "4", "--log-level", "error", "tokdash.wsgi:application",
        )  # fmt: skip
        if not wait_for_url(f"{self.origin}/healthz", self.group):
            raise RuntimeError(self.group.tail("web"))

    def ask(self, method: str, path: str, **options: Any) -> requests.Response | None:
        """The answer, or None where the server died over it; it runs again then."""
        headers = {"X-CSRFToken": self.session.cookies.get("csrf", ""), **options.pop("headers", {})}
        try:
            return self.session.request(method, self.origin + path, headers=headers, timeout=30, **options)
        except requests.RequestException:
            time.sleep(0.1)
            if self.group.ended():
                self._serve()
            return None

    def until_answered(self, method: str, path: str, **options: Any) -> requests.Response:
        for _ in range(50):
            answer = self.ask(method, path, **options)
            if answer is not None:
                return answer
        raise RuntimeError(f"no answer: {path}")

    def fix_by_link(self, issue: Any) -> None:
        self.until_answered("POST", f"/t/{self.slug}/issues/{issue.pk}/fix/", data={"links": GOOD})

    def fix_by_file(self, issue: Any) -> None:
        from tests import factories

        begin = f"/t/{self.slug}/issues/{issue.pk}/uploads/"
        body = {"files": [{"name": "a.mp4", "size": len(factories.MP4), "pieces": factories.PIECES}]}
        answer = self.ask("POST", begin, json=body)
        while answer is None or answer.status_code != 201:
            # The person finds an upload that never began, cancels it, and starts again.
            page = self.until_answered("GET", f"/t/{self.slug}/issues/{issue.pk}/").text
            if found := re.search(r"/t/[^\"]+/fixes/[0-9a-f-]+/cancel/", page):
                self.until_answered("POST", found[0])
            answer = self.ask("POST", begin, json=body)
        [steps] = answer.json()["files"]
        # The store is asked through the relay, so that our server has a part in it.
        for method, step in (("POST", "presign"), ("PUT", "relay"), ("POST", "done")):
            options = {"data": factories.MP4} if method == "PUT" else {}
            self.until_answered(method, steps[step], **options)


def run(database: str, kills: int, points: list[str]) -> dict[str, Any]:
    """The whole matrix on one database; prints a line for each row."""
    rows = []
    with own_database(sqlite=database == "sqlite") as ground:
        from issues.sandbox.server import Sandbox

        say(f"# {ground}: {kills} kills at each point")
        chosen = points or [*WORKER_POINTS, *WEB_POINTS]
        needed = kills * (2 * len(set(chosen) & set(WORKER_POINTS)) + len(set(chosen) & set(WEB_POINTS)))
        with Sandbox(rate=600_000, bundles=max(needed // 12, 12), videos=needed * 3, flagged=needed * 2) as sandbox:
            os.environ["TOKDASH_OUTSIDE_WORLD"] = sandbox.outside.origin
            trial = Trial(sandbox, kills)
            for point in chosen:
                ways = [("web", "")] if point in WEB_POINTS else [("worker", "self"), ("worker", "group")]
                for kind, how in ways:
                    row = trial.web_row(point) if kind == "web" else trial.worker_row(point, how)
                    rows.append(row)
                    say(
                        f"{database:<9} {row['point']:<17} {row['who']:<13} kills {row['kills']:>3}  lost {row['lost']}  "
                        f"doubled {row['doubled']}  slowest {row['resume_max_s']:>5} s"
                    )
    return {
        "database": database,
        "kills": sum(row["kills"] for row in rows),
        "lost": sum(row["lost"] + row["without_effect"] for row in rows),
        "doubled": sum(row["doubled"] for row in rows),
        "resume_max_s": max(row["resume_max_s"] for row in rows),
        "rows": rows,
    }


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        found = run(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
        say(json.dumps(found))
