"""What Azure refuses of a deployment because of what exists already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local.resource_manager import immutable
from local.resource_manager.existing import Change, ExistingDeployment, after_a_year
from local.resource_manager.refusal import Refusal, Rule, Violation, found
from local.resource_manager.roles import (
    ASSIGNMENT,
    DEFINITION,
    depends_on_principal,
    deployed_principal,
    principal_of,
    role_of,
    scope_of,
)
from local.resource_manager.template import Resource, Template, is_expression, items, members
from local.resource_manager.vaults import KEY, VAULT

_TROUBLESHOOTING = "learn.microsoft.com, Troubleshoot Azure RBAC"
_ONCE = "put @onlyIfNotExists() before the key"

# The parameters that a key is created with, and the default of an absent one.
_PARAMETERS: tuple[tuple[str, object], ...] = (
    ("kty", None),
    ("keySize", None),
    ("curveName", None),
    ("attributes.enabled", True),
    ("attributes.exp", None),
    ("attributes.nbf", None),
    ("attributes.exportable", False),
)


def _created_again(change: Change) -> Iterator[tuple[Resource, Resource]]:
    """Return the keys that exist and that the deployment would create all the same."""
    for old, new in change.pairs(KEY):
        if not change.after.made_once(new):
            yield old, new


def _keys(change: Change) -> Iterator[Violation]:
    for old, new in _created_again(change):
        for path, default in _PARAMETERS:
            was, becomes = _given(old, path, default), _given(new, path, default)
            if was != becomes and not is_expression(becomes) and not is_expression(was):
                what = f"is not that of the existing key, which cannot change: {_ONCE}"
                yield Violation(new, path, what)
        operations = [sorted(map(str, items(one.at("keyOps")))) for one in (old, new)]
        if operations[0] != operations[1]:
            yield Violation(new, "keyOps", f"are not those of the existing key: {_ONCE}")
        tags = [members(one.body.get("tags")) for one in (old, new)]
        if tags[0] != tags[1]:
            yield Violation(new, "tags", f"are not those of the existing key: {_ONCE}")


def _given(key: Resource, path: str, default: object) -> Any:
    value = key.at(path)
    if path == "keySize" and value is None and str(key.at("kty")).upper().startswith("RSA"):
        return 2048
    return default if value is None else value


def _rotated_keys(change: Change) -> Iterator[Violation]:
    """Report keys with a newer version: a rotation gives it the policy's expiry, or none."""
    for _, new in _created_again(change):
        fixed = new.at("attributes.exp") is not None
        expires = new.at("rotationPolicy.attributes.expiryTime") is not None
        if new.key in change.before.rotated and (fixed or expires):
            what = f"is not that of the version that a rotation has created since: {_ONCE}"
            yield Violation(new, "attributes.exp", what)


def _assignments(change: Change) -> Iterator[Violation]:
    """Report assignments that would change: principal, role and scope cannot."""
    existing = {one.name.lower(): one for one in change.before.template.of(ASSIGNMENT)}
    for new in change.after.of(ASSIGNMENT):
        old = existing.get(new.name.lower())
        if old is None:
            continue
        if scope_of(old) != scope_of(new):
            yield Violation(new, "scope", f"{old.name} is at {scope_of(old)}")
        if principal_of(old) != principal_of(new):
            yield Violation(new, "principalId", f"is not that of {old.name}, which cannot change")
        elif deployed_principal(new) in change.before.recreated and not depends_on_principal(new):
            what = "changes when it is recreated: derive the name from the principal's id, too"
            yield Violation(new, "principalId", what)
        if role_of(old) != role_of(new):
            yield Violation(
                new, "roleDefinitionId", f"is not that of {old.name}, which cannot change"
            )


def _grants(change: Change) -> Iterator[Violation]:
    """Report grants that exist under another name: a deployment removes none of them."""
    existing = {
        (principal_of(one), role_of(one), scope_of(one)): one
        for one in change.before.template.of(ASSIGNMENT)
        if deployed_principal(one) not in change.before.recreated
    }
    for new in change.after.of(ASSIGNMENT):
        old = existing.get((principal_of(new), role_of(new), scope_of(new)))
        if old is not None and old.name.lower() != new.name.lower():
            what = f"{old.name} gives the same principal the same role at the same scope"
            yield Violation(new, "", what)


def _role_names(change: Change) -> Iterator[Violation]:
    existing = {
        str(one.at("roleName")).lower(): one for one in change.before.template.of(DEFINITION)
    }
    for new in change.after.of(DEFINITION):
        old = existing.get(str(new.at("roleName")).lower())
        if old is not None and old.name.lower() != new.name.lower():
            yield Violation(new, "roleName", f"{old.name} has it: names are unique in a tenant")


def _deleted_vaults(change: Change) -> Iterator[Violation]:
    for vault in change.after.of(VAULT):
        recovering = str(vault.at("createMode")).lower() == "recover"
        if vault.name.lower() in change.before.deleted_vaults and not recovering:
            yield Violation(
                vault, "name", "is that of a deleted vault: recover that one, or purge it"
            )


RULES: tuple[Rule[Change], ...] = (
    Rule(
        "KeyCreationParametersDidNotMatchExistingKey",
        "Azure/bicep 8283 and 6113; Azure/bicep-types-az 1906",
        _keys,
    ),
    Rule(
        "KeyCreationParametersDidNotMatchExistingKey",
        "Azure/bicep 8283; Azure/bicep-types-az 1906",
        _rotated_keys,
    ),
    Rule(
        "RoleAssignmentUpdateNotPermitted",
        f"{_TROUBLESHOOTING}, role assignments; Azure/Enterprise-Scale 1747",
        _assignments,
    ),
    Rule("RoleAssignmentExists", f"{_TROUBLESHOOTING}, role assignments", _grants),
    Rule("RoleDefinitionWithSameNameExists", f"{_TROUBLESHOOTING}, custom roles", _role_names),
    Rule("ConflictError", "Azure/azure-cli 29115", _deleted_vaults),
    *immutable.RULES,
)


def blockers(before: ExistingDeployment, after: object) -> list[Refusal]:
    """Return what Azure would refuse of a snapshot, as JSON, over what exists already."""
    return found(RULES, Change(before, Template(after)))


def blockers_later(snapshot: object) -> list[Refusal]:
    """Return what Azure would refuse of the same snapshot, deployed again after a year of use."""
    return blockers(after_a_year(Template(snapshot)), snapshot)
