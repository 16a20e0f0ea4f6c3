"""Which messages of a queue a job is about, and what becomes of each that it receives: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from ops.rejected import Rejected

MAX_BATCH = 50
_MAX_BATCH_BYTES = 256 * 1024  # of deferred messages, because they come in one answer
_MAX_WORKERS = 4


class Settlement(Enum):
    """How a received message is settled."""

    COMPLETE = "complete"
    DEFER = "defer"
    ABANDON = "abandon"


@dataclass
class Worklist:
    """The messages that are `wanted`, by sequence number, and what became of the others.

    Each ends up in `done`, `vanished` (somebody else took it) or `failed` (with the reason).
    `backlog` is how many messages are on the queue up to the last wanted one.
    """

    wanted: dict[int, Rejected]
    backlog: int
    done: list[Rejected] = field(default_factory=list)
    vanished: list[Rejected] = field(default_factory=list)
    failed: list[tuple[Rejected, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._last = max(self.wanted, default=0)

    @classmethod
    def of(cls, wanted: Iterable[Rejected], there: Iterable[Rejected]) -> Worklist:
        """Make the list of some of the messages that are there.

        What is rejected from now on is not among it: a partner that still refuses would keep a
        replay of all going in circles.
        """
        numbered = {message.sequence_number: message for message in wanted}
        last = max(numbered, default=0)
        return cls(numbered, sum(message.sequence_number <= last for message in there))

    @property
    def total(self) -> int:
        """How many messages it is about."""
        return sum(map(len, (self.wanted, self.done, self.vanished, self.failed)))

    @property
    def receives_in_turn(self) -> bool:
        """Return whether any of the messages is one that the queue gives out in its order."""
        return any(not message.set_aside for message in self.wanted.values())

    def is_wanted(self, number: int) -> bool:
        """Return whether something is still to be done to a message."""
        return number in self.wanted

    def has_more_after(self, batch: Sequence[int]) -> bool:
        """Return whether wanted messages may come after a batch that the queue gave out."""
        return any(number <= self._last for number in batch)

    def settlement(self, number: int, *, is_done: bool) -> Settlement:
        """Decide how a received message is settled; `is_done` after an action that succeeded.

        Any other is passed over: before the last wanted one by deferring it, since giving it back
        would hand it out again at once; after it, by giving it back.
        """
        if is_done:
            return Settlement.COMPLETE
        return Settlement.DEFER if number <= self._last else Settlement.ABANDON

    def settled(self, number: int, problem: str | None = None) -> None:
        """Note what became of a wanted message."""
        message = self.wanted.pop(number, None)
        if message is None:
            return
        if problem is None:
            self.done.append(message)
        else:
            self.failed.append((message, problem))

    def refresh(self, there: Mapping[int, Rejected]) -> None:
        """Note which of the messages somebody else took, or deferred, meanwhile."""
        for number in list(self.wanted):
            if number in there:
                self.wanted[number] = there[number]
            else:
                self.vanished.append(self.wanted.pop(number))
        self.backlog = len(self.wanted)

    def shares(self) -> Iterator[list[Rejected]]:
        """Deal out the deferred messages to as many workers as are of use."""
        aside = [message for message in self.wanted.values() if message.set_aside]
        workers = min(_MAX_WORKERS, -(-self.backlog // MAX_BATCH))
        for worker in range(workers):
            yield aside[worker::workers]


def chunks(messages: Sequence[Rejected]) -> Iterator[list[Rejected]]:
    """Cut a list into chunks of a bounded number of messages and bytes."""
    chunk: list[Rejected] = []
    size = 0
    for message in messages:
        if chunk and (len(chunk) == MAX_BATCH or size + message.size > _MAX_BATCH_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(message)
        size += message.size
    if chunk:
        yield chunk
