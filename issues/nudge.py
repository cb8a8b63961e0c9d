"""Wake a worker up. A nudge may be lost or late: the sweeper finds the work in the database all the same.

Publishing happens in a thread of its own, since a broker that accepts connections and stays silent would hold a page
for seconds.
"""

import logging
import queue
import threading

from celery import current_app
from django.conf import settings

logger = logging.getLogger(__name__)

_BACKLOG = 200
_waiting: queue.Queue[tuple[str, tuple[str, ...]]] = queue.Queue(maxsize=_BACKLOG)
_start = threading.Lock()
_thread: threading.Thread | None = None


def nudge(task: str, *args: str) -> None:
    """Ask a worker to run `task` soon. Returns at once, never raises, and may do nothing at all."""
    global _thread
    if getattr(settings, "TOKDASH_NUDGES", True) is False:
        return
    with _start:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_publish, daemon=True, name="nudges")
            _thread.start()
    try:
        _waiting.put_nowait((task, args))
    except queue.Full:
        logger.warning("too many nudges wait for the broker; the sweeper will find %s", task)


def _publish() -> None:
    while True:
        task, args = _waiting.get()
        try:
            current_app.send_task(task, args=args, retry=False)
        except Exception as error:  # noqa: BLE001 - whatever a broker client raises, the work is in the database
            logger.warning("could not reach the broker (%s); the sweeper will find %s", type(error).__name__, task)
