"""The faults of the bus: which queue refuses what, by the faults in force."""

from __future__ import annotations

from local.bus.amqp.errors import AmqpError, QueueDisabledError, ServerBusyError
from local.bus.broker.availability import QueueAvailability, QueueStep
from local.bus.broker.queue import Queue
from local.faults.faults import Fault, Faults, ObservedRequest


class FaultyAvailability(QueueAvailability):
    """Refuses as the bus's faults say. `namespace` is the name in the text of an error."""

    def __init__(self, faults: Faults, namespace: str) -> None:
        self._faults = faults
        self._namespace = namespace

    def require(self, queue: Queue, step: QueueStep) -> None:
        """Raise AmqpError where a fault hits a step."""
        if not self._faults.any_at("bus"):
            return
        # That a link is kept open is asked all the time, and is nothing that a fault hits.
        look = self._faults.find if step.startswith("keep-") else self._faults.decide
        if fault := look(_request(queue, step)):
            raise self._error(fault, queue)

    def refusal(self, queue: Queue, step: QueueStep) -> AmqpError | None:
        """Return the refusal that is in force for a step; it is not counted as a hit."""
        fault = self._faults.find(_request(queue, step))
        return None if fault is None else self._error(fault, queue)

    def _error(self, fault: Fault, queue: Queue) -> AmqpError:
        match fault.answer:
            case "full":
                return queue.full()
            case "throttled":
                return ServerBusyError(self._namespace)
            case "send-disabled":
                return QueueDisabledError(queue.name, "Send")
            case "receive-disabled":
                return QueueDisabledError(queue.name, "Receive")
            case _:
                return QueueDisabledError(queue.name)


def _request(queue: Queue, step: QueueStep) -> ObservedRequest:
    # A dead-letter queue is a part of its queue, and in the same state.
    return ObservedRequest("bus", queue=queue.spec.name, operation=step, held=queue.size_in_bytes)
