"""A vault's folder on disk: one index of all objects, a file for each private key.

Only the user who runs the local cloud can read any of it.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from local.deployment.rotation_policy import LifetimeAction, RotationPolicy
from local.key_vault import key_types
from local.key_vault.key_types import PrivateKey
from local.key_vault.objects import (
    Attributes,
    Deletion,
    Key,
    KeyVersion,
    Secret,
    SecretVersion,
    VaultObject,
)

_INDEX = "versions.json"
_BACKUP_KEY = "backup.key"
_BACKUP_KEY_BYTES = 32

Keys: TypeAlias = Mapping[str, Key]
Secrets: TypeAlias = Mapping[str, Secret]
Json: TypeAlias = dict[str, Any]


class VaultFolder:
    """Reads and writes the folder of one vault."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._folder = folder

    def read(self) -> tuple[dict[str, Key], dict[str, Secret]]:
        """Return the objects by their names in lower case; none in a new folder."""
        try:
            index = json.loads((self._folder / _INDEX).read_bytes())
        except FileNotFoundError:
            return {}, {}
        keys = {name: key_from_json(one) for name, one in index["keys"].items()}
        secrets_ = {name: secret_from_json(one) for name, one in index["secrets"].items()}
        return keys, secrets_

    def write(self, keys: Keys, secrets_: Secrets) -> None:
        """Write the index; it is whole on disk when this returns, or as it was before."""
        index = {
            "keys": {name: asdict(one) for name, one in keys.items()},
            "secrets": {name: asdict(one) for name, one in secrets_.items()},
        }
        _write_private(self._folder / _INDEX, json.dumps(index).encode())

    def read_key(self, version: str) -> PrivateKey:
        """Return the private key of a version."""
        return key_types.from_pem(self._key_file(version).read_bytes())

    def write_key(self, version: str, key: PrivateKey) -> None:
        """Write the private key of a version."""
        _write_private(self._key_file(version), key_types.to_pem(key))

    def remove_key(self, version: str) -> None:
        """Remove the private key of a version."""
        self._key_file(version).unlink(missing_ok=True)

    def backup_key(self) -> bytes:
        """Return the key that encrypts backups in all vaults beside this one; made once."""
        path = self._folder.parent / _BACKUP_KEY
        try:
            return path.read_bytes()
        except FileNotFoundError:
            key = secrets.token_bytes(_BACKUP_KEY_BYTES)
            _write_private(path, key)
            return key

    def _key_file(self, version: str) -> Path:
        return self._folder / f"{version}.pem"


def rotated_keys(folder: Path) -> frozenset[str]:
    """Return the keys of a vault's folder that were rotated, in lower case; none without it."""
    try:
        index = json.loads((folder / _INDEX).read_bytes())
    except FileNotFoundError:
        return frozenset()
    return frozenset(name for name, one in index["keys"].items() if len(one["versions"]) > 1)


def key_from_json(found: Json) -> Key:
    """Read what `asdict` made of a key."""
    versions = tuple(
        KeyVersion(
            **{
                **one,
                "attributes": Attributes(**one["attributes"]),
                "operations": tuple(one["operations"]),
            }
        )
        for one in found["versions"]
    )
    return VaultObject(found["name"], versions, _deletion(found), _policy(found))


def secret_from_json(found: Json) -> Secret:
    """Read what `asdict` made of a secret."""
    versions = tuple(
        SecretVersion(**{**one, "attributes": Attributes(**one["attributes"])})
        for one in found["versions"]
    )
    return VaultObject(found["name"], versions, _deletion(found))


def _deletion(found: Json) -> Deletion | None:
    return Deletion(**found["deletion"]) if found["deletion"] else None


def _policy(found: Json) -> RotationPolicy | None:
    policy = found["rotation_policy"]
    if not policy:
        return None
    actions = tuple(LifetimeAction(**action) for action in policy["actions"])
    return RotationPolicy(**{**policy, "actions": actions})


def _write_private(path: Path, content: bytes) -> None:
    # mkstemp creates the file with mode 0600; the replacement is atomic.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    Path(temporary).replace(path)
