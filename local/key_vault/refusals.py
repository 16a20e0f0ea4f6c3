"""What Key Vault answers when it does not do as asked, in Azure's words."""

from __future__ import annotations

from local.authorization.authorization import Decision
from local.deployment.resources import VaultSpec
from local.identity.tokens import Claims, InvalidToken
from local.key_vault.store import ObjectNotFound

AUDIENCE = "https://vault.azure.net"
_RECOVERY_HELP = "https://go.microsoft.com/fwlink/?linkid=2125182"
_PROPAGATION = (
    "If role assignments, deny assignments or role definitions were changed recently, "
    "please observe propagation time."
)
_POLICY_HELP = "https://go.microsoft.com/fwlink/?linkid=2125287"


class Refusal(Exception):  # noqa: N818 - named after what it is
    """An HTTP status with Key Vault's error code, message and inner code."""

    def __init__(self, status: int, code: str, message: str, inner: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.inner = inner

    def body(self) -> dict[str, object]:
        """Return the JSON object that Key Vault sends."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.inner:
            error["innererror"] = {"code": self.inner}
        return {"error": error}


def missing_token() -> Refusal:
    """Refuse a request without a token; the SDKs expect it, as their first request has none."""
    return Refusal(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")


def invalid_token(error: InvalidToken, issuer: str) -> Refusal:
    """Refuse a token that is not to be believed."""
    messages = {
        "malformed": "[BearerReadAccessTokenFailed] Error validating token: 'S2S12005'.",
        "signature": "AKV10046: Unable to resolve the key used for signature validation.",
        "audience": f"AKV10022: Invalid audience. Expected {AUDIENCE}.",
        "issuer": f"AKV10032: Invalid issuer. Expected one of {issuer}.",
        "expired": "[TokenExpired] Error validating token: 'S2S12086'.",
        "not yet valid": "[TokenNotYetValid] Error validating token: 'S2S12086'.",
    }
    return Refusal(401, "Unauthorized", messages[error.reason])


def forbidden(decision: Decision, permission: str, claims: Claims, vault: VaultSpec) -> Refusal:
    """Refuse what roles or policies do not allow; `permission` as in "keys encrypt"."""
    caller = f"appid={claims.client_id};oid={claims.principal_id};iss={claims.issuer}"
    if decision.model == "rbac":
        return _forbidden_by_role(decision, caller, vault)
    message = (
        f"The user, group or application '{caller}' does not have {permission} permission on "
        f"key vault '{vault.name};location={vault.location}'. For help resolving this issue, "
        f"please see {_POLICY_HELP}"
    )
    return Refusal(403, "Forbidden", message, "ForbiddenByPolicy")


def _forbidden_by_role(decision: Decision, caller: str, vault: VaultSpec) -> Refusal:
    lines = (
        "Caller is not authorized to perform action on resource.",
        _PROPAGATION,
        f"Caller: {caller}",
        f"Action: '{decision.action}'",
        f"Resource: '{decision.resource_id.lower()}'",
        "Assignment: (not found)",
        "DenyAssignmentId: null",
        "DecisionReason: null ",
        f"Vault: {vault.name};location={vault.location}",
        "",
    )
    return Refusal(403, "Forbidden", "\r\n".join(lines), "ForbiddenByRbac")


def not_permitted_on_key(operation: str) -> Refusal:
    """Refuse what the caller may do but the key is not for."""
    message = f"Operation {operation} is not permitted on this key."
    return Refusal(403, "Forbidden", message, "KeyOperationForbidden")


def disabled_key(operation: str) -> Refusal:
    """Refuse the use of a version of a key that is disabled."""
    message = f"Operation {operation} is not allowed on a disabled key."
    return Refusal(403, "Forbidden", message, "KeyDisabled")


def not_found(error: ObjectNotFound) -> Refusal:
    """Say that there is no such key, secret or version."""
    name = f"{error.name}/{error.version}" if error.version else error.name
    message = (
        f"A {error.kind} with (name/id) {name} was not found in this key vault. If you recently "
        f"deleted this {error.kind} you may be able to recover it using the correct recovery "
        f"command. For help resolving this issue, please see {_RECOVERY_HELP}"
    )
    return Refusal(404, f"{error.kind.capitalize()}NotFound", message)


def bad_parameter(message: str) -> Refusal:
    """Refuse input that cannot be used; the message never repeats it."""
    return Refusal(400, "BadParameter", message)


def no_such_method() -> Refusal:
    """Refuse an operation that the local vault does not have."""
    message = "The requested operation is not supported by the local vault."
    return Refusal(405, "MethodNotAllowed", message)
