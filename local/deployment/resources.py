"""What a deployment consists of, as the local cloud sees it: plain, frozen, resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from local.resource_manager.expressions import Reference


@dataclass(frozen=True)
class Identity:
    """A managed identity: user-assigned, or the system-assigned one of an app."""

    resource_id: str
    name: str
    principal_id: str
    client_id: str


@dataclass(frozen=True)
class KeySpec:
    """A key as deployed; its versions are made at run time."""

    resource_id: str
    name: str
    kty: str
    size: int
    operations: tuple[str, ...]


@dataclass(frozen=True)
class SecretSpec:
    """A secret as deployed; `value` is None where the deployment has it from a secure parameter.

    `made_once` if a deployment makes it only where it is not there yet (`@onlyIfNotExists()`).
    """

    resource_id: str
    name: str
    content_type: str | None
    made_once: bool = False
    value: str | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class AccessPolicy:
    """What one principal may do in a whole vault, in the older of Key Vault's two models."""

    principal_id: str
    keys: frozenset[str]
    secrets: frozenset[str]


@dataclass(frozen=True)
class VaultSpec:
    """A vault with the keys and secrets in it."""

    resource_id: str
    name: str
    location: str
    tenant_id: str
    uses_rbac: bool
    policies: tuple[AccessPolicy, ...]
    keys: tuple[KeySpec, ...]
    secrets: tuple[SecretSpec, ...]


@dataclass(frozen=True)
class QueueSpec:
    """A queue with the properties that decide how it treats messages."""

    resource_id: str
    name: str
    lock_duration: timedelta = timedelta(minutes=1)
    max_delivery_count: int = 10
    duplicate_window: timedelta | None = None
    time_to_live: timedelta | None = None
    dead_letter_on_expiration: bool = False
    forward_to: str | None = None
    forward_dead_letters_to: str | None = None
    max_message_bytes: int = 256 * 1024
    max_size_bytes: int = 1024**3
    requires_session: bool = False


@dataclass(frozen=True)
class NamespaceSpec:
    """A Service Bus namespace; `host` is its fully qualified name in Azure."""

    resource_id: str
    name: str
    host: str
    tier: Literal["Basic", "Standard", "Premium"]
    local_auth: bool
    queues: tuple[QueueSpec, ...]


@dataclass(frozen=True)
class AppSpec:
    """A function app: its identities and its settings. `app` is its setting RELAY_APP."""

    resource_id: str
    name: str
    app: str
    identities: tuple[Identity, ...]
    system_identity: Identity | None
    settings: Mapping[str, str | Reference]


@dataclass(frozen=True)
class MachineSpec:
    """A virtual machine: its identities, and its commands' parameters. `name` is its host name."""

    resource_id: str
    name: str
    identities: tuple[Identity, ...]
    system_identity: Identity | None
    parameters: Mapping[str, str | Reference]


@dataclass(frozen=True)
class Operator:
    """A person or program outside of every app, by the name in access.json."""

    name: str
    identity: Identity

    @property
    def identities(self) -> tuple[Identity, ...]:
        """None: its one identity is selected by no id."""
        return ()

    @property
    def system_identity(self) -> Identity:
        """The identity that it gets without selecting any."""
        return self.identity


@dataclass(frozen=True)
class Program:
    """Any program of the user's that is given one identity of the deployment.

    As in Azure, a user-assigned identity has to be selected, a system-assigned one is not.
    """

    identity: Identity
    is_system_assigned: bool

    @property
    def name(self) -> str:
        """The name of its identity."""
        return self.identity.name

    @property
    def identities(self) -> tuple[Identity, ...]:
        """The identities that it selects by an id."""
        return () if self.is_system_assigned else (self.identity,)

    @property
    def system_identity(self) -> Identity | None:
        """The identity that it gets without selecting any."""
        return self.identity if self.is_system_assigned else None


@dataclass(frozen=True)
class RoleDefinition:
    """A role, custom or built in. Only data actions matter to a data plane."""

    resource_id: str
    name: str
    data_actions: tuple[str, ...]
    not_data_actions: tuple[str, ...]


@dataclass(frozen=True)
class RoleAssignment:
    """A role given to a principal at a scope: an object, a vault or namespace, a group, ..."""

    resource_id: str
    scope: str
    role_definition_id: str
    principal_id: str


@dataclass(frozen=True)
class Deployment:
    """A whole deployment.

    `ignored` lists the resources that have no effect locally, `unserved` those that would have one
    and are not served, `unserved_identities` the system-assigned identities of these;
    `unknown_roles` the assigned roles that nothing is known of, which grant nothing here.
    """

    tenant_id: str
    identities: tuple[Identity, ...]
    vaults: tuple[VaultSpec, ...]
    namespaces: tuple[NamespaceSpec, ...]
    apps: tuple[AppSpec, ...]
    role_definitions: tuple[RoleDefinition, ...]
    role_assignments: tuple[RoleAssignment, ...]
    ignored: tuple[str, ...]
    operators: tuple[Operator, ...] = ()
    machines: tuple[MachineSpec, ...] = ()
    unserved: tuple[str, ...] = ()
    unserved_identities: tuple[Identity, ...] = ()
    unknown_roles: tuple[str, ...] = ()

    def programs(self) -> tuple[Program, ...]:
        """Return a program for each identity, by which any program can be given it."""
        own = [app.system_identity for app in self.apps]
        own += [machine.system_identity for machine in self.machines]
        system = (*(one for one in own if one), *self.unserved_identities)
        return (
            *(Program(one, is_system_assigned=False) for one in self.identities),
            *(Program(one, is_system_assigned=True) for one in system),
        )
