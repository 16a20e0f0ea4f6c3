"""What a message grows by on its way is at most what the sender keeps free for it."""

from __future__ import annotations

from datetime import UTC, datetime

from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch

from shared.message.bus_message import LATER_HOP_BYTES, outgoing, rejected, requeued
from shared.message.envelope import DataKey, WrappedKey, seal
from shared.message.message_id import MessageId
from shared.message.pending_receipt import PendingReceipt
from shared.message.protected_header import MessageHeader
from shared.message.receipt import _LARGEST, _LONGEST, Receipt
from shared.message.received import ReceivedMessage
from shared.message.rejected import BUS_DETAIL, BUS_REASON
from shared.message.state import State
from shared.message.waiting import Wait, WaitsFor
from shared.standards.trace_context import TraceContext

KEY = DataKey.generate()
ID = "i" * 80
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
FOUR_BYTES = "\U0001f600"
STANDARD_BYTES = 256 * 1024
# Of a key in Key Vault: a vault's name has at most 24 characters, a key's 127, a version 32.
KEY_ID = f"https://{'v' * 24}.vault.azure.net/keys/{'k' * 127}/{'0' * 32}"


def size(message: ServiceBusMessage) -> int:
    batch = ServiceBusMessageBatch(max_size_in_bytes=2**30)
    batch.add_message(message)
    return batch.size_in_bytes


def received(body: str) -> ReceivedMessage:
    """Return a message whose properties are all as long as they can be."""
    receipt = Receipt(
        ID,
        State.RETRYING,
        datetime(2099, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        attempts=_LARGEST,
        replay=_LARGEST,
        detail=FOUR_BYTES * _LONGEST["detail"],
        key_version="v" * _LONGEST["key_version"],
        # A media type is ASCII (`MessageHeader`); a quote in it is escaped in JSON.
        content_type='"' * _LONGEST["content_type"],
        size=_LARGEST,
    )
    return ReceivedMessage(
        bus_id="i" * 128,
        attempts=9999,
        schedule_used=10**9 - 1,
        deliveries=1,
        trace=TraceContext(TRACE, "s" * 512),
        body=body.encode(),
        id=MessageId(ID, 10**18 - 1, 10**9 - 2),
        pending=PendingReceipt.by(KEY, receipt),
    )


def test_no_later_hop_adds_more_than_is_kept_free() -> None:
    first = size(outgoing(b"body", f"{ID}~{'d' * 16}", TraceContext(TRACE, "s" * 512)))
    message = received("body")
    wait = Wait(WaitsFor.RECEIPT, FOUR_BYTES * 300, datetime.now(UTC))
    hops = [
        requeued(message, datetime.now(UTC), 9999, wait),
        rejected(message, FOUR_BYTES * 100, FOUR_BYTES * 200, 9999, is_recorded=False),
    ]
    for hop in hops:
        # What the bus adds to a dead letter, with room: its own texts are of 300 characters.
        hop.application_properties = {
            **(hop.application_properties or {}),
            BUS_REASON: "r" * 64,
            BUS_DETAIL: "d" * 512,
        }
    growth = max(size(hop) for hop in hops) - first
    # Not by far less either: what is kept free is taken from payloads.
    assert LATER_HOP_BYTES / 2 < growth <= LATER_HOP_BYTES


def test_the_default_limit_leaves_that_room_in_the_standard_tier() -> None:
    header = MessageHeader(ID, "a/" + "b" * 253)
    # RSA 4096 is the largest that Key Vault has.
    token = seal(bytes(190_000), header, KEY, WrappedKey(KEY_ID, bytes(512)))
    first = size(outgoing(token, f"{ID}~{'d' * 16}", TraceContext(TRACE, "s" * 512)))
    assert first + LATER_HOP_BYTES <= STANDARD_BYTES
