"""A migrated SQLite database to begin with: made once for all test processes and runs, as long as no migration changes."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = ROOT / "issues" / "migrations"


def template() -> Path:
    """The file; it costs ten seconds of `manage.py migrate` the first time."""
    contents = b"".join(path.read_bytes() for path in sorted(MIGRATIONS.glob("*.py")))
    contents += (ROOT / "requirements" / "base.txt").read_bytes()  # Django's and allauth's own migrations
    path = ROOT / "var" / f"migrated-{hashlib.sha256(contents).hexdigest()[:16]}.sqlite3"
    path.parent.mkdir(exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            made = path.with_suffix(".making")
            made.unlink(missing_ok=True)
            environment = {**os.environ, "DEBUG": "1", "DATABASE_URL": f"sqlite:///{made}"}
            subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
            made.rename(path)
    return path


def copy_to(path: Path) -> None:
    shutil.copyfile(template(), path)
