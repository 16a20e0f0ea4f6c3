"""Names in bindings, resolved from the app's settings, as the Functions host does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from local.host.errors import AppRefusedError

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
        """Replace each `%NAME%` by that setting. Raises AppRefusedError if it is missing."""
        return _EXPRESSION.sub(lambda found: self._required(found[1]), text)

    def connection(self, name: str) -> Connection:
        """Read the connection that a binding names.

        A setting `NAME` is a connection string; otherwise `NAME__fullyQualifiedNamespace` with
        `NAME__credential` = `managedidentity` and, for a user-assigned identity, `NAME__clientId`.
        `AzureWebJobsNAME` takes precedence over `NAME`, and over each of them what is below
        `ConnectionStrings__` (azure-webjobs-sdk: `GetWebJobsConnectionSection`).
        """
        section = next(filter(self._has, _sections(name)), name)
        if connection_string := self.get(section):
            return KeyConnection(connection_string)
        namespace = self._required(f"{section}__fullyQualifiedNamespace")
        credential = self.get(f"{section}__credential")
        if credential is None or credential.lower() != "managedidentity":
            raise AppRefusedError(
                f"setting {section}__credential must be 'managedidentity', not {credential!r}"
            )
        return IdentityConnection(namespace, self.get(f"{section}__clientId"))

    def _has(self, section: str) -> bool:
        below = f"{section.lower()}__"
        return self.get(section) is not None or any(
            value and name.startswith(below) for name, value in self._values.items()
        )

    def _required(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise AppRefusedError(f"setting {name} is missing")
        return value


def _sections(connection: str) -> Iterator[str]:
    for name in (f"AzureWebJobs{connection}", connection):
        yield f"ConnectionStrings__{name}"
        yield name
