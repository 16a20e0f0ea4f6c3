"""Key vaults with their access policies, keys and secrets."""

from __future__ import annotations

import re
import time

from local.deployment.readers.references import References
from local.deployment.resource_id import last, normal, parent
from local.deployment.resources import AccessPolicy, KeySpec, SecretSpec, VaultSpec
from local.deployment.snapshot import SnapshotObject, SnapshotResource

KIND = "Microsoft.KeyVault/vaults"
KEY_KIND = f"{KIND}/keys"
SECRET_KIND = f"{KIND}/secrets"

_NEVER = 2**53  # seconds since 1970
_OBJECT_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
_RBAC_IS_DEFAULT_SINCE = "2026-02-01"
_OPERATIONS = ("encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey")
_OF_BOTH = frozenset({"all", "get", "list", "delete", "backup", "restore", "recover", "purge"})
_SECRET_PERMISSIONS = _OF_BOTH | {"set"}
_KEY_PERMISSIONS = _OF_BOTH | {
    *("create", "update", "import", "release"),
    *("encrypt", "decrypt", "sign", "verify", "wrapkey", "unwrapkey"),
    *("rotate", "getrotationpolicy", "setrotationpolicy"),
}


def read(
    resource: SnapshotResource,
    tenant_id: str,
    keys: list[KeySpec],
    secrets: list[SecretSpec],
    references: References,
) -> VaultSpec:
    """Read a vault whose `tenant` has been taken; of `keys` and `secrets` it takes its own."""
    body = resource.properties
    body.ignore("sku", "enableSoftDelete", "softDeleteRetentionInDays", "enablePurgeProtection")
    # The network around a vault, and what the platform itself may fetch from it.
    body.ignore("publicNetworkAccess", "networkAcls", "enabledForDeployment")
    body.ignore("enabledForDiskEncryption", "enabledForTemplateDeployment")
    body.only("createMode", "default", "only new vaults are supported here")
    rbac_is_default = resource.api_version >= _RBAC_IS_DEFAULT_SINCE
    uses_rbac = body.flag("enableRbacAuthorization", default=rbac_is_default)
    policies = tuple(_policy(p, tenant_id, references) for p in body.bodies("accessPolicies"))
    resource.reject_unread()
    return VaultSpec(
        resource.id,
        last(resource.id),
        resource.location,
        tenant_id,
        uses_rbac,
        policies,
        tuple(key for key in keys if _is_in(key.resource_id, resource.id)),
        tuple(secret for secret in secrets if _is_in(secret.resource_id, resource.id)),
    )


def tenant(resource: SnapshotResource) -> str:
    """Take the tenant of a vault."""
    return resource.properties.text("tenantId")


def read_key(resource: SnapshotResource) -> KeySpec:
    """Read a key."""
    name = _object_name(resource)
    body = resource.properties
    kty = body.choice("kty", ("RSA", "RSA-HSM"))
    size = body.number("keySize", 2048)
    if size not in (2048, 3072, 4096):
        raise (body.found_at / "keySize").error("must be 2048, 3072 or 4096")
    operations = body.texts("keyOps", _OPERATIONS)
    for operation in operations:
        if operation not in _OPERATIONS:
            raise (body.found_at / "keyOps").error(f"{operation!r} is not an RSA operation")
    # A rotation policy rotates a key after weeks; here a command does it.
    body.ignore("rotationPolicy")
    _enabled(body)
    resource.reject_unread()
    return KeySpec(resource.id, name, kty, size, operations)


def read_secret(resource: SnapshotResource) -> SecretSpec:
    """Read a secret; its value only where the deployment has it in clear."""
    name = _object_name(resource)
    body = resource.properties
    value = body.raw("value", "")
    content_type = body.text("contentType", "") or None
    _enabled(body)
    resource.reject_unread()
    return SecretSpec(
        resource.id,
        name,
        content_type,
        value=value if isinstance(value, str) and value and not value.startswith("[") else None,
    )


def _policy(body: SnapshotObject, tenant_id: str, references: References) -> AccessPolicy:
    body.only("tenantId", tenant_id, "must be the vault's own tenant")
    principal = references.principal(body.value("objectId"), body.found_at / "objectId")
    permissions = body.body("permissions")
    permissions.ignore("certificates", "storage")
    keys = _permissions(permissions, "keys", _KEY_PERMISSIONS)
    secrets = _permissions(permissions, "secrets", _SECRET_PERMISSIONS)
    permissions.reject_unread()
    body.reject_unread()
    return AccessPolicy(principal, keys, secrets)


def _permissions(body: SnapshotObject, name: str, known: frozenset[str]) -> frozenset[str]:
    permissions = frozenset(text.lower() for text in body.texts(name))
    if unknown := permissions - known:
        raise (body.found_at / name).error(f"unknown permission {min(unknown)!r}")
    return permissions


def _enabled(body: SnapshotObject) -> None:
    attributes = body.body("attributes")
    attributes.only("enabled", allowed=True, why="a disabled object is not supported here")
    attributes.only("exportable", allowed=False, why="no key leaves the vault")
    if attributes.number("exp", _NEVER, high=_NEVER) <= time.time():
        raise (attributes.found_at / "exp").error("an expired object is not supported here")
    attributes.reject_unread()


def _object_name(resource: SnapshotResource) -> str:
    name = last(resource.id)
    if not _OBJECT_NAME.fullmatch(name):
        raise resource.found_at.error("its name must be letters, digits and hyphens")
    return name


def _is_in(object_id: str, vault_id: str) -> bool:
    return normal(parent(object_id)) == normal(vault_id)
