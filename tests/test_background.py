"""Workers are woken up by messages, and do not need them: the embedded broker, nudges, the sweeper."""

import multiprocessing
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

from issues import nudge as nudges
from issues import tasks
from issues.fixes.submit import submit_links
from issues.fixes.uploads import FileFacts, begin_upload
from issues.models import Fix, Issue, SyncRun
from tests import factories
from tests.broker_ends import consume, produce
from tests.test_commands import ROOT
from tokdash import steady_redis

GOOD = "https://cdn.example.com/ok.mp4"


@pytest.fixture
def nudged(monkeypatch):
    """What would be published."""
    sent: list[tuple[str, ...]] = []
    monkeypatch.setattr(tasks, "nudge", lambda *message: sent.append(message))
    return sent


def test_the_sweeper_wakes_workers_for_what_is_due(video_issue, actor, nudged):
    fix = submit_links(issue=video_issue, links=[GOOD], actor=actor)

    tasks.resume_fixes()
    Fix.objects.update(next_try_at=timezone.now() + timedelta(minutes=1))
    tasks.resume_fixes()

    assert nudged == [("issues.run_fix", str(fix.pk))]


def test_the_sweeper_ends_abandoned_uploads(video_issue, actor, nudged):
    begin_upload(
        issue=video_issue, files=[FileFacts("a.mp4", len(factories.MP4), [(0, factories.MP4[:64])])], actor=actor
    )
    Fix.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    tasks.resume_fixes()

    assert Issue.objects.get(pk=video_issue.pk).state == "open"


def test_the_task_brings_a_fix_to_its_end_and_may_run_again(video_issue, actor):
    fix = submit_links(issue=video_issue, links=[GOOD], actor=actor)

    tasks.run_fix(str(fix.pk))
    tasks.run_fix(str(fix.pk))

    assert Fix.objects.get().state == "succeeded"


def test_due_workspaces_are_woken_and_swept_once(workspace, nudged):
    tasks.sync_due_workspaces()
    tasks.sync_workspace(str(workspace.pk))
    tasks.sync_due_workspaces()

    assert nudged == [("issues.sync_workspace", str(workspace.pk))]
    assert SyncRun.objects.count() == 1


def test_a_nudge_never_waits_for_a_silent_broker(settings):
    """Redis that accepts connections and says nothing: `.delay()` would hang for minutes."""
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(64)
    script = (
        "import django, time; django.setup()\n"
        "from issues.nudge import nudge\n"
        "started = time.monotonic()\n"
        "for _ in range(300): nudge('issues.run_fix', 'x')\n"
        "print(time.monotonic() - started)\n"
    )
    for url in (f"redis://127.0.0.1:{silent.getsockname()[1]}/0", "redis://127.0.0.1:9/0"):
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={
                "DEBUG": "1",
                "DJANGO_SETTINGS_MODULE": "tokdash.settings",
                "CELERY_BROKER_URL": url,
                "PATH": "/usr/bin",
            },
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        assert float(done.stdout) < 0.3
    silent.close()


def test_nudges_can_be_switched_off(settings):
    settings.TOKDASH_NUDGES = False
    before = nudges._waiting.qsize()

    nudges.nudge("issues.run_fix", "x")

    assert nudges._waiting.qsize() == before


# --- The embedded broker -----------------------------------------------------------------------------------


def test_the_embedded_broker_loses_and_doubles_nothing(tmp_path):
    """Three producers and two consumers, each a process: kombu's own file transport lost messages here."""
    url = f"embedded://localhost{tmp_path}"
    context = multiprocessing.get_context("spawn")
    found = context.Queue()
    producers = [context.Process(target=produce, args=(url, number * 200, 200)) for number in range(3)]
    consumers = [context.Process(target=consume, args=(url, 8, found)) for _ in range(2)]
    for process in [*consumers, *producers]:
        process.start()
    seen: list[int] = []
    reader_until = time.monotonic() + 16
    while len(seen) < 600 and time.monotonic() < reader_until:
        if not found.empty():
            seen.append(found.get())
        else:
            time.sleep(0.01)
    for process in [*producers, *consumers]:
        process.join(15)

    assert sorted(seen) == list(range(600))


def test_the_embedded_broker_delivers_in_order_and_purges(tmp_path):
    with Connection(f"embedded://localhost{tmp_path}") as connection:
        queue = connection.SimpleQueue("q")
        for number in range(5):
            queue.put({"n": number})
        assert queue.qsize() == 5
        assert [queue.get(timeout=1).payload["n"] for _ in range(3)] == [0, 1, 2]
        assert queue.clear() == 2
        with pytest.raises(queue.Empty):
            queue.get(timeout=0.1)


def test_a_nudge_survives_threads():
    threads = [threading.Thread(target=nudges.nudge, args=("issues.run_fix", "x")) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(1)

    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("call", [("ack", "tag"), ("reject", "tag"), ("restore_unacked_once",)])
def test_a_channel_that_lost_its_connection_does_not_end_the_worker(monkeypatch, caplog, call):
    def closed(*args):
        raise AttributeError("'NoneType' object has no attribute 'client'")

    monkeypatch.setattr(steady_redis.redis.QoS, call[0], closed)
    qos = steady_redis.QoS.__new__(steady_redis.QoS)

    getattr(qos, call[0])(*call[1:])

    assert "was lost with its connection" in caplog.text
    assert TRANSPORT_ALIASES["redis"] == "tokdash.steady_redis:Transport"
    assert steady_redis.Transport.Channel.QoS is steady_redis.QoS
