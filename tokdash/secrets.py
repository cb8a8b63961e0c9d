"""Secrets for a new installation: `python -m tokdash.secrets` prints a pair for the environment.

Development (`DEBUG=1`) and the demo keep theirs in a file under `var/`, made on the first start and readable
by its owner alone, so that neither needs a configuration and no two checkouts share a key.
"""

import base64
import json
import os
import secrets
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"


def new_secrets() -> dict[str, str]:
    """A fresh `SECRET_KEY` and `TOKDASH_FIELD_KEYS` (one Fernet key, named `k1`)."""
    fernet_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii")
    return {"SECRET_KEY": secrets.token_urlsafe(50), "TOKDASH_FIELD_KEYS": f"k1:{fernet_key}"}


def local_secrets(path: Path) -> dict[str, str]:
    """The secrets in `path`, made there (mode 0600) when there are none yet. Safe when two processes start at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "w") as file:
            json.dump(new_secrets(), file)
    found: dict[str, str] = json.loads(path.read_text())
    return found


def set_demo_environment() -> None:
    """Fill in what the demo needs and the environment leaves open; what is set already stands."""
    demo_dir = VAR_DIR / "demo"
    defaults = {
        **local_secrets(demo_dir / "secrets.json"),
        "DEBUG": "0",
        "DATABASE_URL": f"sqlite:///{demo_dir / 'tokdash.sqlite3'}",
        "CELERY_BROKER_URL": f"embedded://localhost{demo_dir / 'broker'}",
        "CACHE_URL": f"filecache://{demo_dir / 'cache'}",
        "ALLOWED_HOSTS": "127.0.0.1,localhost,[::1]",
        "TOKDASH_STATIC_ROOT": str(demo_dir / "static"),
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


if __name__ == "__main__":
    for name, value in new_secrets().items():
        print(f"{name}={value}")  # noqa: T201
