"""Backup and restore of keys and secrets.

Source: Azure Key Vault REST API reference, Backup Key, Restore Key, and those of secrets.
"""

from __future__ import annotations

from local.key_vault.base64url import from_base64url, to_base64url
from local.key_vault.calls import Call, Handlers
from local.key_vault.request_body import opened
from local.key_vault.responses import ResponseBody, Responses
from local.key_vault.store import VaultStore


class BackupHandlers:
    """They raise KeyVaultError, ObjectNotFoundError and NameInUseError."""

    def __init__(self, store: VaultStore, responses: Responses) -> None:
        self._store = store
        self._responses = responses
        self.of_keys: Handlers = {"backup": self._back_up_key, "restore": self._restore_key}
        self.of_secrets: Handlers = {
            "backup": self._back_up_secret,
            "restore": self._restore_secret,
        }

    async def _back_up_key(self, call: Call) -> ResponseBody:
        return {"value": to_base64url(self._store.back_up_key(call.name))}

    async def _restore_key(self, call: Call) -> ResponseBody:
        key = self._store.restore_key(await _backup(call))
        material = self._store.material(key.newest.version)
        return self._responses.key(key.name, key.newest, material, call.api)

    async def _back_up_secret(self, call: Call) -> ResponseBody:
        return {"value": to_base64url(self._store.back_up_secret(call.name))}

    async def _restore_secret(self, call: Call) -> ResponseBody:
        secret = self._store.restore_secret(await _backup(call))
        return self._responses.secret(secret.name, secret.newest, call.api)


async def _backup(call: Call) -> bytes:
    request = opened(await call.read_body())
    content = from_base64url(request.raw("value") if request.has("value") else None)
    request.reject_unread()
    return content
