"""What Azure RBAC refuses of role definitions and role assignments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from local.resource_manager import role_assignments
from local.resource_manager.refusal import Rule, Violation
from local.resource_manager.role_assignments import principal_source, role_name
from local.resource_manager.template import Resource, Template, is_expression, items, member

DEFINITION = "Microsoft.Authorization/roleDefinitions"
ASSIGNMENT = role_assignments.TYPE
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"

_ROLES_PAGE = "learn.microsoft.com, Azure custom roles"
_TROUBLESHOOTING = "learn.microsoft.com, Troubleshoot Azure RBAC"
_ACTION = re.compile(r"\*|[\w.*]+(?:/[\w.*\-$]+)+")


def scope_of(assignment: Resource) -> str:
    """Return the scope of an assignment, in lower case; empty if its id is malformed."""
    return role_assignments.scope_of(assignment.key) or ""


def role_of(assignment: Resource) -> str:
    """Return the role of an assignment: the last part of its id, by which roles differ."""
    return role_name(str(assignment.at("roleDefinitionId")))


def principal_of(assignment: Resource) -> str:
    """Return the principal of an assignment: the resource whose identity it is, or an id."""
    given = re.sub(r"\s+", "", str(assignment.at("principalId"))).lower()
    return deployed_principal(assignment) or given


def deployed_principal(assignment: Resource) -> str:
    """Return the id of the resource whose identity the principal is; empty for any other."""
    return (principal_source(assignment.at("principalId")) or "").lower()


def depends_on_principal(assignment: Resource) -> bool:
    """Return whether the name is derived from the principal's id, known only to Azure."""
    name, principal = assignment.name.lower(), deployed_principal(assignment)
    return bool(principal) and principal in name and "principalid" in name


def _scopes(template: Template) -> Iterator[Violation]:
    for role in template.of(DEFINITION):
        scopes = role.at("assignableScopes")
        if not is_expression(scopes) and not items(scopes):
            yield Violation(role, "assignableScopes", "is missing: it must name one scope at least")
        for position, scope in enumerate(items(scopes)):
            if scope == "/":
                yield Violation(role, f"assignableScopes[{position}]", "a custom role is not for /")


def _same_name(template: Template) -> Iterator[Violation]:
    seen: dict[str, Resource] = {}
    for role in template.of(DEFINITION):
        name = role.known("roleName")
        if isinstance(name, str):
            other = seen.setdefault(name.lower(), role)
            if other is not role:
                yield Violation(
                    role, "roleName", f"{other.name} has it: names are unique in a tenant"
                )


def _role_name_lengths(template: Template) -> Iterator[Violation]:
    for role in template.of(DEFINITION):
        name = role.at("roleName")
        if not is_expression(name) and not (isinstance(name, str) and 0 < len(name) <= 512):
            yield Violation(role, "roleName", "must be 1 to 512 characters")


def _actions(template: Template) -> Iterator[Violation]:
    for role in template.of(DEFINITION):
        for position, permission in enumerate(items(role.at("permissions"))):
            for family in ("actions", "notActions", "dataActions", "notDataActions"):
                for action in items(member(permission, family)):
                    if not is_expression(action) and not _ACTION.fullmatch(str(action)):
                        path = f"permissions[{position}].{family}"
                        yield Violation(role, path, f"{action} is not an action")


def _same_grant(template: Template) -> Iterator[Violation]:
    seen: dict[tuple[str, str, str], Resource] = {}
    for assignment in template.of(ASSIGNMENT):
        grant = principal_of(assignment), role_of(assignment), scope_of(assignment)
        other = seen.setdefault(grant, assignment)
        if other is not assignment and other.key != assignment.key:
            what = f"{other.name} gives the same principal the same role at the same scope"
            yield Violation(assignment, "", what)


def _same_assignment_name(template: Template) -> Iterator[Violation]:
    seen: dict[str, Resource] = {}
    for assignment in template.of(ASSIGNMENT):
        other = seen.setdefault(assignment.name.lower(), assignment)
        if other.key != assignment.key and not depends_on_principal(assignment):
            what = f"is that of an assignment at {scope_of(other)}: names are unique in a tenant"
            yield Violation(assignment, "name", what)


def _new_principals(template: Template) -> Iterator[Violation]:
    for assignment in template.of(ASSIGNMENT):
        source = template.get(deployed_principal(assignment))
        if source and assignment.at("principalType") is None:
            what = "is missing: a principal that was just created is not found everywhere at once"
            yield Violation(assignment, "principalType", what)


def _complete(template: Template) -> Iterator[Violation]:
    for assignment in template.of(ASSIGNMENT):
        for name in ("roleDefinitionId", "principalId"):
            if not assignment.at(name):
                yield Violation(assignment, name, "is missing")


RULES: tuple[Rule[Template], ...] = (
    Rule("MissingAssignableScopes", f"{_ROLES_PAGE}, AssignableScopes", _scopes),
    Rule("RoleDefinitionWithSameNameExists", f"{_ROLES_PAGE}; {_TROUBLESHOOTING}", _same_name),
    Rule("BadRequest", f"{_ROLES_PAGE}, properties", _role_name_lengths),
    Rule("InvalidActionOrNotAction", f"{_TROUBLESHOOTING}, custom roles", _actions),
    Rule("RoleAssignmentExists", f"{_TROUBLESHOOTING}, role assignments", _same_grant),
    Rule(
        "RoleAssignmentUpdateNotPermitted",
        f"{_TROUBLESHOOTING}, role assignments",
        _same_assignment_name,
    ),
    Rule(
        "PrincipalNotFound",
        f"{_TROUBLESHOOTING}, assigning a role to a new principal",
        _new_principals,
    ),
    Rule("InvalidRequestContent", _TROUBLESHOOTING, _complete),
)
