"""A running TokDash for browser tests and screenshots: the demo, and Debian's chromium to look at it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from issues.sandbox.media import mp4

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
]  # fmt: skip
PASSWORD = "tokdash-demo"
OWNER, EDITOR, VIEWER = "anna@demo.example", "ben@demo.example", "vera@demo.example"


class Demo:
    """`manage.py demo` as a process, in a folder of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOKDASH_", "DJANGO"))}
        for name in ("DATABASE_URL", "CELERY_BROKER_URL", "CACHE_URL", "SECRET_KEY", "DEBUG"):
            kept.pop(name, None)
        environment = {
            **kept,
            "DATABASE_URL": f"sqlite:///{folder / 'tokdash.sqlite3'}",
            "CELERY_BROKER_URL": f"embedded://localhost{folder / 'broker'}",
            "CACHE_URL": f"filecache://{folder / 'cache'}",
            "TOKDASH_STATIC_ROOT": str(folder / "static"),
        }
        self.environment = environment
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "demo", "--port=0", "--sandbox-port=0", "--storage-port=0", "--image-port=0", "--outside-port=0", *arguments],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        self.output = ""
        self.folder = folder
        while "Ctrl-C stops everything" not in self.output:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"the demo did not start:\n{self.output}")
            self.output += line
        self.url = re.search(r"TokDash runs at (\S+)", self.output)[1]

    def manage(self, *arguments: str, **environment: str) -> None:
        """Run a command of `manage.py` on the demo's database."""
        subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env={**self.environment, "DEBUG": "1", **environment}, check=True, capture_output=True,
        )  # fmt: skip

    @property
    def sandbox_origin(self) -> str:
        text = (self.folder / "logs" / "sandbox.log").read_text()
        return re.search(r"TOKPORTAL_BASE_URL=(\S+)/api/ext", text)[1]

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.output += self.process.stdout.read()
        self.process.stdout.close()
        return self.process.wait(30)

    def children(self) -> list[int]:
        """Process ids of everything that the demo has started and that still runs."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                command = (stat.parent / "cmdline").read_text()
                environment = (stat.parent / "environ").read_text()
            except OSError:
                continue
            if str(self.folder) in environment and command and int(stat.parent.name) != self.process.pid:
                found.append(int(stat.parent.name))
        return found


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def open_page(browser: Browser, *, width: int = 1440, height: int = 900, dark: bool = False) -> Page:
    """A page in Paris, with what the console complains about collected in `page.complaints`."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        timezone_id="Europe/Paris",
        locale="en-GB",
    )
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda m: page.complaints.append(m.text) if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.set_default_timeout(10_000)
    return page


def log_in(page: Page, url: str, email: str = OWNER) -> None:
    page.goto(f"{url}/accounts/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url("**/t/**")


def wait_for_issues(page: Page, count: int) -> None:
    """Reload until the first sweep has found them all."""
    for _ in range(60):
        page.goto(page.url)
        found = page.locator(".tabs [aria-current] .count").inner_text()
        if int(found) >= count:
            return
        time.sleep(0.5)
    raise AssertionError(f"only {found} issues")


def width_of(page: Page) -> int:
    """How wide the page is, once it is there: a click that leads elsewhere may not have arrived yet."""
    page.wait_for_load_state("load")
    for _ in range(50):
        width = page.evaluate("document.documentElement ? document.documentElement.scrollWidth : null")
        if width is not None:
            return int(width)
        page.wait_for_timeout(100)
    raise AssertionError("there is no page")


def too_wide(page: Page) -> list[str]:
    """What reaches beyond the right edge: the beginning of each such element."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => e.outerHTML.slice(0, 160))"
    )
    return found[:5]


def write_clip(path: Path, size: int = 30_000_000) -> Path:
    """A file with the boxes of an MP4 around nothing."""
    content = mp4(size)
    with path.open("wb") as file:
        file.write(content.head)
        file.truncate(size)
    return path


def dump(value: object) -> str:
    return json.dumps(value, indent=1)
