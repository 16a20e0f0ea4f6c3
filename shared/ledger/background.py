"""The ledger for an app that starts: its library loads beside everything else.

SQLAlchemy and the drivers are a third of what an app imports, and nothing needs them before the
first message. So the host has the functions without them, and they load while it does its part.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from shared.concurrency.loading import Loading
from shared.ledger.entry import Backlog, LedgerEntry, NewMessage, Position, StateCount
from shared.message.receipt import Receipt
from shared.message.state import State

if TYPE_CHECKING:
    from shared.ledger.database import DatabaseSecret
    from shared.ledger.ledger import Ledger


class BackgroundLedger:
    """Does what `Ledger` does for apps, from the moment on that `Ledger` can be imported.

    Each of its methods raises what that of `Ledger` raises.
    """

    def __init__(self, secret: DatabaseSecret, ca_file: Path | None = None) -> None:
        def make() -> Ledger:
            made: Ledger = import_module("shared.ledger.ledger").Ledger(secret, ca_file)
            gc.freeze()  # as in function_app.py, which ends before all this is imported
            return made

        self._ledger = Loading(make)

    async def accept(self, message: NewMessage) -> LedgerEntry:
        """Write a new message; return the entry of its id, of this message or an earlier one."""
        return await (await self._ledger.value()).accept(message)

    async def queued(self, message_id: str, key_version: str, at: datetime) -> None:
        """Write that a message, sealed with a version of the key, is on its queue."""
        await (await self._ledger.value()).queued(message_id, key_version, at)

    async def record(self, receipts: Sequence[Receipt]) -> None:
        """Write what receipts say: all of them or, when it raises, none."""
        await (await self._ledger.value()).record(receipts)

    async def entry(self, message_id: str) -> LedgerEntry | None:
        """Return what is known of a message."""
        return await (await self._ledger.value()).entry(message_id)

    async def entries(
        self, state: State | None, after: Position | None, limit: int
    ) -> Sequence[LedgerEntry]:
        """Return at most `limit` entries, newest first, from after `after` on."""
        return await (await self._ledger.value()).entries(state, after, limit)

    async def backlog(self, since: datetime, limit: int) -> Backlog:
        """Count what is under way, first seen after `since`; up to `limit` messages a state."""
        return await (await self._ledger.value()).backlog(since, limit)

    async def counts(self) -> Sequence[StateCount]:
        """Count the messages of each state. Any number of callers at once cost one statement."""
        return await (await self._ledger.value()).counts()

    async def close(self) -> None:
        """Close the connections."""
        await (await self._ledger.value()).close()
