"""The receiver: takes sealed messages from the queue, opens them, and forwards them."""

from __future__ import annotations

import logging

import azure.functions as func

from shared.data_keys import OpenedKeys
from shared.identities import credential
from shared.partner import Delivery, Partner
from shared.queues import Incoming
from shared.settings import ReceiverSettings
from shared.vault import VaultKey, VaultSecret

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
        key = VaultKey(
            settings.payload_key, credential(settings.decrypt_identity), settings.network
        )
        self._keys = OpenedKeys(key.decrypt, settings.opened_keys, settings.opened_keys_seconds)
        secret = VaultSecret(
            settings.partner_secret,
            credential(settings.partner_identity),
            settings.partner_secret_seconds,
            settings.network,
        )
        self._partner = Partner(secret, settings.partner_timeout_seconds, settings.network)

    async def forward(self, message: func.ServiceBusMessage) -> None:
        """Return when the partner has the payload, which completes the message.

        Whatever it raises leaves the message on the queue: it is delivered again, and at last
        moved to the rejected ones.
        """
        incoming = Incoming.from_trigger(message)
        sealed = incoming.sealed
        payload = sealed.open(await self._keys.open(sealed.wrapped))
        await self._partner.deliver(Delivery(sealed.context, payload, incoming.trace))
        _log.info("delivered %s: %d bytes", sealed.context.message_id, len(payload))
