"""A receiver as the public samples write one: a decryption and a post for each message.

Clients are made once, and it is asynchronous. It sends no receipts. SAMPLE_PARTNER is the partner's
secret, which a real one would read from Key Vault once.
"""

import hmac
import json
import os
import time
from base64 import b64decode, b64encode

import aiohttp
import azure.functions as func
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.keys.crypto import EncryptionAlgorithm
from azure.keyvault.keys.crypto.aio import CryptographyClient
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

app = func.FunctionApp()
crypto = CryptographyClient(
    os.environ["RELAY_KEY_PAYLOAD"],
    ManagedIdentityCredential(client_id=os.environ["RELAY_IDENTITY_DECRYPT"]),
    verify_challenge_resource=False,
)
partner = json.loads(os.environ["SAMPLE_PARTNER"])
secret = b64decode(partner["secrets"][0].removeprefix("whsec_"))
sessions: list[aiohttp.ClientSession] = []


def session() -> aiohttp.ClientSession:
    """Return the one session, which can only be made once the worker's loop runs."""
    if not sessions:
        sessions.append(aiohttp.ClientSession())
    return sessions[0]


@app.service_bus_queue_trigger(
    arg_name="message", queue_name="%RELAY_QUEUE_MESSAGES%", connection="RELAY_BUS"
)
async def receive(message: func.ServiceBusMessage) -> None:
    """Decrypt a message, and post it to the partner, signed by Standard Webhooks."""
    parts = {name: b64decode(text) for name, text in json.loads(message.get_body()).items()}
    opened = await crypto.decrypt(EncryptionAlgorithm.rsa_oaep_256, parts["key"])
    payload = AESGCM(opened.plaintext).decrypt(parts["nonce"], parts["payload"], None)
    now = str(int(time.time()))
    signed = f"{message.message_id}.{now}.".encode() + payload
    signature = b64encode(hmac.digest(secret, signed, "sha256")).decode()
    headers = {
        "Content-Type": "application/octet-stream",
        "webhook-id": message.message_id,
        "webhook-timestamp": now,
        "webhook-signature": f"v1,{signature}",
    }
    async with session().post(partner["url"], data=payload, headers=headers) as answer:
        answer.raise_for_status()
