"""The unmodified sync SDK over plain TCP, with shared access signatures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.amqp import AmqpAnnotatedMessage
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
)

if TYPE_CHECKING:
    from tests.integration.local.bus.conftest import Bus


def test_send_receive_and_every_settlement(threaded_bus: Bus) -> None:
    with threaded_bus.sync_client() as client, client.get_queue_sender("plain") as sender:
        batch = sender.create_message_batch()
        for name in ("complete", "abandon", "defer", "dead"):
            batch.add_message(ServiceBusMessage(name))
        sender.send_messages(batch)
        with client.get_queue_receiver("plain", prefetch_count=4) as receiver:
            for _ in range(4):
                (message,) = receiver.receive_messages(1, max_wait_time=5)
                match str(message):
                    case "complete":
                        receiver.complete_message(message)
                    case "abandon":
                        receiver.abandon_message(message)
                    case "defer":
                        number = message.sequence_number or 0
                        receiver.renew_message_lock(message)
                        receiver.defer_message(message)
                    case "dead":
                        receiver.dead_letter_message(message, "Reason", "description")
            (message,) = receiver.receive_messages(1, max_wait_time=5)
            assert (str(message), message.delivery_count) == ("abandon", 1)
            receiver.complete_message(message)
            (message,) = receiver.receive_deferred_messages(number)
            receiver.complete_message(message)
        with client.get_queue_receiver("plain", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
            (message,) = dead.receive_messages(1, max_wait_time=5)
            assert (str(message), message.dead_letter_reason) == ("dead", "Reason")
            dead.complete_message(message)
    counts = threaded_bus.server.state()["plain"]
    assert (counts.active, counts.locked, counts.deferred, counts.dead_lettered) == (0, 0, 0, 0)


def test_schedule_cancel_peek_and_delete(threaded_bus: Bus) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    with threaded_bus.sync_client() as client, client.get_queue_sender("plain") as sender:
        numbers = sender.schedule_messages([ServiceBusMessage("a"), ServiceBusMessage("b")], later)
        sender.send_messages([ServiceBusMessage("c"), ServiceBusMessage(b"d" * 250_000)])
        with client.get_queue_receiver(
            "plain", receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE, prefetch_count=2
        ) as receiver:
            peeked = receiver.peek_messages(10)
            assert [str(one)[:1] for one in peeked] == ["a", "b", "c", "d"]
            sender.cancel_scheduled_messages(numbers)
            got = [*receiver.receive_messages(1), *receiver.receive_messages(1)]
            assert [len(str(one)) for one in got] == [1, 250_000]
        with pytest.raises(MessageSizeExceededError):
            sender.send_messages(ServiceBusMessage(b"x" * 262_144))


def test_a_wrong_key_does_not_authenticate(threaded_bus: Bus) -> None:
    for rule, key in (("all", "wrong"), ("nobody", "wrong")):
        with (
            threaded_bus.sync_client(rule, key) as client,
            pytest.raises(ServiceBusAuthenticationError),
        ):
            client.get_queue_sender("plain").send_messages(ServiceBusMessage("x"))


def test_a_rule_gives_its_rights_on_its_queue_only(threaded_bus: Bus) -> None:
    with threaded_bus.sync_client("send") as client:
        with client.get_queue_sender("plain") as sender:
            sender.send_messages(ServiceBusMessage("x"))
        with pytest.raises(ServiceBusAuthorizationError):
            client.get_queue_sender("other").send_messages(ServiceBusMessage("x"))
        with pytest.raises(ServiceBusAuthorizationError):
            client.get_queue_receiver("plain").receive_messages(1, max_wait_time=1)


def test_a_queue_that_does_not_exist_is_refused_with_the_token(threaded_bus: Bus) -> None:
    with (
        threaded_bus.sync_client() as client,
        pytest.raises(ServiceBusAuthenticationError) as refused,
    ):
        client.get_queue_sender("nowhere").send_messages(ServiceBusMessage("x"))
    assert "Status code: 404\nDescription: The messaging entity 'sb://relay" in str(
        refused.value.inner_exception
    )


def test_a_received_message_is_sent_again_with_what_its_sender_noted(threaded_bus: Bus) -> None:
    message = AmqpAnnotatedMessage(
        data_body=b"x",
        delivery_annotations={"noted": 1},
        application_properties={"price": Decimal("1.2345")},
        footer={"foot": 2},
    )
    with threaded_bus.sync_client() as client, client.get_queue_sender("plain") as sender:
        sender.send_messages(message)
        with client.get_queue_receiver("plain") as receiver:
            for _ in range(2):
                (received,) = receiver.receive_messages(1, max_wait_time=5)
                raw = received.raw_amqp_message
                assert raw.delivery_annotations is not None
                assert raw.delivery_annotations[b"noted"] == 1
                assert raw.footer == {b"foot": 2}
                assert raw.application_properties == {b"price": Decimal("1.2345")}
                sender.send_messages(received)
                receiver.complete_message(received)
