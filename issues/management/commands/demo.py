"""`manage.py demo`: all of TokDash on this machine, with a sandbox TokPortal instead of the real one."""

import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandParser
from django.db import connection

from issues import members
from issues.enums import Role
from issues.management.base import TokDashCommand
from issues.management.processes import ProcessGroup, wait_for_url
from issues.models import Workspace
from issues.sandbox.server import FULL_KEY
from issues.sync.connection import open_client
from issues.sync.workspaces import connect_workspace, learn_storage_prefix
from issues.tokportal.budget import Lane

PASSWORD = "tokdash-demo"  # noqa: S105 - printed on the screen
TEAM = "Brightside Agency"
PEOPLE = (
    ("anna@demo.example", "Anna Keller", Role.OWNER),
    ("ben@demo.example", "Ben Okafor", Role.EDITOR),
    ("vera@demo.example", "Vera Lindt", Role.VIEWER),
)


def free_port(wanted: int) -> int:
    """`wanted` where it is free, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port")


class Command(TokDashCommand):
    help = "Run the demo until Ctrl-C: sandbox TokPortal, web server, worker and beat, with a fresh SQLite database."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--port", type=int, default=8000, help="the web port (default: %(default)s, else a free one)"
        )
        parser.add_argument("--sandbox-port", type=int, default=8701)
        parser.add_argument("--storage-port", type=int, default=8702)
        parser.add_argument("--image-port", type=int, default=8704)
        parser.add_argument("--outside-port", type=int, default=8703)
        parser.add_argument("--bundles", type=int, default=36)
        parser.add_argument("--videos", type=int, default=240)
        parser.add_argument("--flagged", type=int, default=30)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--rate", type=int, default=120, help="the sandbox's requests a minute")
        parser.add_argument("--latency", type=float, default=60, help="milliseconds of the sandbox's answers")
        parser.add_argument("--fix-seconds", type=float, default=1.5, help="how long the sandbox's fixes take")

    def handle(self, *args: Any, **options: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        folder = Path(os.environ["TOKDASH_STATIC_ROOT"]).parent
        port = free_port(options["port"])
        sandbox_port, storage_port = free_port(options["sandbox_port"]), free_port(options["storage_port"])
        image_port = free_port(options["image_port"])
        outside_port = free_port(options["outside_port"])
        base_url = f"http://127.0.0.1:{sandbox_port}/api/ext"
        site_url = f"http://127.0.0.1:{port}"
        stores = [f"http://127.0.0.1:{number}" for number in (storage_port, image_port)]
        group = ProcessGroup(
            folder / "logs",
            {
                "TOKDASH_SITE_URL": site_url,
                "TOKDASH_UPLOAD_ORIGINS": ",".join(["https:", *stores]),
                "TOKPORTAL_BASE_URL": base_url,
                "TOKDASH_OUTSIDE_WORLD": f"http://127.0.0.1:{outside_port}",
                "TOKDASH_BEAT_FILE": str(folder / "beat"),
                "PYTHONUNBUFFERED": "1",
            },
        )
        try:
            ports = (port, sandbox_port, storage_port, image_port, outside_port)
            self._run(group, folder, ports, base_url, site_url, options)
        except KeyboardInterrupt:
            self.stdout.write("\nStopping…")
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            group.stop()
        self.stdout.write("Stopped. Nothing is left running.")

    def _run(
        self,
        group: ProcessGroup,
        folder: Path,
        ports: tuple[int, int, int, int, int],
        base_url: str,
        site_url: str,
        options: dict[str, Any],
    ) -> None:
        port, sandbox_port, storage_port, image_port, outside_port = ports
        manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
        numbers = [
            f"--image-port={image_port}",
            f"--outside-port={outside_port}",
            *(
                f"--{name.replace('_', '-')}={options[name]}"
                for name in ("bundles", "videos", "flagged", "seed", "rate", "latency", "fix_seconds")
            ),
        ]
        numbers.append(f"--storage-port={storage_port}")
        group.start("sandbox", *manage, "sandbox", f"--port={sandbox_port}", *numbers)
        self.stdout.write("Preparing the database…")
        self._fresh_start(folder)
        self._wait(group, f"http://127.0.0.1:{sandbox_port}/_sandbox/ledger")
        self._make_team(base_url)
        connection.close()
        granian = ["-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
        group.start(
            "web",
            sys.executable,
            *granian,
            "--blocking-threads",
            "8",
            "--log-level",
            "error",
            "tokdash.wsgi:application",
        )
        celery = [sys.executable, "-m", "celery", "-A", "tokdash"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        group.start(
            "worker", *celery, "worker", "-P", "threads", "-c", "8", "-Q", "interactive,sync,links,maintenance", *quiet
        )
        group.start("beat", *celery, "beat")
        self._wait(group, f"{site_url}/healthz")
        self._greet(site_url)
        while not (ended := group.ended()):
            time.sleep(0.5)
        self.fail(f"The {ended} process has ended:\n{group.tail(ended)}")

    def _wait(self, group: ProcessGroup, url: str) -> None:
        if not wait_for_url(url, group):
            ended = group.ended()
            self.fail(f"The {ended} process has ended:\n{group.tail(ended)}" if ended else f"{url} does not answer.")

    def _fresh_start(self, folder: Path) -> None:
        """A new database, an empty broker, the static files. The secrets stay."""
        database = Path(str(settings.DATABASES["default"]["NAME"]))
        if folder not in database.parents:
            self.wrong_use("The demo makes its own database: unset DATABASE_URL.")
        for ending in ("", "-wal", "-shm"):
            database.with_name(database.name + ending).unlink(missing_ok=True)
        for name in ("broker", "cache", "logs/old"):
            shutil.rmtree(folder / name, ignore_errors=True)
        call_command("migrate", verbosity=0, interactive=False)
        call_command("collectstatic", verbosity=0, interactive=False)

    def _make_team(self, base_url: str) -> None:
        actor = self.operator()
        (email, name, _), *others = PEOPLE
        owner, _ = members.get_or_create_user(email=email, name=name, password=PASSWORD)
        team = members.create_team(name=TEAM, owner=owner, actor=actor)
        for email, name, role in others:
            user, _ = members.get_or_create_user(email=email, name=name, password=PASSWORD)
            members.add_member(team=team, user=user, role=role, actor=actor)
        workspace = connect_workspace(
            team=team, name="Brightside on TokPortal", base_url=base_url, read_key=FULL_KEY, actor=actor
        )
        _learn_where_images_lie(workspace)
        # Waits in the broker for the worker: the first look begins with it.
        current_app.send_task("issues.sync_workspace", args=[str(workspace.pk)])

    def _greet(self, site_url: str) -> None:
        self.stdout.write("")
        self.stdout.write(self.style.SUCCESS(f"TokDash runs at {site_url}"))
        self.stdout.write("")
        for email, name, role in PEOPLE:
            self.stdout.write(f"  {role.label:7} {email:20} password {PASSWORD}   ({name})")
        self.stdout.write("")
        self.stdout.write("The first look has begun. Ctrl-C stops everything.")
        self.stdout.flush()


def _learn_where_images_lie(workspace: Workspace) -> None:
    """As after a team's first upload: from then on the images that TokPortal keeps can be opened and checked."""
    with open_client(workspace, Lane.INTERACTIVE, for_fixing=True) as client:
        bundle = client.list_bundles(per_page=1).bundles[0]
        place = client.presign_image(filename="first.jpg", bundle_id=bundle.id, content_type="image/jpeg")
    learn_storage_prefix(workspace, public_url=place.public_url, storage_path=place.storage_path)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
