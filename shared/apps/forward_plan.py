"""Which waiting messages are brought forward, and to when: pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.message.ramp import Ramp
from shared.message.waiting import WaitingMessage

# One that is due within seconds may be delivered while it is copied: both would be posted.
MARGIN = timedelta(seconds=5)


@dataclass(frozen=True)
class Move:
    """A waiting message gets a copy that is due at `due`, and is cancelled."""

    message: WaitingMessage
    due: datetime


@dataclass
class ForwardPlan:
    """Gives each message that is to be delivered soon its time, at a pace, from `start` on.

    A message that comes sooner by itself keeps its time, and its place in the pace. So a plan that
    is made again, or by another instance, finds nothing left to do.
    """

    start: datetime
    ramp: Ramp
    is_wanted: Callable[[WaitingMessage], bool] = lambda _: True
    _given: int = 0
    _copies: set[str] = field(default_factory=set)

    def moves(self, page: Iterable[WaitingMessage], now: datetime) -> list[Move]:
        """Return what is to be moved of a page of the queue, in its order."""
        found: list[Move] = []
        for message in page:
            if message.bus_id in self._copies or not self.is_wanted(message):
                continue
            due = max(now, self.start + timedelta(seconds=self.ramp.seconds(self._given)))
            self._given += 1
            if message.due - due > MARGIN:
                self._copies.add(message.id.next_bus_id(message.body))
                found.append(Move(message, due))
        return found

    def is_own(self, message: WaitingMessage) -> bool:
        """Return whether a message is one of the copies that this plan has asked for."""
        return message.bus_id in self._copies
