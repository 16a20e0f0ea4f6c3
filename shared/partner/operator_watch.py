"""Pauses and resumes the gate as an operator says in a secret, which each process reads."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

from shared.azure.vault import VaultError
from shared.concurrency.single_flight import SingleFlight
from shared.errors import CallCancelledError, RelayError
from shared.partner.delivery import PartnerBlockedError
from shared.partner.operator_state import OPEN, PartnerState, PartnerStateError
from shared.telemetry.logs import location
from shared.telemetry.outages import Outages

READ_SECONDS = 30.0  # between two reads: what an operator says is in effect within a minute
ANSWER_SECONDS = 10.0
# A process that starts after a resume may be the first one since: what was parked for the pause
# waits half an hour and a bit at most, and comes by itself after that.
RECENT = timedelta(hours=1)
_SERVICE = "the partner's state"  # in the log
_log = logging.getLogger(__name__)


class StateReader(Protocol):
    """What reads the secret."""

    async def value(self) -> str:
        """Return its current value. Raises `VaultError`."""


class PausableGate(Protocol):
    """The gate before the partner, as far as an operator works it."""

    def pause(self, reason: str) -> None:
        """Post nothing until `resume`."""

    def resume(self) -> None:
        """Take `pause` back."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class OperatorWatch:
    """Keeps a gate as the operator's state says.

    `on_resumed` is called where the first thing that a process learns is that the partner was
    resumed a short while ago. `clock` gives seconds, `now` the time in UTC.
    """

    def __init__(
        self,
        secret: StateReader,
        gate: PausableGate,
        outages: Outages,
        on_resumed: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._secret = secret
        self._gate = gate
        self._outages = outages
        self._on_resumed = on_resumed
        self._clock = clock
        self._now = now
        self._known: PartnerState | None = None
        self._read_at: float | None = None
        self._reading: SingleFlight[str, None] = SingleFlight()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_polling = False

    async def follow(self) -> None:
        """Return when the gate is as the state says, which is at most `READ_SECONDS` old.

        A state that cannot be read leaves the last known one, since a vault that is away must
        neither stop deliveries nor end a pause. Without any, in a process that has just started,
        nothing is posted, because a post cannot be taken back and a wait can: raises
        `PartnerBlockedError`.
        """
        if self._is_due():
            with suppress(CallCancelledError):  # as one that could not be read
                await self._reading.run("state", self._read)
        if self._known is None:
            raise PartnerBlockedError("it is not known whether an operator has paused the partner")

    def _is_due(self) -> bool:
        return self._read_at is None or self._clock() - self._read_at >= READ_SECONDS

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                state = await self._state()
        except (VaultError, PartnerStateError) as error:
            self._outages.failed(_SERVICE, error)
        except TimeoutError:
            self._outages.failed(_SERVICE, RelayError(f"no answer in {ANSWER_SECONDS:.0f} s"))
        else:
            self._outages.works(_SERVICE)
            self._apply(state)
        if self._known is not None:  # else the next message reads again
            self._read_at = self._clock()

    async def _state(self) -> PartnerState:
        try:
            return PartnerState.from_json(await self._secret.value())
        except VaultError as error:
            if error.status == 404:
                return OPEN
            raise

    def _apply(self, state: PartnerState) -> None:
        before, self._known = self._known, state
        if state.is_paused:
            if before is None or before != state:
                self._gate.pause(state.reason or "no reason given")
            self._start_polling()
        elif before is not None and before.is_paused:
            self._gate.resume()
        elif before is None and state.since and self._now() - state.since < RECENT:
            self._start(self._on_resumed())

    def _start_polling(self) -> None:
        # While all messages wait, none comes that would have the state read.
        if not self._is_polling:
            self._is_polling = True
            self._start(self._poll())

    async def _poll(self) -> None:
        try:
            while self._known is not None and self._known.is_paused:
                await asyncio.sleep(READ_SECONDS)
                await self.follow()
        finally:
            self._is_polling = False

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(_logged(work))
        self._tasks.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(self._tasks.discard)


async def _logged(work: Awaitable[None]) -> None:
    try:
        await work
    except Exception as error:  # noqa: BLE001 - a message that comes has the state read again
        _log.error("unforeseen in following the partner's state: %s", location(error))
