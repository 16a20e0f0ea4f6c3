"""The unmodified async SDK over TLS, with the token of an identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.servicebus import ServiceBusMessage

if TYPE_CHECKING:
    from tests.unit.local.bus.conftest import Bus


async def test_a_message_comes_as_it_was_sent(bus: Bus) -> None:
    async with bus.client() as client, client.get_queue_sender("plain") as sender:
        await sender.send_messages(
            ServiceBusMessage(
                b"\x00\xff body",
                application_properties={"n": 7},
                message_id="m1",
                content_type="application/octet-stream",
            )
        )
        async with client.get_queue_receiver("plain", max_wait_time=2) as receiver:
            (message,) = await receiver.receive_messages(1)
            assert b"".join(message.body) == b"\x00\xff body"
            assert message.application_properties == {b"n": 7}
            assert message.message_id == "m1"
            assert message.delivery_count == 0
            await receiver.complete_message(message)
    assert bus.server.state()["plain"].active == bus.server.state()["plain"].locked == 0
