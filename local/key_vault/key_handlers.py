"""The operations that make, show and change keys.

Source: Azure Key Vault REST API reference, keys.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from local.deployment.resources import VaultSpec
from local.deployment.rotation_policy import RotationPolicy
from local.key_vault import key_types
from local.key_vault.calls import Call, Handlers, listing_handlers
from local.key_vault.errors import bad_parameter
from local.key_vault.key_requests import (
    KeyChanges,
    read_create,
    read_import,
    read_rotation_policy,
    read_update,
)
from local.key_vault.key_types import OPERATIONS, PrivateKey, family
from local.key_vault.objects import KeyVersion
from local.key_vault.responses import ResponseBody, Responses
from local.key_vault.store import VaultStore


class KeyHandlers:
    """They raise KeyVaultError, ObjectNotFoundError and NameInUseError."""

    def __init__(self, store: VaultStore, responses: Responses, spec: VaultSpec) -> None:
        self._store = store
        self._responses = responses
        self._premium = spec.premium
        self.by_name: Handlers = {
            **listing_handlers(store.keys, responses.key_item),
            "get": self._get,
            "create": self._create,
            "import": self._import,
            "update": self._update,
            "rotate": self._rotate,
            "getRotationPolicy": self._get_rotation_policy,
            "setRotationPolicy": self._set_rotation_policy,
        }

    async def _get(self, call: Call) -> ResponseBody:
        return self._shown(call, self._store.keys.version(call.name, call.request.version))

    async def _create(self, call: Call) -> ResponseBody:
        new = read_create(await call.read_body())
        self._require_hsm(new.kty)
        self._store.keys.require_not_deleted(call.name)
        # Finding primes takes long enough for everybody else to notice.
        made = await asyncio.to_thread(key_types.generate, new.kty, new.size, new.curve)
        return self._added(call, new.kty, made, new.changes)

    async def _import(self, call: Call) -> ResponseBody:
        new = read_import(await call.read_body())
        self._require_hsm(new.kty)
        return self._added(call, new.kty, new.private_key, new.changes)

    async def _update(self, call: Call) -> ResponseBody:
        version = self._store.keys.version(call.name, call.request.version)
        changes = read_update(await call.read_body(), version.kty)
        now = int(time.time())

        def changed(one: KeyVersion) -> KeyVersion:
            operations = one.operations if changes.operations is None else changes.operations
            tags = one.tags if changes.tags is None else changes.tags
            attributes = changes.attributes.applied(one.attributes, now)
            return replace(one, attributes=attributes, operations=operations, tags=tags)

        _, updated = self._store.keys.change_version(call.name, version.version, changed)
        return self._shown(call, updated)

    async def _rotate(self, call: Call) -> ResponseBody:
        version = await asyncio.to_thread(self._store.rotate, call.name)
        return self._shown(call, self._store.keys.version(call.name, version))

    async def _get_rotation_policy(self, call: Call) -> ResponseBody:
        key = self._store.keys.get(call.name)
        # Without one that somebody set, a key has the one that all have.
        policy = key.rotation_policy or RotationPolicy()
        return self._responses.rotation_policy(key.name, policy)

    async def _set_rotation_policy(self, call: Call) -> ResponseBody:
        self._store.keys.get(call.name)
        policy = read_rotation_policy(await call.read_body())
        key = self._store.set_rotation_policy(call.name, policy)
        return self._responses.rotation_policy(key.name, key.rotation_policy or policy)

    def _added(
        self, call: Call, kty: str, private_key: PrivateKey, changes: KeyChanges
    ) -> ResponseBody:
        operations = changes.operations
        if operations is None:
            operations = OPERATIONS[family(kty)]
        version = self._store.add_key(
            call.name, kty, private_key, operations, changes.attributes, changes.tags
        )
        return self._shown(call, version)

    def _shown(self, call: Call, version: KeyVersion) -> ResponseBody:
        name = self._store.keys.get(call.name).name
        material = self._store.material(version.version)
        return self._responses.key(name, version, material, call.api)

    def _require_hsm(self, kty: str) -> None:
        if kty.endswith("-HSM") and not self._premium:
            raise bad_parameter("A vault of the standard tier has no HSM: the type cannot be -HSM.")
