"""`make bench-load`: the real server with a million videos, driven by one member and by hundreds, beside Django's admin.

Sizes from the environment: BUNDLES, VIDEOS, ISSUES, EVENTS (a million videos without them); LEVELS, how many members at
once; SECONDS a step; LOAD_DATABASE_URL, an installation that `manage.py generate_load` has filled, which is kept.
"""

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.bench.ground import ROOT, collect_static, deployed, kept_database, own_database, result, say, table
from tests.bench.processes import free_port, process_group

SIZES = {"bundles": 20_000, "videos": 1_000_000, "issues": 200_000, "events": 5_000_000}
LEVELS = [int(text) for text in os.environ.get("LEVELS", "10 50 200").split()]
SECONDS = int(os.environ.get("SECONDS", "20"))
PASSWORD = "a long password for measuring"
# How often each kind of page is opened, beside the others; "refresh" is the queue's own question for what is new.
KINDS = {
    "queue": 6,
    "filters": 4,
    "refresh": 4,
    "issue": 5,
    "history": 3,
    "insights": 1,
    "search": 1,
    "bundles": 1,
    "at_risk": 1,
}
SERVERS = {
    "granian": ("-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--workers", "2", "--blocking-threads", "4", "--log-level", "warning"),
    "gunicorn": ("-m", "gunicorn", "--workers", "2", "--threads", "4", "--bind"),
    "uvicorn": ("-m", "uvicorn", "--workers", "2", "--log-level", "warning", "--host", "127.0.0.1"),
}  # fmt: skip


def make_plan(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Sessions and addresses for every member of every team; a file for locust, and what is in it."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from issues.models import Issue, Membership

    store = import_module(settings.SESSION_ENGINE).SessionStore
    listed = []
    for member in Membership.objects.select_related("user", "team").order_by("pk"):
        session = store()
        session[SESSION_KEY] = str(member.user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = member.user.get_session_auth_hash()
        session.save()
        base = f"/t/{member.team.slug}"
        issues = Issue.objects.filter(team=member.team)
        some = [
            *issues.filter(state="open").values_list("pk", flat=True)[:20],
            *issues.order_by("?").values_list("pk", flat=True)[:20],
        ]
        bundle = issues.filter(pk=some[0]).values_list("video__bundle__tokportal_id", flat=True)[0]
        person = str(member.user.pk)
        listed.append({
            "session": session.session_key,
            "team": member.team_id,
            "paths": {
                "queue": [f"{base}/?state=open"],
                "refresh": [f"{base}/?state=open&part=list"],
                "filters": [f"{base}/?{urlencode(query)}" for query in (
                    {"state": "fixed"}, {"state": "all"}, {"state": "open", "country": "FR"}, {"state": "fixed", "platform": "tiktok"},
                    {"state": "open", "verdict": "dead"}, {"state": "open", "who": "me"}, {"state": "open", "due": "late"},
                    {"state": "open", "q": "kopi"}, {"state": "fixed", "q": "log-in"}, {"state": "all", "q": "Velo Nord cut 7"},
                    {"state": "fixed", "workspace": "Instagram"}, {"state": "ended"}, {"state": "fixed", "q": "ext-77"},
                )],
                "issue": [f"{base}/issues/{pk}/" for pk in some],
                "history": [f"{base}/history/{query}" for query in (
                    "", "?verb=issue.fixed", f"?person={person}", "?origin=page", f"?bundle={bundle}", "?q=licence", "?q=kopi+nord",
                    "?verb=note.written", "?since=2026-01-01&until=2026-02-01",
                )],
                "insights": [f"{base}/insights/", f"{base}/insights/?days=365"],
                "search": [f"{base}/search/?q=kopi", f"{base}/search/?q=EXT-77", f"{base}/search/?q=cdn12"],
                "bundles": [f"{base}/bundles/", f"{base}/bundles/?show=all&q=lumen"],
                "at_risk": [f"{base}/at-risk/"],
                "admin": [f"/admin/issues/issue/?team__id__exact={member.team_id}&state__exact=open"],
            },
        })  # fmt: skip
    plan = {"cookie": settings.SESSION_COOKIE_NAME, "kinds": KINDS, "members": listed}
    path = folder / "plan.json"
    path.write_text(json.dumps(plan))
    return path, plan


def count_queries(plan: dict[str, Any]) -> dict[str, int]:
    """The most queries of each kind of page, through the whole stack, where nothing is kept of the page before."""
    from django.core.cache import caches
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client, most = Client(), {}
    member = plan["members"][0]
    client.cookies[plan["cookie"]] = member["session"]
    for kind in KINDS:
        for path in member["paths"][kind]:
            client.get(path)
            caches["own"].clear()
            with CaptureQueriesContext(connection) as captured:
                answer = client.get(path)
            if answer.status_code != 200:
                raise RuntimeError(f"{path}: {answer.status_code}")
            most[kind] = max(most.get(kind, 0), len(captured))
    return most


class Site:
    """A server with our pages, and what its own log says of each answer."""

    LINE = re.compile(r"\[\[(?P<path>\S*) (?P<status>\d+) (?P<ms>[\d.]+)\]\]")

    def __init__(self, group: Any, server: str = "granian") -> None:
        self.group, self.server, self.port, self.read_to = group, server, free_port(), 0

    def start(self) -> float:
        """Seconds until the first answer."""
        from issues.management.processes import wait_for_url

        place = [f"127.0.0.1:{self.port}"] if self.server == "gunicorn" else ["--port", str(self.port)]
        logged = (
            ["--access-log", "--access-log-fmt", "[[%(path)s %(status)d %(dt_ms).3f]]"]
            if self.server == "granian"
            else []
        )
        application = "tests.bench.asgi:application" if self.server == "uvicorn" else "tokdash.wsgi:application"
        began = time.perf_counter()
        self.group.start(self.server, sys.executable, *SERVERS[self.server], *place, *logged, application)
        if not wait_for_url(f"http://127.0.0.1:{self.port}/healthz", self.group, seconds=30):
            raise RuntimeError(self.group.tail(self.server))
        return time.perf_counter() - began

    def milliseconds(self) -> list[float]:
        """How long each answer since the last call took inside the server, but for checks of its health."""
        with (self.group.log_dir / f"{self.server}.log").open() as log:
            log.seek(self.read_to)
            lines = log.readlines()
            self.read_to = log.tell()
        found = [match for line in lines if (match := self.LINE.search(line))]
        return [float(match["ms"]) for match in found if match["path"] != "/healthz"]

    def processor_seconds(self) -> float:
        """Seconds of processor that the server and its children have used."""
        stats = [Path(f"/proc/{key}/stat").read_text().rpartition(")")[2].split() for key in family(self.pid)]
        return sum(int(fields[11]) + int(fields[12]) for fields in stats) / os.sysconf("SC_CLK_TCK")

    @property
    def pid(self) -> int:
        return int(self.group.running[self.server].pid)

    def memory_mb(self) -> float:
        """Proportional memory of the server and its children."""
        return pss_mb(self.pid)


def family(pid: int) -> list[int]:
    """A process and all below it."""
    keys = [pid]
    for key in keys:  # grows while it is walked
        keys += [int(text) for text in Path(f"/proc/{key}/task/{key}/children").read_text().split()]
    return keys


def pss_mb(pid: int) -> float:
    """Proportional memory (Pss) of a process and all below it."""
    rollups = [Path(f"/proc/{key}/smaps_rollup").read_text() for key in family(pid)]
    return sum(int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1]) for text in rollups) / 1024  # type: ignore[index]


def drive(
    port: int, plan: Path, users: int, *, only: str = "", pause: str = "0", seconds: int = SECONDS
) -> dict[str, dict[str, float]]:
    """Locust for some seconds; for each kind and "Aggregated": requests, failures, per_s, p50, p95, p99 in milliseconds."""
    # All at once where they do not pause. Who reads in between comes within ten seconds, and counts once all are there.
    arriving = max(users, 10) if pause == "0" else max(users / 10, 1)
    seconds += 0 if pause == "0" else 10
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [
                sys.executable, "-m", "locust", "-f", str(ROOT / "tests/bench/locustfile.py"), "--headless", "-u", str(users),
                "-r", str(arriving), "-t", f"{seconds}s", "--host", f"http://127.0.0.1:{port}", "--csv", f"{folder}/out",
                "--only-summary", "--exit-code-on-error", "0", "--loglevel", "ERROR", "--reset-stats",
            ],
            env={**os.environ, "LOAD_PLAN": str(plan), "LOAD_ONLY": only, "LOAD_PAUSE": pause},
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with Path(folder, "out_stats.csv").open(newline="") as file:
            rows = {row["Name"]: row for row in csv.DictReader(file)}
        with Path(folder, "out_failures.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                say(f"  FAILED {row['Name']}: {row['Error'][:150]} ({row['Occurrences']})")
    return {
        name: {
            "requests": float(row["Request Count"]), "failures": float(row["Failure Count"]), "per_s": float(row["Requests/s"]),
            "p50": float(row["50%"]), "p95": float(row["95%"]), "p99": float(row["99%"]),
        }
        for name, row in rows.items()
    }  # fmt: skip


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else -1.0


def one_member(site: Site, plan: Path, kind: str) -> dict[str, float]:
    """One member without a pause: how long the server takes for each page of one kind."""
    drive(site.port, plan, 1, only=kind, seconds=3)  # warm
    site.milliseconds()
    drive(site.port, plan, 1, only=kind, seconds=max(SECONDS // 2, 5))
    took = site.milliseconds()
    return {
        "pages": len(took),
        "p50": percentile(took, 0.5),
        "p95": percentile(took, 0.95),
        "p99": percentile(took, 0.99),
    }


def open_tabs(site: Site, plan: Path) -> dict[str, float]:
    """Each of the most members leaves the queue open: milliseconds until the answer, and the share of a processor."""
    before = site.processor_seconds()
    seconds = max(SECONDS, 20)
    found = drive(site.port, plan, max(LEVELS), only="refresh", pause="5-5", seconds=seconds)["refresh"]
    return found | {"processors": (site.processor_seconds() - before) / (seconds + 10)}


def rows_of(found: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:,.1f}" for name, value in found.items())


def compare_servers(folder: Path, plan: Path, environment: dict[str, str]) -> None:
    """The same pages from each server that is there: pages a second with eight members, seconds to the first answer."""
    rows: list[tuple[str, object]] = []
    for server in SERVERS:
        with process_group(**environment) as group:
            site = Site(group, server)
            cold = site.start()
            drive(site.port, plan, 8, seconds=4)
            found = drive(site.port, plan, 8)["Aggregated"]
            rows.append((server, f"{found['per_s']:.1f} pages/s  p50 {found['p50']:.0f}  p95 {found['p95']:.0f} ms  failures "
                         f"{found['failures']:.0f}  first answer {cold:.1f} s  memory {site.memory_mb():.0f} MB"))  # fmt: skip
    table("Servers, eight members without a pause", rows)


def main(parts: list[str]) -> None:
    os.environ["TOKDASH_PASSWORD"] = PASSWORD
    kept = os.environ.get("LOAD_DATABASE_URL", "")
    ground = kept_database(kept) if kept else own_database()
    with tempfile.TemporaryDirectory(prefix="tokdash-load-") as folder, ground as about:
        from django.conf import settings
        from django.core.management import call_command

        settings.ALLOWED_HOSTS = ["*"]
        asked = {name: int(os.environ.get(name.upper(), str(usual))) for name, usual in SIZES.items()}
        say(f"{about}; {', '.join(f'{value:,} {name}' for name, value in asked.items())}, 20 teams")
        began = time.perf_counter()
        if not kept:
            call_command("generate_load", teams=20, seed=1, json=True, **asked)
        say(f"made in {time.perf_counter() - began:.0f} s")
        with deployed() as environment:
            os.environ.update(environment)
            plan, contents = make_plan(Path(folder))
            queries = count_queries(contents)
            if "servers" in parts:
                compare_servers(Path(folder), plan, environment)
            else:
                result(measure(plan, environment, queries))


def measure(plan: Path, environment: dict[str, str], queries: dict[str, int]) -> dict[str, object]:
    with process_group(**environment) as group:
        site = Site(group)
        cold = site.start()
        alone = {kind: one_member(site, plan, kind) for kind in KINDS}
        table(
            "One member, milliseconds inside the server",
            [(f"{kind} ({queries[kind]} queries)", rows_of(found)) for kind, found in alone.items()],
        )
        levels = {users: drive(site.port, plan, users) for users in LEVELS}
        for users, found in levels.items():
            table(
                f"{users} members at once, no pause: milliseconds until the answer",
                [(name, rows_of(row)) for name, row in found.items()],
            )
        paused = drive(site.port, plan, max(LEVELS), pause="5-15", seconds=max(SECONDS * 2, 30))
        table(
            f"{max(LEVELS)} members who read for 5 to 15 s between two pages",
            [(name, rows_of(row)) for name, row in paused.items()],
        )
        tabs = open_tabs(site, plan)
        ours = drive(site.port, plan, 8, only="queue")["queue"]
        memory = site.memory_mb()
    with process_group(**environment, TOKDASH_KEPT_SECONDS="0") as group:
        unkept = Site(group)
        unkept.start()
        each_read = {kind: one_member(unkept, plan, kind) for kind in ("queue", "filters", "refresh")}
        tabs_read = open_tabs(unkept, plan)
        ours_read = drive(unkept.port, plan, 8, only="queue")["queue"]
    table(f"{max(LEVELS)} open tabs that ask every five seconds for what is new", [
        ("as deployed", rows_of(tabs)), ("read anew for each", rows_of(tabs_read)),
    ])  # fmt: skip
    table("One member, where each page is read anew (TOKDASH_KEPT_SECONDS=0)", [
        (kind, rows_of(found)) for kind, found in each_read.items()
    ])  # fmt: skip
    with_admin = {**environment, "DJANGO_SETTINGS_MODULE": "tests.bench.admin_settings"}
    collect_static(with_admin)  # its own files beside ours
    with process_group(**with_admin) as group:
        yardstick = Site(group)
        yardstick.start()
        admin_alone = one_member(yardstick, plan, "admin")
        theirs = drive(yardstick.port, plan, 8, only="admin")["admin"]
    table("The same rows in Django's admin", [
        ("one member, inside the server", rows_of(admin_alone)),
        ("eight members, admin's list", rows_of(theirs)),
        ("eight members, our queue", rows_of(ours)),
        ("eight members, our queue read anew for each page", rows_of(ours_read)),
        ("server", f"{memory:.0f} MB, first answer after {cold:.2f} s"),
    ])  # fmt: skip
    errors = sum(found["Aggregated"]["failures"] for found in (*levels.values(), paused))
    return {
        "queue_p95_ms": round(alone["queue"]["p95"], 1),
        "issue_p95_ms": round(alone["issue"]["p95"], 1),
        "history_p95_ms": round(alone["history"]["p95"], 1),
        "queue_queries": queries["queue"],
        "admin_ratio": round(ours["per_s"] / theirs["per_s"], 1),
        "admin_ratio_unkept": round(ours_read["per_s"] / theirs["per_s"], 1),
        "queue_unkept_p95_ms": round(each_read["queue"]["p95"], 1),
        "filters_unkept_p95_ms": round(each_read["filters"]["p95"], 1),
        "users": max(LEVELS),
        "errors": int(errors),
        "filters_p95_ms": round(alone["filters"]["p95"], 1),
        "memory_mb": round(memory),
        "cold_start_s": round(cold, 2),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
