"""The receiver: takes sealed messages from the queue, opens them, and forwards them."""

from __future__ import annotations

import logging

import azure.functions as func

from shared.bus_message import Incoming
from shared.data_keys import OpenedKeys
from shared.delivery import (
    Delivery,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerSecretError,
    PartnerUnavailableError,
)
from shared.envelope import UnopenableError
from shared.identities import credential
from shared.partner import Partner
from shared.queues import QueueSender, connect
from shared.settings import ReceiverSettings
from shared.vault import VaultError, VaultKey, VaultSecret

_log = logging.getLogger(__name__)


def blueprint(settings: ReceiverSettings) -> func.Blueprint:
    """Register the receiver's function."""
    functions = func.Blueprint()
    receiver = Receiver(settings)

    @functions.service_bus_queue_trigger(
        arg_name="message", queue_name="%RELAY_QUEUE_MESSAGES%", connection="RELAY_BUS"
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
        self._schedule = settings.retry_schedule
        self._wait_seconds = settings.wait_seconds

    async def forward(self, message: func.ServiceBusMessage) -> None:
        """Return when the message is at the partner, waits for its next way, or is rejected.

        Returning completes the message, and only then: a crash before can repeat it, not lose it.
        What it raises leaves the message on the queue, to be delivered again.
        """
        incoming = Incoming.from_trigger(message)
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
        payload = sealed.open(await self._keys.open(sealed.wrapped))
        await self._partner.deliver(Delivery(sealed.context, payload, incoming.trace))
        _log.info("delivered %s: %d bytes", sealed.context.message_id, len(payload))

    async def _retry(self, incoming: Incoming, error: PartnerUnavailableError) -> None:
        attempts = incoming.attempts + 1
        delay = self._schedule.delay(attempts, error.retry_after)
        if delay is None:
            await self._reject(incoming, "schedule-used-up", str(error), attempts)
            return
        await self._retries.send(incoming.later(delay, attempts))
        _log.info("retry %s in %.0f s: %s", incoming.message_id, delay, error)

    async def _wait(self, incoming: Incoming, error: Exception) -> None:
        delay = max(self._wait_seconds, getattr(error, "retry_after", None) or 0)
        await self._retries.send(incoming.later(delay, incoming.attempts))
        _log.warning("waits %s for %.0f s: %s", incoming.message_id, delay, error)

    async def _reject(
        self, incoming: Incoming, reason: str, detail: str, attempts: int | None = None
    ) -> None:
        used = incoming.attempts if attempts is None else attempts
        await self._rejected.send(incoming.rejected(reason, detail, used))
        _log.warning("rejected %s: %s: %s", _shown(incoming), reason, detail)


def _shown(incoming: Incoming) -> str:
    # The id of a message that is none of ours may be anything, and is no text for a log.
    return repr(incoming.message_id[:128])
