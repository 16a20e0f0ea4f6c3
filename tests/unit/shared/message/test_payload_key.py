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
URL = "https://payload.vault.azure.net/keys/payload"


class Key:
    """A key that answers, or fails with `error`, and what it was asked."""

    def __init__(self) -> None:
        self.id = KeyVaultId.parse(URL, "keys")
        self.error: VaultError | None = None
        self.asked: list[tuple[str, bytes]] = []

    async def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        return f"{URL}/{VERSION}", plaintext[::-1]

    async def decrypt(self, version: str, ciphertext: bytes) -> bytes:
        self.asked.append((version, ciphertext))
        if self.error:
            raise self.error
        return ciphertext[::-1]

    async def close(self) -> None:
        pass


@pytest.fixture
def key() -> Key:
    return Key()


async def test_what_is_wrapped_names_its_version_and_is_unwrapped_with_it(key: Key) -> None:
    payload_key = PayloadKey(key)
    wrapped = await payload_key.encrypt(b"data key")
    assert wrapped == WrappedKey(f"{URL}/{VERSION}", b"yek atad")
    assert await payload_key.decrypt(wrapped) == b"data key"
    assert key.asked == [(VERSION, b"yek atad")]
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
        await PayloadKey(key).decrypt(WrappedKey(key_id, b"x"))
    assert (raised.value.fault, key.asked) == ("wrong-key", [])


async def test_what_the_vault_cannot_decrypt_is_sealed_with_another_key(key: Key) -> None:
    key.error = VaultRefusedError("decrypt", "status 400", 400)
    with pytest.raises(DecryptionError) as raised:
        await PayloadKey(key).decrypt(WrappedKey(f"{URL}/{VERSION}", b"x"))
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
        await PayloadKey(key).decrypt(WrappedKey(f"{URL}/{VERSION}", b"x"))
    assert raised.value is error
