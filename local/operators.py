"""The environment that makes any program an operator of the deployment."""

from __future__ import annotations

from collections.abc import Mapping

from local.authorization import Authorization
from local.bus.principal import Access, Principal, Right
from local.resources import NamespaceSpec, Operator, VaultSpec

_SECRET_ACTIONS = tuple(
    f"Microsoft.KeyVault/vaults/secrets/{operation}/action"
    for operation in ("getSecret", "setSecret", "readMetadata")
)
_RIGHTS: tuple[Right, ...] = ("send", "listen")


def settings_of(operator: Operator, namespace: NamespaceSpec, access: Access) -> Mapping[str, str]:
    """Name the bus and the queues that the operator may use, as apps are told theirs."""
    who = Principal("identity", operator.identity.principal_id, None)
    usable = [
        queue.name
        for queue in namespace.queues
        if any(access.may(who, right, queue.name) for right in _RIGHTS)
    ]
    return {
        "RELAY_BUS__fullyQualifiedNamespace": namespace.host,
        **{f"RELAY_QUEUE_{name.upper().replace('-', '_')}": name for name in usable},
    }


def secrets_of(
    operator: Operator, vaults: Mapping[str, VaultSpec], authorization: Authorization
) -> Mapping[str, str]:
    """Name the secrets that the operator may do anything with; `vaults` are by their URL."""
    return {
        f"RELAY_SECRET_{secret.name.upper().replace('-', '_')}": f"{url}secrets/{secret.name}"
        for url, vault in vaults.items()
        for secret in vault.secrets
        if any(
            authorization.decide(operator.identity.principal_id, action, secret.resource_id).allowed
            for action in _SECRET_ACTIONS
        )
    }
