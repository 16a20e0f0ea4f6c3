"""Whether a queue does now what is asked of it, apart from what it holds."""

from __future__ import annotations

from typing import Literal

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
