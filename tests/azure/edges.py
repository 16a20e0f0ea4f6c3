"""What the steps wait for and talk to beside `az` and `azd`, so that tests can put others there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tests.azure.callers import Callers
from tests.azure.inbox import Inbox
from tests.azure.programs import Execute, execute
from tests.azure.verdicts import Answers

_T = TypeVar("_T")


class SendsMessages(Protocol):
    """Callers of a sender."""

    def send(self, count: int, at_once: int = 16) -> Answers:
        """Send so many messages."""

    def load(self, callers: int, seconds: float) -> Answers:
        """Let so many callers send for so long."""


class CountsArrivals(Protocol):
    """What has arrived at the partner."""

    def arrived(self) -> Mapping[str, int]:
        """Return all ids that ever arrived, and how often each did."""


@dataclass(frozen=True)
class Edges:
    """The clock, how callers and the partner's inbox are made, and how programs are run."""

    callers: Callable[[str, str], SendsMessages] = Callers
    inbox: Callable[[str, str], CountsArrivals] = Inbox
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    execute: Execute = execute

    def until(
        self, found: Callable[[], _T], good: Callable[[_T], bool], seconds: float, every: float = 20
    ) -> _T:
        """Look again until what is found is good, or the time is over; return what was found."""
        end = self.now() + seconds
        while True:
            what = found()
            if good(what) or self.now() >= end:
                return what
            self.sleep(every)
