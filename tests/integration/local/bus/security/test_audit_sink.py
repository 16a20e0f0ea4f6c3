"""What a bus reports of its decisions, and of the rights that are used."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusAuthorizationError, ServiceBusConnectionError

if TYPE_CHECKING:
    from local.bus.security.principal import Right
    from tests.integration.local.bus.conftest import Bus


async def test_a_decision_for_each_link_and_a_use_for_each_message(bus: Bus) -> None:
    async with bus.client() as client:
        async with client.get_queue_sender("plain") as sender:
            await sender.send_messages(ServiceBusMessage("x"))
            await sender.send_messages([ServiceBusMessage(text) for text in "yz"])
            # Longer than a right is trusted without being asked for again.
            await asyncio.sleep(1.1)
            await sender.send_messages(ServiceBusMessage("z"))
        async with client.get_queue_receiver("plain", prefetch_count=0) as receiver:
            for message in await receiver.receive_messages(1, max_wait_time=5):
                await receiver.complete_message(message)
    assert bus.notes.decisions == [
        ("root", "send", "plain", False),
        ("root", "listen", "plain", False),
    ]
    assert bus.notes.requests == [None, None]
    assert bus.notes.uses["root", "send", "plain"] == 4
    assert bus.notes.uses["root", "listen", "plain"] >= 1


async def test_a_link_that_carries_nothing_is_no_use(bus: Bus) -> None:
    async with (
        bus.client() as client,
        client.get_queue_sender("plain"),
        client.get_queue_receiver("other"),
    ):
        pass
    assert len(bus.notes.decisions) == 2
    assert not bus.notes.uses


async def test_operations_are_decided_once_for_a_connection_and_used_each_time(bus: Bus) -> None:
    bus.put("plain", b"x")
    soon = datetime.now(UTC) + timedelta(hours=1)
    async with bus.client() as client:
        async with client.get_queue_receiver("plain") as receiver:
            for _ in range(3):
                await receiver.peek_messages(1)
        async with client.get_queue_sender("plain") as sender:
            await sender.schedule_messages(ServiceBusMessage("y"), soon)
    assert bus.notes.uses["root", "listen", "plain"] == 3
    assert bus.notes.uses["root", "send", "plain"] == 1
    # Links and $management: of each a few, whatever is done over them.
    assert len(bus.notes.decisions) < 10


async def test_a_refusal_is_told_with_the_id_that_the_client_sees(bus: Bus) -> None:
    bus.grants.rights |= {("sender", "send", "plain")}
    async with bus.client("sender") as client:
        with pytest.raises(ServiceBusAuthorizationError) as caught:
            async with client.get_queue_receiver("plain"):
                pass
    seen = re.search(r"TrackingId:([0-9a-f]{32})_G0, SystemTracker:", str(caught.value))
    assert seen
    assert bus.notes.decisions == [("sender", "listen", "plain", False)]
    assert bus.notes.requests == [str(uuid.UUID(seen[1]))]
    assert not bus.notes.uses


async def test_a_grant_taken_away_and_given_back_is_told_each_time(bus: Bus) -> None:
    grant: tuple[str, Right, str] = ("sender", "send", "plain")
    bus.grants.rights.add(grant)
    async with bus.client("sender") as client:
        async with client.get_queue_sender("plain"):
            bus.grants.rights.remove(grant)
            # The bus looks at it again by itself, and ends the link.
            patience = time.monotonic() + 30
            while len(bus.notes.requests) < 2:
                assert time.monotonic() < patience
                await asyncio.sleep(0.05)
        bus.grants.rights.add(grant)
        async with client.get_queue_sender("plain"):
            pass
    first, refused, again = bus.notes.requests
    assert (first, again) == (None, None)
    assert refused


async def test_a_token_that_is_not_believed_is_told_without_a_principal(bus: Bus) -> None:
    async with bus.client("forger") as client:
        with pytest.raises(ServiceBusConnectionError):
            async with client.get_queue_sender("plain"):
                pass
    assert bus.notes.decisions == []
    assert bus.notes.strangers[0] == ("plain", "InvalidTokenError")


async def test_the_apps_own_proof_is_told_apart(bus: Bus) -> None:
    async with (
        bus.client(user_agent="relay-access/1") as client,
        client.get_queue_sender("plain") as sender,
    ):
        await sender.send_messages(ServiceBusMessage("x"))
    assert bus.notes.decisions == [("root", "send", "plain", True)]
    assert not bus.notes.uses


async def test_messages_are_reported_by_their_ids_as_they_are_sent_and_delivered(bus: Bus) -> None:
    async with bus.client() as client:
        async with client.get_queue_sender("plain") as sender:
            await sender.send_messages(ServiceBusMessage("x", message_id="one"))
            more = [ServiceBusMessage("x", message_id=name) for name in ("two", "three")]
            await sender.send_messages(more)
        async with client.get_queue_receiver("plain", prefetch_count=0) as receiver:
            for message in await receiver.receive_messages(1, max_wait_time=5):
                await receiver.complete_message(message)
    sent = [one for one in bus.notes.transfers if one[1] == "send"]
    assert sent == [
        ("root", "send", "plain", ("one",)),
        ("root", "send", "plain", ("two", "three")),
    ]
    assert ("root", "listen", "plain", ("one",)) in bus.notes.transfers


async def test_what_the_access_audit_sends_is_not_reported(bus: Bus) -> None:
    async with (
        bus.client(user_agent="relay-access/1") as client,
        client.get_queue_sender("plain") as sender,
    ):
        await sender.send_messages(ServiceBusMessage("x"))
    assert not bus.notes.transfers
