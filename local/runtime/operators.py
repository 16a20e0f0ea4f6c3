"""The environment that makes any program an operator of the deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from local.authorization.authorization import Authorization
from local.bus.security.principal import AccessControl, Principal, Right
from local.deployment.resources import NamespaceSpec, Operator, VaultSpec

_SECRET_ACTIONS = tuple(
    f"Microsoft.KeyVault/vaults/secrets/{operation}/action"
    for operation in ("getSecret", "setSecret", "readMetadata")
)
_KEY_ACTIONS = tuple(
    f"Microsoft.KeyVault/vaults/keys/{operation}"
    for operation in ("read", "rotate/action", "update/action")
)
_RIGHTS: tuple[Right, ...] = ("send", "listen")


def settings_of(
    operator: Operator, namespace: NamespaceSpec, access: AccessControl
) -> Mapping[str, str]:
    """Return the settings that name the bus and the queues that the operator may use."""
    who = Principal("identity", operator.identity.principal_id, None)
    usable = [
        queue.name
        for queue in namespace.queues
        if any(access.is_allowed(who, right, queue.name) for right in _RIGHTS)
    ]
    return {
        "RELAY_BUS__fullyQualifiedNamespace": namespace.host,
        **{f"RELAY_QUEUE_{name.upper().replace('-', '_')}": name for name in usable},
    }


def objects_of(
    operator: Operator, vaults: Mapping[str, VaultSpec], authorization: Authorization
) -> Mapping[str, str]:
    """Return the settings that name the keys and secrets that the operator may manage.

    `vaults` are by their URLs, which end with a slash.
    """

    def is_allowed(actions: Sequence[str], resource_id: str) -> bool:
        who = operator.identity.principal_id
        return any(authorization.decide(who, action, resource_id).allowed for action in actions)

    found = {}
    for url, vault in vaults.items():
        for secret in vault.secrets:
            if is_allowed(_SECRET_ACTIONS, secret.resource_id):
                found[_setting("SECRET", secret.name)] = f"{url}secrets/{secret.name}"
        for key in vault.keys:
            if is_allowed(_KEY_ACTIONS, key.resource_id):
                found[_setting("KEY", key.name)] = f"{url}keys/{key.name}"
    return found


def _setting(family: str, name: str) -> str:
    return f"RELAY_{family}_{name.upper().replace('-', '_')}"
