"""`make bench-grow`: more workers for more workspaces, a rolling restart under load, and a soak with faults.

Parts: `workers` (1, 2 and 4 of them, 8 workspaces), `restart`, `soak` (SOAK_SECONDS, 600 without it).
"""

import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from tests.bench.ground import ROOT, deployed, own_database, result, say, table
from tests.bench.processes import celery, free_port, process_group, sandbox_process, worker

PARTS = ("workers", "restart", "soak")
WORKERS = ("workers-1", "workers-2", "workers-4")
WORKSPACES, BUNDLES, RATE = 8, 60, 240
SECONDS = int(os.environ.get("SECONDS", "60"))
SOAK_SECONDS = int(os.environ.get("SOAK_SECONDS", "600"))
FAULT_EVERY = 5.0
WATCHED = ("web", "worker-steady")  # whose memory is told
GOOD = "https://cdn.example.com/ok.mp4"
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 500}, {"kind": "status", "status": 503, "headers": {"Retry-After": "2"}},
    {"kind": "status", "status": 429, "code": "RATE_LIMIT_EXCEEDED", "headers": {"Retry-After": "2"}},
    {"kind": "reset_before"}, {"kind": "reset_after"}, {"kind": "reset_during"}, {"kind": "timeout_after", "seconds": 8},
    {"kind": "reset_after", "method": "POST", "path": "fix-download"}, {"kind": "truncated"}, {"kind": "malformed"},
    {"kind": "html"}, {"kind": "missing_fields"}, {"kind": "null_fields"}, {"kind": "unknown_enums"}, {"kind": "shift_listing", "by": 3},
    {"kind": "timeout_before", "seconds": 8, "method": "POST", "path": "fix-download"}, {"kind": "huge", "bytes": 80_000_000, "announced": False},
)  # fmt: skip


def connect(name: str, base_url: str, control: Any, count: int) -> tuple[Any, list[Any]]:
    """A team with `count` workspaces, each with a key of its own."""
    from issues.sealed import Secret
    from tests.bench.making import make_workspace

    workspaces = []
    for number in range(count):
        key = f"sk_{number:02}{'c' * 60}"
        control.key(key)
        workspace = make_workspace(f"{name} {number}", base_url, key)
        if workspaces:  # all in the first one's team
            workspace.team_id = workspaces[0].team_id
        workspace.read_key = Secret(key)
        workspace.save()
        workspaces.append(workspace)
    return workspaces[0].team, workspaces


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(0.5)
    raise RuntimeError(f"not within {seconds:.0f} s: {what}")


def all_looked(workspaces: list[Any]) -> bool:
    from issues.models import SyncGauge

    gauges = SyncGauge.objects.filter(workspace__in=workspaces, oldest_look_at__isnull=False)
    return gauges.count() == len(workspaces)


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


# --- A site under load ----------------------------------------------------------------------------------------


class Visitors:
    """Members who open pages and repair links until they are stopped; what went wrong for them is kept."""

    def __init__(self, origin: str, team: Any, user: Any, count: int) -> None:
        from importlib import import_module

        from django.conf import settings
        from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

        store = import_module(settings.SESSION_ENGINE).SessionStore()
        store[SESSION_KEY], store[BACKEND_SESSION_KEY] = str(user.pk), settings.AUTHENTICATION_BACKENDS[0]
        store[HASH_SESSION_KEY] = user.get_session_auth_hash()
        store.save()
        self.cookie = (settings.SESSION_COOKIE_NAME, store.session_key)
        self.base = f"{origin}/t/{team.slug}"
        self.wrong: list[str] = []
        self.pages = self.fixes = 0
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self._look, args=(number,), daemon=True) for number in range(count)]
        self.threads.append(threading.Thread(target=self._repair, daemon=True))

    def start(self) -> "Visitors":
        for thread in self.threads:
            thread.start()
        return self

    def stop(self) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join(60)

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.cookies.set(*self.cookie)
        return session

    def _ask(self, session: requests.Session, method: str, path: str, **options: Any) -> requests.Response | None:
        try:
            answer = session.request(method, self.base + path, timeout=30, allow_redirects=False, **options)
        except requests.RequestException as error:
            self.wrong.append(f"{method} {path}: {type(error).__name__}")
            return None
        if answer.status_code >= 500 or answer.status_code in {403, 404}:
            self.wrong.append(f"{method} {path}: {answer.status_code}")
        return answer

    def _look(self, number: int) -> None:
        session, paths = self._session(), ("/?state=open", "/history/", "/?state=fixed", "/bundles/", "/insights/")
        while not self.stopped.wait(0.4):
            self._ask(session, "GET", paths[(self.pages + number) % len(paths)])
            self.pages += 1

    def _repair(self) -> None:
        session = self._session()
        while not self.stopped.wait(1.0):
            page = self._ask(session, "GET", "/?state=open")
            # Those that can be ticked are open and in nobody's hands yet.
            rows = re.findall(r'data-pick value="(\d+)"', page.text) if page is not None else []
            for row in rows[:2]:
                self._ask(session, "GET", f"/issues/{row}/")
                answer = self._ask(
                    session, "POST", f"/issues/{row}/fix/",
                    data={"links": GOOD, "unchecked": "1"}, headers={"X-CSRFToken": session.cookies.get("csrf", "")},
                )  # fmt: skip
                self.fixes += bool(answer is not None and answer.status_code in {200, 302, 303})


def start_web(group: Any, port: int) -> None:
    from issues.management.processes import wait_for_url

    group.start(
        "web", sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "2", "--blocking-threads", "4", "--log-level", "error", "tokdash.wsgi:application",
    )  # fmt: skip
    if not wait_for_url(f"http://127.0.0.1:{port}/healthz", group, seconds=30):
        raise RuntimeError(group.tail("web"))


def flag_on(control: Any, stopped: threading.Event, every: float) -> None:
    """Managers who flag one video after the other."""
    chance = random.Random(5)
    while not stopped.wait(every):
        quiet = [
            (bundle["id"], video["position"])
            for bundle, video in control.videos(download_issue=False, video_type="video")
            if bundle["status"] in {"published", "accepted", "in_review"}
        ]
        if quiet:
            control.flag(*chance.choice(quiet))


def judge(team: Any, control: Any, visitors: Visitors) -> dict[str, Any]:
    """What must be true at the end, whatever happened."""
    from issues.audit.verify import verify_team
    from issues.enums import UNFINISHED
    from issues.models import Fix, Issue

    wait_for(lambda: not Fix.objects.filter(team=team, state__in=UNFINISHED).exists(), 120, "every fix ends")
    effects = Counter((entry["bundle_id"], entry["position"]) for entry in control.ledger("fix"))
    flagged_again = Counter(
        Issue.objects.filter(team=team).values_list("video__bundle__tokportal_id", "video__position")
    )
    fixes = Fix.objects.filter(team=team)
    return {
        "pages": visitors.pages,
        "wrong": len(visitors.wrong),
        "fixes": fixes.count(),
        "verified": fixes.filter(state="succeeded").count(),
        "stopped_for_a_person": fixes.filter(state__in=["rejected", "needs_human"]).count(),
        "lost": max(visitors.fixes - fixes.count(), 0),
        "doubled": sum(count > flagged_again[place] for place, count in effects.items()),
        "history_holds": verify_team(team).ok,
    }


@dataclass
class AtWork:
    """A team at work on a site of its own: web, beat, workers; members who click and one who repairs."""

    team: Any
    control: Any
    group: Any
    visitors: Visitors

    def end(self) -> dict[str, Any]:
        """Everybody stops; what must be true now. Says what went wrong, with the server's words."""
        self.visitors.stop()
        self.control.clear_faults()
        verdict = judge(self.team, self.control, self.visitors)
        for text in self.visitors.wrong[:5]:
            say(f"  WRONG {text}")
        if self.visitors.wrong:
            log = (self.group.log_dir / "web.log").read_text(errors="replace")
            say(log[log.find("Traceback") :][:6000])
        return verdict


@contextmanager
def at_work(name: str, *, workers: Sequence[str], members: int, **sandbox: object) -> Iterator[AtWork]:
    from issues.models import User

    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    with sandbox_process(**sandbox, latency=20, fix_seconds=0.3) as (base_url, control):
        team, workspaces = connect(name, base_url, control, 1)
        user = User.objects.get(email=f"{name.lower()}-0@bench.example")
        with deployed() as environment, process_group(**environment, TOKDASH_SITE_URL=origin) as group:
            start_web(group, port)
            for worker_name in workers:
                worker(group, worker_name)
            celery(group, "beat", "beat", "-s", str(group.log_dir / "beat"), "-l", "ERROR")
            wait_for(lambda: all_looked(workspaces), 90, "the first look is complete")
            yield AtWork(team, control, group, Visitors(origin, team, user, members).start())


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
