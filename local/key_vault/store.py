"""The versions of keys and secrets of one vault, kept on disk, readable by one user."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TypeAlias, TypeVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from local.deployment.resources import KeySpec, VaultSpec

_INDEX = "versions.json"


class ObjectNotFoundError(Exception):
    """No such key, secret or version in the vault."""

    def __init__(self, kind: str, name: str, version: str | None = None) -> None:
        super().__init__(f"no {kind} {name}{f' in version {version}' if version else ''}")
        self.kind = kind
        self.name = name
        self.version = version


@dataclass(frozen=True)
class KeyVersion:
    """A version of a key; `created` is in seconds since 1970, `version` 32 hex digits.

    A version that is not `enabled` neither encrypts nor decrypts, and can be enabled again.
    """

    version: str
    created: int
    enabled: bool = True


@dataclass(frozen=True)
class SecretVersion:
    """A version of a secret, with its value; `expires` is in seconds since 1970.

    `deployed` if the local cloud wrote it, in place of a deployment or of an operator, and not a
    client through the vault.
    """

    version: str
    created: int
    value: str = field(repr=False)
    content_type: str | None
    tags: dict[str, str] = field(default_factory=dict)
    expires: int | None = None
    deployed: bool = False


_V = TypeVar("_V", KeyVersion, SecretVersion)
# By lower-case name, oldest version first.
_Keys: TypeAlias = dict[str, tuple[KeyVersion, ...]]
_Secrets: TypeAlias = dict[str, tuple[SecretVersion, ...]]


class VaultStore:
    """The objects of a vault. Every key has a version from the start; secrets have none until set.

    May be used from several threads. Object names are compared without regard to case.
    """

    def __init__(self, folder: Path, spec: VaultSpec) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._specs = {key.name.lower(): key for key in spec.keys}
        self._secret_names = {s.name.lower(): s.name for s in spec.secrets}
        self._content_types = {s.name.lower(): s.content_type for s in spec.secrets}
        # Only the user can even list it.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._keys, self._secrets = self._load()
        # All at once, because reading a key takes long enough to hold up a running vault.
        self._private_keys = {
            found.version: _read_key(self._key_file(found.version))
            for versions in self._keys.values()
            for found in versions
        }
        for name in self._specs:
            if not self._keys.get(name):
                self.rotate(name)

    def key_specs(self) -> tuple[KeySpec, ...]:
        """Return the keys of the vault."""
        return tuple(self._specs.values())

    def key(self, name: str) -> KeySpec:
        """Return a key as deployed. Raises ObjectNotFoundError."""
        if name.lower() not in self._specs:
            raise ObjectNotFoundError("key", name)
        return self._specs[name.lower()]

    def key_versions(self, name: str) -> tuple[str, ...]:
        """Return the versions of a key, oldest first. Raises ObjectNotFoundError."""
        self.key(name)
        return tuple(version.version for version in self._keys[name.lower()])

    def key_version(self, name: str, version: str | None = None) -> KeyVersion:
        """Return one version of a key, the newest by default. Raises ObjectNotFoundError."""
        self.key(name)
        return _pick("key", name, self._keys[name.lower()], version)

    def private_key(self, name: str, version: str | None = None) -> rsa.RSAPrivateKey:
        """Return the key of a version, the newest by default. Raises ObjectNotFoundError."""
        return self._private_keys[self.key_version(name, version).version]

    def rotate(self, key_name: str) -> str:
        """Make and return a new version of a key; older ones stay. Raises ObjectNotFoundError."""
        spec = self.key(key_name)
        private_key = rsa.generate_private_key(public_exponent=65537, key_size=spec.size)
        made = KeyVersion(uuid.uuid4().hex, int(time.time()))
        with self._lock:
            # On disk before in use, and the key before the index that names it: wherever a crash
            # comes, nothing was encrypted with a version that is missing afterwards.
            _write_private(self._key_file(made.version), _pem(private_key))
            versions = (*self._keys.get(spec.name.lower(), ()), made)
            keys = {**self._keys, spec.name.lower(): versions}
            self._save(keys, self._secrets)
            self._private_keys[made.version] = private_key
            self._keys = keys
        return made.version

    def enable(self, key_name: str, version: str, *, enabled: bool) -> None:
        """Enable or disable a version of a key. Raises ObjectNotFoundError."""
        name = self.key(key_name).name.lower()
        with self._lock:
            changed = replace(self.key_version(key_name, version), enabled=enabled)
            versions = tuple(
                changed if one.version == changed.version else one for one in self._keys[name]
            )
            keys = {**self._keys, name: versions}
            self._save(keys, self._secrets)
            self._keys = keys

    def secret_names(self) -> tuple[str, ...]:
        """Return the names of the secrets that have a value."""
        return tuple(self._secret_names.get(name, name) for name in self._secrets)

    def secret_versions(self, name: str) -> tuple[SecretVersion, ...]:
        """Return the versions of a secret, oldest first. Raises ObjectNotFoundError."""
        if name.lower() not in self._secrets:
            raise ObjectNotFoundError("secret", name)
        return self._secrets[name.lower()]

    def secret(self, name: str, version: str | None = None) -> SecretVersion:
        """Return a version of a secret, the newest by default. Raises ObjectNotFoundError."""
        return _pick("secret", name, self.secret_versions(name), version)

    def newest_secret(self, name: str) -> SecretVersion | None:
        """Return the newest version of a secret, if it has one."""
        versions = self._secrets.get(name.lower(), ())
        return versions[-1] if versions else None

    def set_secret(
        self,
        name: str,
        value: str,
        content_type: str | None = None,
        tags: Mapping[str, str] | None = None,
        expires: int | None = None,
        *,
        deployed: bool = False,
    ) -> str:
        """Make a new version of a secret, and return it; older ones stay."""
        content_type = content_type or self._content_types.get(name.lower())
        version, now = uuid.uuid4().hex, int(time.time())
        made = SecretVersion(version, now, value, content_type, dict(tags or {}), expires, deployed)
        with self._lock:
            self._secret_names.setdefault(name.lower(), name)
            versions = (*self._secrets.get(name.lower(), ()), made)
            secrets = {**self._secrets, name.lower(): versions}
            self._save(self._keys, secrets)
            self._secrets = secrets
        return made.version

    def _key_file(self, version: str) -> Path:
        return self._folder / f"{version}.pem"

    def _load(self) -> tuple[_Keys, _Secrets]:
        try:
            index = json.loads((self._folder / _INDEX).read_bytes())
        except FileNotFoundError:
            return {}, {}
        keys = {n: tuple(KeyVersion(**v) for v in found) for n, found in index["keys"].items()}
        # A folder written before `deployed` existed had them all rewritten by every start.
        secrets = {
            n: tuple(SecretVersion(**{"deployed": True, **v}) for v in found)
            for n, found in index["secrets"].items()
        }
        return keys, secrets

    def _save(self, keys: _Keys, secrets: _Secrets) -> None:
        index = {
            "keys": {name: [asdict(v) for v in found] for name, found in keys.items()},
            "secrets": {name: [asdict(v) for v in found] for name, found in secrets.items()},
        }
        _write_private(self._folder / _INDEX, json.dumps(index).encode())


def rotated_keys(folder: Path) -> frozenset[str]:
    """Return the keys of a vault's folder that were rotated, in lower case; none without it."""
    try:
        index = json.loads((folder / _INDEX).read_bytes())
    except FileNotFoundError:
        return frozenset()
    return frozenset(name for name, versions in index["keys"].items() if len(versions) > 1)


def _pick(kind: str, name: str, versions: Sequence[_V], version: str | None) -> _V:
    for candidate in reversed(versions):
        if version is None or candidate.version == version.lower():
            return candidate
    raise ObjectNotFoundError(kind, name, version)


def _pem(private_key: rsa.RSAPrivateKey) -> bytes:
    return private_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _read_key(path: Path) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{path.name} is not an RSA key")
    return key


def _write_private(path: Path, content: bytes) -> None:
    # mkstemp creates the file with mode 0600; the replacement is atomic.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    Path(temporary).replace(path)
