"""When the sender accepts no more: by its own sends, and by what the ledger says is under way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusMessageBatch

from shared.apps.admission import (
    MESSAGE_BYTES,
    Admission,
    BacklogGauge,
    OverloadedError,
    Refusals,
    waiting_bytes,
)
from shared.azure.queues import BusDeniedError, BusError, BusUnavailableError, QueueRefusedError
from shared.ledger.entry import Backlog
from shared.ledger.errors import LedgerUnavailableError
from shared.message.bus_message import outgoing
from shared.message.envelope import DataKey, WrappedKey, seal
from shared.message.protected_header import MessageHeader
from shared.standards.trace_context import TraceContext
from tests.unit.shared.message.triggered import TRACE

MIB = 1024 * 1024
FULL = Backlog(300, MIB)  # more than one MiB takes


def test_whoever_is_refused_is_asked_to_wait_half_of_the_time_since() -> None:
    refusals, waits = Refusals(), []
    refusals.refused(0.0)
    for now in (0.0, 4.0, 40.0, 100.0, 1000.0):
        with refusals.trying():
            waits.append(refusals.wait(now))
            refusals.refused(now)
    assert waits == [5, 5, 20, 50, 60]
    refusals.accepted()
    with refusals.trying():
        assert refusals.wait(1000.0) is None


def test_the_return_of_a_queue_is_noticed_by_the_next_caller() -> None:
    refusals = Refusals()
    for second in range(100):
        refusals.refused(float(second))
        assert refusals.wait(float(second)) is None


def gauge(backlog: Backlog, limit: int = MIB, at: float = 0.0, took: float = 0.0) -> BacklogGauge:
    one = BacklogGauge(limit)
    one.began(at - took)
    one.read(backlog, at)
    return one


@pytest.mark.parametrize(
    ("backlog", "limit", "full"),
    [
        (Backlog(0, 0), MIB, False),
        (Backlog(511, 0), MIB, False),
        (Backlog(512, 0), MIB, True),
        (Backlog(1, MIB * 3 // 4 - 2048), MIB, False),
        (Backlog(1, MIB * 3 // 4), MIB, True),
        (Backlog(10**9, 10**12), 0, False),
    ],
)
def test_too_much_is_what_would_take_up_the_limit(backlog: Backlog, limit: int, full: bool) -> None:
    assert gauge(backlog, limit).is_full(0.0) is full


def test_what_the_sender_adds_itself_counts_at_once_and_once() -> None:
    one = gauge(Backlog(511, 0))
    one.added(0)
    assert one.is_full(1.0)
    one.began(5.0)
    one.added(0)
    one.read(Backlog(510, 0), 6.0)
    assert not one.is_full(6.0), "the new figure has the first"
    one.added(0)
    assert one.is_full(6.0), "and not what was sent while it was read"


def test_a_stale_figure_refuses_nobody() -> None:
    one = gauge(FULL)
    assert one.is_full(14.9)
    assert not one.is_full(15.0)
    assert not BacklogGauge(MIB).is_full(0.0), "nor does none at all"


def test_a_read_that_takes_long_is_seldom_repeated_and_its_figure_stays() -> None:
    one = gauge(FULL, took=2.0)
    assert not one.is_due(37.9)
    assert one.is_due(38.0)
    assert one.is_full(119.0)
    assert not one.is_full(120.0)


def test_no_more_rows_are_counted_than_the_limit_takes() -> None:
    assert BacklogGauge(MIB).max_messages == 513
    assert BacklogGauge(0).is_due(1e9) is False


@pytest.mark.parametrize("size", [0, 1, 1000, 190_000])
def test_a_message_takes_up_no_more_than_it_is_counted_for(size: int) -> None:
    """With the longest names that a deployment can have, and another 500 bytes for later hops."""
    key_id = f"https://{'v' * 24}.vault.azure.net/keys/{'k' * 127}/{'0' * 32}"
    header = MessageHeader("0f8fad5b-d9cb-469f-a165-70867728950e", "application/vnd.example+json")
    token = seal(b"x" * size, header, DataKey.generate(), WrappedKey(key_id, b"k" * 512))
    message = outgoing(token, f"{header.message_id}~{'0' * 43}", TraceContext(TRACE))
    batch = ServiceBusMessageBatch(max_size_in_bytes=1_000_000)
    empty = batch.size_in_bytes
    batch.add_message(message)
    assert batch.size_in_bytes - empty + 500 < waiting_bytes(1, size)


class Ledger:
    """Counts how often it is asked, and answers, or raises `error`."""

    def __init__(self, backlog: Backlog) -> None:
        self.backlog = backlog
        self.error: Exception | None = None
        self.asked: list[tuple[datetime, int]] = []

    async def read(self, since: datetime, limit: int) -> Backlog:
        self.asked.append((since, limit))
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        return self.backlog


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(FULL)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def admission(ledger: Ledger, clock: Clock) -> Admission:
    return Admission(ledger.read, 1, clock)


def require(admission: Admission) -> None:
    with admission.admitted():
        pass


async def known(admission: Admission) -> None:
    """Let the ledger answer."""
    require(admission)
    assert admission._reading
    await admission._reading


async def test_nobody_waits_for_the_ledger_and_the_next_caller_is_told(
    admission: Admission, ledger: Ledger
) -> None:
    await known(admission)
    with pytest.raises(OverloadedError, match="too much is under way") as raised:
        require(admission)
    assert raised.value.retry_after == 30
    ((since, limit),) = ledger.asked
    assert limit == MIB // MESSAGE_BYTES + 1
    assert timedelta(days=7.9) < datetime.now(UTC) - since < timedelta(days=8.1)


async def test_the_ledger_is_asked_every_few_seconds_however_many_call(
    admission: Admission, ledger: Ledger, clock: Clock
) -> None:
    ledger.backlog = Backlog(0, 0)
    for _ in range(100):
        await known(admission)
        clock.now += 0.5
    assert len(ledger.asked) == 10


async def test_callers_are_accepted_again_when_there_is_room(
    admission: Admission, ledger: Ledger, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await known(admission)
    ledger.backlog = Backlog(0, 0)
    for _ in range(3):
        with pytest.raises(OverloadedError):
            require(admission)
    clock.now += 5
    with pytest.raises(OverloadedError):
        require(admission)
    assert admission._reading
    await admission._reading
    require(admission)
    assert caplog.messages == [
        "callers are refused: too much is under way",
        "callers are no longer refused",
    ]


@pytest.mark.parametrize("error", [LedgerUnavailableError("away"), RuntimeError("planted")])
async def test_a_ledger_that_does_not_answer_refuses_nobody_for_long(
    admission: Admission,
    ledger: Ledger,
    clock: Clock,
    error: Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await known(admission)
    ledger.error = error
    clock.now += 16
    await known(admission)
    clock.now += 6
    await known(admission)
    assert len(ledger.asked) == 3
    assert "planted" not in caplog.text


@pytest.mark.parametrize("error", [QueueRefusedError("full"), BusDeniedError("no right")])
async def test_while_its_queue_refuses_one_message_at_a_time_is_tried(
    admission: Admission, error: BusError
) -> None:
    admission.not_sent(error)
    with admission.admitted(), pytest.raises(OverloadedError, match="refuses") as raised:
        require(admission)
    assert raised.value.retry_after == 5
    require(admission)


async def test_a_lost_connection_is_not_a_refusal(admission: Admission) -> None:
    admission.not_sent(BusUnavailableError("no answer"))
    with admission.admitted():
        require(admission)


@pytest.mark.parametrize("sent", [lambda one: one.sent(10**7), lambda one: None])
async def test_without_a_limit_the_ledger_is_never_asked(
    ledger: Ledger, sent: Callable[[Admission], None]
) -> None:
    admission = Admission(ledger.read, 0)
    sent(admission)
    require(admission)
    assert ledger.asked == []
