"""One harmless probe of each operation, and what its outcome means.

What is encrypted is random and its ciphertext is not read; what is decrypted is random, so a vault
that allows it answers 400; the value of a secret is not read off the connection; a link to a queue
is attached without credit, so that no message moves, and closed.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.secrets.aio import SecretClient
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.exceptions import ServiceBusAuthorizationError, ServiceBusError

from shared.access.declaration import OPERATIONS, Grant, Outcome
from shared.azure.key_vault_id import KeyVaultId
from shared.azure.network import ConnectionOptions
from shared.azure.queues import connect
from shared.azure.vault import client_options
from shared.message.protected_header import ALGORITHM
from shared.settings.inventory import Inventory
from shared.standards.base64url import encode

# Distinguishes a probe's requests from the app's own, in audit logs for example.
USER_AGENT = "relay-access/1"
_RANDOM_BYTES = 64  # for RSA-OAEP-256 enough and not too many, whatever the key's size
# Of the reasons for a 403, those that are about the identity. Others, a firewall's or that of a
# disabled object, say nothing of what it may do.
_REFUSALS = frozenset({"ForbiddenByRbac", "ForbiddenByPolicy", "AccessDenied"})
_CODE = re.compile(r"[A-Za-z]{1,60}")

Attempt = Callable[[], Awaitable[tuple[Outcome, str]]]
Probe = tuple[Grant, Attempt]
Ask = Callable[[KeyVaultId, HttpRequest], Awaitable[AsyncHttpResponse]]


@dataclass(frozen=True)
class ProbeTarget:
    """What is probed: the objects, the namespace, and how to reach them."""

    inventory: Inventory
    namespace: str
    network: ConnectionOptions


@asynccontextmanager
async def probes(
    target: ProbeTarget, name: str, credential: AsyncTokenCredential
) -> AsyncIterator[list[Probe]]:
    """Give every probe, under one credential."""
    known = target.inventory
    async with (
        _vaults(target, credential) as vaults,
        connect(target.namespace, credential, target.network, user_agent=USER_AGENT) as bus,
    ):
        yield [
            *_on_keys(name, known.keys, vaults),
            *_on_secrets(name, known.secrets, vaults),
            *_on_queues(name, known.queues, bus),
        ]


@asynccontextmanager
async def _vaults(target: ProbeTarget, credential: AsyncTokenCredential) -> AsyncIterator[Ask]:
    """Give what sends a request to the vault of an object."""
    clients: dict[tuple[str, str], KeyClient | SecretClient] = {}
    for there in (*target.inventory.keys, *target.inventory.secrets):
        if (there.vault_url, there.kind) not in clients:
            kind = KeyClient if there.kind == "keys" else SecretClient
            options = client_options(there.vault_url, target.network)
            clients[there.vault_url, there.kind] = kind(
                there.vault_url, credential, user_agent=USER_AGENT, **options
            )

    async def ask(object_id: KeyVaultId, request: HttpRequest) -> AsyncHttpResponse:
        # Streamed, so that the body of an answer stays where it is unless somebody reads it.
        return await clients[object_id.vault_url, object_id.kind].send_request(request, stream=True)

    try:
        yield ask
    finally:
        await asyncio.gather(*(client.close() for client in clients.values()))


def _on_keys(name: str, keys: Iterable[KeyVaultId], ask: Ask) -> Iterable[Probe]:
    for key in keys:
        for operation in OPERATIONS["key"]:
            grant = Grant(name, "key", key.name, operation)
            if operation == "get":
                yield grant, _vault_attempt(ask, key, HttpRequest("GET", f"keys/{key.name}"))
            else:
                random = {"alg": ALGORITHM, "value": encode(secrets.token_bytes(_RANDOM_BYTES))}
                request = HttpRequest("POST", f"keys/{key.name}//{operation}", json=random)
                yield grant, _vault_attempt(ask, key, request)


def _on_secrets(name: str, known: Iterable[KeyVaultId], ask: Ask) -> Iterable[Probe]:
    for secret in known:
        get = HttpRequest("GET", f"secrets/{secret.name}")
        # Not the vault's list: a right to see what there is can also reach one secret alone.
        versions = f"secrets/{secret.name}/versions"
        listing = HttpRequest("GET", versions, params={"maxresults": "1"})
        yield Grant(name, "secret", secret.name, "get"), _vault_attempt(ask, secret, get)
        yield Grant(name, "secret", secret.name, "list"), _vault_attempt(ask, secret, listing)


def _on_queues(name: str, queues: Iterable[str], bus: ServiceBusClient) -> Iterable[Probe]:
    for queue in queues:
        sender = partial(bus.get_queue_sender, queue)
        receiver = partial(bus.get_queue_receiver, queue)
        yield Grant(name, "queue", queue, "send"), _link_attempt(sender)
        yield Grant(name, "queue", queue, "receive"), _link_attempt(receiver)


def _vault_attempt(ask: Ask, object_id: KeyVaultId, request: HttpRequest) -> Attempt:
    async def attempt() -> tuple[Outcome, str]:
        response = await ask(object_id, request)
        try:
            status = response.status_code
            # What is allowed is left where it is: it may be a secret.
            body = b"" if status == 200 else await response.read()
        finally:
            await response.close()
        return outcome_of(status, body, decrypting=request.url.endswith("/decrypt"))

    return attempt


def outcome_of(status: int, body: bytes, *, decrypting: bool = False) -> tuple[Outcome, str]:
    """Say what a vault's answer to a probe means, and which answer it was."""
    code = "" if status == 200 else _code(body)
    answer = f"{status} {code}".rstrip()
    # The vault says that of garbage only once it has decided that it may be decrypted.
    if status == 200 or (decrypting and (status, code) == (400, "BadParameter")):
        return "allowed", answer
    return "refused" if status == 403 and code in _REFUSALS else "could not tell", answer


def _code(body: bytes) -> str:
    """Read why a vault refused: `error.innererror.code`, or `error.code`."""
    try:
        error = json.loads(body)["error"]
        code = (error.get("innererror") or error)["code"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _link_attempt(
    link: Callable[[], ServiceBusSender | ServiceBusReceiver],
) -> Attempt:
    async def attempt() -> tuple[Outcome, str]:
        # Entering attaches the link. A receiver grants credit only when messages are requested
        # (the SDK's own flow while it opens says 0), so none is taken or counted as delivered.
        try:
            async with link():
                return "allowed", "attached"
        except ServiceBusAuthorizationError as error:
            return "refused", type(error).__name__
        except ServiceBusError as error:
            # Said by the queue's broker, of a link that the gateway in front of it has let pass
            # by its rights: nobody receives where messages are forwarded.
            if "amqp:not-allowed" in str(error):
                return "allowed", "forwards"
            raise

    return attempt
