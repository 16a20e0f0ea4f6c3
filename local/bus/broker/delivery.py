"""The encoding of a queue's entry as the message that a client receives."""

from __future__ import annotations

from local.bus.amqp.message import timestamp, write
from local.bus.amqp.values import Int, Long, Value
from local.bus.broker.entry import EntryState, QueueEntry


def encode_entry(entry: QueueEntry) -> bytes:
    """Encode an entry with the annotations that Service Bus puts on a message."""
    annotations: dict[str, Value] = {
        "x-opt-sequence-number": Long(entry.sequence_number),
        "x-opt-enqueued-time": timestamp(entry.enqueued_at),
    }
    # Active is the state of a message that has none: azure-servicebus 7.15, tests/test_message.py,
    # counts the annotations of one that Azure delivered.
    if entry.state is not EntryState.ACTIVE:
        annotations["x-opt-message-state"] = Int(entry.state)
    if entry.lock is not None:
        annotations["x-opt-locked-until"] = timestamp(entry.lock.until)
    if entry.dead_letter_source is not None:
        annotations["x-opt-deadletter-source"] = entry.dead_letter_source
    if entry.enqueued_sequence_number is not None:
        annotations["x-opt-enqueue-sequence-number"] = Long(entry.enqueued_sequence_number)
    token = entry.lock.token if entry.lock else None
    return write(entry.message, entry.delivery_count, entry.time_to_live, annotations, token)
