"""The receiver: takes sealed messages from the queue, opens them, and forwards them."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

import azure.functions as func

from shared.apps import message_times
from shared.apps.calling import handling
from shared.apps.crash_markers import CrashMarkers
from shared.apps.outcomes import (
    Outcome,
    Policy,
    Reject,
    after_delivery,
    after_failure,
    after_opening,
    before_delivery,
    before_opening,
    reject_unidentified,
)
from shared.apps.receiver_clients import ReceiverClients, connect_clients
from shared.apps.triage import Triage
from shared.concurrency.holding import pausing
from shared.errors import RelayError
from shared.message.envelope import DataKey
from shared.message.formats import KNOWN_FORMATS, Formats
from shared.message.received import ReceivedMessage, UnidentifiedMessage, read_message
from shared.partner.delivery import Delivery
from shared.settings.settings import ReceiverSettings
from shared.telemetry import recording
from shared.telemetry.logs import location

# All that one call may wait for: the vault, the partner twice, the queues. With the pause after a
# failure it stays below functionTimeout, at which the host would end the worker and all its calls.
CALL_SECONDS = 230.0
_log = logging.getLogger(__name__)


def blueprint(settings: ReceiverSettings) -> func.Blueprint:
    """Register the receiver's functions."""
    message_times.read_at_once()
    functions = func.Blueprint()
    clients = connect_clients(settings)
    accepted = settings.formats_accepted
    policy, markers = policy_of(settings), CrashMarkers()
    receiver = Receiver(clients, policy, accepted=accepted, markers=markers)
    dead_letters = Triage(
        clients.keys, clients.queues, settings.receipts_queue, policy, markers, accepted
    )

    async def handle(message: func.ServiceBusMessage, context: func.Context, queue: str) -> None:
        with handling(message, context, queue):
            async with pausing(message.delivery_count or 1, CALL_SECONDS):
                await receiver.handle(message)

    @functions.service_bus_queue_trigger(
        arg_name="message",
        queue_name="%RELAY_QUEUE_MESSAGES%",
        connection="RELAY_BUS",
        # Without it the host makes text of the bytes, and replaces what is not UTF-8.
        data_type=func.DataType.BINARY,
        cardinality=func.Cardinality.ONE,
        auto_complete_messages=True,  # that of host.json never reaches a Python function
    )
    async def receive(message: func.ServiceBusMessage, context: func.Context) -> None:
        await handle(message, context, settings.messages_queue)

    @functions.service_bus_queue_trigger(
        arg_name="message",
        queue_name="%RELAY_QUEUE_RETRIES%",
        connection="RELAY_BUS",
        data_type=func.DataType.BINARY,  # this and what follows: as above
        cardinality=func.Cardinality.ONE,
        auto_complete_messages=True,
    )
    async def retry(message: func.ServiceBusMessage, context: func.Context) -> None:
        await handle(message, context, settings.retries_queue)

    @functions.service_bus_queue_trigger(
        arg_name="letter",
        queue_name="%RELAY_QUEUE_DEAD_LETTERS%",
        connection="RELAY_BUS",
        # One by one: a body that the host cannot bind must not fail others.
        data_type=func.DataType.BINARY,
        cardinality=func.Cardinality.ONE,
        auto_complete_messages=True,
    )
    async def triage(letter: func.ServiceBusMessage, context: func.Context) -> None:
        with handling(letter, context, settings.dead_letters_queue):
            async with pausing(letter.delivery_count or 1, CALL_SECONDS):
                await dead_letters.handle(letter)

    return functions


def policy_of(settings: ReceiverSettings) -> Policy:
    """Return what the settings say of retries."""
    return Policy(settings.retry_schedule, settings.wait_seconds, settings.max_deliveries)


class Receiver:
    """What is done with a message of the queue of messages.

    `chance` gives numbers from 0 to 1. Of newer formats than `accepted` it opens nothing.
    """

    def __init__(
        self,
        clients: ReceiverClients,
        policy: Policy,
        chance: Callable[[], float] = random.random,
        accepted: Formats = KNOWN_FORMATS,
        markers: CrashMarkers | None = None,
    ) -> None:
        self._keys = clients.keys
        self._gate = clients.gate
        self._follow_operator = clients.follow_operator
        self._queues = clients.queues
        self._policy = policy
        self._chance = chance
        self._accepted = accepted
        self._markers = markers or CrashMarkers()

    async def handle(self, message: func.ServiceBusMessage) -> None:
        """Return when the message is at the partner, waits for its next hop, or is rejected.

        Returning completes the message, and only then: a crash before can repeat it, not lose it.
        What it raises, when a queue does not accept what follows, leaves the message on its queue,
        to be delivered again.
        """
        with self._queues.receipts.call():
            await self._handle(message)

    async def _handle(self, message: func.ServiceBusMessage) -> None:
        received = read_message(message, self._accepted)
        if isinstance(received, UnidentifiedMessage):
            await self._queues.set_aside(received, reject_unidentified(received))
            return
        if decided := self._queues.decided.of(received):
            if left := decided.left(self._queues.clock()):
                await self._carry_out(received, left, decided.key)
                return
            received = decided.resumed(received)
        outcome, key = await self._outcome(received)
        await self._carry_out(received, outcome, key)

    async def _carry_out(
        self, message: ReceivedMessage, outcome: Outcome, key: DataKey | None
    ) -> None:
        await self._queues.carry_out(message, outcome, key)
        if isinstance(outcome, Reject):
            self._gate.ended(message.id.id)

    async def _outcome(self, message: ReceivedMessage) -> tuple[Outcome, DataKey | None]:
        """Decide on a message; alone, where it may be what has ended its processes before."""
        if message.deliveries < self._policy.suspect_from:
            return await self._decide(message, 0)
        async with self._markers.alone(message) as crashes:
            return await self._decide(message, crashes)

    async def _decide(
        self, message: ReceivedMessage, crashes: int
    ) -> tuple[Outcome, DataKey | None]:
        """Decide on a message, with the data key that opened it; None if nothing did."""
        key = None
        try:
            if unopened := before_opening(message, self._policy, crashes):
                return unopened, None
            if not message.pending:  # one with a receipt may have to be reported, and not posted
                await self._follow_operator()
                self._gate.check(message.id.id)
            sealed = message.sealed(self._accepted)
            with recording.span("open"):
                data_key = await self._keys.open(sealed.wrapped)
                payload = sealed.open(data_key)
            key = data_key  # only now does it prove anything of the message
            done = after_opening(message, key) or before_delivery(message, self._policy, crashes)
            if done:
                return done, key
            await self._gate.deliver(
                Delivery(sealed.header, payload, message.trace, message.attempts)
            )
            return after_delivery(message, sealed, len(payload)), key
        except Exception as error:  # noqa: BLE001 - each failure is decided on, also a fault of ours
            if not isinstance(error, RelayError):
                # Where, and not what: the text of such an error may repeat what is secret.
                _log.error("unforeseen in handling %s: %s", message.id.id, location(error))
            outcome = after_failure(
                message, error, self._policy, self._chance(), is_opened=key is not None
            )
            return outcome, key
