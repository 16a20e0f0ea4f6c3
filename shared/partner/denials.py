"""Whether a partner that answers 401 or 403 refuses one message, or everything."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from shared.concurrency.expiring import ExpiringEntries

_MAX_ENTRIES = 10_000
# Longer than the longest time between two attempts of one message.
_SECONDS = 2 * 86_400.0


class Denials:
    """What was denied, and whether others were accepted since. `clock` gives seconds.

    A wrong secret must reject nothing. So a denial is a message's own only if the same message was
    denied before, and a post that began after that denial was accepted: once a secret is wrong, no
    such post is, however many answers to earlier posts are still on their way.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._accepted_began = -math.inf
        self._denied_at: ExpiringEntries[str, float] = ExpiringEntries(
            _MAX_ENTRIES, _SECONDS, clock
        )

    def accepted(self, began: float) -> None:
        """Record that a post was accepted that began at `began`."""
        self._accepted_began = max(self._accepted_began, began)

    def is_of_message(self, message_id: str) -> bool:
        """Record a denial; return whether it is this message that the partner refuses."""
        before = self._denied_at.get(message_id)
        self._denied_at.put(message_id, self._clock())
        return before is not None and self._accepted_began > before
