"""Real worker processes, killed with SIGKILL in the middle of a fix: one effect at TokPortal, resumed within 40 s.

On SQLite with the embedded broker, or on PostgreSQL with Redis, as the run's DATABASE_URL says.
"""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from django.db import connection

from tests import factories
from tests.test_commands import ROOT, Installation

pytestmark = [pytest.mark.kill, pytest.mark.xdist_group("kill")]

SUBMIT = """
from issues.models import Issue, User
from issues.audit import Actor
from issues.enums import Origin
from issues.fixes.submit import submit_links
issue = Issue.objects.select_related("video__bundle").get(video__bundle__tokportal_id={bundle!r}, video__position={position})
submit_links(issue=issue, links=["https://cdn.example.com/ok.mp4"], actor=Actor.person(User.objects.get(), Origin.PAGE))
"""


@pytest.fixture
def installation(tmp_path, small_sandbox, monkeypatch):
    """A fresh installation on the same kind of database and broker as this run."""
    name = f"tokdash_kill_{uuid.uuid4().hex[:8]}"
    on_postgres = os.environ.get("DATABASE_URL", "").startswith("postgres")
    environment = {}
    if on_postgres:
        import psycopg
        import redis

        server = os.environ["DATABASE_URL"]
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}"')
        broker = (
            os.environ["CELERY_BROKER_URL"].rsplit("/", 1)[0]
            + f"/{10 + int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0')[2:])}"
        )
        redis.Redis.from_url(broker).flushdb()
        environment = {"DATABASE_URL": server.rsplit("/", 1)[0] + f"/{name}", "CELERY_BROKER_URL": broker}
    original = Installation.run
    monkeypatch.setattr(Installation, "run", lambda self, *a, **e: original(self, *a, **{**environment, **e}))
    made = Installation(tmp_path)
    made.environment |= environment
    if on_postgres:  # on SQLite it begins with a migrated file
        assert made.run("migrate", "-v0")[0] == 0
    yield made.connected(small_sandbox)
    if on_postgres:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


class Workers:
    """A worker and a beat as in the demo."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self.environment = {**installation.environment, "TOKDASH_BEAT_FILE": str(folder / "beat")}
        self.log = (folder / "workers.log").open("ab")
        self.running: list[subprocess.Popen] = []

    def start(self, *arguments: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tokdash", *arguments],
            cwd=ROOT, env=self.environment, stdout=self.log, stderr=self.log, start_new_session=True,
        )  # fmt: skip
        self.running.append(process)
        return process

    def worker(self) -> subprocess.Popen:
        return self.start(
            "worker", "-P", "threads", "-c", "4", "-Q", "interactive,sync,links,maintenance",
            "--without-gossip", "--without-mingle", "--without-heartbeat",
        )  # fmt: skip

    def stop(self) -> None:
        for process in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.log.close()


def wait_until(condition, seconds: float, what: str) -> float:
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if condition():
            return time.monotonic() - started
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}")


@pytest.mark.parametrize("fault", ["timeout_after", "timeout_before"])
def test_a_worker_killed_around_the_send_leaves_one_effect(installation, small_sandbox, tmp_path, fault):
    installation.json("sync")
    bundle, video = factories.slot(small_sandbox, "video", flagged=True)
    small_sandbox.control.fault(fault, method="POST", path="fix-download", seconds=90)
    workers = Workers(installation, tmp_path)
    try:
        first = workers.worker()
        workers.start("beat")
        code, _, err = installation.run("shell", "-c", SUBMIT.format(bundle=bundle["id"], position=video["position"]))
        assert code == 0, err

        def was_sent():
            if fault == "timeout_after":
                return bool(small_sandbox.control.ledger("fix"))
            return not [f for f in small_sandbox.faults._faults if f.times]

        wait_until(was_sent, 40, "the fix goes out")
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        killed = time.monotonic()
        workers.worker()

        def is_fixed():
            return not small_sandbox.control.videos(download_issue=True, id=video["id"]) and (
                video["position"], bundle["id"],
            ) not in {(i["position"], i["bundle_id"]) for i in installation.json("list_issues")}  # fmt: skip

        wait_until(is_fixed, 45, "the issue is closed")
        took = time.monotonic() - killed
    finally:
        workers.stop()

    fixed = installation.json("list_issues", "--state", "fixed")
    assert took <= 40, (tmp_path / "workers.log").read_text()[-3000:]
    assert len(small_sandbox.control.ledger("fix")) == 1
    assert [(i["bundle_id"], i["position"]) for i in fixed] == [(bundle["id"], video["position"])]
    assert installation.json("verify_audit", "bright-team")["ok"]
    print(json.dumps({"database": connection.vendor, "fault": fault, "resumed_after_s": round(took, 1)}))


def test_the_kill_matrix_in_short():
    """`make bench-fixes` kills twenty times at each of twenty points; here once at some, on this run's database."""
    on_postgres = connection.vendor == "postgresql"
    environment = dict(os.environ)
    if on_postgres:
        number = 12 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
        environment["TEST_DATABASE_URL"] = os.environ["DATABASE_URL"]
        environment["TEST_REDIS_URL"] = os.environ["CELERY_BROKER_URL"].rsplit("/", 1)[0] + f"/{number}"
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.bench.kills", "postgres" if on_postgres else "sqlite", "1",
            "fix.accepted", "fix.dates_sent", "copy.stored", "submit.committed", "upload.noted",
        ],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["kills"], found["lost"], found["doubled"]) == (8, 0, 0), done.stdout
    assert found["resume_max_s"] <= 40, done.stdout
