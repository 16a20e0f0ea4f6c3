"""The unmodified async SDK over TLS, with the token of an identity."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    ServiceBusAuthorizationError,
    ServiceBusConnectionError,
    ServiceBusError,
)

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage
    from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

    from local.bus.security.principal import Right
    from tests.integration.local.bus.conftest import Bus

DEAD = ServiceBusSubQueue.DEAD_LETTER


def body(message: ServiceBusReceivedMessage) -> bytes:
    return b"".join(message.body)


async def send(client: ServiceBusClient, queue: str, *bodies: bytes | str) -> None:
    async with client.get_queue_sender(queue) as sender:
        for one in bodies:
            await sender.send_messages(ServiceBusMessage(one))


async def receive(receiver: ServiceBusReceiver, count: int = 1) -> list[ServiceBusReceivedMessage]:
    got: list[ServiceBusReceivedMessage] = []
    while len(got) < count:
        more = await receiver.receive_messages(count - len(got), max_wait_time=5)
        assert more, "nothing came"
        got += more
    return got


async def test_a_message_comes_as_it_was_sent(bus: Bus) -> None:
    message_id = str(uuid.uuid4())
    async with bus.client() as client, client.get_queue_sender("plain") as sender:
        await sender.send_messages(
            ServiceBusMessage(
                b"\x00\xff body",
                application_properties={"n": 7, "text": "ä", "flag": True, "raw": b"\x00"},
                message_id=message_id,
                content_type="application/octet-stream",
                correlation_id="c",
                subject="s",
                reply_to="r",
                to="t",
                time_to_live=timedelta(seconds=60),
            )
        )
        async with client.get_queue_receiver("plain") as receiver:
            (message,) = await receive(receiver)
            assert body(message) == b"\x00\xff body"
            assert message.application_properties == {
                b"n": 7, b"text": "ä".encode(), b"flag": True, b"raw": b"\x00",
            }  # fmt: skip
            assert message.message_id == message_id
            assert message.content_type == "application/octet-stream"
            assert (message.correlation_id, message.subject) == ("c", "s")
            assert (message.reply_to, message.to) == ("r", "t")
            assert message.time_to_live == timedelta(seconds=60)
            assert message.delivery_count == 0
            assert message.sequence_number == 1
            assert message.enqueued_time_utc is not None
            assert message.locked_until_utc is not None
            assert message.locked_until_utc > message.enqueued_time_utc
            assert message.lock_token is not None
            await receiver.complete_message(message)
    counts = bus.server.state()["plain"]
    assert (counts.active, counts.locked) == (0, 0)


async def test_batches(bus: Bus) -> None:
    async with bus.client() as client, client.get_queue_sender("plain") as sender:
        batch = await sender.create_message_batch()
        assert batch.max_size_in_bytes == 256 * 1024
        for number in range(50):
            batch.add_message(ServiceBusMessage(f"{number}"))
        await sender.send_messages(batch)
        assert bus.server.state()["plain"].active == 50
        async with client.get_queue_receiver("plain", prefetch_count=20) as receiver:
            got = await receive(receiver, 50)
            assert [body(one) for one in got] == [f"{n}".encode() for n in range(50)]
            await asyncio.gather(*(receiver.complete_message(one) for one in got))
    assert bus.server.state()["plain"].locked == 0


async def test_a_message_just_under_the_limit_and_one_over_it(bus: Bus) -> None:
    large = bytes(range(256)) * 1023
    async with bus.client() as client, client.get_queue_sender("plain") as sender:
        await sender.send_messages(ServiceBusMessage(large))
        with pytest.raises(MessageSizeExceededError):
            await sender.send_messages(ServiceBusMessage(b"x" * 256 * 1024))
        await sender.send_messages(ServiceBusMessage(b"the link lives"))
        async with client.get_queue_receiver("plain") as receiver:
            first, second = await receive(receiver, 2)
            assert body(first) == large
            assert body(second) == b"the link lives"


async def test_abandon_then_complete(bus: Bus) -> None:
    async with bus.client() as client:
        bus.put("plain", b"x")
        async with client.get_queue_receiver("plain") as receiver:
            (message,) = await receive(receiver)
            await receiver.abandon_message(message)
            (message,) = await receive(receiver)
            assert message.delivery_count == 1
            await receiver.complete_message(message)
    assert bus.server.state()["plain"].active == 0


async def test_defer_then_receive_by_number(bus: Bus) -> None:
    async with bus.client() as client:
        bus.put("plain", b"x")
        async with client.get_queue_receiver("plain") as receiver:
            (message,) = await receive(receiver)
            number = message.sequence_number or 0
            await receiver.defer_message(message)
            assert bus.server.state()["plain"].deferred == 1
            (message,) = await receiver.receive_deferred_messages(number)
            assert body(message) == b"x"
            await receiver.complete_message(message)
            with pytest.raises(MessageNotFoundError):
                await receiver.receive_deferred_messages(number)
    assert bus.server.state()["plain"].deferred == 0


async def test_a_deferred_message_is_settled_by_operations(bus: Bus) -> None:
    bus.put("plain", b"x")
    async with bus.client() as client:
        async with client.get_queue_receiver("plain") as receiver:
            (message,) = await receive(receiver)
            number = message.sequence_number or 0
            await receiver.defer_message(message)
            for settle in (receiver.abandon_message, receiver.defer_message):
                (message,) = await receiver.receive_deferred_messages(number)
                await settle(message)
                assert bus.server.state()["plain"].deferred == 1
            (message,) = await receiver.receive_deferred_messages(number)
            await receiver.dead_letter_message(message, "Late", "too late")
        async with client.get_queue_receiver("plain", sub_queue=DEAD) as receiver:
            (message,) = await receiver.peek_messages()
            assert message.dead_letter_reason == "Late"
            assert message.dead_letter_error_description == "too late"


async def test_dead_letter_with_a_reason(bus: Bus) -> None:
    async with bus.client() as client:
        bus.put("plain", b"x")
        async with client.get_queue_receiver("plain") as receiver:
            (message,) = await receive(receiver)
            await receiver.dead_letter_message(message, "Broken", "cannot be read")
        assert bus.server.state()["plain"].dead_lettered == 1
        async with client.get_queue_receiver("plain", sub_queue=DEAD) as receiver:
            (message,) = await receive(receiver)
            assert body(message) == b"x"
            assert message.dead_letter_reason == "Broken"
            assert message.dead_letter_error_description == "cannot be read"
            await receiver.complete_message(message)
    assert bus.server.state()["plain"].dead_lettered == 0


async def test_renewal_keeps_a_lock(bus: Bus) -> None:
    async with bus.client() as client:
        bus.put("brief", b"x")
        async with client.get_queue_receiver("brief") as receiver:
            (message,) = await receive(receiver)
            before = message.locked_until_utc
            await asyncio.sleep(0.2)
            renewed = await receiver.renew_message_lock(message)
            assert before is not None
            assert renewed > before
            await asyncio.sleep(0.25)
            await receiver.complete_message(message)


async def test_a_lock_runs_out_and_the_message_comes_again(bus: Bus) -> None:
    async with bus.client() as client:
        bus.put("brief", b"x")
        async with client.get_queue_receiver("brief") as receiver:
            (message,) = await receive(receiver)
            await asyncio.sleep(0.5)
            message._expiry = datetime.now(UTC) + timedelta(
                hours=1
            )  # or the SDK would not even ask
            with pytest.raises(MessageLockLostError):
                await receiver.complete_message(message)
            with pytest.raises(MessageLockLostError):
                await receiver.renew_message_lock(message)
            (again,) = await receive(receiver)
            assert again.delivery_count == 1
            await receiver.complete_message(again)


async def test_the_last_delivery_dead_letters(bus: Bus) -> None:
    async with bus.client() as client:
        bus.put("brief", b"x")
        async with client.get_queue_receiver("brief") as receiver:
            for _ in range(2):
                await receiver.abandon_message((await receive(receiver))[0])
        async with client.get_queue_receiver("brief", sub_queue=DEAD) as receiver:
            (message,) = await receive(receiver)
            assert message.dead_letter_reason == "MaxDeliveryCountExceeded"


async def test_schedule_and_cancel(bus: Bus) -> None:
    async with bus.client() as client, client.get_queue_sender("plain") as sender:
        await sender.create_message_batch()  # opens
        soon = datetime.now(UTC) + timedelta(seconds=1)
        first, second = await sender.schedule_messages(
            [ServiceBusMessage("a"), ServiceBusMessage("b")], soon
        )
        assert bus.server.state()["plain"].scheduled == 2
        await sender.cancel_scheduled_messages(first)
        with pytest.raises(MessageNotFoundError):
            await sender.cancel_scheduled_messages(first)
        assert second == first + 1
        async with client.get_queue_receiver("plain") as receiver:
            (message,) = await receive(receiver)
            assert body(message) == b"b"
            assert datetime.now(UTC) >= soon


async def test_a_message_scheduled_by_its_own_property(bus: Bus) -> None:
    async with bus.client() as client, client.get_queue_sender("plain") as sender:
        soon = datetime.now(UTC) + timedelta(seconds=0.5)
        await sender.send_messages(ServiceBusMessage("a", scheduled_enqueue_time_utc=soon))
        assert bus.server.state()["plain"].scheduled == 1
        async with client.get_queue_receiver("plain") as receiver:
            (message,) = await receive(receiver)
            assert message.scheduled_enqueue_time_utc is not None


async def test_peek_leaves_messages_where_they_are(bus: Bus) -> None:
    async with bus.client() as client, client.get_queue_receiver("plain") as receiver:
        assert await receiver.peek_messages(5) == []
        bus.put("plain", b"a", b"b", b"c")
        assert [body(one) for one in await receiver.peek_messages(2)] == [b"a", b"b"]
        assert [body(one) for one in await receiver.peek_messages(2)] == [b"c"]
        (message,) = await receiver.peek_messages(1, sequence_number=2)
        assert message.sequence_number == 2
        assert bus.server.state()["plain"].active == 3


async def test_peek_answers_fit_for_a_client(bus: Bus) -> None:
    async with bus.client() as client:
        bus.put("plain", *[b"x" * 200_000] * 8)
        async with client.get_queue_receiver("plain") as receiver:
            seen: list[ServiceBusReceivedMessage] = []
            while more := await receiver.peek_messages(8):
                seen += more
            assert [one.sequence_number for one in seen] == list(range(1, 9))


async def test_duplicates_are_dropped(bus: Bus) -> None:
    async with bus.client() as client, client.get_queue_sender("unique") as sender:
        for _ in range(3):
            await sender.send_messages(ServiceBusMessage("x", message_id="same"))
    assert bus.server.state()["unique"].active == 1


async def test_time_to_live_ends_in_the_dead_letter_queue(bus: Bus) -> None:
    async with bus.client() as client:
        bus.put("mortal", b"x")
        async with client.get_queue_receiver("mortal", sub_queue=DEAD) as receiver:
            (message,) = await receive(receiver)
            assert message.dead_letter_reason == "TTLExpiredException"


async def test_forwarding_of_due_and_of_dead_messages(bus: Bus) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.3)
    async with bus.client() as client, client.get_queue_sender("retries") as sender:
        with pytest.raises(ServiceBusError, match="auto-forwarding"):
            await sender.schedule_messages(ServiceBusMessage("x", message_id="m.1"), soon)
        later = ServiceBusMessage("x", message_id="m.1", scheduled_enqueue_time_utc=soon)
        await sender.send_messages(later)
        async with client.get_queue_receiver("messages") as receiver:
            (message,) = await receive(receiver)
            assert message.message_id == "m.1"
            await receiver.dead_letter_message(message, "Refused", "the partner says 400")
        async with client.get_queue_receiver("rejected") as receiver:
            (message,) = await receive(receiver)
            assert body(message) == b"x"
            assert message.dead_letter_reason == "Refused"
            assert message.dead_letter_source == "messages"
            assert message.delivery_count == 0
            await receiver.complete_message(message)
        with pytest.raises(ServiceBusError, match="forwards"):
            await client.get_queue_receiver("retries").receive_messages(1, max_wait_time=1)
        with pytest.raises(ServiceBusError, match="forwards"):
            await client.get_queue_receiver("retries").peek_messages(1)


async def test_receive_and_delete(bus: Bus) -> None:
    async with bus.client() as client:
        bus.put("plain", b"a", b"b")
        async with client.get_queue_receiver(
            "plain", receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
        ) as receiver:
            assert [body(one) for one in await receive(receiver, 2)] == [b"a", b"b"]
    counts = bus.server.state()["plain"]
    assert (counts.active, counts.locked) == (0, 0)


async def test_a_closed_receiver_gives_its_messages_back(bus: Bus) -> None:
    async with bus.client() as client:
        bus.put("plain", b"a", b"b", b"c")
        async with client.get_queue_receiver("plain", prefetch_count=3) as receiver:
            await receive(receiver)
        async with client.get_queue_receiver("plain") as receiver:
            (message,) = await receive(receiver)
            assert body(message) in (b"b", b"c")
            assert message.delivery_count == 0


async def test_a_broken_connection_leaves_the_lock_until_it_ends(bus: Bus) -> None:
    async with bus.client() as client:
        bus.put("brief", b"x")
        receiver = client.get_queue_receiver("brief")
        await receive(receiver)
        bus.server.drop_connections()
        assert bus.server.state()["brief"].locked == 1
        async with client.get_queue_receiver("brief") as other:
            (message,) = await receive(other)
            assert message.delivery_count == 1
            await other.complete_message(message)
        await receiver.close()


async def test_a_client_comes_back_after_a_broken_connection(bus: Bus) -> None:
    async with bus.client(retries=3) as client, client.get_queue_sender("plain") as sender:
        await sender.send_messages(ServiceBusMessage("a"))
        bus.server.drop_connections()
        await sender.send_messages(ServiceBusMessage("b"))
    assert bus.server.state()["plain"].active == 2


async def test_an_unknown_queue_is_not_found(bus: Bus) -> None:
    async with bus.client() as client:
        with pytest.raises(ServiceBusConnectionError, match="client-error"):
            await send(client, "nowhere", "x")
        with pytest.raises(ServiceBusConnectionError, match="client-error"):
            await client.get_queue_receiver("nowhere").receive_messages(1, max_wait_time=1)


async def test_rights_are_each_their_own(bus: Bus) -> None:
    bus.grants.rights |= {("sender", "send", "plain"), ("listener", "listen", "plain")}
    async with bus.client("sender") as sender, bus.client("listener") as listener:
        await send(sender, "plain", "x")
        async with listener.get_queue_receiver("plain") as receiver:
            await receive(receiver)
        for client, queue in ((listener, "plain"), (sender, "other")):
            with pytest.raises(ServiceBusAuthorizationError):
                await send(client, queue, "x")
        # What is not there is refused before anybody's rights are looked at.
        with pytest.raises(ServiceBusConnectionError, match="client-error"):
            await send(listener, "nowhere", "x")
        for client, queue in ((sender, "plain"), (listener, "other")):
            with pytest.raises(ServiceBusAuthorizationError):
                await client.get_queue_receiver(queue).receive_messages(1, max_wait_time=1)


async def test_operations_ask_for_the_same_rights(bus: Bus) -> None:
    bus.grants.rights |= {("sender", "send", "plain"), ("listener", "listen", "plain")}
    soon = datetime.now(UTC) + timedelta(hours=1)
    async with bus.client("listener") as client, client.get_queue_receiver("plain") as receiver:
        assert await receiver.peek_messages(1) == []
        with pytest.raises(ServiceBusAuthorizationError):
            async with client.get_queue_sender("plain") as sender:
                await sender.schedule_messages(ServiceBusMessage("x"), soon)


async def test_a_grant_taken_away_stops_a_running_sender(bus: Bus) -> None:
    grant: tuple[str, Right, str] = ("sender", "send", "plain")
    bus.grants.rights.add(grant)
    async with bus.client("sender", 1) as client, client.get_queue_sender("plain") as sender:
        await sender.send_messages(ServiceBusMessage("x"))
        bus.grants.rights.remove(grant)
        await asyncio.sleep(1)
        with pytest.raises(ServiceBusAuthorizationError):
            await sender.send_messages(ServiceBusMessage("x"))
    assert bus.server.state()["plain"].active == 1


async def test_an_expired_token_ends_its_links(bus: Bus) -> None:
    bus.grants.expires_at = datetime.now(UTC).timestamp() + 1
    async with bus.client(retries=1) as client, client.get_queue_sender("plain") as sender:
        await sender.send_messages(ServiceBusMessage("x"))
        await asyncio.sleep(0.6)
        with pytest.raises(ServiceBusAuthorizationError):
            await sender.send_messages(ServiceBusMessage("x"))


async def test_a_malformed_token_is_refused(bus: Bus) -> None:
    async with bus.client("forger") as client:
        # What the SDK makes of a 401 on $cbs where it has a custom endpoint.
        with pytest.raises(ServiceBusConnectionError):
            await send(client, "plain", "x")
    assert bus.server.state()["plain"].active == 0
