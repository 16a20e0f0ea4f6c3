"""Who may do what: the roles and the access policies of a deployment, as Azure evaluates them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from local.deployment.resource_id import normal, within
from local.deployment.resources import Deployment, RoleAssignment, RoleDefinition, VaultSpec
from local.resource_manager.role_assignments import role_name

Model = Literal["rbac", "accessPolicies"]

# What access policies call a data action. Where one data action covers two permissions (reading a
# key is `get` and `list`), the caller of `decide` says which it is.
PERMISSIONS: Mapping[str, tuple[Literal["keys", "secrets"], str]] = {
    "microsoft.keyvault/vaults/keys/read": ("keys", "get"),
    **{
        f"microsoft.keyvault/vaults/keys/{action}/action": ("keys", permission)
        for action, permission in (
            *(("encrypt", "encrypt"), ("decrypt", "decrypt"), ("sign", "sign")),
            *(("wrap", "wrapkey"), ("unwrap", "unwrapkey"), ("verify", "verify")),
            *(("create", "create"), ("import", "import"), ("update", "update")),
            *(("rotate", "rotate"), ("release", "release"), ("rng", "rng")),
            *(("backup", "backup"), ("restore", "restore")),
            *(("recover", "recover"), ("purge", "purge")),
        )
    },
    "microsoft.keyvault/vaults/keys/delete": ("keys", "delete"),
    "microsoft.keyvault/vaults/keyrotationpolicies/read": ("keys", "getrotationpolicy"),
    "microsoft.keyvault/vaults/keyrotationpolicies/write": ("keys", "setrotationpolicy"),
    **{
        f"microsoft.keyvault/vaults/secrets/{action}/action": ("secrets", permission)
        for action, permission in (
            *(("getsecret", "get"), ("readmetadata", "list")),
            *(("setsecret", "set"), ("update", "set")),
            *(("backup", "backup"), ("restore", "restore")),
            *(("recover", "recover"), ("purge", "purge")),
        )
    },
    "microsoft.keyvault/vaults/secrets/delete": ("secrets", "delete"),
}


@dataclass(frozen=True)
class RequiredGrant:
    """The least that would have allowed what was refused.

    By roles: one that permits `action`, assigned at `scope`, the object itself. By access policies:
    `permission`, such as keys/encrypt, in the vault `scope`; None where no permission covers the
    action. `suspended` says that all grants of the principal are suspended, which comes first.
    """

    action: str
    scope: str
    permission: str | None = None
    suspended: bool = False


@dataclass(frozen=True)
class Decision:
    """An answer and its reason: `by` is the id of the assignment or of the vault that allowed.

    `permission` is the one that the access policies of the vault were searched for, such as
    keys/encrypt.
    """

    allowed: bool
    principal_id: str
    action: str
    resource_id: str
    model: Model
    by: str | None
    permission: str | None = None
    missing: RequiredGrant | None = None


class Authorization:
    """Decides one question: may this principal do this on that object.

    Services hold this one object, so `replace` changes what they allow while they run.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = _Grants(deployment)
        self._suspended: frozenset[str] = frozenset()

    def suspend(self, principal_id: str) -> None:
        """Allow a principal nothing, as if it had no grants, until `restore`."""
        self._suspended |= {principal_id.lower()}

    def restore(self, principal_id: str) -> None:
        """Allow a principal again what the deployment grants it."""
        self._suspended -= {principal_id.lower()}

    def is_suspended(self, principal_id: str) -> bool:
        """Return whether the grants of a principal are suspended."""
        return principal_id.lower() in self._suspended

    def replace(self, deployment: Deployment) -> None:
        """Decide by another deployment from now on."""
        self._deployment = _Grants(deployment)

    def decide(
        self,
        principal_id: str,
        data_action: str,
        resource_id: str,
        *,
        permission: str | None = None,
    ) -> Decision:
        """Decide by the model of the vault that the resource is in, by roles for all others.

        `permission` names the access policy permission, where it is not the usual one of the
        data action.
        """
        grants = self._deployment
        vault = grants.policy_vault_of(resource_id)
        suspended = self.is_suspended(principal_id)
        if vault is None:
            by = grants.role_grant(principal_id, data_action, resource_id)
            model: Model = "rbac"
            needed, scope = None, resource_id
        else:
            needed = policy_permission(data_action, permission)
            by = grants.policy_grant(vault, principal_id, needed)
            model, scope = "accessPolicies", vault.resource_id
        allowed = by is not None and not suspended
        return Decision(
            allowed,
            principal_id,
            data_action,
            resource_id,
            model,
            by if allowed else None,
            needed,
            None if allowed else RequiredGrant(data_action, scope, needed, suspended),
        )


class _Grants:
    """The grants of a deployment, indexed for lookups."""

    def __init__(self, deployment: Deployment) -> None:
        self._policy_vaults = [vault for vault in deployment.vaults if not vault.uses_rbac]
        self._roles = {role_name(role.resource_id): role for role in deployment.role_definitions}
        self._assignments: dict[str, list[RoleAssignment]] = {}
        for assignment in deployment.role_assignments:
            self._assignments.setdefault(assignment.principal_id.lower(), []).append(assignment)

    def policy_vault_of(self, resource_id: str) -> VaultSpec | None:
        # A vault has one model at a time: in this one roles count for nothing, in the other
        # policies do not.
        for vault in self._policy_vaults:
            if within(resource_id, vault.resource_id):
                return vault
        return None

    def role_grant(self, principal_id: str, action: str, resource_id: str) -> str | None:
        for assignment in self._assignments.get(principal_id.lower(), []):
            role = self._roles.get(role_name(assignment.role_definition_id))
            if role and within(resource_id, assignment.scope) and permits(role, action):
                return assignment.resource_id
        return None

    def policy_grant(self, vault: VaultSpec, principal_id: str, needed: str | None) -> str | None:
        if needed is None:
            return None
        kind, _, permission = needed.partition("/")
        wanted = {permission.lower(), "all"}
        for policy in vault.policies:
            granted = policy.keys if kind == "keys" else policy.secrets
            if policy.principal_id.lower() != principal_id.lower():
                continue
            if not wanted.isdisjoint(name.lower() for name in granted):
                return vault.resource_id
        return None


def policy_permission(data_action: str, permission: str | None = None) -> str | None:
    """Return what access policies call a data action, such as keys/encrypt; None if nothing is."""
    if normal(data_action) not in PERMISSIONS:
        return None
    kind, usual = PERMISSIONS[normal(data_action)]
    return f"{kind}/{permission or usual}"


def permits(role: RoleDefinition, data_action: str) -> bool:
    """Return whether a role permits a data action.

    `*` matches any characters, `/` among them. What `not_data_actions` excludes is excluded in
    this role only: another role may still permit it.
    Source: "Understand Azure role definitions".
    """
    if any(_matches(pattern, data_action) for pattern in role.not_data_actions):
        return False
    return any(_matches(pattern, data_action) for pattern in role.data_actions)


def _matches(pattern: str, data_action: str) -> bool:
    return bool(_compiled(pattern).fullmatch(data_action))


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    first, *rest = map(re.escape, pattern.split("*"))
    # Each text between two `*` is taken where it occurs first, and nowhere else: trying the others
    # takes time polynomial in the number of `*`, and finds nothing more.
    inner = "".join(f"(?>.*?{text})" for text in rest[:-1])
    last = f".*{rest[-1]}" if rest else ""
    return re.compile(f"{first}{inner}{last}", re.IGNORECASE | re.ASCII)
