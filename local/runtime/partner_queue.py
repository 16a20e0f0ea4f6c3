"""The partner's queue in a cloud: its arrivals are events, and it has the partner's faults."""

from __future__ import annotations

from collections.abc import Sequence

from local.bus.amqp.errors import ServerBusyError
from local.bus.broker.availability import QueueAvailability, QueueStep
from local.bus.broker.queue import Queue
from local.bus.security.audit_sink import AuditSink
from local.bus.security.principal import Principal, Right
from local.faults.faults import Faults, ObservedRequest
from local.runtime.events import CloudEvents, PartnerAnswered


class ArrivalEvents(AuditSink):
    """Publishes each message that the partner's queue accepts."""

    def __init__(self, events: CloudEvents) -> None:
        self._events = events

    def transferred(
        self, principal: Principal, right: Right, entity: str, message_ids: Sequence[str]
    ) -> None:
        """Publish messages that were sent to it: nobody may receive them."""
        del principal, right, entity
        if self._events.is_watched:
            for message_id in message_ids:
                self._events.publish(PartnerAnswered(message_id, accepted=True))


class FaultyInbox(QueueAvailability):
    """Refuses messages as a throttled queue does, while the partner has the fault `status`.

    A queue does not look at what it is sent, so it has no other answers than that, and no fault
    hits it that chooses messages by what is in them.
    """

    def __init__(self, faults: Faults, events: CloudEvents, namespace: str) -> None:
        self._faults = faults
        self._events = events
        self._namespace = namespace

    def require(self, queue: Queue, step: QueueStep) -> None:
        """Raise AmqpError where a fault hits a message."""
        del queue
        if step != "send" or not self._faults.any_at("partner"):
            return
        found = self._faults.find(ObservedRequest("partner"))
        if found is None or found.answer != "status":
            return
        if self._faults.decide(ObservedRequest("partner")) is not None:
            self._events.publish(PartnerAnswered("", accepted=False))
            raise ServerBusyError(self._namespace)
