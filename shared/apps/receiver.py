"""The receiver: takes sealed messages from the queue, opens them, and forwards them."""

from __future__ import annotations

import logging

import azure.functions as func

from shared.apps.outcomes import Outcomes
from shared.apps.triage import Triage
from shared.azure.identities import credential
from shared.azure.queues import connect
from shared.azure.vault import VaultDeniedError, VaultError, VaultSecret, VaultUnavailableError
from shared.concurrency.holding import pausing
from shared.errors import RelayError
from shared.message.bus_message import ReceivedMessage
from shared.message.data_keys import DataKeyCache
from shared.message.envelope import DecryptionError, WrappedKey
from shared.message.payload_key import VaultKey
from shared.message.state import State
from shared.partner.delivery import (
    Delivery,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerSecretError,
    PartnerUnavailableError,
)
from shared.partner.partner import Partner
from shared.settings.settings import ReceiverSettings
from shared.telemetry.outages import Outages

# All that one call may wait for: the vault, the partner twice, the queues. With the pause after a
# failure it stays below functionTimeout, at which the host would end the worker and all its calls.
CALL_SECONDS = 230.0
_log = logging.getLogger(__name__)


def blueprint(settings: ReceiverSettings) -> func.Blueprint:
    """Register the receiver's functions."""
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
        async with pausing(message.delivery_count or 1, CALL_SECONDS):
            await receiver.forward(message)

    @functions.service_bus_queue_trigger(
        arg_name="letter",
        queue_name="%RELAY_QUEUE_DEAD_LETTERS%",
        connection="RELAY_BUS",
        # One by one: a body that the host cannot bind must not fail others.
        data_type=func.DataType.BINARY,
        cardinality=func.Cardinality.ONE,
        auto_complete_messages=True,
    )
    async def triage(letter: func.ServiceBusMessage) -> None:
        async with pausing(letter.delivery_count or 1, CALL_SECONDS):
            await receiver.triage.sort(letter)

    return functions


class Receiver:
    """The receiver's way of a message, with the clients of its identities."""

    def __init__(self, settings: ReceiverSettings) -> None:
        network = settings.network
        self._outages = Outages(_log)
        self._key = VaultKey(settings.payload_key, credential(settings.decrypt_identity), network)
        self._keys = DataKeyCache(
            self._decrypt, settings.data_key_cache_entries, settings.data_key_cache_seconds
        )
        secret = VaultSecret(
            settings.partner_secret,
            credential(settings.partner_identity),
            settings.partner_secret_seconds,
            network,
        )
        self._partner = Partner(secret, settings.partner_timeout_seconds, network)
        bus = connect(settings.bus_namespace, credential(settings.bus_identity), network)
        self._outcomes = Outcomes.through(bus, settings, self._outages)
        self._schedule = settings.retry_schedule
        self._wait_seconds = settings.wait_seconds
        self._max_deliveries = settings.max_deliveries
        self.triage = Triage(settings, self._keys, self._outcomes)

    async def forward(self, message: func.ServiceBusMessage) -> None:
        """Return when the message is at the partner, waits for its next way, or is rejected.

        Returning completes the message, and only then: a crash before can repeat it, not lose it.
        What it raises leaves the message on the queue, to be delivered again.
        """
        incoming = ReceivedMessage.from_trigger(message)
        if incoming.pending_receipt and incoming.pending_receipt.state is State.REJECTED:
            # Believed as it is: whoever may send to the queue can have garbage rejected anyway.
            await self._outcomes.publish_receipt(incoming, incoming.pending_receipt)
            return
        if incoming.deliveries >= self._max_deliveries:
            # Here, where the ledger hears of it, and not by the queue's own count.
            detail = f"handed over {incoming.deliveries} times without an outcome"
            await self._reject(incoming, "max-deliveries-exceeded", detail)
            return
        try:
            await self._deliver(incoming)
        except DecryptionError as error:
            await self._reject(incoming, f"undecryptable-{error.fault}", error.detail)
        except PartnerRefusedError as error:
            await self._reject(incoming, "partner-refused", str(error), incoming.attempts + 1)
        except PartnerUnavailableError as error:
            await self._retry(incoming, error)
        except (VaultError, PartnerSecretError, PartnerDeniedError) as error:
            # Not the message's fault: it waits for as long as it takes, and uses up no attempt.
            await self._requeue_uncounted(incoming, error)

    async def _decrypt(self, wrapped: WrappedKey) -> bytes:
        with self._outages.watching(self._key.url, (VaultUnavailableError, VaultDeniedError)):
            return await self._key.decrypt(wrapped)

    async def _deliver(self, incoming: ReceivedMessage) -> None:
        sealed = incoming.sealed()
        key = await self._keys.open(sealed.wrapped)
        payload = sealed.open(key)
        # A right to send must not be one to say `delivered`, which is final in the ledger.
        if incoming.pending_receipt and incoming.has_authentic_receipt(key):
            await self._outcomes.publish_receipt(incoming, incoming.pending_receipt, key)
            return
        away = (VaultError, PartnerSecretError, PartnerDeniedError, PartnerUnavailableError)
        with self._outages.watching("the partner", away):
            await self._partner.deliver(Delivery(sealed.header, payload, incoming.trace))
        _log.info("delivered %s: %d bytes", sealed.header.message_id, len(payload))
        receipt = incoming.receipt(
            State.DELIVERED,
            incoming.attempts + 1,
            key_version=sealed.wrapped.version,
            content_type=sealed.header.content_type,
            size=len(payload),
        )
        await self._outcomes.publish_receipt(incoming, receipt, key)

    async def _retry(self, incoming: ReceivedMessage, error: PartnerUnavailableError) -> None:
        attempts = incoming.attempts + 1
        delay = self._schedule.delay(attempts, error.retry_after)
        if delay is None:
            await self._reject(incoming, "retries-exhausted", str(error), attempts)
            return
        await self._outcomes.requeue(incoming.rescheduled(delay, attempts))
        _log.info("retry %s in %.0f s: %s", incoming.message_id, delay, error)
        receipt = incoming.receipt(State.RETRYING, attempts, str(error))
        await self._outcomes.publish_receipt(incoming, receipt)

    async def _requeue_uncounted(self, incoming: ReceivedMessage, error: RelayError) -> None:
        delay = max(self._wait_seconds, error.retry_after or 0)
        await self._outcomes.requeue(incoming.rescheduled(delay, incoming.attempts))
        level = self._outages.level
        _log.log(level, "waits %s for %.0f s: %s", incoming.message_id, delay, error)
        receipt = incoming.receipt(State.RETRYING, incoming.attempts, str(error))
        await self._outcomes.publish_receipt(incoming, receipt)

    async def _reject(
        self, incoming: ReceivedMessage, reason: str, detail: str, attempts: int | None = None
    ) -> None:
        receipt = await self._outcomes.reject(incoming, reason, detail, attempts)
        await self._outcomes.publish_receipt(incoming, receipt)
