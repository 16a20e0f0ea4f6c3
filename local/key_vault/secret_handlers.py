"""The operations that set, show and change secrets.

Source: Azure Key Vault REST API reference, secrets.
"""

from __future__ import annotations

import time
from dataclasses import replace

from local.key_vault.api_versions import FIRST
from local.key_vault.calls import Call, Handlers, listing_handlers
from local.key_vault.errors import bad_parameter, disabled_secret, not_in_version
from local.key_vault.objects import SecretVersion
from local.key_vault.request_body import read_secret, read_secret_update
from local.key_vault.responses import ResponseBody, Responses
from local.key_vault.store import VaultStore

OUT_CONTENT_TYPE = "outContentType"


class SecretHandlers:
    """They raise KeyVaultError, ObjectNotFoundError and NameInUseError."""

    def __init__(self, store: VaultStore, responses: Responses) -> None:
        self._store = store
        self._responses = responses
        self.by_name: Handlers = {
            **listing_handlers(store.secrets, responses.secret_item),
            "get": self._get,
            "set": self._set,
            "update": self._update,
        }

    async def _get(self, call: Call) -> ResponseBody:
        if OUT_CONTENT_TYPE in call.query:
            if not call.api.has(OUT_CONTENT_TYPE):
                first = FIRST[OUT_CONTENT_TYPE]
                raise not_in_version(f"Parameter {OUT_CONTENT_TYPE}", call.api.name, first)
            raise bad_parameter(
                f"Parameter {OUT_CONTENT_TYPE} converts certificates, which the local vault does "
                "not have."
            )
        version = self._store.secrets.version(call.name, call.request.version)
        # Its time is reported and not enforced, as in Azure: an expired secret can still be read.
        if not version.attributes.enabled:
            raise disabled_secret()
        return self._shown(call, version, value=True)

    async def _set(self, call: Call) -> ResponseBody:
        new = read_secret(await call.read_body())
        version = self._store.set_secret(
            call.name, new.value, new.content_type, new.tags, new.attributes
        )
        return self._shown(call, self._store.secrets.version(call.name, version), value=True)

    async def _update(self, call: Call) -> ResponseBody:
        version = self._store.secrets.version(call.name, call.request.version)
        changes = read_secret_update(await call.read_body())
        now = int(time.time())

        def changed(one: SecretVersion) -> SecretVersion:
            return replace(
                one,
                content_type=one.content_type
                if changes.content_type is None
                else changes.content_type,
                tags=one.tags if changes.tags is None else changes.tags,
                attributes=changes.attributes.applied(one.attributes, now),
            )

        _, updated = self._store.secrets.change_version(call.name, version.version, changed)
        return self._shown(call, updated, value=False)

    def _shown(self, call: Call, version: SecretVersion, *, value: bool) -> ResponseBody:
        name = self._store.secrets.get(call.name).name
        return self._responses.secret(name, version, call.api, value=value)
