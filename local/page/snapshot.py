"""The state of a cloud as the page shows it: counts, names and reasons, never a payload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from local.authorization.grants import principals
from local.bus.amqp.decoding import DecodeError
from local.bus.amqp.message import application_properties
from local.bus.broker.entry import QueueEntry
from local.runtime.cloud import Cloud
from shared.message.message_id import MessageId
from shared.message.rejected import (
    ATTEMPTS,
    BUS_DETAIL,
    BUS_REASON,
    DETAIL,
    KIND,
    REASON,
    RECEIPT,
    read_count,
)
from shared.standards.plain_text import writable

MAX_REJECTED = 10
_LONGEST = 200  # characters of a text that a message's sender may have written


def cloud_state(cloud: Cloud) -> dict[str, object]:
    """Return what may differ from one moment to the next."""
    authorization = cloud.context.authorization
    return {
        "apps": {name: app.state for name, app in cloud.apps.items()},
        "queues": {
            name: {
                "ready": counts.active,
                "scheduled": counts.scheduled,
                "locked": counts.locked,
                "held": counts.deferred + counts.dead_lettered,
            }
            for name, counts in cloud.bus.server.state().items()
        },
        "keys": {
            key.name: len(vault.store.key_versions(key.name))
            for vault in cloud.vaults.values()
            for key in vault.spec.keys
        },
        "partner": {
            "kind": cloud.partner_kind,
            "received": cloud.partner.received,
            "faults": [
                {"answer": one.fault.answer, "status": one.fault.status, "times": one.fault.times}
                for one in cloud.context.faults.active()
                if one.fault.service == "partner"
            ],
        },
        "suspended": [
            name
            for name, principal in principals(cloud.deployment).items()
            if authorization.is_suspended(principal)
        ],
    }


def rejected_messages(entries: Sequence[QueueEntry]) -> list[Mapping[str, object]]:
    """Return what is shown of messages in the queue of rejected ones."""
    return [_rejected(entry) for entry in entries]


def _rejected(entry: QueueEntry) -> Mapping[str, object]:
    properties = _texts(entry)
    # What the bus moved here itself still has the properties that its sender gave.
    by_bus = entry.dead_letter_source is not None
    parsed = MessageId.parse(entry.message.message_id)
    reason = "" if by_bus else properties.get(REASON, "")
    detail = "" if by_bus else properties.get(DETAIL, "")
    return {
        "number": f"#{entry.sequence_number}",
        "id": parsed.id if parsed else None,
        "reason": _shown(reason or properties.get(BUS_REASON, "no reason given")),
        "detail": _shown(detail or properties.get(BUS_DETAIL, "")),
        "attempts": read_count(properties.get(ATTEMPTS, "0")),
        "receipt": not by_bus and properties.get(KIND) == RECEIPT,
        "at": datetime.fromtimestamp(entry.enqueued_at, UTC).isoformat(timespec="seconds"),
    }


def _texts(entry: QueueEntry) -> Mapping[str, str]:
    try:
        given = application_properties(entry.message)
    except DecodeError:
        return {}
    return {str(name): str(value) for name, value in given.items() if isinstance(value, str | int)}


def _shown(text: str) -> str:
    return writable(text)[:_LONGEST]
