"""What the image promises: no root, a file system that nothing is written to, and a quick start all the same."""

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from issues.management.processes import ProcessGroup, wait_for_url
from tests.bench.processes import free_port

ROOT = Path(__file__).parent.parent
BUBBLEWRAP = shutil.which("bwrap")


def steps(stage):
    """The instructions of one stage of the Dockerfile, a line each."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    starts = [number for number, line in enumerate(lines) if line.startswith("FROM")]
    return lines[starts[stage] : [*starts[1:], None][stage]]


def test_the_image_runs_without_root_and_owns_its_folder():
    lines = steps(-1)
    order = [next(n for n, line in enumerate(lines) if re.match(start, line)) for start in (
        "COPY --from=build /app", "RUN useradd.*chown tokdash var", "USER 10001", "CMD",
    )]  # fmt: skip
    assert order == sorted(order)  # copied after it was given away, the folder would be root's again
    assert "pip" not in " ".join(lines)


def test_everything_in_the_image_is_compiled():
    """Nothing can be written there: each start would compile all of it anew, which takes a second of two."""
    built = " ".join(steps(0))
    assert "uv pip install --no-cache --compile-bytecode" in built
    assert "compileall -q issues tokdash manage.py" in built


def can_wrap():
    if not BUBBLEWRAP:
        return False
    return subprocess.run([BUBBLEWRAP, "--unshare-user", "--ro-bind", "/", "/", "true"], check=False).returncode == 0


@pytest.mark.skipif(not can_wrap(), reason="bubblewrap is not here, or may not make namespaces")
def test_web_worker_and_beat_write_nothing_but_to_their_temporary_folder(tmp_path):
    """As docker-compose.yml runs them: another user, no capabilities, all of the file system read-only but a folder for what passes."""
    kept, own_tmp = tmp_path / "kept", tmp_path / "tmp"
    kept.mkdir()
    own_tmp.mkdir()
    environment = {
        "PATH": os.environ["PATH"], "DEBUG": "0", "SECRET_KEY": "x" * 60, "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8",
        "TOKDASH_FIELD_KEYS": "k1:MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=", "TOKDASH_SITE_URL": "http://127.0.0.1:8000",
        "ALLOWED_HOSTS": "127.0.0.1", "DATABASE_URL": f"sqlite:///{kept}/tokdash.sqlite3",
        "CELERY_BROKER_URL": f"embedded://localhost{kept}/broker", "CACHE_URL": f"filecache://{kept}/cache",
        "TOKDASH_STATIC_ROOT": f"{kept}/static", "TMPDIR": str(own_tmp),
    }  # fmt: skip
    for command in (("collectstatic", "--no-input", "-v0"), ("migrate", "--no-input", "-v0")):
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True)
    # Whoever owns the folders outside is this one user inside.
    wrapped = (
        BUBBLEWRAP, "--ro-bind", "/", "/", "--bind", str(own_tmp), str(own_tmp), "--bind", str(kept), str(kept), "--dev", "/dev",
        "--proc", "/proc", "--unshare-user", "--unshare-pid", "--uid", "10001", "--gid", "10001", "--cap-drop", "ALL",
        "--die-with-parent", "--chdir", str(ROOT), sys.executable, "-B",
    )  # fmt: skip
    port = free_port()
    group = ProcessGroup(tmp_path / "logs", environment)
    try:
        group.start("web", *wrapped, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "2", "tokdash.wsgi:application")  # fmt: skip
        celery = (*wrapped, "-m", "celery", "-A", "tokdash")
        group.start("worker", *celery, "worker", "-P", "threads", "-c", "4", "-Q", "interactive,sync,links,maintenance", "--without-gossip", "--without-mingle", "--without-heartbeat")  # fmt: skip
        group.start("beat", *celery, "beat", "-s", str(own_tmp / "beat"))
        assert wait_for_url(f"http://127.0.0.1:{port}/accounts/login/", group, seconds=40), group.tail("web")
        until = time.monotonic() + 40
        while b'"workers": "ok"' not in ask(port, "/readyz") and time.monotonic() < until and not group.ended():
            time.sleep(0.5)
        assert b'"workers": "ok"' in ask(port, "/readyz"), group.tail("worker") + group.tail("beat")
        assert b"<form" in ask(port, "/accounts/login/")
        assert list(own_tmp.glob("beat*"))
    finally:
        group.stop()
    said = "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert "Read-only file system" not in said
    assert "Traceback" not in said


def ask(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read()
