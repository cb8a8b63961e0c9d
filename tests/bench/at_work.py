"""A team at work on a site of its own, with a sandbox: members who click and repair, managers who flag."""

import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from tests.bench.ground import deployed, say
from tests.bench.processes import celery, free_port, process_group, sandbox_process, worker

GOOD = "https://cdn.example.com/ok.mp4"


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
