"""The deliveries of a session that the client has not settled yet."""

from __future__ import annotations

from collections.abc import Iterator

from local.bus.amqp import performatives as amqp
from local.bus.server.coordinator import transaction_of
from local.bus.server.link import Link, UnsettledDelivery

MAX_UNSETTLED = 5000


class UnsettledDeliveries:
    """Deliveries by their number; as many as `limit`, so that no client makes the bus hoard."""

    def __init__(self, limit: int | None = None) -> None:
        self._deliveries: dict[int, UnsettledDelivery] = {}
        self._limit = MAX_UNSETTLED if limit is None else limit

    def __len__(self) -> int:
        return len(self._deliveries)

    @property
    def is_full(self) -> bool:
        """Return whether there are as many as there may be."""
        return len(self._deliveries) >= self._limit

    def add(self, number: int, delivery: UnsettledDelivery) -> None:
        """Keep a delivery until it is settled."""
        self._deliveries[number] = delivery

    def numbers(self, first: int, last: int | None) -> list[int]:
        """Return the numbers that are known from `first` to `last`, or `first` alone."""
        last = first if last is None else last
        # The range is the client's word: walk it only where it is shorter than what is known.
        if last - first < len(self._deliveries):
            return [number for number in range(first, last + 1) if number in self._deliveries]
        return [number for number in self._deliveries if first <= number <= last]

    def settle(self, disposition: amqp.Disposition) -> Iterator[amqp.Disposition]:
        """Apply a client's disposition; yield those to answer with, each once it is settled.

        A state that is not an outcome settles nothing, unless the client says that it is settled.
        One in a transaction stays, since it can be settled otherwise when that fails. Successive
        numbers with the same outcome share an answer.
        """
        answer: amqp.Disposition | None = None
        numbers = self.numbers(disposition.first, disposition.last)
        # Taken up front: settling one can deliver the next message, which may forget others here.
        for number, delivery in [(number, self._deliveries[number]) for number in numbers]:
            state = delivery.settle(disposition.state)
            if state is None and not disposition.settled:
                continue
            is_settled = state is None or transaction_of(state) is None
            if is_settled:
                self._deliveries.pop(number, None)
            if disposition.settled:
                continue
            if answer and (answer.last, answer.state) == (number - 1, state):
                answer.last = number
                continue
            if answer:
                yield answer
            answer = amqp.Disposition(amqp.SENDER, number, number, settled=is_settled, state=state)
        if answer:
            yield answer

    def forget_link(self, link: Link) -> None:
        """Forget the deliveries of a link that is gone."""
        self._keep({n: one for n, one in self._deliveries.items() if one.link is not link})

    def forget_unlocked(self) -> None:
        """Forget the deliveries whose lock has expired: nothing can be settled by them."""
        self._keep({n: one for n, one in self._deliveries.items() if one.is_locked()})

    def _keep(self, deliveries: dict[int, UnsettledDelivery]) -> None:
        self._deliveries = deliveries
