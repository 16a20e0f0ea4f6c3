"""The documented first steps with keys and secrets, by the synchronous and asynchronous SDKs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from azure.core.exceptions import HttpResponseError
from azure.keyvault.keys.crypto import EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm

from tests.conformance.target import Target


@pytest.mark.conformance("Key Vault secrets", "set and get")
def test_a_secret_is_set_and_read(target: Target, unused: Callable[[str], str]) -> None:
    name = unused("secret")
    with target.secrets() as client:
        client.set_secret(name, "a value")
        assert client.get_secret(name).value == "a value"


@pytest.mark.conformance("Key Vault secrets", "set and get")
async def test_a_secret_is_set_and_read_asynchronously(
    target: Target, unused: Callable[[str], str]
) -> None:
    name = unused("secret")
    async with target.secrets_async() as client:
        await client.set_secret(name, "a value")
        assert (await client.get_secret(name)).value == "a value"
        assert name in [one.name async for one in client.list_properties_of_secrets()]


DIGEST = hashlib.sha256(b"a document").digest()


@pytest.mark.conformance("Key Vault keys", "create, use and delete")
def test_a_key_is_created_used_and_deleted(target: Target, unused: Callable[[str], str]) -> None:
    name = unused("key")
    with target.keys() as client:
        key = client.create_rsa_key(name)
        crypto = client.get_cryptography_client(name)
        encrypted = crypto.encrypt(EncryptionAlgorithm.rsa_oaep_256, b"a payload")
        decrypted = crypto.decrypt(encrypted.algorithm, encrypted.ciphertext)
        assert decrypted.plaintext == b"a payload"
        wrapped = crypto.wrap_key(KeyWrapAlgorithm.rsa_oaep, b"a data key")
        assert crypto.unwrap_key(wrapped.algorithm, wrapped.encrypted_key).key == b"a data key"
        signed = crypto.sign(SignatureAlgorithm.ps256, DIGEST)
        assert crypto.verify(signed.algorithm, DIGEST, signed.signature).is_valid
        client.update_key_properties(name, tags={"a": "b"})
        assert client.get_key(name).properties.tags == {"a": "b"}
        versions = client.list_properties_of_key_versions(name)
        assert [one.version for one in versions] == [key.properties.version]
        client.begin_delete_key(name).wait()
        assert name in [one.name for one in client.list_deleted_keys()]


@pytest.mark.conformance("Key Vault keys", "create, use and delete")
async def test_a_key_is_created_used_and_deleted_asynchronously(
    target: Target, unused: Callable[[str], str]
) -> None:
    name = unused("key")
    async with target.keys_async() as client:
        key = await client.create_rsa_key(name)
        crypto = client.get_cryptography_client(name)
        encrypted = await crypto.encrypt(EncryptionAlgorithm.rsa_oaep_256, b"a payload")
        decrypted = await crypto.decrypt(encrypted.algorithm, encrypted.ciphertext)
        assert decrypted.plaintext == b"a payload"
        wrapped = await crypto.wrap_key(KeyWrapAlgorithm.rsa_oaep, b"a data key")
        unwrapped = await crypto.unwrap_key(wrapped.algorithm, wrapped.encrypted_key)
        assert unwrapped.key == b"a data key"
        signed = await crypto.sign(SignatureAlgorithm.ps256, DIGEST)
        assert (await crypto.verify(signed.algorithm, DIGEST, signed.signature)).is_valid
        await client.update_key_properties(name, tags={"a": "b"})
        assert (await client.get_key(name)).properties.tags == {"a": "b"}
        versions = client.list_properties_of_key_versions(name)
        assert [one.version async for one in versions] == [key.properties.version]
        await client.delete_key(name)
        assert name in [one.name async for one in client.list_deleted_keys()]


@pytest.mark.conformance("Key Vault secrets", "refused without a right")
def test_a_caller_without_a_right_is_refused(target: Target) -> None:
    with target.secrets(caller="stranger") as client, pytest.raises(HttpResponseError) as refused:
        client.get_secret("any")
    assert refused.value.status_code == 403
