"""Connections that break, cleanly between frames or in the middle of one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import ServiceBusError
from hypothesis import given
from hypothesis import strategies as st

from local.bus.amqp import performatives as amqp
from local.bus.amqp.frames import AMQP, EMPTY_FRAME, HEADER, FrameReader, break_off, frame
from local.bus.broker.journal import Journal
from local.bus.broker.namespace import Namespace
from local.bus.server.server import BusServer
from local.deployment.resources import NamespaceSpec, QueueSpec

if TYPE_CHECKING:
    from tests.amqp import Raw
    from tests.integration.local.bus.conftest import Bus, Grants


# The SDK does not close the socket of a connection whose other side broke it.
pytestmark = [
    pytest.mark.usefixtures("left_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@given(st.lists(st.one_of(st.binary(max_size=99), st.none()), min_size=1, max_size=5))
def test_half_of_the_last_frame_is_left(bodies: list[bytes | None]) -> None:
    whole = [HEADER[AMQP] if body is None else frame(AMQP, 0, body) for body in bodies]
    broken = break_off(b"".join(whole))
    before = b"".join(whole[:-1])
    assert broken == before + whole[-1][: len(whole[-1]) // 2]
    reader = FrameReader()
    reader.feed(broken)
    for _ in whole[:-1]:
        assert reader.next() is not None
    assert reader.next() is None


def test_an_empty_frame_is_cut_as_well() -> None:
    assert break_off(EMPTY_FRAME) == EMPTY_FRAME[:4]


async def receiving(raw: Callable[[], Awaitable[Raw]]) -> Raw:
    client = await raw()
    client.hello()
    client.put_token("sb://h", "jwt-of-root")
    await client.until(amqp.Transfer)
    client.attach(2, "plain", receives=True)
    await client.until(amqp.Attach)
    return client


async def test_a_message_is_broken_off_in_the_middle_and_comes_again(
    bus: Bus, raw: Callable[[], Awaitable[Raw]]
) -> None:
    client = await receiving(raw)
    bus.server.drop_connections(mid_frame=True)
    bus.put("plain", b"x" * 1000)
    client.send(amqp.Flow(0, 1000, 0, 1000, 2, 0, 10))
    assert await client.rest() == []
    left = len(client.frames._buffer) - client.frames._offset
    assert 500 < left < 1000
    assert bus.server.state()["plain"].locked == 1
    async with bus.client() as other, other.get_queue_receiver("plain") as receiver:
        bus.put("plain", b"another")
        (message,) = await receiver.receive_messages(1, max_wait_time=5)
        assert b"".join(message.body) == b"another"


async def test_a_sender_whose_acknowledgement_is_broken_off_sends_again(bus: Bus) -> None:
    """The first one was taken; duplicate detection makes one of the two."""
    async with bus.client(retries=3) as client, client.get_queue_sender("unique") as sender:
        await sender.send_messages(ServiceBusMessage("x", message_id="1"))
        bus.server.drop_connections(mid_frame=True)
        await sender.send_messages(ServiceBusMessage("x", message_id="2"))
    assert bus.server.state()["unique"].active == 2


async def test_a_connection_on_which_nothing_was_sent_can_be_left_whole(bus: Bus) -> None:
    async with bus.client() as client, client.get_queue_sender("plain") as sender:
        await sender.send_messages(ServiceBusMessage("x"))
        bus.server.drop_connections(mid_frame=True)
        bus.server.keep_connections()
        await sender.send_messages(ServiceBusMessage("y"))
    assert bus.server.state()["plain"].active == 2


async def test_without_retries_the_sender_gets_the_error(bus: Bus) -> None:
    async with bus.client() as client, client.get_queue_sender("plain") as sender:
        await sender.send_messages(ServiceBusMessage("x"))
        bus.server.drop_connections(mid_frame=True)
        with pytest.raises(ServiceBusError):
            await sender.send_messages(ServiceBusMessage("y"))
    assert bus.server.state()["plain"].active == 2


async def test_nothing_is_acknowledged_that_cannot_be_written(
    grants: Grants, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal")
    key = "a2V5IG9mIHRoZSB0ZXN0cw=="  # of the rule `all`
    spec = NamespaceSpec(
        "/n", "n", "n", "Standard", local_auth=True, queues=(QueueSpec("/q", "plain"),)
    )
    server = BusServer(spec, grants, journal=journal)
    port = await server.listen("127.0.0.1", 0)
    connection = (
        f"Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=all;SharedAccessKey={key};"
        "UseDevelopmentEmulator=true"
    )
    limit = journal._database.execute
    async with (
        ServiceBusClient.from_connection_string(connection, retry_total=0) as client,
        client.get_queue_sender("plain") as sender,
    ):
        await sender.send_messages(ServiceBusMessage("before"))
        limit("PRAGMA max_page_count = 1")
        with pytest.raises(ServiceBusError):
            await sender.send_messages(ServiceBusMessage("x" * 100_000))
        limit("PRAGMA max_page_count = 100000")
        await sender.send_messages(ServiceBusMessage("after"))
    await server.close()
    journal.close()
    again = Journal(tmp_path / "journal")
    # What was not acknowledged is there too: it came before what was.
    assert Namespace(spec, time.time, journal=again).counts()["plain"].active == 3
    again.close()
