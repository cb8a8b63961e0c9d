"""Both ends of the embedded broker, for processes of their own (no Django here, so that they start at once)."""

import time
from typing import Any

from kombu import Connection

import tokdash.celery  # noqa: F401 - registers embedded://


def produce(url: str, start: int, count: int) -> None:
    """Put `count` numbers, from `start` on."""
    with Connection(url) as connection, connection.SimpleQueue("q") as queue:
        for number in range(start, start + count):
            queue.put({"n": number})


def consume(url: str, seconds: float, found: Any) -> None:
    """Take numbers for so long and pass them on."""
    until = time.monotonic() + seconds
    with Connection(url) as connection, connection.SimpleQueue("q") as queue:
        while time.monotonic() < until:
            try:
                message = queue.get(timeout=0.3)
            except queue.Empty:
                continue
            found.put(message.payload["n"])
            message.ack()
