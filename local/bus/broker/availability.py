"""Whether a queue does now what is asked of it, apart from what it holds."""

from __future__ import annotations

from typing import Literal

from local.bus.amqp.errors import AmqpError
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
