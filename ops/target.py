"""Which Service Bus the commands go to, and under which identity."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from azure.servicebus.aio import ServiceBusClient

from ops.credentials import operator_credential
from ops.errors import LocalCloudError
from ops.namespace import NAMESPACE, namespace_in
from shared.azure.network import ConnectionOptions
from shared.azure.queues import connect
from shared.settings.environment import SettingsError, bus_settings

_OPERATOR = "operator"
_IDENTITY = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")


class TargetNotGivenError(Exception):
    """No deployment is given, or by something that cannot be one."""


@dataclass(frozen=True)
class Target:
    """A namespace, how it is reached, and its queues that matter to an operator."""

    namespace: str
    network: ConnectionOptions
    rejected: str
    messages: str
    is_local: bool
    receipts: str = "receipts"
    retries: str = "retries"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, is_local: bool = False) -> Target:
        """Read the settings that apps have too. Raises `TargetNotGivenError`."""
        namespace = namespace_in(environ)
        if not namespace:
            raise TargetNotGivenError(
                f"no namespace given: --namespace HOST, or {NAMESPACE}, or --local"
            )
        try:
            bus = bus_settings({**environ, NAMESPACE: namespace})
        except SettingsError as error:
            raise TargetNotGivenError("; ".join(error.problems)) from None
        rejected = environ.get("RELAY_QUEUE_REJECTED", "rejected")
        messages = environ.get("RELAY_QUEUE_MESSAGES", "messages")
        receipts = environ.get("RELAY_QUEUE_RECEIPTS", "receipts")
        retries = environ.get("RELAY_QUEUE_RETRIES", "retries")
        return cls(bus.bus_namespace, bus.network, rejected, messages, is_local, receipts, retries)

    @classmethod
    def in_folder(cls, folder: Path | None, operator: str = _OPERATOR) -> Target:
        """Ask the local cloud that is up in a folder. Raises `LocalCloudError`."""
        environment = local_environment(operator, folder)
        return cls.from_environment(environment, is_local=True)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[ServiceBusClient]:
        """Give a client under the operator's own identity."""
        credential = operator_credential(is_local=self.is_local)
        async with credential, connect(self.namespace, credential, self.network) as client:
            yield client


def local_environment(operator: str, folder: Path | None) -> Mapping[str, str]:
    """Become an operator of the local cloud that is up in a folder; return its environment.

    Raises `LocalCloudError`.
    """
    # Only here: an operator of Azure needs nothing of the local cloud.
    from local.cli.client import Client, RequestRefusedError
    from local.net.folder import DEFAULT_FOLDER, NotUpError

    try:
        environment = Client(folder or DEFAULT_FOLDER).environment(operator)
    except (NotUpError, RequestRefusedError) as error:
        raise LocalCloudError(str(error)) from None
    # The one place where the credential looks for them.
    os.environ.update({name: environment[name] for name in _IDENTITY})
    return environment
