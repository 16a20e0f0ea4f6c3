"""The JSON objects of responses about keys, secrets and what is deleted.

Source: Azure Key Vault REST API reference, keys and secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from local.deployment.resources import VaultSpec
from local.deployment.rotation_policy import RotationPolicy
from local.key_vault.api_versions import ApiVersion
from local.key_vault.key_types import PrivateKey, public_members
from local.key_vault.objects import Deletion, KeyVersion, Kind, SecretVersion

ResponseBody: TypeAlias = dict[str, Any]
_LONGEST_RETENTION = 90  # days


class Responses:
    """Writes what a vault shows. `uri` is the vault's, without a slash at its end."""

    def __init__(self, uri: str, spec: VaultSpec) -> None:
        self._uri = uri
        self._retention_days = spec.retention_days
        self._recovery_level = recovery_level(spec)

    def key_id(self, name: str, version: str | None = None) -> str:
        """Return the id of a key, with its version or without one."""
        return object_id(self._uri, "keys", name, version)

    def key(
        self, name: str, version: KeyVersion, material: PrivateKey, api: ApiVersion
    ) -> ResponseBody:
        """Return a version of a key: its public half, never the other."""
        shown = {
            "kid": self.key_id(name, version.version),
            "kty": version.kty,
            "key_ops": list(version.operations),
            **public_members(material),
        }
        return {"key": shown, **self._common(version, api)}

    def key_item(
        self, name: str, version: KeyVersion, api: ApiVersion, *, of_object: bool = False
    ) -> ResponseBody:
        """Return an entry of a list; `of_object` for the key itself, whose id has no version."""
        key_id = self.key_id(name, None if of_object else version.version)
        return {"kid": key_id, **self._common(version, api)}

    def secret(
        self, name: str, version: SecretVersion, api: ApiVersion, *, value: bool = False
    ) -> ResponseBody:
        """Return a version of a secret, with its value or without it."""
        shown: ResponseBody = {"value": version.value} if value else {}
        secret_id = object_id(self._uri, "secrets", name, version.version)
        return {**shown, "id": secret_id, **self._secret(version, api)}

    def secret_item(
        self, name: str, version: SecretVersion, api: ApiVersion, *, of_object: bool = False
    ) -> ResponseBody:
        """Return an entry of a list; `of_object` for the secret itself: its id has no version."""
        secret_id = object_id(self._uri, "secrets", name, None if of_object else version.version)
        return {"id": secret_id, **self._secret(version, api)}

    def deletion(self, kind: Kind, name: str, deletion: Deletion | None) -> ResponseBody:
        """Return what a deleted object has beside what it had before; nothing without deletion."""
        if deletion is None:
            return {}
        return {
            "recoveryId": f"{self._uri}/deleted{kind}/{name}",
            "deletedDate": deletion.deleted,
            "scheduledPurgeDate": deletion.purge,
        }

    def rotation_policy(self, name: str, policy: RotationPolicy) -> ResponseBody:
        """Return the rotation policy of a key."""
        attributes = {
            "expiryTime": policy.expiry,
            "created": policy.created,
            "updated": policy.updated,
        }
        actions = [
            {
                "trigger": _given(
                    {"timeAfterCreate": one.after_create, "timeBeforeExpiry": one.before_expiry}
                ),
                "action": {"type": one.action},
            }
            for one in policy.actions
        ]
        return {
            "id": f"{self.key_id(name)}/rotationpolicy",
            "lifetimeActions": actions,
            "attributes": _given(attributes),
        }

    def _secret(self, version: SecretVersion, api: ApiVersion) -> ResponseBody:
        content_type = {"contentType": version.content_type} if version.content_type else {}
        return {**content_type, **self._common(version, api)}

    def _common(self, version: KeyVersion | SecretVersion, api: ApiVersion) -> ResponseBody:
        given = version.attributes
        attributes: ResponseBody = {
            "enabled": given.enabled,
            "nbf": given.not_before,
            "exp": given.expires,
            "created": given.created,
            "updated": given.updated,
            "recoveryLevel": self._recovery_level,
            "recoverableDays": self._retention_days if api.has("recoverableDays") else None,
            "exportable": given.exportable,
        }
        if isinstance(version, KeyVersion) and api.has("hsmPlatform"):
            attributes["hsmPlatform"] = "2" if version.kty.endswith("-HSM") else "0"
        tags = {} if version.tags is None else {"tags": dict(version.tags)}
        return {"attributes": _given(attributes), **tags}


def recovery_level(spec: VaultSpec) -> str:
    """Return what a vault guarantees of deleted objects.

    Source: Azure Key Vault REST API reference, DeletionRecoveryLevel.
    """
    customized = "" if spec.retention_days == _LONGEST_RETENTION else "Customized"
    return f"{customized}Recoverable" + ("" if spec.purge_protection else "+Purgeable")


def object_id(uri: str, kind: Kind, name: str, version: str | None = None) -> str:
    """Return the id of a key or secret, with its version or without one."""
    # From configuration, never from the Host header: a message carries a key's id onwards.
    return f"{uri}/{kind}/{name}" + (f"/{version}" if version else "")


def _given(values: Mapping[str, object]) -> ResponseBody:
    return {name: value for name, value in values.items() if value is not None}
