"""Whether a queue does now what is asked of it, apart from what it holds."""

from __future__ import annotations

from typing import Literal

from local.bus.amqp.errors import EntityDeletedError, QueueDisabledError
from local.bus.broker.queue import Queue

QueueStep = Literal[
    "attach-send",
    "keep-send",
    "send",
    "forward",
    "attach-receive",
    "keep-receive",
    "receive",
    "browse",
]
"""What is asked: `keep-…` is that a link stays open, `forward` that a queue takes from another."""


class QueueAvailability:
    """Refuses what a disabled, full or throttled queue refuses. This one refuses nothing."""

    def require(self, queue: Queue, step: QueueStep) -> None:
        """Raise AmqpError where the queue refuses a step."""

    def allows(self, queue: Queue, step: QueueStep) -> bool:
        """Return whether the queue would take a step that nobody is to be refused for."""
        del queue, step
        return True


_SENDING = frozenset({"attach-send", "keep-send", "send", "forward"})


class StatusAvailability(QueueAvailability):
    """Refuses by the status of a queue, and where it was deleted; then asks `further`."""

    def __init__(self, further: QueueAvailability) -> None:
        self._further = further

    def require(self, queue: Queue, step: QueueStep) -> None:
        """Raise AmqpError where the queue refuses a step."""
        if queue.is_deleted:
            raise EntityDeletedError(queue.name)
        status = queue.spec.status
        if status == "Disabled":
            raise QueueDisabledError(queue.name)
        if status == ("SendDisabled" if step in _SENDING else "ReceiveDisabled"):
            raise QueueDisabledError(queue.name, "Send" if step in _SENDING else "Receive")
        self._further.require(queue, step)

    def allows(self, queue: Queue, step: QueueStep) -> bool:
        """Return whether the queue would take a step that nobody is to be refused for."""
        off = "SendDisabled" if step in _SENDING else "ReceiveDisabled"
        is_on = not queue.is_deleted and queue.spec.status not in ("Disabled", off)
        return is_on and self._further.allows(queue, step)
