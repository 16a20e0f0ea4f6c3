"""The gate before the partner: who is posted now, who waits for a place, who comes back later."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from shared.azure.vault import VaultError
from shared.errors import RelayError
from shared.partner.breaker import Attempt, Blocked, Breaker, BreakerPolicy, Failure
from shared.partner.delivery import (
    Delivery,
    DeliveryError,
    MessageDeniedError,
    PartnerBlockedError,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerSecretError,
)
from shared.partner.denials import Denials
from shared.partner.pace import Pace
from shared.partner.parked import Parked
from shared.telemetry import recording
from shared.telemetry.logs import location
from shared.telemetry.metrics import PARTNER
from shared.telemetry.outages import Outages

# For a place, under the message's lock. With the partner asked twice and a queue that refuses what
# follows, a call stays within what it may take: `CALL_SECONDS` of the receiver.
WAIT_SECONDS = 30.0
SERVICE = "the partner"  # in the log
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GatePolicy:
    """When the circuit breaker opens, and how much goes through the gate at most.

    `rate` is in posts a second, 0 for any. A message waits for a place for `wait_seconds`; one that
    is not let through comes back after `shortest_wait` seconds or more.
    """

    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    concurrency: int = 32
    rate: float = 0.0
    shortest_wait: float = 30.0
    wait_seconds: float = WAIT_SECONDS


class DeliveringClient(Protocol):
    """What posts to the partner."""

    async def deliver(self, delivery: Delivery) -> None:
        """Return when the partner has accepted it. Raises `RelayError`."""


class PartnerGate:
    """Delivers to the partner what its state and the limits of this instance let through.

    `on_back` is called once each time the partner is back after having been away for longer than
    calls wait here, or an operator has taken a pause back. `clock` gives seconds, `chance` numbers
    from 0 to 1.
    """

    def __init__(
        self,
        partner: DeliveringClient,
        policy: GatePolicy,
        outages: Outages,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._partner = partner
        self._wait_seconds = policy.wait_seconds
        self._outages = outages
        self._clock = clock
        self._breaker = Breaker(policy.breaker, clock, chance)
        self._denials = Denials(clock)
        self._pace = Pace(policy.concurrency, policy.rate, clock)
        self._parked = Parked(policy.shortest_wait, clock, chance)
        self._turnstile = asyncio.Lock()  # first come, first served
        self._changed = asyncio.Event()
        self._paused_at = 0.0
        self._calls: set[asyncio.Task[None]] = set()
        self.on_back: Callable[[], Awaitable[None]] | None = None

    @property
    def lets_through(self) -> bool:
        """Whether every message is posted now, and not only a probe."""
        return self._breaker.blocked is None and not self._breaker.is_open

    def check(self, message_id: str) -> None:
        """Raise `PartnerBlockedError` if a message would not get through soon.

        Before it is opened: a message that only waits costs no call to the vault.
        """
        self._parked.handled(message_id)
        blocked = self._breaker.blocked
        if blocked and blocked.until > self._clock() + self._wait_seconds:
            raise self._park(message_id, blocked)

    async def deliver(self, delivery: Delivery) -> None:
        """Return when the partner has accepted it.

        Raises what `Partner.deliver` does; `MessageDeniedError` where it refuses this message and
        accepts others, and `PartnerBlockedError` where it was not asked.
        """
        message_id = delivery.header.message_id
        self._parked.handled(message_id)
        attempt = await self._enter(message_id)
        try:
            with recording.timed(PARTNER, {}) as measured:
                try:
                    await self._partner.deliver(delivery)
                except DeliveryError as error:
                    if error.status:
                        measured["error.type"] = str(error.status)
                    raise
        except PartnerRefusedError:
            self._back(self._breaker.answered, attempt)
            raise
        except Exception as error:
            if (own := self._failed(attempt, message_id, error)) is not error:
                raise own from error
            raise
        except BaseException:
            self._breaker.abandoned(attempt)
            raise
        else:
            self._denials.accepted(attempt.began)
            self._back(self._breaker.accepted, attempt)
        finally:
            self._pace.end()
            self._changed.set()

    def ended(self, message_id: str) -> None:
        """Count a message no more among those that wait: it is rejected."""
        self._parked.handled(message_id)

    def pause(self, reason: str) -> None:
        """Post nothing until `resume`, as an operator wants it. Once more changes the reason."""
        if self._breaker.pause(reason):
            self._paused_at = self._clock()
            _log.warning("%s is paused by an operator: %s", SERVICE, reason)
        self._changed.set()

    def resume(self) -> None:
        """Take `pause` back; nothing where there was none."""
        if self._breaker.resume():
            seconds = self._clock() - self._paused_at
            _log.warning("%s is resumed, after %.0f s; %s", SERVICE, seconds, self._waiting())
            self._changed.set()
            self._call_back()

    async def _enter(self, message_id: str) -> Attempt:
        """Begin an attempt as soon as there is a place. Raises `PartnerBlockedError`."""
        deadline = self._clock() + self._wait_seconds
        try:
            async with asyncio.timeout(self._wait_seconds), self._turnstile:
                return await self._next_place(message_id, deadline)
        except TimeoutError:
            blocked = self._breaker.blocked or Blocked(
                math.inf, "it gets as many messages as its limits allow"
            )
            raise self._park(message_id, blocked) from None

    async def _next_place(self, message_id: str, deadline: float) -> Attempt:
        while True:
            now = self._clock()
            self._changed.clear()
            free_at = self._pace.free_at
            if blocked := self._breaker.blocked:
                if blocked.until > deadline:
                    raise self._park(message_id, blocked)
                # While a probe is under way, its end is what is waited for.
                free_at = blocked.until if blocked.until > now else math.inf
            elif free_at <= now:
                attempt = self._breaker.admit()
                if isinstance(attempt, Attempt):
                    self._pace.begin()
                    return attempt
            await self._change(free_at - now)

    async def _change(self, seconds: float) -> None:
        """Return when something has changed, `seconds` from now at the latest."""
        try:
            async with asyncio.timeout(None if seconds == math.inf else seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _park(self, message_id: str, blocked: Blocked) -> PartnerBlockedError:
        is_away = self._breaker.is_open and self._breaker.pause_reason is None
        probe_at = blocked.until if is_away else math.inf
        since = self._clock() - self._paused_at if self._breaker.pause_reason is not None else 0.0
        seconds = max(since, self._breaker.open_seconds)
        delay = self._parked.park(message_id, probe_at, seconds)
        return PartnerBlockedError(blocked.why, retry_after=delay)

    def _failed(self, attempt: Attempt, message_id: str, error: Exception) -> Exception:
        """Record a failure; return the error that says what is known of it."""
        asked = error.retry_after if isinstance(error, RelayError) else None
        shown = str(error) if isinstance(error, RelayError) else location(error)
        own = error
        self._parked.failed(message_id)
        if isinstance(error, PartnerDeniedError) and self._denials.is_of_message(message_id):
            why = f"{error}, and accepts other messages"
            own = MessageDeniedError(why, retry_after=asked, status=error.status)
        self._breaker.failed(attempt, message_id, shown, _meaning(error), asked)
        reported = own if isinstance(own, RelayError) else RelayError(shown)
        self._outages.failed(SERVICE, reported, is_news=self._breaker.is_away)
        return own

    def _back(self, ended: Callable[[Attempt], bool], attempt: Attempt) -> None:
        """Record that the partner has answered."""
        was_away, seconds = self._breaker.is_away, self._breaker.open_seconds
        closed = ended(attempt)
        self._outages.works(SERVICE, self._waiting() if was_away else "")
        if closed and seconds >= self._wait_seconds and self._breaker.pause_reason is None:
            self._call_back()

    def _waiting(self) -> str:
        return f"{self._parked.count()} messages that this instance has sent back are waiting"

    def _call_back(self) -> None:
        if self.on_back is None:
            return
        # Of no message: it must not become a part of the trace of the one that is posted now.
        call = asyncio.get_running_loop().create_task(
            self._run(self.on_back), context=contextvars.Context()
        )
        self._calls.add(call)  # the loop itself keeps no task alive
        call.add_done_callback(self._calls.discard)

    async def _run(self, on_back: Callable[[], Awaitable[None]]) -> None:
        try:
            await on_back()
        except Exception as error:  # noqa: BLE001 - what waits comes back by itself, only later
            _log.error("unforeseen after the partner's return: %s", location(error))


def _meaning(error: Exception) -> Failure:
    if isinstance(error, PartnerSecretError | VaultError):
        return Failure.NO_POST
    status = error.status if isinstance(error, DeliveryError) else None
    if status == 410:
        return Failure.GONE
    if status in (429, 503) and isinstance(error, RelayError) and error.retry_after:
        return Failure.THROTTLED
    return Failure.POST
