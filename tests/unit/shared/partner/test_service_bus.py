"""The partner's queue: what is sent, what each failure means, when a connection is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from azure.servicebus import ServiceBusMessage

from shared.azure.network import ConnectionOptions
from shared.azure.queues import BusDeniedError, BusError, BusUnavailableError, MessageTooLargeError
from shared.message.protected_header import MessageHeader
from shared.partner.delivery import (
    Delivery,
    DeliveryError,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerSecretError,
    PartnerUnavailableError,
)
from shared.partner.service_bus import PartnerQueue, PartnerQueueClient
from shared.standards.trace_context import TraceContext

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HEADER = MessageHeader("id-1", "a/b")
INBOX = PartnerQueue("inbox", "Endpoint=sb://one/;SharedAccessKeyName=send;SharedAccessKey=a2V5")
ROTATED = PartnerQueue("inbox", "Endpoint=sb://one/;SharedAccessKeyName=send;SharedAccessKey=a2Z5")


@dataclass
class Connection:
    """A connection to one queue: what was sent over it, or the error that it raises."""

    target: PartnerQueue
    sent: list[ServiceBusMessage] = field(default_factory=list)
    error: BusError | None = None
    is_open: bool = True

    async def send(self, message: ServiceBusMessage) -> None:
        if self.error:
            raise self.error
        self.sent.append(message)

    async def close(self) -> None:
        self.is_open = False


@dataclass
class Bus:
    made: list[Connection] = field(default_factory=list)

    def connect(self, target: PartnerQueue, _: ConnectionOptions) -> Connection:
        self.made.append(Connection(target))
        return self.made[-1]


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def client(bus: Bus) -> PartnerQueueClient:
    return PartnerQueueClient(ConnectionOptions(), bus.connect)


@pytest.mark.parametrize(
    ("trace", "properties"),
    [
        (None, {}),
        (
            TraceContext(TRACE, "a=b"),
            {"traceparent": TRACE, "tracestate": "a=b", "Diagnostic-Id": TRACE},
        ),
    ],
)
async def test_what_is_sent(
    client: PartnerQueueClient, bus: Bus, trace: TraceContext | None, properties: dict[str, str]
) -> None:
    await client.send(INBOX, Delivery(HEADER, b"\x00\xff", trace))
    (message,) = bus.made[0].sent
    assert b"".join(message.body) == b"\x00\xff"
    assert (message.message_id, message.content_type) == ("id-1", "a/b")
    assert (message.application_properties or {}) == properties


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BusDeniedError("refused"), PartnerDeniedError),
        (MessageTooLargeError("too large"), PartnerRefusedError),
        (BusUnavailableError("away"), PartnerUnavailableError),
    ],
)
async def test_what_a_failure_means(
    client: PartnerQueueClient, bus: Bus, error: BusError, kind: type[DeliveryError]
) -> None:
    await client.send(INBOX, Delivery(HEADER, b"x"))
    bus.made[0].error = error
    with pytest.raises(DeliveryError, match=str(error)) as caught:
        await client.send(INBOX, Delivery(HEADER, b"x"))
    assert type(caught.value) is kind
    assert caught.value.retry_after is None


async def test_a_bus_that_throttles_says_when_to_come_back(
    client: PartnerQueueClient, bus: Bus
) -> None:
    await client.send(INBOX, Delivery(HEADER, b"x"))
    bus.made[0].error = BusUnavailableError("away", retry_after=7)
    with pytest.raises(PartnerUnavailableError) as caught:
        await client.send(INBOX, Delivery(HEADER, b"x"))
    assert caught.value.retry_after == 7


async def test_a_connection_is_kept_until_the_secret_changes(
    client: PartnerQueueClient, bus: Bus
) -> None:
    for target in (INBOX, INBOX, ROTATED, ROTATED):
        await client.send(target, Delivery(HEADER, b"x"))
    assert [one.target for one in bus.made] == [INBOX, ROTATED]
    assert [len(one.sent) for one in bus.made] == [2, 2]
    assert [one.is_open for one in bus.made] == [False, True]
    await client.close()
    await client.close()
    assert not bus.made[1].is_open


async def test_a_secret_that_no_client_can_be_made_of_is_a_wrong_secret() -> None:
    def connect(_: PartnerQueue, __: ConnectionOptions) -> Connection:
        raise KeyError("planted")

    with pytest.raises(PartnerSecretError) as caught:
        await PartnerQueueClient(ConnectionOptions(), connect).send(INBOX, Delivery(HEADER, b""))
    assert "planted" not in str(caught.value)
