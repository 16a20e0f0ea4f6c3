"""Sending to a queue: what goes together, and what an error means for whom.

The link is a small interface of ours; messages, batches and errors are the SDK's own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch, TransportType
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    OperationTimeoutError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusCommunicationError,
    ServiceBusConnectionError,
    ServiceBusError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)
from hypothesis import given
from hypothesis import strategies as st

from shared.azure import queues
from shared.azure.network import ConnectionOptions
from shared.azure.queues import (
    BusDeniedError,
    BusError,
    BusUnavailableError,
    MessageTooLargeError,
    QueueRefusedError,
    QueueSender,
    _is_surely_below,
    connect,
    connect_by_string,
    map_error,
)

REQUEST = "0f8fad5b-d9cb-469f-a165-70867728950e"
KEY = "c2VjcmV0IG9mIHRoZSBwYXJ0bmVyIGZvciB0ZXN0cw=="


class Link:
    """A link to a queue that takes batches of `size` bytes, and what was sent through it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def create_message_batch(
        self, max_size_in_bytes: int | None = None
    ) -> ServiceBusMessageBatch:
        await self._bus.opening.wait()
        if self._bus.no_link:
            raise self._bus.no_link
        return ServiceBusMessageBatch(max_size_in_bytes=max_size_in_bytes or self._bus.size)

    async def send_messages(self, message: ServiceBusMessage | ServiceBusMessageBatch) -> None:
        batch = isinstance(message, ServiceBusMessageBatch)
        sent = [one.body for one in message._messages] if batch else [message.body]  # type: ignore[union-attr]
        self._bus.sends.append([b"".join(body).decode() for body in sent])
        await self._bus.sending.wait()
        if self._bus.errors:
            raise self._bus.errors.pop(0)

    async def close(self) -> None:
        self._bus.closed.append("link")
        if self._bus.no_close:
            raise self._bus.no_close


class Bus:
    """A connection of which a test says how it fails."""

    def __init__(self) -> None:
        self.size = 10_000
        self.opening, self.sending = asyncio.Event(), asyncio.Event()
        self.opening.set()
        self.sending.set()
        self.no_link: Exception | None = None
        self.no_close: Exception | None = None
        self.errors: list[Exception] = []
        self.links: list[str] = []
        self.sends: list[list[str]] = []
        self.closed: list[str] = []

    def get_queue_sender(self, queue_name: str) -> Link:
        self.links.append(queue_name)
        return Link(self)

    async def close(self) -> None:
        self.closed.append("connection")
        if self.no_close:
            raise self.no_close


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def sender(bus: Bus) -> QueueSender:
    return QueueSender(bus, "messages")


async def started(sender: QueueSender, *bodies: str) -> list[asyncio.Task[None]]:
    running = [asyncio.create_task(sender.send(ServiceBusMessage(body))) for body in bodies]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return running


async def ended(running: Sequence[asyncio.Task[None]]) -> list[type[BaseException] | None]:
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    return [type(outcome) if outcome else None for outcome in outcomes]


async def test_what_waits_behind_a_send_goes_together_in_the_next(
    bus: Bus, sender: QueueSender
) -> None:
    bus.sending.clear()
    running = await started(sender, "a")
    running += await started(sender, "b", "c", "d")
    bus.sending.set()
    assert await ended(running) == [None] * 4
    assert bus.sends == [["a"], ["b", "c", "d"]]
    assert bus.links == ["messages"], "one link for all"


async def test_what_does_not_fit_into_a_batch_goes_into_the_next_one_in_its_order(
    bus: Bus, sender: QueueSender
) -> None:
    bus.size = 1200
    running = await started(sender, "a" * 400, "b" * 400, "c" * 400, "d")
    assert await ended(running) == [None] * 4
    assert [[text[0] for text in send] for send in bus.sends] == [["a", "b"], ["c", "d"]]


async def test_a_message_as_large_as_a_batch_goes_without_one(
    bus: Bus, sender: QueueSender
) -> None:
    bus.size = 600
    running = await started(sender, "a" * 590, "b")
    assert await ended(running) == [None] * 2
    assert [[text[0] for text in send] for send in bus.sends] == [["a"], ["b"]]


@given(
    body=st.binary(max_size=3000),
    message_id=st.none() | st.text(min_size=1, max_size=128),
    content_type=st.none() | st.text(max_size=100),
    properties=st.dictionaries(st.text(max_size=50), st.text(max_size=300), max_size=12),
    due=st.sampled_from([None, datetime(2026, 1, 1, tzinfo=UTC)]),
)
def test_what_is_surely_below_a_size_fits_into_a_batch_of_that_size(
    body: bytes,
    message_id: str | None,
    content_type: str | None,
    properties: dict[str | bytes, Any],
    due: datetime | None,
) -> None:
    message = ServiceBusMessage(
        body,
        message_id=message_id,
        content_type=content_type,
        application_properties=dict(properties) or None,
        scheduled_enqueue_time_utc=due,
    )
    batch = ServiceBusMessageBatch(max_size_in_bytes=10**6)
    batch.add_message(message)
    assert not _is_surely_below(batch.size_in_bytes, message)


@pytest.mark.parametrize("reserve", [0, 5000])
async def test_a_message_that_is_alone_and_small_is_never_measured(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, reserve: int
) -> None:
    monkeypatch.delattr(ServiceBusMessageBatch, "add_message")
    assert await ended(await started(QueueSender(bus, "messages", reserve), "a" * 2000)) == [None]
    assert bus.sends == [["a" * 2000]]


async def test_a_message_that_is_too_large_costs_no_other_its_place(
    bus: Bus, sender: QueueSender
) -> None:
    bus.size = 600
    bus.errors = [MessageSizeExceededError(message="too large")]
    running = await started(sender, "a" * 1000, "b", "c")
    assert await ended(running) == [MessageTooLargeError, None, None]
    assert bus.sends[1:] == [["b", "c"]]


async def test_a_message_that_cannot_be_encoded_costs_no_other_its_place(
    bus: Bus, sender: QueueSender
) -> None:
    bus.sending.clear()
    running = await started(sender, "a")
    odd = ServiceBusMessage("odd", application_properties={"detail": "\ud800"})
    bus.errors = []
    running += await started(sender, "b")
    running.append(asyncio.create_task(sender.send(odd)))
    await asyncio.sleep(0)
    running += await started(sender, "c")
    bus.sending.set()
    assert await ended(running) == [None] * 4
    assert bus.sends == [["a"], ["b"], ["odd"], ["c"]], "alone, where its error is its own"


@pytest.mark.parametrize(("size", "padded"), [(200, False), (320, True), (590, True)])
async def test_a_message_that_needs_its_reserve_is_sent_with_it_so_that_the_bus_decides(
    bus: Bus, size: int, padded: bool
) -> None:
    bus.size = 600
    sender = QueueSender(bus, "messages", reserve=300)
    message = ServiceBusMessage("a" * (size - 30), application_properties={"mine": "1"})
    await asyncio.wait_for(sender.send(message), 5)
    properties = dict(message.application_properties or {})
    assert properties.pop("mine") == "1"
    assert properties == ({queues.RESERVED: "-" * 300} if padded else {})


async def test_a_send_that_fails_is_of_what_was_in_it_and_its_link_is_not_used_again(
    bus: Bus, sender: QueueSender
) -> None:
    bus.sending.clear()
    running = await started(sender, "a")
    bus.errors = [ServiceBusConnectionError(message="lost")]
    running += await started(sender, "b", "c")
    bus.sending.set()
    assert await ended(running) == [BusUnavailableError, None, None]
    assert bus.sends == [["a"], ["b", "c"]]
    assert bus.closed == ["link"]
    assert bus.links == ["messages", "messages"]


async def test_without_a_link_all_who_wait_learn_it_at_once(bus: Bus, sender: QueueSender) -> None:
    bus.opening.clear()
    running = await started(sender, "a")
    running += await started(sender, "b", "c")
    bus.no_link = ServiceBusAuthorizationError(message="no right")
    bus.opening.set()
    assert await ended(running) == [BusDeniedError] * 3
    assert bus.sends == []
    bus.no_link = None
    assert await ended(await started(sender, "d")) == [None]


async def test_a_link_that_is_opened_ahead_is_the_one_that_messages_take(
    bus: Bus, sender: QueueSender
) -> None:
    await sender.open()
    assert (bus.links, bus.sends) == (["messages"], [])
    assert await ended(await started(sender, "a")) == [None]
    await sender.open()
    assert (bus.links, bus.sends) == (["messages"], [["a"]])


async def test_messages_that_come_while_a_link_is_opened_ahead_wait_for_it(
    bus: Bus, sender: QueueSender
) -> None:
    bus.opening.clear()
    opening = asyncio.create_task(sender.open())
    running = await started(sender, "a", "b")
    bus.opening.set()
    assert await ended([opening, *running]) == [None] * 3
    assert (bus.links, bus.sends) == (["messages"], [["a", "b"]])


@pytest.mark.parametrize("size", [20, 10_000])
async def test_what_does_not_fit_beside_an_opening_goes_after_it(
    bus: Bus, sender: QueueSender, size: int
) -> None:
    bus.size = size
    bus.opening.clear()
    opening = asyncio.create_task(sender.open())
    running = await started(sender, "a" * 100)
    bus.opening.set()
    assert await ended([opening, *running]) == [None, None]
    assert bus.sends == [["a" * 100]]


async def test_a_link_that_cannot_be_opened_ahead_is_opened_for_the_first_message(
    bus: Bus, sender: QueueSender
) -> None:
    bus.no_link = ServiceBusAuthorizationError(message="no right")
    with pytest.raises(BusDeniedError):
        await sender.open()
    bus.no_link = None
    assert await ended(await started(sender, "a")) == [None]
    assert bus.links == ["messages", "messages"]


async def test_who_goes_away_before_the_link_is_open_sends_nothing(
    bus: Bus, sender: QueueSender
) -> None:
    bus.opening.clear()
    (running,) = await started(sender, "a")
    running.cancel()
    await asyncio.sleep(0)
    bus.opening.set()
    assert await ended(await started(sender, "b")) == [None]
    assert bus.sends == [["b"]]


@pytest.mark.parametrize("limit", ["_SEND_SECONDS", "_WAIT_SECONDS"])
@pytest.mark.parametrize("hanging", ["opening", "sending"])
async def test_a_send_that_never_ends_is_an_unavailable_bus(
    bus: Bus, sender: QueueSender, monkeypatch: pytest.MonkeyPatch, hanging: str, limit: str
) -> None:
    monkeypatch.setattr(queues, limit, 0.01)
    getattr(bus, hanging).clear()
    assert await ended(await started(sender, "a")) == [BusUnavailableError]
    getattr(bus, hanging).set()
    monkeypatch.setattr(queues, limit, 10.0)
    assert await ended(await started(sender, "b")) == [None]


@pytest.mark.parametrize(
    "error",
    [None, OSError(), TimeoutError(), ServiceBusError("odd"), KeyError(), AttributeError()],
)
async def test_closing_closes_link_and_connection_whatever_they_say(
    bus: Bus, sender: QueueSender, error: Exception | None
) -> None:
    await ended(await started(sender, "a"))
    bus.no_close = error
    await sender.close()
    assert bus.closed == ["link", "connection"]


FAULTS = [
    None,
    None,
    None,
    KeyError("unforeseen"),
    AttributeError("unforeseen"),
    asyncio.CancelledError(),
    StopAsyncIteration(),
    ServiceBusConnectionError(message="lost"),
    ServiceBusAuthorizationError(message="no right"),
]


class FaultyBus:
    """A connection whose every step may fail: by what comes next of `faults`."""

    def __init__(self, faults: list[BaseException | None]) -> None:
        self.faults = faults
        self.sent: list[str] = []

    async def step(self) -> None:
        await asyncio.sleep(0)
        fault = self.faults.pop() if self.faults else None
        if fault:
            raise fault

    def get_queue_sender(self, _: str) -> FaultyBus:
        fault = self.faults.pop() if self.faults else None
        if fault:
            raise fault
        return self

    async def create_message_batch(
        self, max_size_in_bytes: int | None = None
    ) -> ServiceBusMessageBatch:
        await self.step()
        return ServiceBusMessageBatch(max_size_in_bytes=300)

    async def send_messages(self, message: ServiceBusMessage | ServiceBusMessageBatch) -> None:
        await self.step()
        batch = message._messages if isinstance(message, ServiceBusMessageBatch) else [message]
        self.sent += [b"".join(one.body).decode() for one in batch]

    async def close(self) -> None:
        await self.step()


@given(
    faults=st.lists(st.sampled_from(FAULTS), max_size=12),
    messages=st.integers(1, 8),
    closing=st.none() | st.integers(0, 12),
)
async def test_whatever_fails_at_whatever_step_everybody_gets_an_answer(
    faults: list[BaseException | None], messages: int, closing: int | None
) -> None:
    bus = FaultyBus(faults)
    sender = QueueSender(bus, "messages")
    bodies = [str(number) for number in range(messages)]
    running = [asyncio.create_task(sender.send(ServiceBusMessage(body))) for body in bodies]
    if closing is not None:
        for _ in range(closing):
            await asyncio.sleep(0)
        with suppress(asyncio.CancelledError):
            await sender.close()
    outcomes = await asyncio.wait_for(asyncio.gather(*running, return_exceptions=True), 10)
    for body, outcome in zip(bodies, outcomes, strict=True):
        assert outcome is None or isinstance(outcome, BusError)
        assert outcome or body in bus.sent
    faults.clear()
    await asyncio.wait_for(sender.send(ServiceBusMessage("next")), 10)
    assert bus.sent[-1] == "next"


async def test_a_link_that_was_cancelled_in_the_middle_of_a_send_is_not_used_again(
    bus: Bus, sender: QueueSender
) -> None:
    bus.errors = [asyncio.CancelledError()]  # type: ignore[list-item] # not an Exception
    assert await ended(await started(sender, "a")) == [BusUnavailableError]
    assert await ended(await started(sender, "b")) == [None]
    assert bus.links == ["messages", "messages"]
    assert bus.closed == ["link"]


async def test_closing_ends_the_waiting_of_all(bus: Bus, sender: QueueSender) -> None:
    bus.sending.clear()
    running = await started(sender, "a")
    running += await started(sender, "b")
    await sender.close()
    assert await ended(running) == [BusUnavailableError] * 2


async def test_closing_what_never_sent_opens_nothing(bus: Bus, sender: QueueSender) -> None:
    await sender.close()
    assert (bus.links, bus.closed) == ([], ["connection"])


@pytest.mark.parametrize(
    "error",
    [
        ServiceBusAuthenticationError(message="no token"),
        ServiceBusAuthorizationError(message="no right"),
        ClientAuthenticationError(message="no such identity"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_who_may_not_send_is_denied(error: Exception) -> None:
    found = map_error("messages", error)
    assert type(found) is BusDeniedError
    assert str(found) == f"send to queue messages: refused ({type(error).__name__})"


def test_a_denial_names_the_request_that_the_bus_has_on_record() -> None:
    error = ServiceBusAuthorizationError(message=f"Unauthorized. TrackingId:{REQUEST}_G12, ...")
    assert str(map_error("messages", error)).endswith(f", request {REQUEST}")


def test_a_denial_names_the_request_that_the_endpoint_of_identities_has_on_record() -> None:
    class Answer:
        """What the SDK keeps of an answer."""

        reason, status_code = "Bad Request", 400
        headers: dict[str, str] = {}  # noqa: RUF012 - as the SDK has it

        def text(self) -> str:
            return json.dumps({"correlationId": REQUEST})

    answer: Any = Answer()
    found = map_error("messages", ClientAuthenticationError(message="no", response=answer))
    assert str(found).endswith(f", request {REQUEST}")


@pytest.mark.parametrize(
    "error",
    [
        ServiceBusConnectionError(message="lost"),
        ServiceBusCommunicationError(message="no address"),
        OperationTimeoutError(message="late"),
        MessagingEntityNotFoundError(message="no queue"),
        ServiceBusError("anything else"),
        TimeoutError(),
        ConnectionResetError(),
        OSError("no route"),
        ValueError("a fault of the SDK"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_other_failure_may_pass(error: Exception) -> None:
    found = map_error("messages", error)
    assert type(found) is BusUnavailableError
    assert str(found) == f"send to queue messages: no answer ({type(error).__name__})"


@pytest.mark.parametrize(
    "error",
    [
        ServiceBusServerBusyError(message="throttled"),
        ServiceBusQuotaExceededError(message="full"),
        MessagingEntityDisabledError(message="off"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_queue_that_accepts_nothing_now_refuses_whatever_is_sent(error: Exception) -> None:
    found = map_error("messages", error)
    assert isinstance(found, QueueRefusedError)
    assert found.is_throttled == isinstance(error, ServiceBusServerBusyError)
    assert str(found) == f"send to queue messages: not now ({type(error).__name__})"


def test_a_message_that_is_too_large_never_fits() -> None:
    found = map_error("messages", MessageSizeExceededError(message="too large"))
    assert type(found) is MessageTooLargeError
    assert not found.transient


@pytest.mark.parametrize(
    "error", [ServiceBusError("secret"), ServiceBusAuthorizationError(message="secret")]
)
async def test_an_error_never_repeats_what_a_server_says(
    bus: Bus, sender: QueueSender, error: Exception
) -> None:
    bus.errors = [error]
    with pytest.raises(BusError) as raised:
        await sender.send(ServiceBusMessage("a"))
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


class Credential:
    """Is asked for nothing: no connection is opened."""

    get_token: Any = None
    close: Any = None


def connected(network: ConnectionOptions, **more: Any) -> Any:
    credential: Any = Credential()
    return connect("relay.servicebus.windows.net", credential, network, **more)._config


def test_a_client_says_which_transport_so_that_no_endpoint_changes_it() -> None:
    config = connected(ConnectionOptions(bus_endpoint="sb://127.0.0.1:5671"))
    assert config.transport_type is TransportType.Amqp
    assert config.custom_endpoint_hostname == "127.0.0.1"


def test_a_client_is_given_the_authorities_and_the_name_that_it_shall_show(tmp_path: Any) -> None:
    authorities = tmp_path / "ca.pem"
    config = connected(ConnectionOptions(authorities), user_agent="relay-access/1")
    assert config.connection_verify == str(authorities)
    assert config.user_agent.endswith("relay-access/1")
    assert connected(ConnectionOptions()).connection_verify is None


def test_a_connection_string_names_the_namespace() -> None:
    text = (
        f"Endpoint=sb://partner.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey={KEY}"
    )
    client: Any = connect_by_string(text, ConnectionOptions())
    assert client.fully_qualified_namespace == "partner.servicebus.windows.net"
    assert client._config.transport_type is TransportType.Amqp
