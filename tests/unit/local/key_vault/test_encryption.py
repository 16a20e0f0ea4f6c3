from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from local.key_vault.base64url import from_base64url, to_base64url
from local.key_vault.encryption import decrypt, encrypt
from local.key_vault.errors import KeyVaultError

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = KEY.public_key()


@pytest.mark.parametrize(
    ("algorithm", "limit"), [("RSA-OAEP-256", 190), ("RSA-OAEP", 214), ("RSA1_5", 245)]
)
def test_what_was_encrypted_decrypts_up_to_the_limit(algorithm: str, limit: int) -> None:
    for size in (1, 32, limit):
        plaintext = os.urandom(size)
        assert decrypt(KEY, algorithm, encrypt(PUBLIC, algorithm, plaintext)) == plaintext
    with pytest.raises(KeyVaultError, match=str(limit)):
        encrypt(PUBLIC, algorithm, bytes(limit + 1))


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("RSA-OAEP-256", hashes.SHA256()),
        ("RSA-OAEP", hashes.SHA1()),  # noqa: S303 - the standard says so
    ],
)
def test_the_padding_is_that_of_the_standard(algorithm: str, digest: hashes.HashAlgorithm) -> None:
    oaep = padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=None)
    assert KEY.decrypt(encrypt(PUBLIC, algorithm, b"x"), oaep) == b"x"
    assert decrypt(KEY, algorithm, PUBLIC.encrypt(b"x", oaep)) == b"x"


def test_one_algorithm_does_not_open_what_the_other_made() -> None:
    with pytest.raises(KeyVaultError, match="OAEP padding"):
        decrypt(KEY, "RSA-OAEP", encrypt(PUBLIC, "RSA-OAEP-256", b"x"))


@pytest.mark.parametrize("algorithm", [None, "", "RSA2", "rsa-oaep", 1, ["RSA-OAEP"], {}])
def test_other_algorithms_are_refused(algorithm: object) -> None:
    with pytest.raises(KeyVaultError) as caught:
        encrypt(PUBLIC, algorithm, b"x")
    assert (caught.value.status, caught.value.code) == (400, "BadParameter")
    with pytest.raises(KeyVaultError):
        decrypt(KEY, algorithm, bytes(256))


@given(st.binary(max_size=300))
def test_garbage_is_refused(ciphertext: bytes) -> None:
    with pytest.raises(KeyVaultError) as caught:
        decrypt(KEY, "RSA-OAEP-256", ciphertext)
    assert (caught.value.status, caught.value.code) == (400, "BadParameter")


@given(st.binary(min_size=256, max_size=256))
def test_garbage_of_the_right_size_is_refused(ciphertext: bytes) -> None:
    with pytest.raises(KeyVaultError):
        decrypt(KEY, "RSA-OAEP-256", ciphertext)


@given(st.binary(min_size=1))
def test_base64url(data: bytes) -> None:
    text = to_base64url(data)
    assert "=" not in text
    assert from_base64url(text) == data
    assert from_base64url(text + "=" * (-len(text) % 4)) == data


@pytest.mark.parametrize(
    "text", [None, "", 1, [], "a", "a+b/", "ab c", "é", "ab=c", "abcde", "a==="]
)
def test_what_is_not_base64url(text: object) -> None:
    with pytest.raises(KeyVaultError) as caught:
        from_base64url(text)
    assert (caught.value.status, caught.value.code) == (400, "BadParameter")
