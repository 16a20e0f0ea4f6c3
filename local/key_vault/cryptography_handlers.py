"""The operations that use keys, and random bytes.

Source: Azure Key Vault REST API reference, Encrypt, Decrypt, Sign, Verify, Wrap Key, Unwrap Key,
Get Random Bytes; "About keys", on when a key may be used.
"""

from __future__ import annotations

import asyncio
import secrets
import time

from cryptography.hazmat.primitives.asymmetric import rsa

from local.key_vault import encryption, signatures
from local.key_vault.base64url import from_base64url, to_base64url
from local.key_vault.calls import Call, Handlers
from local.key_vault.errors import disabled_key, not_in_time, not_permitted_on_key
from local.key_vault.key_types import PrivateKey
from local.key_vault.objects import KeyVersion
from local.key_vault.request_body import RequestObject, opened
from local.key_vault.responses import ResponseBody, Responses
from local.key_vault.store import VaultStore

# What a key does at any time: what it protected before must not be lost with its time.
_AT_ANY_TIME = ("decrypt", "unwrapKey", "verify")
_FOR_SYMMETRIC_KEYS = ("iv", "aad", "tag")
_MAX_RANDOM_BYTES = 128


class CryptographyHandlers:
    """They raise KeyVaultError and ObjectNotFoundError."""

    def __init__(self, store: VaultStore, responses: Responses) -> None:
        self._store = store
        self._responses = responses
        self.by_name: Handlers = {
            "encrypt": self._encrypt,
            "wrapKey": self._encrypt,
            "decrypt": self._decrypt,
            "unwrapKey": self._decrypt,
            "sign": self._sign,
            "verify": self._verify,
            "getRandomBytes": self._random_bytes,
        }

    async def _encrypt(self, call: Call) -> ResponseBody:
        key_id, key = self._usable_key(call)
        algorithm, plaintext = _operands(opened(await call.read_body()))
        ciphertext = encryption.encrypt(_rsa(call, key).public_key(), algorithm, plaintext)
        return {"kid": key_id, "value": to_base64url(ciphertext)}

    async def _decrypt(self, call: Call) -> ResponseBody:
        key_id, key = self._usable_key(call)
        algorithm, ciphertext = _operands(opened(await call.read_body()))
        private_key = _rsa(call, key)
        # A private-key operation takes milliseconds, which would hold up the event loop.
        plaintext = await asyncio.to_thread(encryption.decrypt, private_key, algorithm, ciphertext)
        return {"kid": key_id, "value": to_base64url(plaintext)}

    async def _sign(self, call: Call) -> ResponseBody:
        key_id, key = self._usable_key(call)
        request = opened(await call.read_body())
        algorithm, digest = request.text("alg"), _bytes(request, "value")
        request.reject_unread()
        signature = await asyncio.to_thread(signatures.sign, key, algorithm, digest)
        return {"kid": key_id, "value": to_base64url(signature)}

    async def _verify(self, call: Call) -> ResponseBody:
        _, key = self._usable_key(call)
        request = opened(await call.read_body())
        algorithm, digest = request.text("alg"), _bytes(request, "digest")
        signature = _bytes(request, "value")
        request.reject_unread()
        return {"value": signatures.verify(key, algorithm, digest, signature)}

    async def _random_bytes(self, call: Call) -> ResponseBody:
        request = opened(await call.read_body())
        count = request.number("count", low=1, high=_MAX_RANDOM_BYTES)
        request.reject_unread()
        return {"value": to_base64url(secrets.token_bytes(count))}

    def _usable_key(self, call: Call) -> tuple[str, PrivateKey]:
        operation = call.request.operation.name
        key = self._store.keys.get(call.name)
        version = self._store.keys.version(call.name, call.request.version)
        if operation not in version.operations:
            raise not_permitted_on_key(operation)
        if not version.attributes.enabled:
            raise disabled_key(operation)
        if operation not in _AT_ANY_TIME:
            _require_in_time(operation, version)
        key_id = self._responses.key_id(key.name, version.version)
        return key_id, self._store.material(version.version)


def _require_in_time(operation: str, version: KeyVersion) -> None:
    now, given = time.time(), version.attributes
    if given.not_before is not None and now < given.not_before:
        raise not_in_time(operation, "a not yet valid", "KeyNotYetValid")
    if given.expires is not None and now >= given.expires:
        raise not_in_time(operation, "an expired", "KeyExpired")


def _operands(request: RequestObject) -> tuple[object, bytes]:
    algorithm = request.raw("alg", "")
    value = _bytes(request, "value")
    for name in _FOR_SYMMETRIC_KEYS:
        request.refuse(name, "is for symmetric keys, which only a Managed HSM has")
    request.reject_unread()
    return algorithm, value


def _bytes(request: RequestObject, name: str) -> bytes:
    return from_base64url(request.raw(name) if request.has(name) else None, name)


def _rsa(call: Call, key: PrivateKey) -> rsa.RSAPrivateKey:
    if not isinstance(key, rsa.RSAPrivateKey):
        raise not_permitted_on_key(call.request.operation.name)
    return key
