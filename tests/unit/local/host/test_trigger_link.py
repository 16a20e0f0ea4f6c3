"""A trigger's link: how many messages it asks for, and what becomes of each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from local.bus.amqp import performatives as amqp
from local.bus.amqp.encoding import encode
from local.bus.amqp.errors import LockLostError
from local.bus.amqp.values import Described, ULong, Value
from local.bus.broker.settlement import ACCEPTED, rejected
from local.host.bindings import QueueFunction
from local.host.host_json import ServiceBusOptions
from local.host.message_body import DataType
from local.host.service_bus.connection import BusConnection, BusLinkError, BusLostError
from local.host.service_bus.received import ReceivedMessage, read_delivery
from local.host.service_bus.receiver import Settlement, runs
from local.host.settings import KeyConnection
from local.host.trigger_link import Calls, TriggerLink
from tests.fast_clock import run

COMPLETED, ABANDONED, RELEASED = 0x24, 0x27, 0x26


class Bus(BusConnection):
    """Writes down what is sent to it, and delivers what a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.credits: list[int] = []
        self.settled: list[tuple[int, int | None, Value]] = []
        self.confirms = True
        self.refused: set[int] = set()
        self._number = 0

    def send(self, performative: amqp.Performative, payload: bytes = b"") -> None:
        if isinstance(performative, amqp.Flow) and performative.link_credit is not None:
            self.credits.append(performative.link_credit)
        if isinstance(performative, amqp.Disposition):
            first, last, state = performative.first, performative.last, performative.state
            assert state is not None
            self.settled.append((first, last, state.descriptor))
            if self.confirms:
                for number in range(first, (last or first) + 1):
                    self.confirm(number)

    def confirm(self, number: int) -> None:
        answer = rejected(LockLostError()) if number in self.refused else ACCEPTED
        self._on_disposition(
            amqp.Disposition(amqp.SENDER, number, number, settled=True, state=answer)
        )

    def attach(self) -> None:
        source = Described(ULong(0x28), ["q"])
        self._on_link_frame(
            0, amqp.Attach("l", 0, amqp.SENDER, source=source, initial_delivery_count=0), b""
        )

    def deliver(self, count: int = 1) -> None:
        for _ in range(count):
            self._number += 1
            tag = UUID(int=self._number).bytes_le
            payload = encode(Described(ULong(0x75), b"%d" % self._number))
            self._on_link_frame(0, amqp.Transfer(0, self._number, tag, 0), payload)

    def lose(self) -> None:
        for link in list(self._links.values()):
            link.on_lost(BusLostError("amqp:connection:lost", "gone"))


class Function:
    """Notes which messages it is called for; raises for those of `bad`, once `go` is set."""

    def __init__(self) -> None:
        self.called: list[list[int]] = []
        self.bad: set[int] = set()
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, messages: Sequence[ReceivedMessage]) -> None:
        numbers = [message.delivery_id for message in messages]
        self.called.append(numbers)
        await self.go.wait()
        if self.bad & set(numbers):
            raise RuntimeError("bad")


class Playing:
    """A link, its bus, its function and its stop."""

    def __init__(self, *, many: bool, **options: object) -> None:
        self.bus, self.function, self.stopping = Bus(), Function(), asyncio.Event()
        declared = QueueFunction(
            "take", "m", "q", KeyConnection(""), DataType.BINARY, many=many, max_batch=10
        )
        given = ServiceBusOptions(
            **{"max_concurrent_calls": 4, "max_auto_lock_renewal": timedelta(0), **options}  # type: ignore[arg-type]
        )
        calls = Calls()
        self.link = TriggerLink(self.bus, declared, given, calls, self.function, self.stopping)
        self.bus.attach()
        self.receiving = asyncio.create_task(self.link.receive())


def play(
    during: Callable[[Playing], Awaitable[None]], *, many: bool = False, **options: object
) -> Playing:
    """Do something to a link whose time passes at once, and stop it."""

    async def main() -> Playing:
        playing = Playing(many=many, **options)
        await asyncio.sleep(0.001)
        await during(playing)
        playing.stopping.set()
        async with asyncio.timeout(60):
            await playing.receiving
        await asyncio.sleep(0.001)
        return playing

    return run(main())


def message(number: int) -> ReceivedMessage:
    return read_delivery(number, UUID(int=number).bytes_le, b"")


async def soon() -> None:
    await asyncio.sleep(0.001)


def test_as_many_messages_come_as_functions_may_be_called_at_once() -> None:
    async def during(playing: Playing) -> None:
        playing.function.go.clear()
        playing.bus.deliver(4)
        await soon()
        assert playing.bus.credits == [4], "what has come has used up the credit"
        playing.function.go.set()
        await soon()
        assert playing.bus.credits == [4, 4]

    playing = play(during)
    assert playing.function.called == [[1], [2], [3], [4]]
    assert playing.bus.settled == [(1, 4, COMPLETED)], "in one frame"


def test_each_outcome_is_its_own() -> None:
    async def during(playing: Playing) -> None:
        playing.function.bad = {2}
        playing.bus.deliver(4)
        await soon()

    playing = play(during)
    assert sorted(playing.bus.settled) == [
        (1, 1, COMPLETED),
        (2, 2, ABANDONED),
        (3, 4, COMPLETED),
    ]


def test_a_slow_call_keeps_its_own_place_only() -> None:
    async def during(playing: Playing) -> None:
        playing.function.go.clear()
        playing.bus.deliver()
        await soon()
        playing.function.go = asyncio.Event()
        playing.function.go.set()
        for _ in range(5):
            playing.bus.deliver(3)
            await soon()

    playing = play(during)
    assert len(playing.function.called) == 16
    assert max(playing.bus.credits) == 4
    assert playing.bus.credits[-2] == 3, "before the stop: all but the slow one's"


def test_messages_wait_at_the_host_only_where_host_json_has_them_prefetched() -> None:
    async def during(playing: Playing) -> None:
        playing.function.go.clear()
        playing.bus.deliver(6)
        await soon()
        assert playing.function.called == [[1], [2], [3], [4]]
        playing.function.go.set()
        await soon()
        playing.function.go.clear()
        playing.bus.deliver(6)
        await soon()
        playing.stopping.set()
        await soon()
        playing.function.go.set()

    playing = play(during, prefetch_count=2)
    assert playing.bus.credits[0] == 6
    assert playing.function.called == [[number] for number in range(1, 11)]
    settled = {first: state for first, _, state in playing.bus.settled}
    assert settled[11] == ABANDONED, "not begun when the host stops"


def test_a_lock_that_has_ended_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def during(playing: Playing) -> None:
        playing.bus.refused = {2}
        playing.bus.deliver(4)
        await soon()
        playing.bus.deliver(4)
        await soon()

    playing = play(during)
    assert len(playing.function.called) == 8
    assert caplog.text.count("a lock was lost before its message was settled") == 1


def test_a_stop_repeats_a_message_in_flight_and_takes_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)

    async def during(playing: Playing) -> None:
        playing.function.go.clear()
        playing.bus.deliver()
        await soon()
        playing.stopping.set()
        playing.bus.deliver()
        await soon()
        playing.function.go.set()

    playing = play(during)
    assert playing.function.called == [[1]]
    assert sorted(playing.bus.settled) == [(1, 1, ABANDONED), (2, 2, ABANDONED)]
    assert playing.bus.credits[-1] == 0
    assert "is repeated because of the stop" in caplog.text


def test_what_comes_of_a_call_is_not_settled_on_a_link_that_is_lost() -> None:
    async def during(playing: Playing) -> None:
        playing.function.go.clear()
        playing.bus.deliver(2)
        await soon()
        playing.bus.lose()
        await playing.receiving
        playing.function.go.set()

    assert play(during).bus.settled == []


def test_a_settlement_that_is_not_confirmed_ends_with_its_link() -> None:
    async def during(playing: Playing) -> None:
        playing.bus.confirms = False
        playing.bus.deliver(2)
        await soon()
        playing.bus.lose()

    assert play(during).bus.settled == [(1, 1, COMPLETED), (2, 2, COMPLETED)]


def test_a_settlement_that_is_never_confirmed_keeps_its_place_for_a_minute_only() -> None:
    async def during(playing: Playing) -> None:
        playing.bus.confirms = False
        playing.bus.deliver(4)
        await asyncio.sleep(59)
        assert playing.bus.credits == [4]
        await asyncio.sleep(2)
        assert playing.bus.credits == [4, 4]

    play(during)


def test_one_batch_at_a_time_takes_what_is_there_by_then() -> None:
    async def during(playing: Playing) -> None:
        playing.function.go.clear()
        playing.bus.deliver(3)
        await asyncio.sleep(1)
        assert playing.bus.credits == [10, 0]
        assert playing.function.called == [[1, 2, 3]]
        playing.bus.deliver()  # sent before the bus knew that no more may come
        await asyncio.sleep(1)
        playing.function.go.set()
        await asyncio.sleep(1)
        assert playing.bus.credits == [10, 0, 10]
        playing.bus.deliver(10)
        await soon()

    playing = play(during, many=True)
    assert playing.function.called == [[1, 2, 3], [*range(5, 15)]]
    assert playing.bus.settled == [(4, 4, RELEASED), (1, 3, COMPLETED), (5, 14, COMPLETED)]


def test_a_batch_that_fails_is_abandoned_as_a_whole_and_the_next_one_comes() -> None:
    async def during(playing: Playing) -> None:
        playing.function.bad = {2}
        playing.bus.deliver(3)
        await asyncio.sleep(1)
        playing.bus.deliver(2)
        await asyncio.sleep(1)

    playing = play(during, many=True)
    assert playing.bus.settled == [(1, 3, ABANDONED), (4, 5, COMPLETED)]


def test_a_stop_repeats_no_batch() -> None:
    async def during(playing: Playing) -> None:
        playing.function.go.clear()
        playing.bus.deliver(3)
        await asyncio.sleep(1)
        playing.stopping.set()
        await soon()
        playing.function.go.set()

    assert play(during, many=True).bus.settled == [(1, 3, COMPLETED)]


def test_a_batch_that_is_not_begun_when_the_host_stops_is_given_back() -> None:
    async def during(playing: Playing) -> None:
        playing.bus.deliver(3)
        playing.stopping.set()

    playing = play(during, many=True)
    assert playing.function.called == []
    assert playing.bus.settled == [(1, 3, ABANDONED)]


def test_a_batch_waits_for_the_least_that_host_json_says_but_not_for_long() -> None:
    async def during(playing: Playing) -> None:
        playing.bus.deliver(2)
        await asyncio.sleep(3)
        assert playing.function.called == []
        playing.bus.deliver(2)
        await soon()
        assert playing.function.called == [[1, 2, 3, 4]]
        playing.bus.deliver()
        await asyncio.sleep(4.9)
        assert len(playing.function.called) == 1
        await asyncio.sleep(0.2)
        assert playing.function.called[1:] == [[5]]

    play(during, many=True, min_batch=4, max_batch_wait=timedelta(seconds=5))


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [([], []), ([3], [(3, 3)]), ([4, 2, 3, 9, 7, 8, 12], [(2, 4), (7, 9), (12, 12)])],
)
def test_runs_of_numbers(numbers: list[int], expected: list[tuple[int, int]]) -> None:
    assert list(runs(numbers)) == expected


def test_a_settlement_that_the_bus_does_not_confirm_ends_after_a_minute() -> None:
    async def during(playing: Playing) -> None:
        playing.bus.confirms = False
        loop, receiver = asyncio.get_running_loop(), playing.link.receiver
        first = asyncio.create_task(receiver.settle([message(1)], Settlement.COMPLETE))
        await asyncio.sleep(30)
        second = asyncio.create_task(receiver.settle([message(2), message(3)], Settlement.COMPLETE))
        await asyncio.sleep(1)
        playing.bus.confirm(2)
        ended.append(([error.condition for error in await first], round(loop.time())))
        ended.append(([error.condition for error in await second], round(loop.time())))

    ended: list[tuple[list[str], int]] = []
    play(during)
    assert ended == [(["amqp:timeout"], 60), (["amqp:timeout"], 90)]


def test_a_cancelled_settlement_takes_no_other_with_it() -> None:
    async def during(playing: Playing) -> None:
        playing.bus.confirms = False
        receiver = playing.link.receiver
        cancelled, other = (
            asyncio.create_task(receiver.settle([message(n)], Settlement.COMPLETE)) for n in (1, 2)
        )
        await soon()
        cancelled.cancel()
        await soon()
        playing.bus.confirm(1)
        playing.bus.confirm(2)
        errors.extend(await other)
        assert cancelled.cancelled()

    errors: list[BusLinkError] = []
    play(during)
    assert errors == []
