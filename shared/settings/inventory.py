"""All that the deployment has: what the access audit probes, in every app."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from shared.azure.key_vault_id import KeyVaultId
from shared.settings import forms

V = TypeVar("V")

# A setting for each, in every app. The rest of its name is the object's in access.json.
ACCESS_PREFIXES = (
    ("RELAY_ACCESS_IDENTITY_", "client id of an identity of the deployment"),
    ("RELAY_ACCESS_KEY_", "URL of a key of the deployment, without a version"),
    ("RELAY_ACCESS_SECRET_", "URL of a secret of the deployment, without a version"),
    ("RELAY_ACCESS_QUEUE_", "a queue of the deployment"),
)


@dataclass(frozen=True)
class Inventory:
    """All that the deployment has: what the access audit probes, by the names of access.json."""

    identities: Mapping[str, str]
    keys: tuple[KeyVaultId, ...]
    secrets: tuple[KeyVaultId, ...]
    queues: tuple[str, ...]


def read_inventory(environ: Mapping[str, str], problems: list[str]) -> Inventory:
    """Read `RELAY_ACCESS_<kind>_<name>`; add what is wrong with them to `problems`."""
    of_identity, of_key, of_secret, of_queue = (prefix for prefix, _ in ACCESS_PREFIXES)
    identities = _with_prefix(of_identity, environ, forms.client_id, problems)
    return Inventory(
        # Only the names of identities are not part of their values.
        {name.removeprefix(of_identity).lower(): value for name, value in identities.items()},
        tuple(_with_prefix(of_key, environ, forms.key, problems).values()),
        tuple(_with_prefix(of_secret, environ, forms.secret, problems).values()),
        tuple(_with_prefix(of_queue, environ, forms.queue, problems).values()),
    )


def _with_prefix(
    prefix: str, environ: Mapping[str, str], read: Callable[[str], V], problems: list[str]
) -> dict[str, V]:
    values: dict[str, V] = {}
    for name in sorted(environ):
        if name.startswith(prefix):
            try:
                values[name] = read(environ[name].strip())
            except ValueError as error:
                problems.append(f"{name} {error}")
    return values
