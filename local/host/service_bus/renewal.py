"""Renewal of locks: one timer for all messages in flight, one request for all that are due.

Source: azure-sdk-for-net, `ReceiverManager.RenewMessageLockAsync` and `CalculateRenewDelay`: a
lock is renewed ten seconds before its end, a short one at half of its time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from local.bus.amqp.errors import LOCK_LOST
from local.host.service_bus.connection import BusLinkError

_EARLY_SECONDS = 10.0
_TOGETHER_SECONDS = 0.5  # what is due so soon is renewed with what is due now
_log = logging.getLogger("Host.ServiceBus")

Renew = Callable[[Sequence[UUID]], Awaitable[Sequence[datetime]]]
"""Renews locks; returns when each ends. Raises BusLinkError, LOCK_LOST if one is lost."""


@dataclass
class _Held:
    due: float
    until: float  # when the loop's clock says so, the lock is renewed no more


class LockRenewer:
    """Renews the locks of messages for `longest` seconds each."""

    def __init__(
        self, renew: Renew, longest: float, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._renew = renew
        self._longest = longest
        self._now = now
        self._held: dict[UUID, _Held] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Task[None] | None = None

    def add(self, token: UUID, locked_until: datetime | None) -> None:
        """Renew the lock of a message from now on."""
        if not self._longest or locked_until is None:
            return
        now = asyncio.get_running_loop().time()
        self._held[token] = _Held(now + self._delay(locked_until), now + self._longest)
        if self._timer is None and self._renewing is None:
            self._timer = asyncio.get_running_loop().call_at(self._held[token].due, self._on_due)

    def remove(self, token: UUID) -> None:
        """Renew the lock no more: its message is about to be settled."""
        self._held.pop(token, None)

    def close(self) -> None:
        """Renew nothing any more."""
        self._held.clear()
        if self._timer:
            self._timer.cancel()
        if self._renewing:
            self._renewing.cancel()

    def _delay(self, locked_until: datetime) -> float:
        remaining = max(0.0, (locked_until - self._now()).total_seconds())
        return remaining - min(remaining / 2, _EARLY_SECONDS)

    def _on_due(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        self._held = {token: held for token, held in self._held.items() if held.until > now}
        due = [t for t, held in self._held.items() if held.due <= now + _TOGETHER_SECONDS]
        if due:
            self._renewing = asyncio.create_task(self._renew_all(due))
        else:
            self._wait_for_next()

    def _wait_for_next(self) -> None:
        self._renewing = None
        if self._held:
            first = min(held.due for held in self._held.values())
            self._timer = asyncio.get_running_loop().call_at(first, self._on_due)

    async def _renew_all(self, tokens: Sequence[UUID]) -> None:
        try:
            await self._renew_together(tokens)
        except (BusLinkError, TimeoutError) as error:
            # The next try is soon; where the link is gone, it ends with it.
            _log.warning("locks are not renewed: %s", error)
            self._postpone(tokens)
        self._wait_for_next()

    async def _renew_together(self, tokens: Sequence[UUID]) -> None:
        try:
            ends = await self._renew(tokens)
        except BusLinkError as error:
            if error.condition != LOCK_LOST:
                raise
            if len(tokens) == 1:
                # A neighbour's settlement may have come first; else settling it says so.
                self._held.pop(tokens[0], None)
                return
            # One that is lost refuses all: the others must not be lost with it.
            for token in tokens:
                if token in self._held:
                    await self._renew_together([token])
            return
        now = asyncio.get_running_loop().time()
        for token, end in zip(tokens, ends, strict=False):
            if token in self._held:
                self._held[token].due = now + self._delay(end)

    def _postpone(self, tokens: Sequence[UUID]) -> None:
        soon = asyncio.get_running_loop().time() + 1.0
        for token in tokens:
            if token in self._held:
                self._held[token].due = soon
