"""A sender as the public samples write one: a fresh key for each message, and a send for each.

Clients are made once, and it is asynchronous. It keeps no ledger, and every message costs an
operation of Key Vault. Samples it follows: "azure-keyvault-keys", samples for CryptographyClient,
and "azure-servicebus", async_samples/send_queue_async.py, both in Azure/azure-sdk-for-python.
"""

import asyncio
import json
import os
from base64 import b64encode
from uuid import uuid4

import azure.functions as func
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.keys.crypto import EncryptionAlgorithm
from azure.keyvault.keys.crypto.aio import CryptographyClient
from azure.servicebus import ServiceBusMessage, TransportType
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
crypto = CryptographyClient(
    os.environ["RELAY_KEY_PAYLOAD"],
    ManagedIdentityCredential(client_id=os.environ["RELAY_IDENTITY_ENCRYPT"]),
    verify_challenge_resource=False,
)
bus = ServiceBusClient(
    os.environ["RELAY_BUS__fullyQualifiedNamespace"],  # noqa: SIM112 - as Functions names it
    ManagedIdentityCredential(client_id=os.environ["RELAY_IDENTITY_SENDER_BUS"]),
    transport_type=TransportType.Amqp,
    custom_endpoint_address=os.environ["RELAY_BUS_ENDPOINT"],
    connection_verify=os.environ["SSL_CERT_FILE"],
)
sender: ServiceBusSender = bus.get_queue_sender(os.environ["RELAY_QUEUE_MESSAGES"])
sending = asyncio.Lock()  # the SDK's sender is not safe for concurrent sends


@app.route("messages", methods=["POST"])
async def send(req: func.HttpRequest) -> func.HttpResponse:
    """Encrypt a payload, and put it on the queue."""
    key, nonce = AESGCM.generate_key(256), os.urandom(12)
    wrapped = await crypto.encrypt(EncryptionAlgorithm.rsa_oaep_256, key)
    parts = {
        "key": wrapped.ciphertext,
        "nonce": nonce,
        "payload": AESGCM(key).encrypt(nonce, req.get_body(), None),
    }
    body = json.dumps({name: b64encode(part).decode() for name, part in parts.items()})
    async with sending:
        await sender.send_messages(ServiceBusMessage(body, message_id=str(uuid4())))
    return func.HttpResponse(status_code=202)
