"""Role definitions and role assignments."""

from __future__ import annotations

import re
from dataclasses import dataclass

from local.deployment.readers.identities import GUID
from local.deployment.readers.references import References
from local.deployment.resource_id import within
from local.deployment.resources import RoleAssignment, RoleDefinition
from local.deployment.roles import BUILT_IN
from local.deployment.snapshot import SnapshotObject, SnapshotResource
from local.resource_manager.role_assignments import TYPE, role_name, scope_of

DEFINITION_KIND = "Microsoft.Authorization/roleDefinitions"
ASSIGNMENT_KIND = TYPE
_ROLE_ID = re.compile(
    r"(?:/subscriptions/[^/]+)?/providers/Microsoft\.Authorization/roleDefinitions/[^/]+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class CustomRole:
    """A role definition, and where it may be assigned."""

    definition: RoleDefinition
    assignable_scopes: tuple[str, ...]


def read_definition(resource: SnapshotResource) -> CustomRole:
    """Read a custom role."""
    body = resource.properties
    name = body.text("roleName")
    body.ignore("description")
    body.choice("type", ("CustomRole",), "CustomRole")
    scopes = body.texts("assignableScopes")
    granted: list[str] = []
    excluded: list[str] = []
    permissions = body.bodies("permissions")
    for permission in permissions:
        _read_permission(permission, granted, excluded)
    if excluded and len(permissions) > 1:
        # What one of several permissions excludes, another may grant.
        raise (body.found_at / "permissions").error("notDataActions beside other permissions")
    resource.reject_unread()
    return CustomRole(RoleDefinition(resource.id, name, tuple(granted), tuple(excluded)), scopes)


def read_assignment(
    resource: SnapshotResource, custom: dict[str, CustomRole], references: References
) -> RoleAssignment:
    """Read an assignment; `custom` has the deployment's own roles by their GUIDs.

    A role that nothing is known of may be built in, and then grants nothing on vaults and queues.
    """
    body = resource.properties
    body.ignore("principalType", "description")
    scope = _scope(resource)
    role_id = body.text("roleDefinitionId")
    role = role_name(role_id)
    if role in custom:
        _check_assignable(custom[role], scope, resource)
    elif role not in BUILT_IN and not _may_be_built_in(role_id):
        raise (body.found_at / "roleDefinitionId").error(f"unknown role {role_id}")
    principal = references.principal(body.value("principalId"), body.found_at / "principalId")
    resource.reject_unread()
    return RoleAssignment(resource.id, scope, role_id, principal)


def _read_permission(body: SnapshotObject, granted: list[str], excluded: list[str]) -> None:
    # Actions of the management plane have no effect here.
    body.ignore("actions", "notActions")
    granted += body.texts("dataActions")
    excluded += body.texts("notDataActions")
    body.reject_unread()


def _may_be_built_in(role_id: str) -> bool:
    # The id of a role is written at the tenant or at a subscription; a custom role of another scope
    # is not in the deployment, and what it grants is not known.
    found = _ROLE_ID.fullmatch(role_id)
    return bool(found) and GUID.fullmatch(role_name(role_id)) is not None


def _scope(resource: SnapshotResource) -> str:
    scope = scope_of(resource.id) or ""
    if scope != "/" and not scope.lower().startswith("/subscriptions/"):
        raise resource.found_at.error("its scope must be in a subscription")
    return scope


def _check_assignable(role: CustomRole, scope: str, resource: SnapshotResource) -> None:
    if not any(within(scope, assignable) for assignable in role.assignable_scopes):
        raise resource.found_at.error(f"role {role.definition.name!r} cannot be assigned there")
