"""Data keys in memory: one seals many messages, and once decrypted opens many."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256

from shared.concurrency.expiring import ExpiringEntries
from shared.concurrency.single_flight import SingleFlight
from shared.message.envelope import DataKey, DecryptionError, Fault, WrappedKey
from shared.telemetry import recording
from shared.telemetry.metrics import DATA_KEY_CACHE, DATA_KEYS

_REFUSED_ENTRIES = 10_000
# An operator who restores a deleted version and replays has to wait no longer.
_REFUSED_SECONDS = 60.0


@dataclass(frozen=True)
class Limits:
    """How long one data key seals: whichever of messages, seconds and bytes comes first."""

    messages: int
    seconds: float
    bytes: int


@dataclass
class _CurrentKey:
    key: DataKey
    wrapped: WrappedKey
    expires: float
    process: int
    messages: int = 0
    bytes: int = 0


class DataKeyProvider:
    """Hands out the data key to seal with, and makes a new one when its limits are reached.

    `encrypt` is Key Vault's operation. The next key names the then current version of the vault's
    key, so a rotation there needs nothing here.
    """

    def __init__(
        self,
        encrypt: Callable[[bytes], Awaitable[WrappedKey]],
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._encrypt = encrypt
        self._limits = limits
        self._clock = clock
        self._current: _CurrentKey | None = None
        self._making: SingleFlight[str, None] = SingleFlight()

    async def acquire(self, size: int) -> tuple[DataKey, WrappedKey]:
        """Return a key to seal one message of `size` bytes, and count it."""
        while not (current := self._usable(size)):
            await self._making.run("data key", self._make)
        current.messages += 1
        current.bytes += size
        return current.key, current.wrapped

    async def prepare(self) -> None:
        """Make the first key, so that no message waits for it."""
        if self._current is None:
            await self._making.run("data key", self._make)

    def _usable(self, size: int) -> _CurrentKey | None:
        current = self._current
        # Dropped after a fork: parent and child would otherwise each use all of its limits.
        if current is None or current.process != os.getpid() or self._clock() >= current.expires:
            return None
        if current.messages >= self._limits.messages:
            return None
        if current.messages and current.bytes + size > self._limits.bytes:
            return None
        return current

    async def _make(self) -> None:
        key = DataKey.generate()
        wrapped = await self._encrypt(key.secret)
        recording.count(DATA_KEYS, 1, {"relay.operation": "make"})
        self._current = _CurrentKey(key, wrapped, self._clock() + self._limits.seconds, os.getpid())


class DataKeyCache:
    """Opens wrapped data keys, and keeps the most recent ones for a while.

    `decrypt` is Key Vault's operation. After the right to it is revoked, messages of the keys in
    this cache can therefore still be opened, for `seconds` at most. What could not be opened is
    remembered for a minute: each such message would otherwise cost an operation of the vault.
    """

    def __init__(
        self,
        decrypt: Callable[[WrappedKey], Awaitable[bytes]],
        entries: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._decrypt = decrypt
        self._kept: ExpiringEntries[WrappedKey, DataKey] = ExpiringEntries(entries, seconds, clock)
        # By digest: whoever sends them chooses how long the names of their keys are.
        self._refused: ExpiringEntries[bytes, tuple[Fault, str]] = ExpiringEntries(
            _REFUSED_ENTRIES, _REFUSED_SECONDS, clock
        )
        self._opening: SingleFlight[WrappedKey, DataKey] = SingleFlight()

    async def open(self, wrapped: WrappedKey) -> DataKey:
        """Return the data key in `wrapped`. Raises what `decrypt` raises, and `DecryptionError`."""
        key = self._kept.get(wrapped)
        recording.count(DATA_KEY_CACHE, 1, {"relay.result": "hit" if key else "miss"})
        if key:
            return key
        if refused := self._refused.get(_digest(wrapped)):
            raise DecryptionError(*refused)
        return await self._opening.run(wrapped, lambda: self._open(wrapped))

    async def _open(self, wrapped: WrappedKey) -> DataKey:
        try:
            key = DataKey(await self._decrypt(wrapped))
        except DecryptionError as error:
            self._refused.put(_digest(wrapped), (error.fault, error.detail))
            raise
        recording.count(DATA_KEYS, 1, {"relay.operation": "open"})
        self._kept.put(wrapped, key)
        return key


def _digest(wrapped: WrappedKey) -> bytes:
    return sha256(wrapped.ciphertext + wrapped.key_id.encode()).digest()
