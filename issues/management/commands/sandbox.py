"""`manage.py sandbox`: a stand-in TokPortal on this machine, for the demo, tests and training."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from issues.sandbox.server import FULL_KEY, READ_KEY, Sandbox


class Command(BaseCommand):
    help = "Run a sandbox TokPortal in the foreground until Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8701, help="port of the API, 0 for any (default: %(default)s)")
        parser.add_argument(
            "--storage-port", type=int, default=8702, help="port of the object store (default: %(default)s)"
        )
        parser.add_argument("--image-port", type=int, default=0, help="port of the image store (default: any free one)")
        parser.add_argument(
            "--outside-port", type=int, default=0, help="port of the outside world (default: any free one)"
        )
        parser.add_argument("--bundles", type=int, default=36, help="how many bundles (default: %(default)s)")
        parser.add_argument("--videos", type=int, default=240, help="how many video slots (default: %(default)s)")
        parser.add_argument("--flagged", type=int, default=30, help="how many are flagged (default: %(default)s)")
        parser.add_argument("--seed", type=int, default=1, help="the same seed, the same data (default: %(default)s)")
        parser.add_argument("--rate", type=int, default=120, help="requests a minute and key (default: %(default)s)")
        parser.add_argument("--latency", type=float, default=0, help="milliseconds added to each answer")
        parser.add_argument("--fix-seconds", type=float, default=0, help="seconds that a fix-download takes")

    def handle(self, *args: Any, **options: Any) -> None:
        for name in ("bundles", "videos", "flagged", "rate"):
            if options[name] < (1 if name == "rate" else 0):
                raise CommandError(f"--{name} is too small", returncode=2)
        if options["videos"] and not options["bundles"]:
            raise CommandError("videos need at least one bundle", returncode=2)
        try:
            sandbox = Sandbox(
                host=options["host"],
                port=options["port"],
                storage_port=options["storage_port"],
                image_port=options["image_port"],
                outside_port=options["outside_port"],
                bundles=options["bundles"],
                videos=options["videos"],
                flagged=options["flagged"],
                seed=options["seed"],
                rate=options["rate"],
                latency=options["latency"] / 1000,
                fix_seconds=options["fix_seconds"],
            )
        except OSError as error:
            raise CommandError(f"cannot listen: {error.strerror or error}") from error
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        with sandbox:
            self.stdout.write(f"TokPortal sandbox: TOKPORTAL_BASE_URL={sandbox.base_url}")
            self.stdout.write(f"Object store:      {sandbox.store.origin}")
            self.stdout.write(f"Image store:       {sandbox.images.origin}")
            self.stdout.write(f"Outside world:     TOKDASH_OUTSIDE_WORLD={sandbox.outside.origin}")
            self.stdout.write(f"Key for everything {FULL_KEY}")
            self.stdout.write(f"Key for reading    {READ_KEY}")
            self.stdout.write("Ctrl-C ends it.")
            self.stdout.flush()
            try:
                stop.wait()
            except KeyboardInterrupt:
                self.stdout.write("")
