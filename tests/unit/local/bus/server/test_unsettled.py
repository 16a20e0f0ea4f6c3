"""Deliveries until they are settled."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from local.bus.amqp import performatives as amqp
from local.bus.amqp.values import Described, ULong
from local.bus.server.link import Link
from local.bus.server.unsettled import UnsettledDeliveries

ACCEPTED, RECEIVED = Described(ULong(0x24), []), Described(ULong(0x23), [])
REFUSED = Described(ULong(0x25), [None])
LINK, OTHER = cast("Link", object()), cast("Link", object())


class Delivery:
    """A delivery whose outcome is what the client says; `received` is not an outcome."""

    def __init__(self, link: Link = LINK, settled: Callable[[], None] = lambda: None) -> None:
        self.link = link
        self.locked = True
        self._settled = settled

    def settle(self, state: Described | None) -> Described | None:
        if state is None or state == RECEIVED:
            return None
        self.locked = False
        self._settled()
        return state

    def is_locked(self) -> bool:
        return self.locked


class Refused(Delivery):
    """A delivery whose lock is lost."""

    def settle(self, state: Described | None) -> Described | None:
        return REFUSED if super().settle(state) else None


def deliveries(*numbers: int, limit: int = 100) -> UnsettledDeliveries:
    unsettled = UnsettledDeliveries(limit)
    for number in numbers:
        unsettled.add(number, Delivery())
    return unsettled


def disposition(first: int, last: int | None = None, **fields: object) -> amqp.Disposition:
    given = {"state": ACCEPTED, **fields}
    return amqp.Disposition(amqp.RECEIVER, first, last, **given)  # type: ignore[arg-type]


def test_one_or_a_range_is_settled_and_answered_each() -> None:
    unsettled = deliveries(1, 2, 3, 5)
    assert [one.first for one in unsettled.settle(disposition(2))] == [2]
    answers = list(unsettled.settle(disposition(1, 4)))
    assert [(one.first, one.last, one.settled) for one in answers] == [(1, 1, True), (3, 3, True)]
    assert all(one.role is amqp.SENDER and one.state == ACCEPTED for one in answers)
    assert len(unsettled) == 1


def test_successive_numbers_of_one_outcome_share_an_answer() -> None:
    unsettled = deliveries(1, 2, 3, 5, 6)
    unsettled.add(4, Refused())
    answers = list(unsettled.settle(disposition(1, 6)))
    assert [(one.first, one.last) for one in answers] == [(1, 3), (4, 4), (5, 6)]
    assert [one.state for one in answers] == [ACCEPTED, REFUSED, ACCEPTED]
    assert all(one.settled for one in answers)


def test_a_range_of_all_numbers_costs_what_there_is() -> None:
    assert deliveries(3, 4).numbers(0, 2**32 - 1) == [3, 4]
    assert deliveries(3, 4).numbers(4, 3) == []


def test_what_the_client_calls_settled_is_not_answered() -> None:
    unsettled = deliveries(1, 2)
    assert list(unsettled.settle(disposition(1, settled=True))) == []
    assert list(unsettled.settle(disposition(2, state=None, settled=True))) == []
    assert len(unsettled) == 0


def test_a_state_that_is_not_an_outcome_settles_nothing() -> None:
    unsettled = deliveries(1)
    assert list(unsettled.settle(disposition(1, state=RECEIVED))) == []
    assert len(unsettled) == 1


def test_the_deliveries_of_a_link_go_with_it() -> None:
    unsettled = deliveries(1)
    unsettled.add(2, Delivery(OTHER))
    unsettled.forget_link(LINK)
    assert unsettled.numbers(0, 9) == [2]


def test_settling_may_deliver_more_while_the_limit_is_reached() -> None:
    """The next delivery forgets what is no longer locked: also the one that is just settled."""
    unsettled = UnsettledDeliveries(2)
    unsettled.add(1, Delivery(settled=unsettled.forget_unlocked))
    unsettled.add(2, Delivery())
    assert unsettled.is_full
    answers = [(one.first, one.last) for one in unsettled.settle(disposition(1, 2))]
    assert answers == [(1, 2)]
    assert len(unsettled) == 0
