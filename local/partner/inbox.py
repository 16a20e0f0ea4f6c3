"""The partner's queue: a bus of its own in the other network, reached by a connection string.

It is not kept in a file, since its messages are plaintext: it ends with the process, as does what
the partner's web server received.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from local.bus.amqp.message import application_properties, data_body, properties_fields
from local.bus.broker.availability import QueueAvailability
from local.bus.broker.entry import QueueEntry
from local.bus.security.audit_sink import AuditSink
from local.bus.security.sas import SasAccess, SasRule
from local.bus.server.server import BusServer
from local.deployment.resources import NamespaceSpec, QueueSpec
from local.partner.listing import payload_json

QUEUE = "inbox"
_RULE = "send"
NAMESPACE = "partner"
_CONTENT_TYPE = 6  # its place among the properties of a message
_SPEC = NamespaceSpec(
    resource_id="/partner",
    name=NAMESPACE,
    host=f"{NAMESPACE}.servicebus.windows.net",
    tier="Standard",
    local_auth=True,
    queues=(QueueSpec(f"/partner/queues/{QUEUE}", QUEUE),),
)


def new_key() -> str:
    """Make the shared key of the rule that may send to the queue."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class Arrived:
    """A message in the partner's queue; `number` is its sequence number."""

    number: int
    id: str
    content_type: str
    traceparent: str | None
    body: bytes
    received_at: float

    @classmethod
    def from_entry(cls, entry: QueueEntry) -> Arrived:
        """Read a message in the queue; what a sender left out or malformed is empty."""
        message = entry.message
        content_type = properties_fields(message)[_CONTENT_TYPE]
        trace = application_properties(message).get("traceparent")
        return cls(
            number=entry.sequence_number,
            id=message.message_id,
            content_type=content_type if isinstance(content_type, str) else "",
            traceparent=trace if isinstance(trace, str) else None,
            body=data_body(message),
            received_at=entry.enqueued_at,
        )

    def as_json(self, *, brief: bool = False) -> dict[str, object]:
        """Return what `GET /partner-queue` shows of it; a brief one has a size for the body."""
        return {
            "n": self.number,
            "id": self.id,
            "content_type": self.content_type,
            **payload_json(self.body, brief=brief),
            "received_at": datetime.fromtimestamp(self.received_at, UTC).isoformat(),
            "traceparent": self.traceparent,
        }


class PartnerInbox:
    """The queue `inbox` of its namespace; only the rule `send` may send to it.

    `audit` sees each message that it accepts; `availability` says what it refuses meanwhile.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        key: str | None = None,
        audit: AuditSink | None = None,
        availability: QueueAvailability | None = None,
    ) -> None:
        self._key = key or new_key()
        rule = SasRule(self._key, frozenset({"send"}), QUEUE)
        access = SasAccess({_RULE: rule}, clock)
        self.bus = BusServer(_SPEC, access, clock, audit=audit, availability=availability)

    @property
    def count(self) -> int:
        """How many messages it has accepted: nobody can take one away."""
        return self.bus.state()[QUEUE].active

    def secret(self, url: str) -> str:
        """Write the partner's secret as Relay reads it; `url` is `sb://host:port`."""
        connection = (
            f"Endpoint={url};SharedAccessKeyName={_RULE};SharedAccessKey={self._key};"
            "UseDevelopmentEmulator=true"
        )
        document = {"kind": "servicebus", "connection_string": connection, "queue": QUEUE}
        return json.dumps(document)

    def arrived(self, after: int = 0) -> Iterator[Arrived]:
        """Return the messages in the queue with a number above `after`, oldest first."""
        return (Arrived.from_entry(entry) for entry in self.bus.peek(QUEUE, after + 1))
