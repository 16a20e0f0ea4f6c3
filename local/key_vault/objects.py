"""What a vault holds: keys and secrets in versions, with the attributes of each.

Times are in seconds since 1970. A version's id is 32 hexadecimal digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, Literal, TypeAlias, TypeVar

from local.deployment.rotation_policy import RotationPolicy

Kind = Literal["keys", "secrets"]
Tags: TypeAlias = Mapping[str, str]


class ObjectNotFoundError(Exception):
    """No such key, secret or version in the vault; `is_deleted` if a deleted one was asked for."""

    def __init__(
        self, kind: str, name: str, version: str | None = None, *, is_deleted: bool = False
    ) -> None:
        super().__init__(f"no {kind} {name}{f' in version {version}' if version else ''}")
        self.kind = kind
        self.name = name
        self.version = version
        self.is_deleted = is_deleted


class NameInUseError(Exception):
    """The name belongs to another object; `is_deleted` if that one is deleted and recoverable."""

    def __init__(self, kind: str, name: str, *, is_deleted: bool) -> None:
        state = "is deleted, and its name is in use until it is purged" if is_deleted else "exists"
        super().__init__(f"{kind} {name} {state}")
        self.kind = kind
        self.name = name
        self.is_deleted = is_deleted


@dataclass(frozen=True)
class Attributes:
    """What every version has. `exportable` is None where nobody has set it."""

    created: int
    updated: int
    enabled: bool = True
    not_before: int | None = None
    expires: int | None = None
    exportable: bool | None = None


@dataclass(frozen=True)
class AttributeChanges:
    """The attributes that a request sets; None for those that it leaves as they are."""

    enabled: bool | None = None
    not_before: int | None = None
    expires: int | None = None
    exportable: bool | None = None

    def made(self, now: int) -> Attributes:
        """Return the attributes of a new version."""
        return self.applied(Attributes(now, now), now)

    def applied(self, to: Attributes, now: int) -> Attributes:
        """Return attributes with these changes."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        return replace(to, updated=now, **given)


@dataclass(frozen=True)
class KeyVersion:
    """A version of a key without its material. `tags` is None where none were ever given."""

    version: str
    attributes: Attributes
    kty: str
    operations: tuple[str, ...]
    tags: Tags | None = None


@dataclass(frozen=True)
class SecretVersion:
    """A version of a secret, with its value. `tags` is None where none were ever given.

    `deployed` if the local cloud wrote it, in place of a deployment or of an operator, and not a
    client through the vault.
    """

    version: str
    attributes: Attributes
    value: str = field(repr=False)
    content_type: str | None = None
    tags: Tags | None = None
    deployed: bool = False


@dataclass(frozen=True)
class Deletion:
    """When an object was deleted, and when it will be gone for good."""

    deleted: int
    purge: int


V = TypeVar("V", bound=KeyVersion | SecretVersion)


@dataclass(frozen=True)
class VaultObject(Generic[V]):
    """A key or secret: its versions, oldest first, of which there is one at least.

    `rotation_policy` is a key's; None where nobody has set one.
    """

    name: str
    versions: tuple[V, ...]
    deletion: Deletion | None = None
    rotation_policy: RotationPolicy | None = None

    @property
    def newest(self) -> V:
        """The version that a request means that names none."""
        return self.versions[-1]

    def with_version(self, version: V) -> VaultObject[V]:
        """Return the object with a version in the place of the one of its id, or at the end."""
        ids = [one.version for one in self.versions]
        if version.version not in ids:
            return replace(self, versions=(*self.versions, version))
        versions = tuple(
            version if one.version == version.version else one for one in self.versions
        )
        return replace(self, versions=versions)


Key: TypeAlias = VaultObject[KeyVersion]
Secret: TypeAlias = VaultObject[SecretVersion]
