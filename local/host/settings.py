"""Names in bindings, answered from the app's settings, as the Functions host does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.host.errors import AppRefused

_EXPRESSION = re.compile(r"%([^%]+)%")


@dataclass(frozen=True)
class IdentityConnection:
    """A namespace reached with a managed identity; without `client_id` the system-assigned one."""

    namespace: str
    client_id: str | None


@dataclass(frozen=True)
class KeyConnection:
    """A namespace reached with a connection string, which is a secret."""

    connection_string: str = field(repr=False)


Connection = IdentityConnection | KeyConnection


class Settings:
    """An app's settings. Names are looked up without regard to case, as .NET configuration does."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._values = {name.lower(): value for name, value in environment.items()}

    def get(self, name: str) -> str | None:
        """Return a setting; an empty one counts as absent."""
        return self._values.get(name.lower()) or None

    def resolve(self, text: str) -> str:
        """Replace each `%NAME%` by that setting; AppRefused if it is not there."""
        return _EXPRESSION.sub(lambda found: self._required(found[1]), text)

    def connection(self, name: str) -> Connection:
        """Read what a binding's `connection` points to.

        A setting `NAME` is a connection string; otherwise `NAME__fullyQualifiedNamespace` with
        `NAME__credential` = `managedidentity` and, for a user-assigned identity, `NAME__clientId`.
        What stands under `AzureWebJobsNAME` goes before (`GetWebJobsConnectionStringSection` of
        azure-webjobs-sdk).
        """
        prefixed = f"AzureWebJobs{name}"
        if self.get(prefixed) or self.get(f"{prefixed}__fullyQualifiedNamespace"):
            name = prefixed
        if connection_string := self.get(name):
            return KeyConnection(connection_string)
        namespace = self._required(f"{name}__fullyQualifiedNamespace")
        credential = self.get(f"{name}__credential")
        if credential is None or credential.lower() != "managedidentity":
            raise AppRefused(
                f"setting {name}__credential must be 'managedidentity', not {credential!r}"
            )
        return IdentityConnection(namespace, self.get(f"{name}__clientId"))

    def _required(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise AppRefused(f"setting {name} is missing")
        return value
