"""Real processes for the benchmarks: a sandbox, workers, a web server. All end with the block."""

import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.ground import ROOT


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process_group(**environment: str) -> Iterator[Any]:
    from issues.management.processes import ProcessGroup

    with tempfile.TemporaryDirectory(prefix="tokdash-bench-") as folder:
        group = ProcessGroup(Path(folder), {"PYTHONUNBUFFERED": "1", **environment})
        try:
            yield group
        finally:
            group.stop()


@contextmanager
def sandbox_process(**options: object) -> Iterator[Any]:
    """A sandbox in a process of its own; yields its base URL and its control."""
    from issues.management.processes import wait_for_url
    from issues.sandbox.control import SandboxControl

    port = free_port()
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    with process_group() as group:
        group.start(
            "sandbox",
            sys.executable,
            str(ROOT / "manage.py"),
            "sandbox",
            f"--port={port}",
            "--storage-port=0",
            "--outside-port=0",
            *arguments,
        )
        origin = f"http://127.0.0.1:{port}"
        if not wait_for_url(f"{origin}/_sandbox/counts", group, seconds=60):
            raise RuntimeError(group.tail("sandbox"))
        yield f"{origin}/api/ext", SandboxControl(origin)


def celery(group: Any, name: str, *arguments: str) -> None:
    group.start(name, sys.executable, "-m", "celery", "-A", "tokdash", *arguments)


def worker(group: Any, name: str, *, threads: int = 8) -> None:
    """A worker as the compose file starts it."""
    group.environment |= {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "131072"}  # as in the image
    celery(
        group, name, "worker", "-P", "threads", "-c", str(threads), "-Q", "interactive,sync,links,maintenance",
        "-n", f"{name}@bench", "--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING",
    )  # fmt: skip
