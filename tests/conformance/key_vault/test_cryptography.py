"""What keys do, by Microsoft's clients, with the vault doing it and not the client."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.crypto import CryptographyClient, EncryptionAlgorithm, KeyWrapAlgorithm
from azure.keyvault.keys.crypto import SignatureAlgorithm as Signature

from tests.conformance.target import Target

Unused = Callable[[str], str]
DIGESTS = {
    "256": hashlib.sha256,
    "384": hashlib.sha384,
    "512": hashlib.sha512,
    "56K": hashlib.sha256,
}
RSA = [
    *(Signature.rs256, Signature.rs384, Signature.rs512),
    *(Signature.ps256, Signature.ps384, Signature.ps512),
]


@contextmanager
def remote(client: KeyClient, key: Any) -> Iterator[CryptographyClient]:
    found = client.get_cryptography_client(key.name, key_version=key.properties.version)
    # The client does by itself what the public half of the key is enough for, unless it is
    # forbidden to get it.
    found._keys_get_forbidden = True
    yield found


@pytest.mark.conformance("Key Vault keys", "encrypt, decrypt: RSA-OAEP, RSA-OAEP-256, RSA1_5")
@pytest.mark.conformance("Key Vault keys", "wrap, unwrap: RSA-OAEP, RSA-OAEP-256, RSA1_5")
def test_what_is_encrypted_decrypts(target: Target, unused: Unused) -> None:
    with target.keys() as client:
        key = client.create_rsa_key(unused("rsa"))
        with remote(client, key) as crypto:
            for algorithm in ("RSA-OAEP", "RSA-OAEP-256", "RSA1_5"):
                sealed = crypto.encrypt(EncryptionAlgorithm(algorithm), b"a data key")
                assert sealed.key_id == key.id
                opened = crypto.decrypt(EncryptionAlgorithm(algorithm), sealed.ciphertext)
                assert opened.plaintext == b"a data key"
                wrapped = crypto.wrap_key(KeyWrapAlgorithm(algorithm), b"a data key")
                unwrapped = crypto.unwrap_key(KeyWrapAlgorithm(algorithm), wrapped.encrypted_key)
                assert unwrapped.key == b"a data key"


@pytest.mark.conformance("Key Vault keys", "sign, verify")
@pytest.mark.parametrize(
    ("kind", "algorithms"),
    [
        ("RSA", RSA),
        ("P-256", [Signature.es256]),
        ("P-384", [Signature.es384]),
        ("P-521", [Signature.es512]),
        ("P-256K", [Signature.es256_k]),
    ],
)
def test_signatures_verify_here_and_by_the_client(
    target: Target, unused: Unused, kind: str, algorithms: list[Signature]
) -> None:
    with target.keys() as client:
        name = unused("signs")
        key = (
            client.create_rsa_key(name) if kind == "RSA" else client.create_ec_key(name, curve=kind)
        )
        with remote(client, key) as crypto:
            local = CryptographyClient.from_jwk(key.key)
            for algorithm in algorithms:
                digest = DIGESTS[algorithm.value[-3:]](b"what is signed").digest()
                signature = crypto.sign(algorithm, digest).signature
                assert crypto.verify(algorithm, digest, signature).is_valid
                assert local.verify(algorithm, digest, signature).is_valid
                assert not crypto.verify(algorithm, digest, signature[::-1]).is_valid


@pytest.mark.conformance("Key Vault keys", "enabled, not before and expires, enforced")
def test_a_key_out_of_its_time_only_opens(target: Target, unused: Unused) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    with target.keys() as client:
        key = client.create_rsa_key(unused("late"))
        request = {"alg": "RSA-OAEP", "value": "AAAA"}
        sealed = send(client, f"keys/{key.name}//encrypt", request)
        client.update_key_properties(key.name, expires_on=past)
        with pytest.raises(HttpResponseError) as refused:
            send(client, f"keys/{key.name}//encrypt", request)
        assert refused.value.status_code == 403
        opened = send(client, f"keys/{key.name}//decrypt", {**request, "value": sealed["value"]})
        assert opened["value"] == "AAAA"
        client.update_key_properties(key.name, enabled=False)
        with pytest.raises(HttpResponseError, match="disabled key"):
            send(client, f"keys/{key.name}//decrypt", {**request, "value": sealed["value"]})


def test_random_bytes(target: Target) -> None:
    if target.is_azure:
        pytest.skip("in Azure only a Managed HSM has them")
    with target.keys() as client:
        assert len(client.get_random_bytes(32)) == 32


def send(client: KeyClient, path: str, body: dict[str, str]) -> dict[str, str]:
    """Make one request, whatever the client knows of the key."""
    response = client.send_request(HttpRequest("POST", path, json=body))
    response.raise_for_status()
    found: dict[str, str] = response.json()
    return found
