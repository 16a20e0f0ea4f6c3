"""Whether a queue does now what is asked of it, apart from what it holds."""

from __future__ import annotations

from typing import Literal

from local.bus.amqp.errors import AmqpError, EntityDeletedError, QueueDisabledError
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

    def refusal(self, queue: Queue, step: QueueStep) -> AmqpError | None:
        """Return why the queue would refuse a step that no client asks for, or None."""
        del queue, step
        return None


_SENDING = frozenset({"attach-send", "keep-send", "send", "forward"})


class StatusAvailability(QueueAvailability):
    """Refuses by the status of a queue, and where it was deleted; then asks `further`."""

    def __init__(self, further: QueueAvailability) -> None:
        self._further = further

    def require(self, queue: Queue, step: QueueStep) -> None:
        """Raise AmqpError where the queue refuses a step."""
        if error := _status_refusal(queue, step):
            raise error
        self._further.require(queue, step)

    def refusal(self, queue: Queue, step: QueueStep) -> AmqpError | None:
        """Return why the queue would refuse a step that no client asks for, or None."""
        return _status_refusal(queue, step) or self._further.refusal(queue, step)


def _status_refusal(queue: Queue, step: QueueStep) -> AmqpError | None:
    if queue.is_deleted:
        return EntityDeletedError(queue.name)
    status = queue.spec.status
    if status == "Active":
        return None
    if status == "Disabled":
        return QueueDisabledError(queue.name)
    operations = "Send" if step in _SENDING else "Receive"
    return QueueDisabledError(queue.name, operations) if status == f"{operations}Disabled" else None
