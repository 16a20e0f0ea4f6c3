"""What one instance of the receiver does when the partner is back: it brings forward what waits.

Each instance does it, since none knows of the others, and a message that two bring forward at once
is one all the same. So that the operations stay few, an instance first waits a random time, looks
no further than a few pages where there is nothing left to do, and leaves it to another one as soon
as it finds that most of a page was moved by that one.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

from azure.core.exceptions import AzureError

from shared.apps.bring_forward import Bounds, Forwarded, WaitingQueue, bring_forward
from shared.apps.forward_plan import ForwardPlan
from shared.apps.sending import Send
from shared.errors import RelayError
from shared.message.ramp import Ramp
from shared.message.waiting import WaitingMessage, WaitsFor
from shared.telemetry.logs import location

FIRST_SECONDS = 20.0  # that it waits at most before it begins
_TIMES = 5  # that it tries, after pauses that double
BOUNDS = Bounds(idle_pages=5, messages=50_000, yields=True)
_log = logging.getLogger(__name__)


class CatchUp:
    """Brings forward once at a time. `chance` gives numbers from 0 to 1."""

    def __init__(
        self,
        bring_forward: Callable[[], Awaitable[Forwarded]],
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._bring_forward = bring_forward
        self._chance = chance
        self._sleep = sleep
        self._is_running = False

    async def on_back(self) -> None:
        """Return when what waits has been brought forward, or is left to another instance."""
        if self._is_running:
            return
        self._is_running = True
        try:
            await self._run()
        finally:
            self._is_running = False

    async def _run(self) -> None:
        seconds = FIRST_SECONDS
        for _ in range(_TIMES):
            await self._sleep(seconds * self._chance())
            seconds *= 2
            _log.info("bringing forward what waits")
            try:
                done = await self._bring_forward()
            except (AzureError, RelayError, OSError) as error:
                # What waits comes by itself, only later; and what was done stays done.
                _log.warning("not everything that waits is brought forward: %s", _shown(error))
                continue
            _log.log(
                logging.WARNING if done.moved else logging.INFO,
                "brought forward %d messages that waited, %d of them at once with others",
                done.moved,
                done.contended,
            )
            if not done.contended:
                return


def _shown(error: Exception) -> str:
    # The text of an error of the SDK may be the server's own.
    return str(error) if isinstance(error, RelayError) else location(error)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def catching_up(
    opened: Callable[[], AbstractAsyncContextManager[WaitingQueue]],
    send: Send,
    goes_on: Callable[[], bool],
    ramp: Ramp,
    now: Callable[[], datetime] = _utc_now,
    chance: Callable[[], float] = random.random,
) -> CatchUp:
    """Return what brings forward what waits on a queue.

    `opened` opens the queue to be looked at, and `send` sends to the same one.
    """

    async def run() -> Forwarded:
        plan = ForwardPlan(now(), ramp, _is_for_the_partner)
        async with opened() as waiting:
            return await bring_forward(waiting, send, plan, BOUNDS, goes_on=goes_on, now=now)

    return CatchUp(run, chance)


def _is_for_the_partner(message: WaitingMessage) -> bool:
    return message.waits_for is not WaitsFor.RECEIPT
