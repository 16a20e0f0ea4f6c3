"""Which messages end the process that handles them: by markers that outlive it.

The delivery count alone cannot say so: it also counts deliveries that ended because a queue
refused what followed, or an instance was stopped, and those must reject nothing, however many.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path

from shared.message.received import ReceivedMessage

# A worker that ends is replaced on the same instance, whose temporary folder stays. Source:
# WebJobs.Script, RpcFunctionInvocationDispatcher, and "Storage considerations for Azure Functions".
FOLDER = Path(tempfile.gettempdir()) / "relay-crash-markers"
_KEPT_SECONDS = 86_400.0  # a crash loop comes back at once
_log = logging.getLogger(__name__)


class CrashMarkers:
    """Markers of the messages that are being handled, one file each, in a folder of this instance.

    A marker is removed when its message was handled, whatever came of it: one that is left counts
    how often in a row the process ended in between.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._one_at_a_time = asyncio.Lock()
        self._is_writable = True

    @asynccontextmanager
    async def alone(self, message: ReceivedMessage) -> AsyncIterator[int]:
        """Mark a message while it is handled; give how often it ended a process before.

        One at a time: of those that a crash interrupts together, only one can be its cause, and the
        others must not be rejected with it.
        """
        async with self._one_at_a_time:
            marker = self._folder / _name(message)
            crashes = _read(marker)
            self._write(marker, crashes + 1)
            try:
                yield crashes
            finally:
                with suppress(OSError):
                    marker.unlink(missing_ok=True)

    def _write(self, marker: Path, crashes: int) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            marker.write_text(str(crashes), encoding="ascii")
            self._is_writable = True
        except OSError as error:
            # Without markers nothing is rejected: the bus's own count ends a crash loop.
            if self._is_writable:
                _log.warning("no crash markers in %s: %s", self._folder, type(error).__name__)
            self._is_writable = False


def _read(marker: Path) -> int:
    with suppress(OSError, ValueError):
        if time.time() - marker.stat().st_mtime < _KEPT_SECONDS:
            return int(marker.read_text(encoding="ascii"))
    return 0


def _name(message: ReceivedMessage) -> str:
    # Ids may be anything, and another message may come under the same one.
    return sha256(message.digest + message.bus_id.encode()).hexdigest()
