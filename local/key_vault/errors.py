"""The errors of Key Vault, in Azure's words."""

from __future__ import annotations

from local.authorization.authorization import Decision
from local.deployment.resources import VaultSpec
from local.identity.tokens import Claims, InvalidTokenError
from local.key_vault.objects import NameInUseError, ObjectNotFoundError

AUDIENCE = "https://vault.azure.net"
_RECOVERY_HELP = "https://go.microsoft.com/fwlink/?linkid=2125182"
_PROPAGATION = (
    "If role assignments, deny assignments or role definitions were changed recently, "
    "please observe propagation time."
)
_POLICY_HELP = "https://go.microsoft.com/fwlink/?linkid=2125287"


class KeyVaultError(Exception):
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


def missing_token() -> KeyVaultError:
    """Refuse a request without a token; the SDKs expect it, as their first request has none."""
    return KeyVaultError(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")


def invalid_token(error: InvalidTokenError, issuer: str) -> KeyVaultError:
    """Refuse a token that does not verify."""
    messages = {
        "malformed": "[BearerReadAccessTokenFailed] Error validating token: 'S2S12005'.",
        "signature": "AKV10046: Unable to resolve the key used for signature validation.",
        "audience": f"AKV10022: Invalid audience. Expected {AUDIENCE}, found: {error.audience}.",
        "issuer": f"AKV10032: Invalid issuer. Expected one of {issuer}.",
        "expired": "[TokenExpired] Error validating token: 'S2S12086'.",
        "not yet valid": "[TokenNotYetValid] Error validating token: 'S2S12086'.",
    }
    return KeyVaultError(401, "Unauthorized", messages[error.reason])


def forbidden(
    decision: Decision, permission: str, claims: Claims, vault: VaultSpec
) -> KeyVaultError:
    """Refuse what roles or policies do not allow; `permission` as in "keys encrypt"."""
    caller = f"appid={claims.client_id};oid={claims.principal_id};iss={claims.issuer}"
    if decision.model == "rbac":
        return _forbidden_by_role(decision, caller, vault)
    message = (
        f"The user, group or application '{caller}' does not have {permission} permission on "
        f"key vault '{vault.name};location={vault.location}'. For help resolving this issue, "
        f"please see {_POLICY_HELP}"
    )
    return KeyVaultError(403, "Forbidden", message, "ForbiddenByPolicy")


def _forbidden_by_role(decision: Decision, caller: str, vault: VaultSpec) -> KeyVaultError:
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
    return KeyVaultError(403, "Forbidden", "\r\n".join(lines), "ForbiddenByRbac")


def not_permitted_on_key(operation: str) -> KeyVaultError:
    """Refuse what the caller is allowed but the key's operations do not include."""
    message = f"Operation {operation} is not permitted on this key."
    return KeyVaultError(403, "Forbidden", message, "KeyOperationForbidden")


def disabled_key(operation: str) -> KeyVaultError:
    """Refuse the use of a version of a key that is disabled."""
    message = f"Operation {operation} is not allowed on a disabled key."
    return KeyVaultError(403, "Forbidden", message, "KeyDisabled")


def not_in_time(operation: str, state: str, inner: str) -> KeyVaultError:
    """Refuse the use of a version of a key before or after its time; `state` says which."""
    message = f"Operation {operation} is not allowed on {state} key."
    return KeyVaultError(403, "Forbidden", message, inner)


def disabled_secret() -> KeyVaultError:
    """Refuse to show a version of a secret that is disabled."""
    message = "Operation get is not allowed on a disabled secret."
    return KeyVaultError(403, "Forbidden", message, "SecretDisabled")


def not_found(error: ObjectNotFoundError) -> KeyVaultError:
    """Report that there is no such key, secret or version, or no such deleted one."""
    code = f"{error.kind.capitalize()}NotFound"
    if error.is_deleted:
        message = f"Deleted {error.kind.capitalize()} not found: {error.name}"
        return KeyVaultError(404, code, message)
    name = f"{error.name}/{error.version}" if error.version else error.name
    message = (
        f"A {error.kind} with (name/id) {name} was not found in this key vault. If you recently "
        f"deleted this {error.kind} you may be able to recover it using the correct recovery "
        f"command. For help resolving this issue, please see {_RECOVERY_HELP}"
    )
    return KeyVaultError(404, code, message)


def name_in_use(error: NameInUseError) -> KeyVaultError:
    """Report that a name cannot be given to another object."""
    kind = error.kind.capitalize()
    if not error.is_deleted:
        return KeyVaultError(409, "Conflict", f"{kind} {error.name} already exists.")
    message = (
        f"{kind} {error.name} is currently in a deleted but recoverable state, and its name cannot "
        f"be reused; in this state, the {error.kind} can only be recovered or purged."
    )
    return KeyVaultError(409, "Conflict", message, "ObjectIsDeletedButRecoverable")


def purge_protected(vault: VaultSpec) -> KeyVaultError:
    """Refuse to purge in a vault that is protected from it."""
    message = (
        'Operation "purge" is not allowed because purge protection is enabled for this vault. Key '
        "Vault service will automatically purge it after the retention period has passed.\r\n"
        f"Vault: {vault.name};location={vault.location}"
    )
    return KeyVaultError(403, "Forbidden", message, "ForbiddenByPurgeProtection")


def bad_parameter(message: str) -> KeyVaultError:
    """Refuse malformed input; the message never repeats a value."""
    return KeyVaultError(400, "BadParameter", message)


def not_in_version(what: str, api_version: str, first: str) -> KeyVaultError:
    """Refuse what an api-version does not have yet."""
    return bad_parameter(
        f"{what} is not in api-version {api_version}; the first that has it is {first}."
    )


def no_such_operation() -> KeyVaultError:
    """Refuse an operation that the local vault does not implement."""
    message = "The requested operation is not supported by the local vault."
    return KeyVaultError(405, "MethodNotAllowed", message)
