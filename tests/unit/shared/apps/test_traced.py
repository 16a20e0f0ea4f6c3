"""Sends, deliveries and batches as parts of a message's trace, with OpenTelemetry in memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusServerBusyError

from shared.apps.calling import calling, handling, handling_batch
from shared.apps.receipt_publisher import ReceiptPublisher
from shared.apps.sending import Send, sending
from shared.azure.queues import QueueRefusedError
from shared.message.receipt import Receipt
from shared.message.state import State
from shared.message.text_properties import text_properties
from shared.standards.trace_context import TraceContext
from shared.telemetry import recording
from shared.telemetry.metrics import BATCH_SIZE, PROCESSING, SENDING, SENT, THROTTLED
from shared.telemetry.outages import Outages
from tests.unit.shared.azure.test_queues import Bus
from tests.unit.shared.message.triggered import triggered
from tests.unit.shared.telemetry.recorded import Recorded, context_of, recording_in_memory

CALLER = TraceContext(f"00-{'a' * 32}-{'b' * 16}-01", "x=y")
OTHER = TraceContext(f"00-{'c' * 32}-{'d' * 16}-01")


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    with recording_in_memory() as found:
        yield found


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def send(bus: Bus) -> Send:
    return sending(bus, "retries", Outages(logging.getLogger("test_traced")))


def context(parent: str, state: str = "") -> Any:
    return SimpleNamespace(trace_context=SimpleNamespace(trace_parent=parent, trace_state=state))


async def test_a_message_names_the_span_of_its_send_instead_of_what_it_came_with(
    send: Send, recorded: Recorded
) -> None:
    properties: dict[Any, Any] = {**OTHER.to_properties(), "relay-attempts": "1"}
    message = ServiceBusMessage("x", message_id="id-1", application_properties=properties)
    with recording.attached(CALLER):
        await send(message)
    span = recorded.span("send retries")
    assert span.attributes == {
        "messaging.system": "servicebus",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "retries",
        "messaging.message.id": "id-1",
    }
    assert span.kind.name == "PRODUCER"
    own = context_of(span)
    assert own.trace_id == CALLER.trace_id
    sent = text_properties(message)
    assert sent == {**TraceContext(own.parent, "x=y").to_properties(), "relay-attempts": "1"}
    ((about, count),) = recorded.points(SENT)
    assert (about["messaging.destination.name"], count) == ("retries", 1)


async def test_what_is_sent_outside_of_a_call_stays_in_the_trace_of_the_message(
    send: Send, recorded: Recorded
) -> None:
    await send(ServiceBusMessage("x", application_properties=CALLER.to_properties()))
    assert context_of(recorded.span("send retries")).trace_id == CALLER.trace_id


async def test_what_is_sent_together_is_measured_once_and_counted_by_message(
    send: Send, bus: Bus, recorded: Recorded
) -> None:
    await asyncio.gather(*(send(ServiceBusMessage(f"{number}")) for number in range(4)))
    await send(ServiceBusMessage("alone"))
    assert [len(one) for one in bus.sends] == [4, 1]
    assert [count for _, count in recorded.points(SENT)] == [5]
    assert recorded.times_measured(SENDING) == 2


async def test_a_refused_send_is_a_failed_span_and_throttling_is_counted(
    send: Send, bus: Bus, recorded: Recorded
) -> None:
    bus.errors = [ServiceBusServerBusyError(message="planted")]
    with pytest.raises(QueueRefusedError):
        await send(ServiceBusMessage("x"))
    span = recorded.span("send retries")
    assert (span.attributes or {})["error.type"] == "BusThrottledError"
    assert "planted" not in span.to_json()
    ((about, _),) = recorded.points(SENDING)
    assert about["error.type"] == "BusThrottledError"
    assert recorded.points(THROTTLED) == [({"relay.service": "queue retries"}, 1)]


async def test_a_message_of_several_receipts_belongs_to_one_trace_and_links_to_the_others(
    bus: Bus, recorded: Recorded
) -> None:
    publisher = ReceiptPublisher(
        sending(bus, "receipts", Outages(logging.getLogger("test_traced")))
    )

    async def call(number: int, parent: TraceContext) -> None:
        with publisher.call(), recording.attached(parent), recording.span(f"call {number}"):
            receipt = Receipt(f"m{number}", State.DELIVERED, datetime.now(UTC))
            await publisher.publish(receipt)

    await asyncio.gather(call(1, CALLER), call(2, OTHER))
    span = recorded.span("send receipts")
    one, two = recorded.span("call 1"), recorded.span("call 2")
    assert span.parent
    assert span.parent.span_id == one.get_span_context().span_id  # type: ignore[union-attr]
    linked = [link.context.span_id for link in span.links]
    assert linked == [two.get_span_context().span_id]  # type: ignore[union-attr]
    assert recorded.points(BATCH_SIZE) == [({"relay.batch": "receipts-sent"}, 2)]


def test_a_call_is_below_the_span_of_the_host(recorded: Recorded) -> None:
    with calling(context(CALLER.parent, CALLER.state), lambda: OTHER), recording.span("a") as span:
        pass
    assert span.context
    assert (span.context.trace_id, span.context.state) == (CALLER.trace_id, "x=y")


@pytest.mark.parametrize("parent", ["", "planted", CALLER.parent.upper()])
def test_without_one_it_is_below_what_the_message_says(parent: str, recorded: Recorded) -> None:
    with calling(context(parent), lambda: OTHER), recording.span("a"):
        pass
    assert context_of(recorded.span("a")).trace_id == OTHER.trace_id


def test_the_handling_of_a_message_is_measured_and_has_no_second_span(recorded: Recorded) -> None:
    message = triggered(properties=OTHER.to_properties())
    with handling(message, context(CALLER.parent), "messages"), recording.span("a"):
        pass
    assert [one.name for one in recorded.spans] == ["a"]
    ((about, _),) = recorded.points(PROCESSING)
    assert about == {
        "messaging.system": "servicebus",
        "messaging.operation.name": "process",
        "messaging.destination.name": "messages",
    }


def test_a_batch_links_to_each_message_that_says_what_it_belongs_to(recorded: Recorded) -> None:
    texts = [CALLER.to_properties(), {}, OTHER.to_properties(), {"traceparent": "planted"}]
    with handling_batch([triggered(properties=one) for one in texts], "receipts"):
        pass
    span = recorded.span("process receipts")
    assert span.parent is None
    assert span.kind.name == "CONSUMER"
    assert (span.attributes or {})["messaging.batch.message_count"] == 4
    links = [f"{link.context.trace_id:032x}" for link in span.links]
    assert links == [CALLER.trace_id, OTHER.trace_id]


def test_a_batch_of_thousands_has_as_many_links_as_a_span_may_have(recorded: Recorded) -> None:
    parents = [TraceContext(f"00-{n:032x}-{'d' * 16}-01") for n in range(1, 1001)]
    messages = [triggered(properties=one.to_properties()) for one in parents]
    with handling_batch(messages, "receipts"):
        pass
    assert len(recorded.span("process receipts").links) == 128
