"""How quick and how light a repair is: click to send, a silent Redis, uploads beside curl, the relay's memory, checks."""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from tests.bench.kills import Browser, Trial
from tests.bench.processes import celery, process_group

CLICKS = 40
UPLOAD_BYTES = 400_000_000
RELAY_BYTES = 1024**3


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


# --- From the click to the first byte at TokPortal ---------------------------------------------------------------


def click_to_send(trial: Trial) -> dict[str, Any]:
    """Submit through the real web server with an idle worker; the sandbox says when the call arrived."""
    arrived: dict[tuple[str, int], float] = {}
    original = type(trial.sandbox.faults).take

    def take(self: Any, kinds: Any, method: str, path: str) -> Any:
        if method == "POST" and path.endswith("/fix-download"):
            _, _, bundle, _, position, _ = path.split("/")
            arrived.setdefault((bundle, int(position)), time.time())
        return original(self, kinds, method, path)

    type(trial.sandbox.faults).take = take
    took, answered = [], []
    try:
        with process_group() as group:
            celery(group, "worker", "worker", "-P", "threads", "-c", "4", "-Q", "interactive,maintenance", "-l", "ERROR",
                   "--without-gossip", "--without-mingle", "--without-heartbeat")  # fmt: skip
            with process_group() as web:
                browser = Browser(web, trial.team.slug)
                time.sleep(4)
                for issue in trial.left[:CLICKS]:
                    started = time.time()
                    browser.fix_by_link(issue)
                    answered.append(time.time() - started)
                    place = (issue.video.bundle.tokportal_id, issue.video.position)
                    until = time.time() + 10
                    while place not in arrived and time.time() < until:
                        time.sleep(0.005)
                    took.append(arrived.get(place, started + 10) - started)
        trial.left = trial.left[CLICKS:]
    finally:
        type(trial.sandbox.faults).take = original
    return {
        "click_to_send_p50_ms": 1000 * statistics.median(took),
        "click_to_send_p95_ms": 1000 * percentile(took, 0.95),
        "page_answers_p95_ms": 1000 * percentile(answered, 0.95),
    }


# --- A Redis that accepts and stays silent -------------------------------------------------------------------------


@contextmanager
def _silent_server() -> Any:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        kept: list[socket.socket] = []
        stop = threading.Event()

        def accept() -> None:
            listener.settimeout(0.2)
            while not stop.is_set():
                try:
                    kept.append(listener.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        stop.set()
        thread.join()
        for connection in kept:
            connection.close()


def silent_redis(trial: Trial) -> dict[str, Any]:
    """Submit while the broker and the cache accept connections and never answer."""
    with _silent_server() as port:
        url = f"redis://127.0.0.1:{port}/0"
        with process_group(CELERY_BROKER_URL=url, TOKDASH_LIMITER_URL=url) as web:
            browser = Browser(web, trial.team.slug)
            took = []
            for issue in trial.left[:CLICKS]:
                started = time.monotonic()
                browser.fix_by_link(issue)
                took.append(time.monotonic() - started)
    trial.left = trial.left[CLICKS:]
    return {
        "submit_silent_redis_p50_ms": 1000 * statistics.median(took),
        "submit_silent_redis_p99_ms": 1000 * percentile(took, 0.99),
    }


# --- Uploads ---------------------------------------------------------------------------------------------------------


def browser_upload(trial: Trial) -> dict[str, Any]:
    """The page in chromium PUTs a file to the store; curl PUTs the same file to the same store.

    Over a line of 1 Gbit/s, as the store takes it; and as fast as loopback goes, where chromium itself is the limit: so a
    bare XMLHttpRequest in the same browser stands beside it.
    """
    from tests import browser as b

    with (
        tempfile.TemporaryDirectory() as folder,
        process_group(TOKDASH_UPLOAD_ORIGINS=f"https:,{trial.sandbox.store.origin}") as web,
        b.chromium() as chromium,
    ):
        clip = b.write_clip(Path(folder) / "clip.mp4", UPLOAD_BYTES)
        server = Browser(web, trial.team.slug)
        page = b.open_page(chromium)
        page.context.add_cookies(
            [{"name": c.name, "value": c.value, "url": server.origin} for c in server.session.cookies]
        )

        def seconds(run: Callable[[Any], float]) -> float:
            return statistics.median(run(trial.left.pop(0)) for _ in range(3))

        def by_page(issue: Any) -> float:
            return _by_page(trial, page, f"{server.origin}/t/{trial.team.slug}/issues/{issue.pk}/", clip)

        def by_bare_request(issue: Any) -> float:
            page.goto(f"{server.origin}/t/{trial.team.slug}/issues/{issue.pk}/")
            page.get_by_role("tab", name="File").click()
            page.locator("#file-input").evaluate(
                "input => input.addEventListener('change', e => { window.kept = e.target.files[0]; }, true)"
            )
            page.locator("#file-input").set_input_files(clip)
            return float(page.evaluate(BARE_PUT, _place(trial, issue)) / 1000)

        curl, bare, ours = (
            seconds(run) for run in (lambda issue: _curl(_place(trial, issue), clip), by_bare_request, by_page)
        )
        trial.sandbox.control.settings(store_speed=GIGABIT)
        line_curl, line_ours = (seconds(run) for run in (lambda issue: _curl(_place(trial, issue), clip), by_page))
        trial.sandbox.control.settings(store_speed=0)
    return {
        "line_curl_mb_per_s": UPLOAD_BYTES / line_curl / 1e6,
        "line_browser_mb_per_s": UPLOAD_BYTES / line_ours / 1e6,
        "browser_upload_ratio": line_curl / line_ours,
        "loopback_curl_mb_per_s": UPLOAD_BYTES / curl / 1e6,
        "loopback_bare_xhr_ratio": curl / bare,
        "loopback_browser_ratio": curl / ours,
    }


GIGABIT = 125_000_000  # bytes a second
BARE_PUT = """place => new Promise((resolve, reject) => {
  const request = new XMLHttpRequest();
  request.open("PUT", place);
  request.setRequestHeader("Content-Type", "video/mp4");
  const started = performance.now();
  request.onload = () => resolve(performance.now() - started);
  request.onerror = reject;
  request.send(window.kept);
})"""


def _by_page(trial: Trial, page: Any, url: str, clip: Path) -> float:
    from playwright.sync_api import expect

    page.goto(url)
    page.get_by_role("tab", name="File").click()
    page.locator("#file-input").set_input_files(clip)
    seen: dict[str, float] = {}

    def note(request: Any) -> None:
        if request.method == "PUT" and request.url.startswith(trial.sandbox.store.origin):
            seen["seconds"] = (request.timing["responseEnd"] - request.timing["requestStart"]) / 1000

    page.on("requestfinished", note)
    page.get_by_role("button", name="Upload and send the fix").click()
    expect(page.locator(".steps")).to_be_visible(timeout=120_000)
    page.remove_listener("requestfinished", note)
    return seen["seconds"]


def _place(trial: Trial, issue: Any) -> str:
    from issues.sync.connection import open_client
    from issues.tokportal.budget import Lane

    with open_client(trial.workspace, Lane.INTERACTIVE, for_fixing=True) as client:
        return client.presign_video(
            filename="clip.mp4", bundle_id=issue.video.bundle.tokportal_id, content_type="video/mp4"
        ).upload_url


def _curl(place: str, clip: Path) -> float:
    done = subprocess.run(
        ["curl", "-sS", "-o", "/dev/null", "-w", "%{time_total} %{time_pretransfer} %{http_code}", "-X", "PUT",
         "-H", "Content-Type: video/mp4", "-H", "Expect:", "-T", str(clip), place],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    total, before, status = done.stdout.split()
    if status != "200":
        raise RuntimeError(f"curl: {done.stdout} {done.stderr}")
    return float(total) - float(before)


def _session_of(session: int) -> list[Path]:
    """The processes of a session, as folders of /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            if int(stat.read_text().rpartition(")")[2].split()[3]) == session:
                found.append(stat.parent)
    return found


def _resident(process: Path) -> int:
    """Bytes in memory."""
    with suppress(OSError, IndexError):
        return int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def relay_memory(trial: Trial) -> dict[str, Any]:
    """1 GiB through our server: how much its processes grow."""
    issue = trial.left.pop(0)
    with process_group() as web:
        browser = Browser(web, trial.team.slug)
        small = trial.left.pop(0)
        browser.fix_by_file(small)  # what a first upload loads is no growth
        body = {"files": [{"name": "big.mp4", "size": RELAY_BYTES, "pieces": []}]}
        steps = browser.until_answered("POST", f"/t/{trial.team.slug}/issues/{issue.pk}/uploads/", json=body).json()[
            "files"
        ][0]
        session = web.running["web"].pid  # each process of a group begins a session of its own

        def memory() -> float:
            return sum(map(_resident, _session_of(session))) / 1e6

        before, most, stop = memory(), 0.0, threading.Event()

        def watch() -> None:
            nonlocal most
            while not stop.wait(0.05):
                most = max(most, memory())

        watcher = threading.Thread(target=watch)
        watcher.start()
        chunk = bytes(1024 * 1024)
        started = time.monotonic()

        class Source:
            """A body of a known length that is never in memory."""

            def __init__(self) -> None:
                self.left = RELAY_BYTES

            def __len__(self) -> int:
                return RELAY_BYTES

            def read(self, count: int = -1) -> bytes:
                size = min(count if count > 0 else len(chunk), self.left, len(chunk))
                self.left -= size
                return chunk[:size]

        answer = requests.put(
            browser.origin + steps["relay"], data=Source(), cookies=browser.session.cookies,
            headers={"X-CSRFToken": browser.session.cookies["csrf"], "Content-Type": "application/octet-stream"}, timeout=300,
        )  # fmt: skip
        seconds = time.monotonic() - started
        stop.set()
        watcher.join()
        if answer.status_code != 200:
            raise RuntimeError(answer.text[:200])
    return {"relay_before_mb": before, "relay_memory_mb": most - before, "relay_mb_per_s": RELAY_BYTES / seconds / 1e6}


# --- The link checker -------------------------------------------------------------------------------------------------


def checker(trial: Trial) -> dict[str, Any]:
    """200 checks at once, 50 of them of hostile hosts: the slowest, and what they need beyond 200 of good ones."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.checking", trial.sandbox.outside.origin],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# --- Many at once ------------------------------------------------------------------------------------------------------


def drain(trial: Trial, count: int = 500, rate: int = 300) -> dict[str, Any]:
    """`count` fixes in bulk under a limit of `rate` a minute: the share of the fix lane that is used, and 429s.

    What the lane may ask for in so many seconds is its burst and the refill (tokportal/budget.py).
    """
    from issues.fixes import bulk
    from issues.models import Fix
    from issues.tokportal.budget import SAFETY, SHARES, Lane
    from tests.bench.processes import worker

    issues, trial.left = trial.left[:count], trial.left[count:]
    text = "\n".join(
        f"{issue.video.bundle.tokportal_id},{issue.video.position},https://cdn.example.com/{issue.pk}.mp4"
        for issue in issues
    )
    plan = bulk.plan_table(team=trial.team, text=text, actor=trial.actor)
    while bulk.check_rows():
        pass
    trial.sandbox.control.settings(rate=rate)
    before = trial.sandbox.control.counts()
    throttled = len(trial.sandbox.control.ledger("throttled"))
    plan = bulk.start(bulk=plan, orders=range(1, count + 1), insist=False, actor=trial.actor)
    while bulk.send_chosen():
        pass
    with process_group() as group:
        worker(group, "worker", threads=16)
        celery(group, "beat", "beat", "-l", "ERROR")
        ended = 0
        until = time.monotonic() + 300
        while ended < len(issues) and time.monotonic() < until:
            time.sleep(0.5)
            ended = Fix.objects.filter(bulk=plan, state="succeeded").count()
    first, last = (
        Fix.objects.filter(bulk=plan).order_by("first_sent_at").first(),
        Fix.objects.filter(bulk=plan).order_by("-finished_at").first(),
    )
    seconds = (last.finished_at - first.first_sent_at).total_seconds()
    asked = trial.sandbox.control.counts()["requests"] - before["requests"]
    lane = SAFETY * rate * (SHARES[Lane.FIX] + seconds / 60)
    return {
        "drained": ended,
        "drain_s": seconds,
        "drain_share_of_lane": asked / lane,
        "drain_429": len(trial.sandbox.control.ledger("throttled")) - throttled,
    }
