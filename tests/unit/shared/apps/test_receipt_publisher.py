"""Receipts of calls that run at once travel in one message, and each call gets its outcome."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from azure.servicebus import ServiceBusMessage

from shared.apps.receipt_publisher import ENOUGH, LONGEST_WAIT, ReceiptPublisher
from shared.azure.queues import BusDeniedError
from shared.message.receipt import Receipt
from shared.message.receipt_lines import MAX_LINES, read_lines
from shared.message.state import State
from tests.fast_clock import run

AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


class Queue:
    """Accepts messages, each after `seconds`, or raises `error`."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.messages: list[list[str]] = []
        self.seconds = seconds
        self.error: Exception | None = None

    async def send(self, message: ServiceBusMessage) -> None:
        await asyncio.sleep(self.seconds)
        if self.error:
            raise self.error
        lines = [line.receipt for line in read_lines(b"".join(message.body))]
        self.messages.append([one.message_id for one in lines if isinstance(one, Receipt)])

    @property
    def sizes(self) -> list[int]:
        return [len(ids) for ids in self.messages]


def receipt(number: int, detail: str | None = None) -> Receipt:
    return Receipt(f"m{number}", State.DELIVERED, AT, 1, detail=detail)


async def call(publisher: ReceiptPublisher, number: int, seconds: float = 0.0) -> None:
    """Be a call that delivers for so many seconds before it has a receipt."""
    with publisher.call():
        await asyncio.sleep(seconds)
        await publisher.publish(receipt(number))


def test_the_receipt_of_a_call_alone_waits_for_nothing() -> None:
    async def alone() -> float:
        await call(ReceiptPublisher(queue.send), 0)
        return asyncio.get_running_loop().time()

    queue = Queue()
    assert run(alone()) == 0
    assert queue.sizes == [1]


def test_receipts_of_calls_that_run_at_once_travel_together() -> None:
    async def at_once() -> float:
        publisher = ReceiptPublisher(queue.send)
        await asyncio.gather(*(call(publisher, number) for number in range(32)))
        return asyncio.get_running_loop().time()

    queue = Queue()
    assert run(at_once()) == 0
    assert queue.sizes == [32]


def test_under_load_a_message_carries_the_receipts_of_half_of_the_calls() -> None:
    async def one_after_the_other(publisher: ReceiptPublisher, first: int) -> None:
        for number in range(first, first + 20):
            await call(publisher, number, 0.02 + first % 7 / 1000)

    async def load() -> None:
        publisher = ReceiptPublisher(queue.send)
        await asyncio.gather(*(one_after_the_other(publisher, 20 * n) for n in range(32)))

    queue = Queue(0.005)
    run(load())
    assert sorted(one for ids in queue.messages for one in ids) == sorted(
        f"m{n}" for n in range(640)
    )
    # A delivered message costs three operations and a share of these three.
    assert 640 / len(queue.messages) >= 10


def test_enough_receipts_wait_for_no_more_calls() -> None:
    async def among_many() -> float:
        publisher = ReceiptPublisher(queue.send)
        slow = [asyncio.create_task(call(publisher, number, 10)) for number in range(100)]
        await asyncio.sleep(0)
        await asyncio.gather(*(call(publisher, 100 + number) for number in range(ENOUGH)))
        done = asyncio.get_running_loop().time()
        await asyncio.gather(*slow)
        return done

    queue = Queue()
    assert run(among_many()) == 0
    assert queue.sizes[0] == ENOUGH


def test_a_slow_call_delays_no_receipt_for_long() -> None:
    async def beside_slow_ones() -> float:
        publisher = ReceiptPublisher(queue.send)
        slow = [asyncio.create_task(call(publisher, number, 10)) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        await call(publisher, 0)
        done = asyncio.get_running_loop().time()
        await asyncio.gather(*slow)
        return done

    queue = Queue()
    assert run(beside_slow_ones()) == pytest.approx(LONGEST_WAIT)
    assert queue.messages[0] == ["m0"]


def test_a_call_that_ends_without_a_receipt_is_not_waited_for() -> None:
    async def without(publisher: ReceiptPublisher) -> None:
        with publisher.call():
            await asyncio.sleep(0.01)

    async def beside() -> float:
        publisher = ReceiptPublisher(queue.send)
        others = [asyncio.create_task(without(publisher)) for _ in range(5)]
        await asyncio.sleep(0)
        await call(publisher, 0)
        done = asyncio.get_running_loop().time()
        await asyncio.gather(*others)
        return done

    queue = Queue()
    assert run(beside()) == pytest.approx(0.01)


def test_no_call_ends_before_the_queue_has_its_receipt() -> None:
    async def at_once() -> list[float]:
        publisher = ReceiptPublisher(queue.send)

        async def ended(number: int) -> float:
            await call(publisher, number)
            assert any(f"m{number}" in ids for ids in queue.messages)
            return asyncio.get_running_loop().time()

        return await asyncio.gather(*map(ended, range(4)))

    queue = Queue(3.0)
    assert run(at_once()) == [3.0] * 4


def test_where_the_queue_refuses_every_call_learns_it() -> None:
    async def at_once() -> list[BaseException | None]:
        publisher = ReceiptPublisher(queue.send)
        calls = (call(publisher, number) for number in range(5))
        first = await asyncio.gather(*calls, return_exceptions=True)
        queue.error = None
        await call(publisher, 7)
        return first

    queue = Queue()
    queue.error = BusDeniedError("refused")
    outcomes = run(at_once())
    assert [type(one) for one in outcomes] == [BusDeniedError] * 5
    assert queue.messages == [["m7"]]


def test_a_cancelled_call_takes_no_other_with_it() -> None:
    async def at_once() -> None:
        publisher = ReceiptPublisher(queue.send)
        running = [asyncio.create_task(call(publisher, number)) for number in range(5)]
        await asyncio.sleep(0.5)
        running[2].cancel()
        outcomes = await asyncio.gather(*running, return_exceptions=True)
        assert [type(one) for one in outcomes].count(asyncio.CancelledError) == 1
        await call(publisher, 9)

    queue = Queue(1.0)
    run(at_once())
    assert {"m0", "m1", "m3", "m4", "m9"} <= {one for ids in queue.messages for one in ids}


def test_a_message_holds_no_more_than_is_read() -> None:
    async def at_once() -> None:
        publisher = ReceiptPublisher(queue.send)
        many = (publisher.publish(receipt(number, "\u2028" * 250)) for number in range(250))
        await asyncio.gather(*many)

    queue = Queue()
    run(at_once())
    assert sum(queue.sizes) == 250
    assert max(queue.sizes) <= MAX_LINES
