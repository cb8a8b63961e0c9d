"""Real worker processes and the continuous sync: SIGTERM hands over, SIGKILL loses nothing, two beats do no harm."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from datetime import UTC, datetime

import pytest

from issues.sandbox.server import Sandbox
from tests import factories
from tests.test_kill import SUBMIT, Workers, wait_until
from tests.test_kill import installation as installation  # the fixture: a fresh installation

pytestmark = [pytest.mark.kill, pytest.mark.xdist_group("kill")]

STATE = """
import json
from issues.models import Heartbeat, SyncRun, Workspace
w = Workspace.objects.get()
print(json.dumps({"lease": w.sync_lease_until and w.sync_lease_until.isoformat(), "fence": w.sync_fence,
                  "running": SyncRun.objects.filter(state="running").count(),
                  "queues": sorted(Heartbeat.objects.values_list("queue", flat=True))}))
"""


@pytest.fixture
def small_sandbox():
    """Slow enough that a shift is never done with it."""
    with Sandbox(rate=240, bundles=160, videos=320, flagged=12, latency=0.05) as running:
        yield running


def state(installation):
    code, out, err = installation.run("shell", "-v", "0", "-c", STATE)
    assert code == 0, err
    return json.loads(out.splitlines()[-1])


def is_held(found) -> bool:
    return bool(found["lease"]) and datetime.fromisoformat(found["lease"]) > datetime.now(UTC)


def flags_found(installation, sandbox) -> bool:
    known = {(i["bundle_id"], i["position"]) for i in installation.json("list_issues")}
    return known == {(b["id"], v["position"]) for b, v in sandbox.control.videos(download_issue=True)}


def test_sigterm_hands_over_sigkill_loses_nothing_and_two_beats_do_no_harm(installation, small_sandbox, tmp_path):
    workers = Workers(installation, tmp_path)
    try:
        first = workers.worker()
        for name in ("beat-1", "beat-2"):
            workers.environment["TOKDASH_BEAT_FILE"] = str(tmp_path / name)
            workers.start("beat")
        wait_until(lambda: is_held(state(installation)), 40, "a shift begins")

        os.kill(first.pid, signal.SIGTERM)
        began = time.monotonic()
        first.wait(25)
        took = time.monotonic() - began
        handed_over = state(installation)
        second = workers.worker()
        wait_until(lambda: state(installation)["fence"] > handed_over["fence"], 40, "the next worker goes on")

        os.killpg(second.pid, signal.SIGKILL)
        second.wait()
        dead = state(installation)
        workers.worker()
        wait_until(lambda: state(installation)["fence"] > dead["fence"], 60, "a dead worker is followed")
        wait_until(lambda: flags_found(installation, small_sandbox), 120, "every flag is found")
        bundle, video = factories.slot(small_sandbox, "video")
        small_sandbox.control.flag(bundle["id"], video["position"], "new while it runs")
        wait_until(lambda: flags_found(installation, small_sandbox), 120, "a new flag is found")
        wait_until(lambda: len(state(installation)["queues"]) == 4, 40, "a heartbeat came through each queue")
        end = state(installation)
    finally:
        workers.stop()

    assert took < 20, (tmp_path / "workers.log").read_text()[-3000:]
    assert not is_held(handed_over)
    assert end["running"] == 1
    assert small_sandbox.control.counts()["throttled"] == 0
    assert installation.json("verify_audit", "bright-team")["ok"]


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server on this machine")
def test_a_redis_that_is_killed_and_comes_back_empty_costs_nothing(installation, small_sandbox, tmp_path):
    redis = OwnRedis(tmp_path)
    workers = Workers(installation, tmp_path)
    workers.environment |= {"CELERY_BROKER_URL": redis.url, "CACHE_URL": redis.url}
    installation.environment |= {"CELERY_BROKER_URL": redis.url, "CACHE_URL": redis.url}
    try:
        redis.start()
        worker = workers.worker()
        workers.start("beat")
        wait_until(lambda: flags_found(installation, small_sandbox), 120, "every flag is found")

        redis.kill()
        bundle, video = factories.slot(small_sandbox, "video", flagged=True)
        began = time.monotonic()
        code, _, err = installation.run("shell", "-c", SUBMIT.format(bundle=bundle["id"], position=video["position"]))
        submitted = time.monotonic() - began
        assert code == 0, err
        redis.start()
        wait_until(lambda: len(small_sandbox.control.ledger("fix")) == 1, 90, "the fix goes out")
        wait_until(lambda: flags_found(installation, small_sandbox), 60, "the issue is closed")
        survived = worker.poll() is None
    finally:
        workers.stop()
        redis.kill()

    assert survived, (tmp_path / "workers.log").read_text()[-3000:]

    assert submitted < 15  # a whole process with Django in it, that could not reach its broker
    assert small_sandbox.control.counts()["throttled"] == 0


class OwnRedis:
    """A Redis server of this test's own, which keeps nothing."""

    def __init__(self, folder) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder
        self.process = None
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(self.answers, 10, "redis-server listens")

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
