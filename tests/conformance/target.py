"""What the conformance tests run against: the local cloud, or a resource group in Azure.

Both have what `tests/conformance/deployment/main.bicep` declares.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from azure.core.credentials import AccessToken, TokenCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.identity import AzureCliCredential, ManagedIdentityCredential
from azure.identity.aio import AzureCliCredential as AsyncAzureCliCredential
from azure.identity.aio import ManagedIdentityCredential as AsyncManagedIdentityCredential
from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.aio import KeyClient as AsyncKeyClient
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient
from azure.servicebus import ServiceBusClient, TransportType
from azure.servicebus.aio import ServiceBusClient as AsyncServiceBusClient
from azure.servicebus.aio.management import (
    ServiceBusAdministrationClient as AsyncServiceBusAdministrationClient,
)
from azure.servicebus.management import ServiceBusAdministrationClient

from local.cli.client import Client

DEPLOYMENT = Path(__file__).parent / "deployment"
SNAPSHOT = DEPLOYMENT / "local.snapshot.json"
# The name that `az deployment group create` gives a deployment of main.bicep.
_DEPLOYMENT_NAME = "main"
_NAMESPACE = "Microsoft.ServiceBus/namespaces"

Vault = Literal["roles", "policies"]
"""Which vault: the one that asks roles, or the one that asks access policies."""
Caller = Literal["caller", "stranger"]
"""Who calls: `caller` may do everything, `stranger` nothing."""


class NoTargetError(Exception):
    """There is nothing to run the tests against; the message says what to do."""


@dataclass(frozen=True)
class Target:
    """Where the services are, and clients of them.

    Of the local cloud alone: `ca`, the certificate authority of the services; `bus` and
    `administration`, where the namespace is served; `environments`, the variables by which a
    program gets a caller's tokens.
    """

    vaults: Mapping[Vault, str]
    namespace: str
    ca: Path | None = None
    bus: str | None = None
    administration: str | None = None
    environments: Mapping[Caller, Mapping[str, str]] = field(default_factory=dict, repr=False)

    @property
    def is_azure(self) -> bool:
        return self.ca is None

    @contextmanager
    def credential(self, caller: Caller = "caller") -> Iterator[TokenCredential]:
        """Give a credential for the synchronous clients."""
        if self.is_azure:
            _skip_strangers(caller)
            with AzureCliCredential() as signed_in:
                yield signed_in
        else:
            with ManagedIdentityCredential() as credential:
                yield _CallerCredential(credential, self.environments[caller])

    @asynccontextmanager
    async def async_credential(
        self, caller: Caller = "caller"
    ) -> AsyncIterator[AsyncTokenCredential]:
        """Give a credential for the asynchronous clients."""
        if self.is_azure:
            _skip_strangers(caller)
            async with AsyncAzureCliCredential() as signed_in:
                yield signed_in
        else:
            with _variables(self.environments[caller]):
                made = AsyncManagedIdentityCredential()
            async with made:
                yield made

    @contextmanager
    def keys(
        self, vault: Vault = "roles", caller: Caller = "caller", **options: Any
    ) -> Iterator[KeyClient]:
        """Give a client of a vault's keys; `options` are the SDK's."""
        options = self._vault_options() | options
        with (
            self.credential(caller) as credential,
            KeyClient(self.vaults[vault], credential, **options) as client,
        ):
            yield client

    @asynccontextmanager
    async def keys_async(
        self, vault: Vault = "roles", caller: Caller = "caller", **options: Any
    ) -> AsyncIterator[AsyncKeyClient]:
        """Give an asynchronous client of a vault's keys."""
        options = self._vault_options() | options
        async with (
            self.async_credential(caller) as credential,
            AsyncKeyClient(self.vaults[vault], credential, **options) as client,
        ):
            yield client

    @contextmanager
    def secrets(
        self, vault: Vault = "roles", caller: Caller = "caller", **options: Any
    ) -> Iterator[SecretClient]:
        """Give a client of a vault's secrets."""
        options = self._vault_options() | options
        with (
            self.credential(caller) as credential,
            SecretClient(self.vaults[vault], credential, **options) as client,
        ):
            yield client

    @asynccontextmanager
    async def secrets_async(
        self, vault: Vault = "roles", caller: Caller = "caller", **options: Any
    ) -> AsyncIterator[AsyncSecretClient]:
        """Give an asynchronous client of a vault's secrets."""
        options = self._vault_options() | options
        async with (
            self.async_credential(caller) as credential,
            AsyncSecretClient(self.vaults[vault], credential, **options) as client,
        ):
            yield client

    @contextmanager
    def service_bus(self, caller: Caller = "caller", **options: Any) -> Iterator[ServiceBusClient]:
        """Give a client of the namespace."""
        options = self._bus_options() | options
        with (
            self.credential(caller) as credential,
            ServiceBusClient(self.namespace, credential, **options) as client,
        ):
            yield client

    @asynccontextmanager
    async def service_bus_async(
        self, caller: Caller = "caller", **options: Any
    ) -> AsyncIterator[AsyncServiceBusClient]:
        """Give an asynchronous client of the namespace."""
        options = self._bus_options() | options
        async with (
            self.async_credential(caller) as credential,
            AsyncServiceBusClient(self.namespace, credential, **options) as client,
        ):
            yield client

    @contextmanager
    def bus_administration(
        self, caller: Caller = "caller", **options: Any
    ) -> Iterator[ServiceBusAdministrationClient]:
        """Give a client of the administration of the namespace."""
        options = self._administration_options() | options
        with (
            self.credential(caller) as credential,
            ServiceBusAdministrationClient(self._administered, credential, **options) as client,
        ):
            yield client

    @asynccontextmanager
    async def bus_administration_async(
        self, caller: Caller = "caller", **options: Any
    ) -> AsyncIterator[AsyncServiceBusAdministrationClient]:
        """Give an asynchronous client of the administration of the namespace."""
        options = self._administration_options() | options
        async with (
            self.async_credential(caller) as credential,
            AsyncServiceBusAdministrationClient(
                self._administered, credential, **options
            ) as client,
        ):
            yield client

    @property
    def _administered(self) -> str:
        # The client takes the port within the name of the namespace.
        return (
            self.administration.removeprefix("https://") if self.administration else self.namespace
        )

    def _administration_options(self) -> dict[str, Any]:
        return {} if self.is_azure else {"connection_verify": str(self.ca)}

    def _vault_options(self) -> dict[str, Any]:
        if self.is_azure:
            return {}
        # A vault here is a port of loopback, not a name below vault.azure.net.
        return {"verify_challenge_resource": False, "connection_verify": str(self.ca)}

    def _bus_options(self) -> dict[str, Any]:
        if self.is_azure:
            return {}
        return {
            "custom_endpoint_address": self.bus,
            "connection_verify": str(self.ca),
            "transport_type": TransportType.Amqp,
        }


@dataclass(frozen=True)
class _CallerCredential:
    """The credential of a caller: the synchronous one reads the environment for each token."""

    credential: ManagedIdentityCredential
    environment: Mapping[str, str] = field(repr=False)

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        with _variables(self.environment):
            token: AccessToken = self.credential.get_token(*scopes, **options)
        return token


def local_target(folder: Path) -> Target:
    """Return the local cloud that is up in a folder."""
    client = Client(folder)
    resources = json.loads(SNAPSHOT.read_text())["predictedResources"]
    (namespace,) = (one["name"] for one in resources if one["type"] == _NAMESPACE)
    vaults = cast("Mapping[str, str]", client.endpoints["vaults"])
    callers: tuple[Caller, ...] = ("caller", "stranger")
    return Target(
        vaults={"roles": vaults["roles-local"], "policies": vaults["policies-local"]},
        namespace=f"{namespace}.servicebus.windows.net",
        ca=Path(client.url("ca")),
        bus=client.url("bus"),
        administration=client.url("administration"),
        environments={who: client.environment(who) for who in callers},
    )


def azure_target(group: str | None) -> Target:
    """Return what is deployed in a resource group of the subscription that az is signed in to.

    Raises `NoTargetError`.
    """
    if shutil.which("az") is None:
        raise NoTargetError("AZURE=1 needs the Azure CLI: install az, then sign in with `az login`")
    if not group:
        raise NoTargetError(
            "AZURE=1 needs the resource group that was deployed (docs/conformance.md): GROUP=NAME"
        )
    names = {name: str(one["value"]) for name, one in _outputs(group).items()}
    return Target(
        vaults={
            "roles": f"https://{names['rolesVault']}.vault.azure.net/",
            "policies": f"https://{names['policiesVault']}.vault.azure.net/",
        },
        namespace=f"{names['namespace']}.servicebus.windows.net",
    )


def _outputs(group: str) -> Mapping[str, Mapping[str, object]]:
    command = [
        *("az", "deployment", "group", "show", "--resource-group", group),
        *("--name", _DEPLOYMENT_NAME, "--query", "properties.outputs", "--output", "json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoTargetError(
            f"the resource group {group} has no deployment of tests/conformance/deployment/"
            f"main.bicep (docs/conformance.md), or az is not signed in: {done.stderr.strip()}"
        )
    return cast("Mapping[str, Mapping[str, object]]", json.loads(done.stdout))


@contextmanager
def _variables(environment: Mapping[str, str]) -> Iterator[None]:
    """Set where a credential gets its tokens, and how it shows whose they are."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
            patch.setenv(name, environment[name])
        yield


def _skip_strangers(caller: Caller) -> None:
    if caller != "caller":
        pytest.skip("in Azure there is no caller without a right")
