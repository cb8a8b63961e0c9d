"""Start and stop a sandbox: the API, the object stores and the outside world, each on a port of its own."""

import threading
import time
from types import TracebackType
from typing import Self

from issues.sandbox.api import PREFIX, ApiHandler
from issues.sandbox.control import SandboxControl
from issues.sandbox.data import OWNER, fill, stored_images
from issues.sandbox.faults import Faults
from issues.sandbox.http import Server
from issues.sandbox.media import jpeg
from issues.sandbox.outside import OutsideWorldServer
from issues.sandbox.showcase import ENOUGH_TO_SHOW, show
from issues.sandbox.storage import IMAGE_BASE, StorageHandler, Store
from issues.sandbox.webhooks import Webhooks
from issues.sandbox.world import World
from issues.tokportal import constants as c

# Printed on purpose: they open nothing but a sandbox.
FULL_KEY = "sk_" + "5a" * 32
READ_KEY = "sk_" + "7e" * 32


class Sandbox:
    """A running sandbox; port 0 takes any free port. Use as a context manager or call `start` and `stop`."""

    def __init__(
        self,
        *,
        port: int = 0,
        storage_port: int = 0,
        image_port: int = 0,
        outside_port: int = 0,
        host: str = "127.0.0.1",
        bundles: int = 36,
        videos: int = 240,
        flagged: int = 30,
        seed: int = 1,
        rate: int = c.DEFAULT_LIMIT_PER_MINUTE,
        latency: float = 0.0,
        fix_seconds: float = 0.0,
    ) -> None:
        self.world = World(rate=rate)
        self.world.latency, self.world.fix_seconds = latency, fix_seconds
        self.world.add_key(FULL_KEY, OWNER)
        self.world.add_key(READ_KEY, OWNER, ("read",))
        fill(self.world, seed=seed, bundles=bundles, videos=videos, flagged=flagged)
        if flagged >= ENOUGH_TO_SHOW:
            show(self.world)
        self.faults = Faults()
        self.store, self.images = Store(), Store(IMAGE_BASE)
        self.webhooks = Webhooks(self.world)
        self._host, self._stopping = host, False
        try:
            self._storage = Server((host, storage_port), StorageHandler)
            self._image_storage = Server((host, image_port), StorageHandler)
            self._api = Server((host, port), ApiHandler)
            self.outside = OutsideWorldServer(host=host, port=outside_port)
        except OSError:
            self.store.close()
            self.images.close()
            raise
        self._storage.app = self._image_storage.app = self._api.app = self
        self._storage.store, self._image_storage.store = self.store, self.images
        self.port, self.storage_port = self._api.server_address[1], self._storage.server_address[1]
        self.origin = f"http://{host}:{self.port}"
        self.base_url = f"{self.origin}{PREFIX}"
        self.store.origin = f"http://{host}:{self.storage_port}"
        self.image_port = self._image_storage.server_address[1]
        self.images.origin = f"http://{host}:{self.image_port}"
        self.outside.direct += [f"{host}:{self.storage_port}", f"{host}:{self.image_port}"]
        self.images.add_samples(stored_images(self.world), jpeg(60_000))
        self.control = SandboxControl(self.origin)

    def start(self) -> None:
        for server in (self._storage, self._image_storage, self._api):
            self._serve(server)
        self.outside.start()

    def _serve(self, server: Server) -> None:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self._stopping = True
        for server in (self._storage, self._image_storage, self._api):
            server.shutdown()
            server.server_close()
        self.outside.stop()
        self.store.close()
        self.images.close()

    def refuse_connections(self, seconds: float) -> None:
        """Close the API's port for a while; open connections stay."""
        time.sleep(0.1)  # let the control call be answered first
        self._api.shutdown()
        self._api.server_close()
        time.sleep(seconds)
        if not self._stopping:
            self._api = Server((self._host, self.port), ApiHandler)
            self._api.app = self
            self._serve(self._api)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
