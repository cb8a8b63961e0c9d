"""The embedded broker: messages as files, for the demo and for one-machine installations without Redis.

kombu's own filesystem transport writes a message in place and its readers meet half-written files; with
several producers and consumers messages were lost. Here a message is written under a hidden name and renamed
when it is whole, and a consumer claims it by renaming it: both are atomic on POSIX file systems. A message
whose consumer dies is gone; the sweeper finds its work in the database.
"""

import os
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import virtual
from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.json import dumps, loads

POLL_SECONDS = 0.1


class Channel(virtual.Channel):
    """A queue is a folder; a message a file in it, named so that sorting gives first in, first out."""

    def _folder(self, queue: str) -> Path:
        connection: Any = self.connection.client
        # embedded://localhost/var/lib/x arrives as virtual_host "var/lib/x" (URL parsing eats the first slash).
        folder = Path("/" + str(connection.virtual_host).lstrip("/")) / queue.replace("/", "_")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        folder = self._folder(queue)
        name = f"{time.time_ns():020d}.{uuid.uuid4().hex}"
        hidden = folder / f".{name}"
        hidden.write_bytes(str_to_bytes(dumps(message)))
        hidden.rename(folder / f"{name}.msg")

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = self._folder(queue)
        for message in sorted(folder.glob("*.msg")):
            claimed = folder / f".{message.name}.{os.getpid()}.taken"
            try:
                message.rename(claimed)
            except FileNotFoundError:
                continue  # another consumer was faster
            text = claimed.read_bytes()
            claimed.unlink()
            return loads(bytes_to_str(text))
        raise Empty

    def _purge(self, queue: str) -> int:
        count = 0
        for message in self._folder(queue).glob("*.msg"):
            message.unlink(missing_ok=True)
            count += 1
        return count

    def _size(self, queue: str) -> int:
        return sum(1 for _ in self._folder(queue).glob("*.msg"))


class Transport(virtual.Transport):
    """`embedded://localhost/absolute/folder`."""

    Channel = Channel
    implements = virtual.Transport.implements.extend(asynchronous=False, exchange_type=frozenset(["direct", "topic"]))
    default_port = 0
    driver_type = "embedded"
    driver_name = "embedded"
    polling_interval = POLL_SECONDS
    # One process-wide exchange table, as for every virtual transport without a server.
    global_state = virtual.BrokerState()

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.state = self.global_state

    def driver_version(self) -> str:
        return "1"
