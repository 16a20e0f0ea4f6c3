"""A vault's operations without HTTP and without authorization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.deployment.resources import KeySpec, SecretSpec, VaultSpec
from local.key_vault import api_versions
from local.key_vault.calls import Call
from local.key_vault.handlers import handlers_of
from local.key_vault.operations import parse
from local.key_vault.request_body import JsonObject
from local.key_vault.store import VaultStore

URI = "https://v.example"
SPEC = VaultSpec(
    "/v",
    "v",
    "westeurope",
    "t",
    uses_rbac=True,
    policies=(),
    keys=(
        KeySpec("/k/payload", "payload", "RSA", 2048, ("encrypt", "decrypt")),
        KeySpec("/k/sealed", "sealed", "RSA", 2048, ("encrypt",)),
    ),
    secrets=(SecretSpec("/s/partner", "partner", "a/b"),),
)


async def no_body() -> JsonObject:
    raise AssertionError("a body was read that the operation does not need")


@dataclass
class LocalVault:
    """A vault to ask; `spec` may be replaced before the first request."""

    folder: Path
    spec: VaultSpec = SPEC
    store: VaultStore | None = None

    def opened(self) -> VaultStore:
        """Return its store, which is made at first."""
        if self.store is None:
            self.store = VaultStore(self.folder, self.spec)
        return self.store

    async def ask(
        self,
        method: str,
        path: str,
        body: JsonObject | None = None,
        *,
        query: Mapping[str, str] | None = None,
        api: str = "2025-07-01",
    ) -> Any:
        """Carry out a request, and return the body of the response."""
        requested = parse(method, path)
        handlers = handlers_of(self.opened(), URI, self.spec)

        async def read_body() -> JsonObject:
            assert body is not None
            return body

        call = Call(
            requested,
            api_versions.parse(api),
            f"{URI}{path}",
            query or {},
            no_body if body is None else read_body,
        )
        return await handlers[requested.operation.kind][requested.operation.name](call)
