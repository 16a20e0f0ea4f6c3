"""How much one client may make the bus keep."""

from __future__ import annotations

from local.bus.amqp.errors import RESOURCE_LIMIT, AmqpError

MAX_HELD_BYTES = 16 * 1024 * 1024


class MemoryBudget:
    """Counts bytes kept for a client: unfinished messages, replies that it gives no credit for."""

    def __init__(self, limit: int = MAX_HELD_BYTES) -> None:
        self.held = 0
        self._limit = limit

    def reserve(self, size: int) -> None:
        """Count bytes that are kept from now on.

        Raises AmqpError where that is above the limit, and counts nothing then.
        """
        if self.held + size > self._limit:
            raise AmqpError(RESOURCE_LIMIT, "Too much is kept for one connection.")
        self.held += size

    def release(self, size: int) -> None:
        """Count bytes that are no longer kept."""
        self.held -= size
