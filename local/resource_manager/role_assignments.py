"""What a role assignment says: its scope, its role and its principal.

Everything that reads deployments reads them by these functions, so that no two of them can
disagree about who is given what.
"""

from __future__ import annotations

from local.resource_manager.expressions import (
    Expression,
    FunctionCall,
    Reference,
    UnknownExpressionError,
    parse,
)

TYPE = "Microsoft.Authorization/roleAssignments"
_IN_ID = f"/providers/{TYPE}/".lower()
_PRINCIPAL = ("principalid", "identity.principalid")


def scope_of(assignment_id: str) -> str | None:
    """Return the scope of an assignment as written in its id; None if it is not the id of one.

    The root scope is `/`. Where the name is made of a principal's id, which is known only at run
    time, the id is an expression: `[extensionResourceId('<scope>', '<type>', <name>)]`.
    """
    expression = _known(assignment_id)
    if isinstance(expression, FunctionCall) and expression.name == "extensionResourceId":
        scope, kind, _ = expression.arguments
        return str(scope) if str(kind).lower() == TYPE.lower() else None
    at = assignment_id.lower().rfind(_IN_ID)
    if not isinstance(expression, str) or at < 0:
        return None
    return assignment_id[:at] or "/"


def role_name(role_definition_id: str) -> str:
    """Return the GUID that names a role in its tenant, whatever scope its id is written at."""
    return role_definition_id.rstrip("/").rpartition("/")[2].lower()


def principal_source(principal_id: object) -> str | None:
    """Return the id of the resource whose identity a principal id refers to.

    None for an id that is written out, and for any other expression.
    """
    expression = _known(principal_id) if isinstance(principal_id, str) else None
    if isinstance(expression, Reference) and expression.path.lower() in _PRINCIPAL:
        return expression.resource_id
    return None


def _known(text: str) -> Expression | None:
    try:
        return parse(text)
    except UnknownExpressionError:
        return None
