"""The receiver: takes sealed messages from the queue, opens them, and forwards them."""

from __future__ import annotations

import logging

import azure.functions as func

from shared.bus_message import Incoming, receipt_message
from shared.data_keys import OpenedKeys
from shared.delivery import (
    Delivery,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerSecretError,
    PartnerUnavailableError,
)
from shared.envelope import DataKey, UnopenableError
from shared.identities import credential
from shared.partner import Partner
from shared.queues import BusError, QueueSender, connect
from shared.receipt import Receipt, State
from shared.settings import ReceiverSettings
from shared.vault import VaultError, VaultSecret
from shared.vault_key import VaultKey

_log = logging.getLogger(__name__)


def blueprint(settings: ReceiverSettings) -> func.Blueprint:
    """Register the receiver's function."""
    functions = func.Blueprint()
    receiver = Receiver(settings)

    @functions.service_bus_queue_trigger(
        arg_name="message",
        queue_name="%RELAY_QUEUE_MESSAGES%",
        connection="RELAY_BUS",
        # Without it the host makes text of the bytes, and replaces what is not UTF-8.
        data_type=func.DataType.BINARY,
        cardinality=func.Cardinality.ONE,
        auto_complete_messages=True,  # that of host.json never reaches a Python function
    )
    async def receive(message: func.ServiceBusMessage) -> None:
        await receiver.forward(message)

    return functions


class Receiver:
    """The receiver's way of a message, with the clients of its identities."""

    def __init__(self, settings: ReceiverSettings) -> None:
        network = settings.network
        key = VaultKey(settings.payload_key, credential(settings.decrypt_identity), network)
        self._keys = OpenedKeys(key.decrypt, settings.opened_keys, settings.opened_keys_seconds)
        secret = VaultSecret(
            settings.partner_secret,
            credential(settings.partner_identity),
            settings.partner_secret_seconds,
            network,
        )
        self._partner = Partner(secret, settings.partner_timeout_seconds, network)
        bus = connect(settings.bus_namespace, credential(settings.bus_identity), network)
        self._retries = QueueSender(bus, settings.retries_queue)
        self._rejected = QueueSender(bus, settings.rejected_queue)
        self._receipts = QueueSender(bus, settings.receipts_queue)
        self._schedule = settings.retry_schedule
        self._wait_seconds = settings.wait_seconds
        self._max_deliveries = settings.max_deliveries

    async def forward(self, message: func.ServiceBusMessage) -> None:
        """Return when the message is at the partner, waits for its next way, or is rejected.

        Returning completes the message, and only then: a crash before can repeat it, not lose it.
        What it raises leaves the message on the queue, to be delivered again.
        """
        incoming = Incoming.from_trigger(message)
        if incoming.owed and incoming.owed.state is State.REJECTED:
            # Believed as it is: whoever may send to the queue can have garbage rejected anyway.
            await self._tell(incoming, incoming.owed)
            return
        if incoming.deliveries >= self._max_deliveries:
            # Here, where the ledger hears of it, and not by the queue's own count.
            detail = f"handed over {incoming.deliveries} times without an outcome"
            await self._reject(incoming, "handed-over-too-often", detail)
            return
        try:
            await self._deliver(incoming)
        except UnopenableError as error:
            await self._reject(incoming, f"unopenable-{error.fault}", error.detail)
        except PartnerRefusedError as error:
            await self._reject(incoming, "partner-refused", str(error), incoming.attempts + 1)
        except PartnerUnavailableError as error:
            await self._retry(incoming, error)
        except (VaultError, PartnerSecretError, PartnerDeniedError) as error:
            # Not the message's fault: it waits for as long as it takes, and uses up no attempt.
            await self._wait(incoming, error)

    async def _deliver(self, incoming: Incoming) -> None:
        sealed = incoming.sealed()
        key = await self._keys.open(sealed.wrapped)
        payload = sealed.open(key)
        # A right to send must not be one to say `delivered`, which is final in the ledger.
        if incoming.owed and incoming.is_confirmed(key):
            await self._tell(incoming, incoming.owed, key)
            return
        await self._partner.deliver(Delivery(sealed.context, payload, incoming.trace))
        _log.info("delivered %s: %d bytes", sealed.context.message_id, len(payload))
        receipt = incoming.receipt(
            State.DELIVERED,
            incoming.attempts + 1,
            key_version=sealed.wrapped.version,
            content_type=sealed.context.content_type,
            size=len(payload),
        )
        await self._tell(incoming, receipt, key)

    async def _retry(self, incoming: Incoming, error: PartnerUnavailableError) -> None:
        attempts = incoming.attempts + 1
        delay = self._schedule.delay(attempts, error.retry_after)
        if delay is None:
            await self._reject(incoming, "schedule-used-up", str(error), attempts)
            return
        await self._retries.send(incoming.later(delay, attempts))
        _log.info("retry %s in %.0f s: %s", incoming.message_id, delay, error)
        await self._tell(incoming, incoming.receipt(State.RETRYING, attempts, str(error)))

    async def _wait(self, incoming: Incoming, error: Exception) -> None:
        delay = max(self._wait_seconds, getattr(error, "retry_after", None) or 0)
        await self._retries.send(incoming.later(delay, incoming.attempts))
        _log.warning("waits %s for %.0f s: %s", incoming.message_id, delay, error)
        await self._tell(incoming, incoming.receipt(State.RETRYING, incoming.attempts, str(error)))

    async def _reject(
        self, incoming: Incoming, reason: str, detail: str, attempts: int | None = None
    ) -> None:
        used = incoming.attempts if attempts is None else attempts
        await self._rejected.send(incoming.rejected(reason, detail, used))
        _log.warning("rejected %s: %s: %s", _shown(incoming), reason, detail)
        await self._tell(incoming, incoming.receipt(State.REJECTED, used, f"{reason}: {detail}"))

    async def _tell(
        self, incoming: Incoming, receipt: Receipt | None, key: DataKey | None = None
    ) -> None:
        """Send a receipt; one of an outcome is owed until it can be sent.

        The step itself is done: it must be repeated neither at the partner nor among the rejected
        because its receipt has no way.
        """
        if receipt is None:
            return
        try:
            await self._receipts.send(receipt_message(receipt))
        except BusError as error:
            _log.warning("no receipt for %s yet: %s", receipt.message_id, error)
            # A retry's receipt is not owed: that of a later step will tell more.
            if receipt.state is not State.RETRYING:
                await self._retries.send(incoming.owing(self._wait_seconds, receipt, key))


def _shown(incoming: Incoming) -> str:
    # The id of a message that is none of ours may be anything, and is no text for a log.
    return repr(incoming.message_id[:128])
