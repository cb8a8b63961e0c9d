"""kombu's Redis transport, without the ways in which a Redis that restarts could end a worker.

A task that was running when the connection broke ends with an acknowledgement on a channel that is closed by then, and
closing a channel gives back what was not acknowledged through the very connection that is being closed. Both raise
AttributeError, which Celery takes for a bug and ends the worker. A message that is lost so is no loss: it was a nudge,
and its work is in the database.
"""

import logging
from typing import Any

from kombu.transport import redis

logger = logging.getLogger(__name__)


class QoS(redis.QoS):
    """Acknowledges and gives back where that is still possible."""

    def restore_unacked_once(self, stderr: Any = None) -> None:
        try:
            super().restore_unacked_once(stderr)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a connection that is being closed
            _lost(error)

    def ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)
        except AttributeError as error:
            _lost(error)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue)
        except AttributeError as error:
            _lost(error)


def _lost(error: Exception) -> None:
    logger.warning("a message was lost with its connection to Redis (%s): the sweeper will nudge", type(error).__name__)


class Channel(redis.Channel):
    QoS = QoS


class Transport(redis.Transport):
    """`redis://` and `rediss://`, as tokdash/celery.py registers it."""

    Channel = Channel
