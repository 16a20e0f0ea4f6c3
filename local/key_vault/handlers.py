"""What an allowed operation on keys or secrets does, and the response to it; no HTTP.

Source: Azure Key Vault REST API reference, keys and secrets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from cryptography.hazmat.primitives.asymmetric import rsa

from local.deployment.resources import KeySpec
from local.key_vault import rsa as vault_rsa
from local.key_vault.errors import bad_parameter, disabled_key, not_permitted_on_key
from local.key_vault.operations import VaultRequest
from local.key_vault.request_body import JsonObject, read_enabled, read_secret
from local.key_vault.responses import (
    ResponseBody,
    big_endian,
    object_attributes,
    page,
    secret_attributes,
)
from local.key_vault.store import KeyVersion, SecretVersion, VaultStore

# Reads the request's body, once it is needed: what is wrong without it is reported first.
BodyReader = Callable[[], Awaitable[JsonObject]]
Handler = Callable[[VaultRequest, BodyReader], Awaitable[ResponseBody]]


class KeyHandlers:
    """The operations on the keys of a vault. `uri` is the vault's, without a slash at its end.

    They raise KeyVaultError and ObjectNotFoundError.
    """

    def __init__(self, store: VaultStore, uri: str) -> None:
        self._store = store
        self._uri = uri
        self.by_name: Mapping[str, Handler] = {
            "list": self._list,
            "versions": self._versions,
            "get": self._get,
            "rotate": self._rotate,
            "update": self._update,
            "encrypt": self._encrypt,
            "wrapKey": self._encrypt,
            "decrypt": self._decrypt,
            "unwrapKey": self._decrypt,
        }

    async def _list(self, _request: VaultRequest, _body: BodyReader) -> ResponseBody:
        store = self._store
        newest = [(key, store.key_version(key.name)) for key in store.key_specs()]
        return page([{"kid": self._id(k.name), **object_attributes(v)} for k, v in newest])

    async def _versions(self, request: VaultRequest, _body: BodyReader) -> ResponseBody:
        spec = self._store.key(_name(request))
        versions = [
            self._store.key_version(spec.name, version)
            for version in self._store.key_versions(spec.name)
        ]
        return page(
            [{"kid": self._id(spec.name, v.version), **object_attributes(v)} for v in versions]
        )

    async def _get(self, request: VaultRequest, _body: BodyReader) -> ResponseBody:
        spec = self._store.key(_name(request))
        return self._bundle(spec, self._store.key_version(spec.name, request.version))

    async def _rotate(self, request: VaultRequest, _body: BodyReader) -> ResponseBody:
        spec = self._store.key(_name(request))
        # Finding primes takes long enough for everybody else to notice.
        version = await asyncio.to_thread(self._store.rotate, spec.name)
        return self._bundle(spec, self._store.key_version(spec.name, version))

    async def _update(self, request: VaultRequest, read_body: BodyReader) -> ResponseBody:
        spec = self._store.key(_name(request))
        version = self._store.key_version(spec.name, request.version).version
        self._store.enable(spec.name, version, enabled=read_enabled(await read_body()))
        return self._bundle(spec, self._store.key_version(spec.name, version))

    async def _encrypt(self, request: VaultRequest, read_body: BodyReader) -> ResponseBody:
        key_id, key = self._usable_key(request)
        body = await read_body()
        plaintext = vault_rsa.from_base64url(body.get("value"))
        ciphertext = vault_rsa.encrypt(key.public_key(), body.get("alg"), plaintext)
        return {"kid": key_id, "value": vault_rsa.to_base64url(ciphertext)}

    async def _decrypt(self, request: VaultRequest, read_body: BodyReader) -> ResponseBody:
        key_id, key = self._usable_key(request)
        body = await read_body()
        ciphertext = vault_rsa.from_base64url(body.get("value"))
        # A private-key operation takes milliseconds, which would hold up the event loop.
        plaintext = await asyncio.to_thread(vault_rsa.decrypt, key, body.get("alg"), ciphertext)
        return {"kid": key_id, "value": vault_rsa.to_base64url(plaintext)}

    def _usable_key(self, request: VaultRequest) -> tuple[str, rsa.RSAPrivateKey]:
        spec = self._store.key(_name(request))
        found = self._store.key_version(spec.name, request.version)
        if request.operation.name not in spec.operations:
            raise not_permitted_on_key(request.operation.name)
        if not found.enabled:
            raise disabled_key(request.operation.name)
        key_id = self._id(spec.name, found.version)
        return key_id, self._store.private_key(spec.name, found.version)

    def _bundle(self, spec: KeySpec, version: KeyVersion) -> ResponseBody:
        key = self._store.private_key(spec.name, version.version).public_key().public_numbers()
        return {
            "key": {
                "kid": self._id(spec.name, version.version),
                "kty": spec.kty,
                "key_ops": list(spec.operations),
                "n": vault_rsa.to_base64url(big_endian(key.n)),
                "e": vault_rsa.to_base64url(big_endian(key.e)),
            },
            **object_attributes(version),
        }

    def _id(self, name: str, version: str | None = None) -> str:
        return object_id(self._uri, "keys", name, version)


class SecretHandlers:
    """The operations on the secrets of a vault. `uri` is the vault's, without a slash at its end.

    They raise KeyVaultError and ObjectNotFoundError.
    """

    def __init__(self, store: VaultStore, uri: str) -> None:
        self._store = store
        self._uri = uri
        self.by_name: Mapping[str, Handler] = {
            "list": self._list,
            "versions": self._versions,
            "get": self._get,
            "set": self._set,
        }

    async def _list(self, _request: VaultRequest, _body: BodyReader) -> ResponseBody:
        newest = [(name, self._store.secret(name)) for name in self._store.secret_names()]
        return page([{"id": self._id(n), **secret_attributes(s)} for n, s in newest])

    async def _versions(self, request: VaultRequest, _body: BodyReader) -> ResponseBody:
        name = _name(request)
        versions = self._store.secret_versions(name)
        return page([{"id": self._id(name, s.version), **secret_attributes(s)} for s in versions])

    async def _get(self, request: VaultRequest, _body: BodyReader) -> ResponseBody:
        name = _name(request)
        return self._bundle(name, self._store.secret(name, request.version))

    async def _set(self, request: VaultRequest, read_body: BodyReader) -> ResponseBody:
        name = _name(request)
        new = read_secret(await read_body())
        version = self._store.set_secret(name, new.value, new.content_type, new.tags, new.expires)
        return self._bundle(name, self._store.secret(name, version))

    def _bundle(self, name: str, secret: SecretVersion) -> ResponseBody:
        secret_id = self._id(name, secret.version)
        return {"value": secret.value, "id": secret_id, **secret_attributes(secret)}

    def _id(self, name: str, version: str | None = None) -> str:
        return object_id(self._uri, "secrets", name, version)


def object_id(uri: str, kind: str, name: str, version: str | None = None) -> str:
    """Return the id of a key or secret, with its version or without one."""
    # From configuration, never from the Host header: a message carries a key's id onwards.
    return f"{uri}/{kind}/{name}" + (f"/{version}" if version else "")


def _name(request: VaultRequest) -> str:
    if request.object_name is None:
        raise bad_parameter("The request URI names no object.")
    return request.object_name
