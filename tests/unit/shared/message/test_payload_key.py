"""What the answers of the payload key's vault mean for a message."""

from __future__ import annotations

import pytest

from shared.azure.key_vault_id import KeyVaultId
from shared.azure.vault import (
    VaultDeniedError,
    VaultError,
    VaultRefusedError,
    VaultUnavailableError,
)
from shared.message.envelope import DecryptionError, WrappedKey
from shared.message.payload_key import PayloadKey

VERSION = "0123456789abcdef0123456789abcdef"
WRAPPED = b"yek atad".ljust(256, b".")
URL = "https://payload.vault.azure.net/keys/payload"


class Key:
    """A key that answers, or fails with `error`, and what it was asked."""

    def __init__(self) -> None:
        self.id = KeyVaultId.parse(URL, "keys")
        self.error: VaultError | None = None
        self.asked: list[tuple[str, bytes]] = []

    async def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        return f"{URL}/{VERSION}", plaintext[::-1].ljust(256, b".")

    async def decrypt(self, version: str, ciphertext: bytes) -> bytes:
        self.asked.append((version, ciphertext))
        if self.error:
            raise self.error
        return ciphertext.rstrip(b".")[::-1]

    async def close(self) -> None:
        pass


@pytest.fixture
def key() -> Key:
    return Key()


async def test_what_is_wrapped_names_its_version_and_is_unwrapped_with_it(key: Key) -> None:
    payload_key = PayloadKey(key)
    wrapped = await payload_key.encrypt(b"data key")
    assert wrapped == WrappedKey(f"{URL}/{VERSION}", WRAPPED)
    assert await payload_key.decrypt(wrapped) == b"data key"
    assert key.asked == [(VERSION, WRAPPED)]
    assert payload_key.url == URL


@pytest.mark.parametrize(
    "key_id",
    [
        "",
        URL,
        f"{URL}/",
        f"{URL}/latest",
        f"{URL}/{VERSION}/",
        f"{URL}/{VERSION}?api-version=7.4",
        f"{URL}/{VERSION.upper()}",
        f"{URL}2/{VERSION}",
        f"https://payload.vault.azure.net/keys/other/{VERSION}",
        f"https://payload.vault.azure.net/secrets/payload/{VERSION}",
        f"https://attacker.example/keys/payload/{VERSION}",
        f"https://payload.vault.azure.net@attacker.example/keys/payload/{VERSION}",
        f"http://payload.vault.azure.net/keys/payload/{VERSION}",
        f"{URL}/../other/{VERSION}",
    ],
)
async def test_a_message_picks_a_version_and_never_a_vault_or_a_key(key: Key, key_id: str) -> None:
    with pytest.raises(DecryptionError) as raised:
        await PayloadKey(key).decrypt(WrappedKey(key_id, WRAPPED))
    assert (raised.value.fault, key.asked) == ("wrong-key", [])


async def test_what_the_vault_cannot_decrypt_is_sealed_with_another_key(key: Key) -> None:
    key.error = VaultRefusedError("decrypt", "status 400", 400)
    with pytest.raises(DecryptionError) as raised:
        await PayloadKey(key).decrypt(WrappedKey(f"{URL}/{VERSION}", WRAPPED))
    assert raised.value.fault == "wrong-key"


@pytest.mark.parametrize(
    "error",
    [
        VaultUnavailableError("decrypt", "status 429", 429, retry_after=7.0),
        VaultDeniedError("decrypt", "status 403", 403),
    ],
)
async def test_a_vault_that_did_not_try_says_nothing_of_the_message(
    key: Key, error: VaultError
) -> None:
    key.error = error
    with pytest.raises(type(error)) as raised:
        await PayloadKey(key).decrypt(WrappedKey(f"{URL}/{VERSION}", WRAPPED))
    assert raised.value is error


@pytest.mark.parametrize("length", [0, 1, 32, 255, 257, 513, 100_000])
async def test_what_is_not_as_long_as_a_key_costs_the_vault_nothing(key: Key, length: int) -> None:
    with pytest.raises(DecryptionError) as raised:
        await PayloadKey(key).decrypt(WrappedKey(f"{URL}/{VERSION}", bytes(length)))
    assert (raised.value.fault, key.asked) == ("wrong-key", [])


@pytest.mark.parametrize("length", [256, 384, 512])
async def test_what_has_opened_shows_how_long_the_key_of_its_version_is(
    key: Key, length: int
) -> None:
    payload_key = PayloadKey(key)
    await payload_key.decrypt(WrappedKey(f"{URL}/{VERSION}", bytes(length)))
    for other in {256, 384, 512} - {length}:
        with pytest.raises(DecryptionError):
            await payload_key.decrypt(WrappedKey(f"{URL}/{VERSION}", bytes(other)))
        await payload_key.decrypt(WrappedKey(f"{URL}/{'f' * 32}", bytes(length)))
    assert {len(ciphertext) for _, ciphertext in key.asked} == {length}


async def test_a_denied_version_is_not_asked_for_again_within_seconds(key: Key) -> None:
    now = [0.0]
    payload_key = PayloadKey(key, lambda: now[0])
    key.error = VaultDeniedError("decrypt", "status 403", 403)
    for number in range(100):
        with pytest.raises(VaultDeniedError):
            await payload_key.decrypt(WrappedKey(f"{URL}/{VERSION}", bytes([number]) * 256))
    assert len(key.asked) == 1
    with pytest.raises(VaultDeniedError):
        await payload_key.decrypt(WrappedKey(f"{URL}/{'f' * 32}", WRAPPED))
    assert len(key.asked) == 2, "another version may well be enabled"
    key.error, now[0] = None, 5.0
    assert await payload_key.decrypt(WrappedKey(f"{URL}/{VERSION}", WRAPPED)) == b"data key"
