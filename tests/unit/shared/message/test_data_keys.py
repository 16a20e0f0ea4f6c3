from __future__ import annotations

import asyncio
import os

import pytest

from shared.message.data_keys import DataKeyCache, DataKeyProvider, Limits
from shared.message.envelope import DecryptionError, WrappedKey


class Vault:
    """Stands for the operation: encrypts by reversing, counts, fails on demand."""

    def __init__(self) -> None:
        self.calls = 0
        self.failing = False
        self.version = "v1"

    async def encrypt(self, secret: bytes) -> WrappedKey:
        await self._work()
        return WrappedKey(self.version, secret[::-1])

    async def decrypt(self, wrapped: WrappedKey) -> bytes:
        await self._work()
        return wrapped.ciphertext[::-1]

    async def _work(self) -> None:
        self.calls += 1
        await asyncio.sleep(0)
        if self.failing:
            raise ConnectionError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_any_number_of_concurrent_users_make_one_call(vault: Vault) -> None:
    keys = DataKeyProvider(vault.encrypt, Limits(1000, 60, 2**30))
    acquired = await asyncio.gather(*(keys.acquire(10) for _ in range(200)))
    assert vault.calls == 1
    assert len({wrapped for _, wrapped in acquired}) == 1


async def test_a_key_that_is_being_prepared_is_the_one_that_the_first_messages_wait_for(
    vault: Vault,
) -> None:
    keys = DataKeyProvider(vault.encrypt, Limits(1000, 60, 2**30))
    await asyncio.gather(keys.prepare(), *(keys.acquire(10) for _ in range(64)), keys.prepare())
    await keys.prepare()
    assert vault.calls == 1


async def test_a_key_that_could_not_be_prepared_is_made_for_the_first_message(vault: Vault) -> None:
    vault.failing = True
    keys = DataKeyProvider(vault.encrypt, Limits(1000, 60, 2**30))
    with pytest.raises(ConnectionError):
        await keys.prepare()
    vault.failing = False
    assert await keys.acquire(10)


async def test_a_key_seals_no_more_messages_than_its_limit(vault: Vault) -> None:
    keys = DataKeyProvider(vault.encrypt, Limits(3, 60, 2**30))
    acquired = await asyncio.gather(*(keys.acquire(10) for _ in range(10)))
    uses = [[w for _, w in acquired].count(w) for _, w in acquired]
    assert max(uses) == 3
    assert vault.calls == 4


async def test_a_key_seals_no_more_bytes_than_its_limit(vault: Vault) -> None:
    keys = DataKeyProvider(vault.encrypt, Limits(1000, 60, 100))
    for size, calls in [(60, 1), (40, 1), (1, 2), (500, 3), (1, 4)]:
        await keys.acquire(size)
        assert vault.calls == calls


async def test_a_key_is_used_no_longer_than_its_limit(vault: Vault, clock: Clock) -> None:
    keys = DataKeyProvider(vault.encrypt, Limits(1000, 60, 2**30), clock)
    first, _ = await keys.acquire(1)
    clock.now = 59.9
    assert (await keys.acquire(1))[0] is first
    clock.now = 60
    assert (await keys.acquire(1))[0] is not first


async def test_the_next_key_names_the_new_version(vault: Vault) -> None:
    keys = DataKeyProvider(vault.encrypt, Limits(1, 60, 2**30))
    assert (await keys.acquire(1))[1].key_id == "v1"
    vault.version = "v2"
    assert (await keys.acquire(1))[1].key_id == "v2"


async def test_a_failure_reaches_everyone_who_waits_and_is_not_kept(vault: Vault) -> None:
    keys = DataKeyProvider(vault.encrypt, Limits(1000, 60, 2**30))
    vault.failing = True
    outcomes = await asyncio.gather(*(keys.acquire(1) for _ in range(5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionError] * 5
    assert vault.calls == 1
    vault.failing = False
    await keys.acquire(1)


async def test_a_caller_that_goes_away_leaves_the_others_their_key(vault: Vault) -> None:
    keys = DataKeyProvider(vault.encrypt, Limits(1000, 60, 2**30))
    gone, stays = asyncio.create_task(keys.acquire(1)), asyncio.create_task(keys.acquire(1))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    assert vault.calls == 1


async def test_a_key_is_dropped_after_a_fork(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = DataKeyProvider(vault.encrypt, Limits(1000, 60, 2**30))
    first, _ = await keys.acquire(1)
    child = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: child)
    assert (await keys.acquire(1))[0] is not first


def wrapped(number: int) -> WrappedKey:
    return WrappedKey("v1", bytes([number]) * 32)


async def test_one_wrapped_key_is_opened_once(vault: Vault) -> None:
    keys = DataKeyCache(vault.decrypt, 10, 60)
    await asyncio.gather(*(keys.open(wrapped(1)) for _ in range(100)))
    await keys.open(wrapped(1))
    assert vault.calls == 1
    await asyncio.gather(*(keys.open(wrapped(n)) for n in (1, 2, 3, 2)))
    assert vault.calls == 3


async def test_the_cache_is_bounded_and_keeps_what_was_used_last(vault: Vault) -> None:
    keys = DataKeyCache(vault.decrypt, 2, 60)
    for number in (1, 2, 1, 3):
        await keys.open(wrapped(number))
    assert vault.calls == 3
    await keys.open(wrapped(1))
    assert vault.calls == 3
    await keys.open(wrapped(2))
    assert vault.calls == 4


async def test_an_opened_key_is_kept_no_longer_than_its_time(vault: Vault, clock: Clock) -> None:
    keys = DataKeyCache(vault.decrypt, 10, 60, clock)
    await keys.open(wrapped(1))
    clock.now = 60
    await keys.open(wrapped(2))
    assert vault.calls == 2
    assert len(keys._kept) == 1
    await keys.open(wrapped(1))
    assert vault.calls == 3


async def test_what_is_not_a_data_key_is_refused_without_another_operation_for_a_while(
    vault: Vault, clock: Clock
) -> None:
    keys = DataKeyCache(vault.decrypt, 10, 60, clock)
    bad = WrappedKey("v1", b"short")
    for _ in range(50):
        with pytest.raises(DecryptionError, match="wrong-key: the data key is not 32 bytes long"):
            await keys.open(bad)
    assert vault.calls == 1
    clock.now = 60
    with pytest.raises(DecryptionError):
        await keys.open(bad)
    assert vault.calls == 2


async def test_what_was_refused_is_remembered_within_bounds(vault: Vault) -> None:
    keys = DataKeyCache(vault.decrypt, 10, 60)
    for number in range(10_100):
        with pytest.raises(DecryptionError):
            await keys.open(WrappedKey("v1", number.to_bytes(4, "big")))
    assert len(keys._refused) == 10_000


async def test_a_vault_that_is_away_is_asked_again(vault: Vault) -> None:
    keys = DataKeyCache(vault.decrypt, 10, 60)
    vault.failing = True
    with pytest.raises(ConnectionError):
        await keys.open(wrapped(1))
    vault.failing = False
    await keys.open(wrapped(1))
