"""The objects of one vault, kept on disk: what changes them, and the private keys."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import RLock

from local.deployment.resources import KeySpec, VaultSpec
from local.deployment.rotation_policy import RotationPolicy
from local.key_vault import backup, key_types
from local.key_vault.key_types import PrivateKey
from local.key_vault.object_table import ObjectTable
from local.key_vault.objects import (
    AttributeChanges,
    Key,
    KeyVersion,
    Secret,
    SecretVersion,
    Tags,
)
from local.key_vault.vault_folder import VaultFolder

_AS_GIVEN = AttributeChanges()


class VaultStore:
    """The keys and secrets of a vault; each change is on disk before anybody sees it.

    Made from a folder and what a deployment says of the vault: a key of the deployment that the
    folder does not have is made. Any thread may call it.
    """

    def __init__(self, folder: Path, spec: VaultSpec) -> None:
        self._folder = VaultFolder(folder)
        self._retention_days = spec.retention_days
        self._lock = RLock()
        keys, secrets = self._folder.read()
        self.keys: ObjectTable[KeyVersion] = ObjectTable("keys", keys, self._lock, self._save_keys)
        self.secrets: ObjectTable[SecretVersion] = ObjectTable(
            "secrets", secrets, self._lock, self._save_secrets
        )
        self._private_keys = {
            version.version: self._folder.read_key(version.version)
            for key in keys.values()
            for version in key.versions
        }
        for one in spec.keys:
            # One that somebody deleted stays deleted, as in Azure.
            if one.name.lower() not in keys:
                self._deploy(one)

    def key_versions(self, name: str) -> tuple[str, ...]:
        """Return the versions of a key, oldest first; none of one that is not there."""
        found = self.keys.find(name)
        return tuple(version.version for version in found.versions) if found else ()

    def private_key(self, name: str, version: str | None = None) -> PrivateKey:
        """Return the key of a version, the newest by default. Raises ObjectNotFoundError."""
        return self._private_keys[self.keys.version(name, version).version]

    def material(self, version: str) -> PrivateKey:
        """Return the key of a version that the vault has, that of a deleted one too."""
        return self._private_keys[version]

    def add_key(
        self,
        name: str,
        kty: str,
        private_key: PrivateKey,
        operations: tuple[str, ...],
        changes: AttributeChanges = _AS_GIVEN,
        tags: Tags | None = None,
    ) -> KeyVersion:
        """Make a key of that material, or a new version of one. Raises NameInUseError."""
        attributes = changes.made(int(time.time()))
        made = KeyVersion(uuid.uuid4().hex, attributes, kty, operations, tags)
        # On disk before in use, and the key before the index that names it: wherever a crash
        # comes, nothing was encrypted with a version that is missing afterwards.
        self._folder.write_key(made.version, private_key)
        self._private_keys[made.version] = private_key
        try:
            self.keys.add(name, made)
        except Exception:
            self._forget(made.version)
            raise
        return made

    def rotate(self, name: str) -> str:
        """Make and return a new version of a key; older ones stay. Raises ObjectNotFoundError."""
        key = self.keys.get(name)
        newest, policy = key.newest, key.rotation_policy
        expires = policy.expires(int(time.time())) if policy else None
        private_key = key_types.generate_like(self._private_keys[newest.version])
        changes = AttributeChanges(expires=expires, exportable=newest.attributes.exportable)
        made = self.add_key(
            key.name, newest.kty, private_key, newest.operations, changes, newest.tags
        )
        return made.version

    def set_rotation_policy(self, name: str, policy: RotationPolicy) -> Key:
        """Set the rotation policy of a key. Raises ObjectNotFoundError."""
        now = int(time.time())
        return self.keys.change(
            name, lambda key: replace(key, rotation_policy=policy.set_at(now, key.rotation_policy))
        )

    def set_secret(
        self,
        name: str,
        value: str,
        content_type: str | None = None,
        tags: Tags | None = None,
        changes: AttributeChanges = _AS_GIVEN,
        *,
        deployed: bool = False,
    ) -> str:
        """Make a new version of a secret, and return it; older ones stay. Raises NameInUseError."""
        version, attributes = uuid.uuid4().hex, changes.made(int(time.time()))
        made = SecretVersion(version, attributes, value, content_type, tags, deployed)
        self.secrets.add(name, made)
        return version

    def secret_names(self) -> tuple[str, ...]:
        """Return the names of the secrets that have a value."""
        return tuple(secret.name for secret in self.secrets.live())

    def secret_versions(self, name: str) -> tuple[SecretVersion, ...]:
        """Return the versions of a secret, oldest first. Raises ObjectNotFoundError."""
        return self.secrets.get(name).versions

    def secret(self, name: str, version: str | None = None) -> SecretVersion:
        """Return a version of a secret, the newest by default. Raises ObjectNotFoundError."""
        return self.secrets.version(name, version)

    def delete_key(self, name: str) -> Key:
        """Delete a key; it can be recovered. Raises ObjectNotFoundError."""
        return self.keys.delete(name, self._retention_days)

    def delete_secret(self, name: str) -> Secret:
        """Delete a secret; it can be recovered. Raises ObjectNotFoundError."""
        return self.secrets.delete(name, self._retention_days)

    def purge_key(self, name: str) -> None:
        """Remove a deleted key for good. Raises ObjectNotFoundError."""
        for version in self.keys.purge(name).versions:
            self._forget(version.version)

    def back_up_key(self, name: str) -> bytes:
        """Return a key as a backup. Raises ObjectNotFoundError."""
        key = self.keys.get(name)
        material = {one.version: self._private_keys[one.version] for one in key.versions}
        return backup.of_key(key, material, self._folder.backup_key())

    def restore_key(self, content: bytes) -> Key:
        """Add a key from a backup. Raises NameInUseError, and KeyVaultError (400)."""
        key, material = backup.key_from(content, self._folder.backup_key())
        with self._lock:
            self.keys.require_free(key.name)
            for version, private_key in material.items():
                self._folder.write_key(version, private_key)
                self._private_keys[version] = private_key
            return self.keys.restore(key)

    def back_up_secret(self, name: str) -> bytes:
        """Return a secret as a backup. Raises ObjectNotFoundError."""
        return backup.of_secret(self.secrets.get(name), self._folder.backup_key())

    def restore_secret(self, content: bytes) -> Secret:
        """Add a secret from a backup. Raises NameInUseError, and KeyVaultError (400)."""
        return self.secrets.restore(backup.secret_from(content, self._folder.backup_key()))

    def _deploy(self, spec: KeySpec) -> None:
        private_key = key_types.generate(spec.kty, spec.size, spec.curve)
        operations = spec.operations or key_types.OPERATIONS[key_types.family(spec.kty)]
        changes = AttributeChanges(**vars(spec.attributes))
        self.add_key(spec.name, spec.kty, private_key, operations, changes, spec.tags)
        if spec.rotation_policy:
            self.set_rotation_policy(spec.name, spec.rotation_policy)

    def _forget(self, version: str) -> None:
        self._folder.remove_key(version)
        del self._private_keys[version]

    def _save_keys(self, keys: Mapping[str, Key]) -> None:
        self._folder.write(keys, self.secrets.all)

    def _save_secrets(self, secrets: Mapping[str, Secret]) -> None:
        self._folder.write(self.keys.all, secrets)
