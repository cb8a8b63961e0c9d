"""Leases: whoever works on a row holds it for some seconds and renews; a dead worker's row is free again by itself.

The fencing number in the row grows with every claim, and each write of a worker checks that it is still his.
"""

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from django.db import DatabaseError, close_old_connections, connection

from issues.problems import LeaseLostError

logger = logging.getLogger(__name__)


class LeaseKeeper:
    """Renews a lease from a thread of its own while the block runs.

    `renew` extends the lease in the database and tells whether it is still ours. It is called every `every` seconds.
    """

    def __init__(self, renew: Callable[[], bool], *, every: float) -> None:
        self._renew = renew
        self._every = every
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="lease-keeper")

    def check(self) -> None:
        """Raise LeaseLostError once somebody else holds the row."""
        if self._lost.is_set():
            raise LeaseLostError

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._every):
                try:
                    close_old_connections()
                    if not self._renew():
                        self._lost.set()
                        return
                except DatabaseError:
                    # The lease runs on; if the database stays away it ends, and the fence guards the writes.
                    logger.warning("could not renew a lease", exc_info=True)
        finally:
            connection.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=10)
