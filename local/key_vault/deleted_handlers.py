"""Deleted keys and secrets: to delete, list, recover and purge them.

Source: Azure Key Vault REST API reference, deleted keys and deleted secrets; "Azure Key Vault
soft-delete overview".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from local.deployment.resources import VaultSpec
from local.key_vault.api_versions import ApiVersion
from local.key_vault.calls import Call, Handlers, object_entries
from local.key_vault.errors import purge_protected
from local.key_vault.object_table import ObjectTable
from local.key_vault.objects import KeyVersion, SecretVersion, V, VaultObject
from local.key_vault.responses import ResponseBody, Responses
from local.key_vault.store import VaultStore


@dataclass(frozen=True)
class _Kind(Generic[V]):
    """What differs between keys and secrets: how one is shown, alone and in a list."""

    table: ObjectTable[V]
    delete: Callable[[str], VaultObject[V]]
    purge: Callable[[str], object]
    shown: Callable[[VaultObject[V], ApiVersion], ResponseBody]
    item: Callable[[VaultObject[V], ApiVersion], ResponseBody]


def deleted_key_handlers(store: VaultStore, responses: Responses, spec: VaultSpec) -> Handlers:
    """Return those of keys. They raise KeyVaultError and ObjectNotFoundError."""

    def shown(key: VaultObject[KeyVersion], api: ApiVersion) -> ResponseBody:
        return responses.key(key.name, key.newest, store.material(key.newest.version), api)

    def item(key: VaultObject[KeyVersion], api: ApiVersion) -> ResponseBody:
        return responses.key_item(key.name, key.newest, api, of_object=True)

    kind = _Kind(store.keys, store.delete_key, store.purge_key, shown, item)
    return _DeletedHandlers(kind, responses, spec).by_name


def deleted_secret_handlers(store: VaultStore, responses: Responses, spec: VaultSpec) -> Handlers:
    """Return those of secrets. They raise KeyVaultError and ObjectNotFoundError."""

    def shown(secret: VaultObject[SecretVersion], api: ApiVersion) -> ResponseBody:
        return responses.secret(secret.name, secret.newest, api)

    def item(secret: VaultObject[SecretVersion], api: ApiVersion) -> ResponseBody:
        return responses.secret_item(secret.name, secret.newest, api, of_object=True)

    kind = _Kind(store.secrets, store.delete_secret, store.secrets.purge, shown, item)
    return _DeletedHandlers(kind, responses, spec).by_name


class _DeletedHandlers(Generic[V]):
    def __init__(self, kind: _Kind[V], responses: Responses, spec: VaultSpec) -> None:
        self._kind = kind
        self._responses = responses
        self._spec = spec
        self.by_name: Handlers = {
            "delete": self._delete,
            "listDeleted": self._list,
            "getDeleted": self._get,
            "recover": self._recover,
            "purge": self._purge,
        }

    async def _delete(self, call: Call) -> ResponseBody:
        return self._shown(self._kind.delete(call.name), call)

    async def _list(self, call: Call) -> ResponseBody:
        return call.page(
            object_entries(
                self._kind.table.deleted(),
                lambda one: {**self._deletion(one), **self._kind.item(one, call.api)},
            )
        )

    async def _get(self, call: Call) -> ResponseBody:
        return self._shown(self._kind.table.get_deleted(call.name), call)

    async def _recover(self, call: Call) -> ResponseBody:
        return self._shown(self._kind.table.recover(call.name), call)

    async def _purge(self, call: Call) -> None:
        self._kind.table.get_deleted(call.name)
        if self._spec.purge_protection:
            raise purge_protected(self._spec)
        self._kind.purge(call.name)

    def _shown(self, one: VaultObject[V], call: Call) -> ResponseBody:
        return {**self._deletion(one), **self._kind.shown(one, call.api)}

    def _deletion(self, one: VaultObject[V]) -> ResponseBody:
        return self._responses.deletion(self._kind.table.kind, one.name, one.deletion)
