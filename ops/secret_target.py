"""Which secret a command is about, and under which identity it is reached."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from azure.keyvault.secrets.aio import SecretClient

from ops.credentials import operator_credential
from ops.errors import LocalCloudError
from ops.target import TargetNotGivenError, local_environment
from shared.azure.key_vault_id import KeyVaultId
from shared.azure.network import ConnectionOptions
from shared.azure.vault import client_options
from shared.settings import forms

_VAULT = re.compile(r"[A-Za-z](?!.*--)[A-Za-z0-9-]{1,22}[A-Za-z0-9]", re.ASCII)
_PROXY = "RELAY_PROXY"
# Where azd's outputs name the vault of each secret that an operator reads or sets.
_VARIABLES = {
    "database-connection": "RELAY_VAULT_DATABASE",
    "partner-connection": "RELAY_VAULT_PARTNER",
    "partner-state": "RELAY_VAULT_STATE",
}
_HOST = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", re.ASCII)


@dataclass(frozen=True)
class SecretTarget:
    """A secret, and how its vault is reached."""

    secret: KeyVaultId
    network: ConnectionOptions
    is_local: bool

    @classmethod
    def in_azure(cls, secret: str, vault: str | None, environ: Mapping[str, str]) -> SecretTarget:
        """Take the vault by name, by host, or from `azd`. Raises `TargetNotGivenError`."""
        variable = _VARIABLES[secret]
        given = vault or environ.get(variable, "")
        if not given:
            raise TargetNotGivenError(f"no vault given: --vault NAME, or {variable}, or --local")
        if _VAULT.fullmatch(given):
            given += ".vault.azure.net"
        if not _HOST.fullmatch(given):
            raise TargetNotGivenError(
                "a vault is given by its name, or by its host in other clouds"
            )
        found = KeyVaultId.parse(f"https://{given}/secrets/{secret}", "secrets")
        try:
            proxy = forms.proxy(environ[_PROXY]) if environ.get(_PROXY) else None
        except ValueError as error:
            raise TargetNotGivenError(f"{_PROXY} {error}") from None
        return cls(found, ConnectionOptions(proxy=proxy), is_local=False)

    @classmethod
    def in_folder(cls, secret: str, operator: str, folder: Path | None) -> SecretTarget:
        """Ask the local cloud that is up in a folder. Raises `LocalCloudError`."""
        environment = local_environment(operator, folder)
        url = environment.get(f"RELAY_SECRET_{secret.upper().replace('-', '_')}")
        if url is None:
            raise LocalCloudError(f"{operator} may do nothing with secret {secret} there")
        network = ConnectionOptions(Path(environment["RELAY_CA_BUNDLE"]), verify_challenge=False)
        return cls(KeyVaultId.parse(url, "secrets"), network, is_local=True)

    @property
    def name(self) -> str:
        """What messages call it."""
        host = self.secret.vault_url.removeprefix("https://")
        return f"{self.secret.name} in {host}"

    @asynccontextmanager
    async def client(self) -> AsyncIterator[SecretClient]:
        """Give a client under the operator's own identity."""
        credential = operator_credential(is_local=self.is_local)
        options = client_options(self.secret.vault_url, self.network)
        async with (
            credential,
            SecretClient(self.secret.vault_url, credential, **options) as client,
        ):
            yield client
