"""When a connection is closed, dropped or kept alive: pure, the time is a parameter.

Times are seconds by any clock that only goes forward.
"""

from __future__ import annotations

from enum import Enum, auto

from local.bus.server.handshake import IDLE_TIMEOUT_SECONDS

HANDSHAKE_SECONDS = 20.0
LINKLESS_SECONDS = 60.0  # as Azure gives a connection without links
CHECK_SECONDS = 1.0
MIN_CHECK_SECONDS = 0.1


class Due(Enum):
    """What is to be done about a connection now."""

    NOTHING = auto()
    HEARTBEAT = auto()
    CLOSE_LINKLESS = auto()
    CLOSE_IDLE = auto()
    DROP = auto()


class Liveness:
    """When a connection was made, and when each side was last heard.

    `heartbeat` is after how many silent seconds the client wants to hear from the bus; 0 for never.
    """

    def __init__(self, now: float) -> None:
        self.heard_at = self.sent_at = now
        self.heartbeat = 0.0
        self._made_at = self._linked_at = now

    @property
    def check_seconds(self) -> float:
        """How many seconds from one look at the clock to the next."""
        # However often a client wants to hear from us, it does not get us to do nothing else.
        wanted = self.heartbeat or CHECK_SECONDS
        return max(MIN_CHECK_SECONDS, min(CHECK_SECONDS, wanted))

    def due(self, now: float, *, is_open: bool, has_links: bool, is_read: bool) -> Due:
        """Return what is due; `is_read` says whether the client reads what it is sent.

        What is sent to a client that does not read would only be kept, so a goodbye waits for it;
        twice the time is the most it gets.
        """
        if has_links:
            self._linked_at = now
        silent = now - self.heard_at
        if not is_open and now - self._made_at > HANDSHAKE_SECONDS:
            return Due.DROP
        if is_read and now - self._linked_at > LINKLESS_SECONDS:
            return Due.CLOSE_LINKLESS
        if is_read and silent > IDLE_TIMEOUT_SECONDS:
            return Due.CLOSE_IDLE
        if silent > 2 * IDLE_TIMEOUT_SECONDS:
            return Due.DROP
        if self.heartbeat and now - self.sent_at >= self.heartbeat:
            return Due.HEARTBEAT
        return Due.NOTHING
