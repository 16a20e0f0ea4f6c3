"""The keys or the secrets of one vault by their names, the deleted ones among them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import RLock
from typing import Generic

from local.key_vault.objects import (
    Deletion,
    Kind,
    NameInUseError,
    ObjectNotFoundError,
    V,
    VaultObject,
)

_DAY = 86_400  # seconds


class ObjectTable(Generic[V]):
    """Names are compared without regard to case, and shown as they were first given.

    `save` is called with what the table is to hold, and has it on disk before anybody sees it.
    """

    def __init__(
        self,
        kind: Kind,
        objects: Mapping[str, VaultObject[V]],
        lock: RLock,
        save: Callable[[Mapping[str, VaultObject[V]]], None],
    ) -> None:
        self.kind = kind
        self._one = kind.removesuffix("s")
        self._objects: Mapping[str, VaultObject[V]] = objects
        self._lock = lock
        self._save = save

    @property
    def all(self) -> Mapping[str, VaultObject[V]]:
        """Everything by its name in lower case."""
        return self._objects

    def live(self) -> tuple[VaultObject[V], ...]:
        """Return what is not deleted, by name."""
        return tuple(one for one in self._sorted() if one.deletion is None)

    def deleted(self) -> tuple[VaultObject[V], ...]:
        """Return what is deleted and can be recovered, by name."""
        now = time.time()
        return tuple(one for one in self._sorted() if one.deletion and one.deletion.purge > now)

    def find(self, name: str) -> VaultObject[V] | None:
        """Return an object that is not deleted, None without one."""
        found = self._objects.get(name.lower())
        return found if found and found.deletion is None else None

    def get(self, name: str) -> VaultObject[V]:
        """Return an object that is not deleted. Raises ObjectNotFoundError."""
        found = self.find(name)
        if found is None:
            raise ObjectNotFoundError(self._one, name)
        return found

    def version(self, name: str, version: str | None = None) -> V:
        """Return one version, the newest by default. Raises ObjectNotFoundError."""
        found = self.get(name)
        if version is None:
            return found.newest
        for one in found.versions:
            if one.version == version.lower():
                return one
        raise ObjectNotFoundError(self._one, name, version)

    def get_deleted(self, name: str) -> VaultObject[V]:
        """Return a deleted object. Raises ObjectNotFoundError."""
        found = self._objects.get(name.lower())
        if found is None or found.deletion is None or found.deletion.purge <= time.time():
            raise ObjectNotFoundError(self._one, name, is_deleted=True)
        return found

    def add(self, name: str, version: V) -> VaultObject[V]:
        """Add a version to an object, or a new object. Raises NameInUseError for a deleted one."""
        with self._lock:
            found = self._free_of_deleted(name)
            made = found.with_version(version) if found else VaultObject(name, (version,))
            return self._put(made)

    def change_version(
        self, name: str, version: str | None, change: Callable[[V], V]
    ) -> tuple[VaultObject[V], V]:
        """Replace a version, the newest by default; return it. Raises ObjectNotFoundError."""
        with self._lock:
            changed = change(self.version(name, version))
            return self._put(self.get(name).with_version(changed)), changed

    def change(
        self, name: str, change: Callable[[VaultObject[V]], VaultObject[V]]
    ) -> VaultObject[V]:
        """Replace an object that is not deleted. Raises ObjectNotFoundError."""
        with self._lock:
            return self._put(change(self.get(name)))

    def delete(self, name: str, retention_days: int) -> VaultObject[V]:
        """Delete an object; it can be recovered for so long. Raises ObjectNotFoundError."""
        now = int(time.time())
        deletion = Deletion(now, now + retention_days * _DAY)
        return self.change(name, lambda one: replace(one, deletion=deletion))

    def recover(self, name: str) -> VaultObject[V]:
        """Undo a deletion. Raises ObjectNotFoundError."""
        with self._lock:
            return self._put(replace(self.get_deleted(name), deletion=None))

    def purge(self, name: str) -> VaultObject[V]:
        """Remove a deleted object for good, and return it. Raises ObjectNotFoundError."""
        with self._lock:
            gone = self.get_deleted(name)
            left = {key: one for key, one in self._objects.items() if key != name.lower()}
            self._save(left)
            self._objects = left
            return gone

    def require_not_deleted(self, name: str) -> None:
        """Raise NameInUseError if a deleted object has the name."""
        self._free_of_deleted(name)

    def require_free(self, name: str) -> None:
        """Raise NameInUseError if an object, live or deleted, has the name."""
        if self._free_of_deleted(name):
            raise NameInUseError(self._one, name, is_deleted=False)

    def restore(self, one: VaultObject[V]) -> VaultObject[V]:
        """Add an object with all of its versions. Raises NameInUseError."""
        with self._lock:
            self.require_free(one.name)
            return self._put(one)

    def _free_of_deleted(self, name: str) -> VaultObject[V] | None:
        found = self._objects.get(name.lower())
        if found is None or found.deletion is None:
            return found
        if found.deletion.purge <= time.time():
            return None
        raise NameInUseError(self._one, found.name, is_deleted=True)

    def _put(self, one: VaultObject[V]) -> VaultObject[V]:
        changed = {**self._objects, one.name.lower(): one}
        self._save(changed)
        self._objects = changed
        return one

    def _sorted(self) -> list[VaultObject[V]]:
        return [one for _, one in sorted(self._objects.items())]
