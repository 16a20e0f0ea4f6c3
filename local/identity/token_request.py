"""What both token endpoints know of a request for a token: who makes it, for which resource."""

from __future__ import annotations

import re
from typing import Protocol

from local.deployment.resource_id import normal
from local.deployment.resources import Identity

# A token must not end up in any cache.
NO_CACHE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
# The services that these deployments talk to.
_RESOURCES = frozenset(
    {
        "https://vault.azure.net",
        "https://servicebus.azure.net",
        "https://storage.azure.com",
        "https://monitor.azure.com",
        "https://management.azure.com",
        "https://ossrdbms-aad.database.windows.net",
    }
)
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,200}")


class Caller(Protocol):
    """Who may request tokens: an app, a machine, or an operator outside."""

    @property
    def name(self) -> str:
        """The name that the log gives it."""

    @property
    def identities(self) -> tuple[Identity, ...]:
        """The identities that it selects by an id."""

    @property
    def system_identity(self) -> Identity | None:
        """The identity that it gets without selecting any."""


def is_known(resource: str) -> bool:
    """Return whether tokens are issued for a resource, with or without a slash at its end."""
    return resource.rstrip("/").lower() in _RESOURCES


def shown(resource: str) -> str:
    """Return the name of a resource for an error, without what could break the answer's form."""
    return resource if _PRINTABLE.fullmatch(resource) else "requested"


def selected_identity(caller: Caller, selector: str, value: str) -> Identity | None:
    """Return the caller's identity of that id; `selector` is the parameter that has the id."""
    own: tuple[Identity, ...] = (caller.system_identity,) if caller.system_identity else ()
    for identity in (*caller.identities, *own):
        if selector == "client_id":
            candidate = identity.client_id
        elif selector in ("mi_res_id", "msi_res_id"):
            candidate = identity.resource_id
        else:
            candidate = identity.principal_id
        if normal(candidate) == normal(value):
            return identity
    return None
