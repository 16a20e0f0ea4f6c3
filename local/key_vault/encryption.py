"""Encryption by RSA as Key Vault does it, with the sizes it takes and the errors it gives."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from local.key_vault.errors import bad_parameter

_HASHES: Mapping[str, type[hashes.SHA1 | hashes.SHA256]] = {
    "RSA-OAEP": hashes.SHA1,
    "RSA-OAEP-256": hashes.SHA256,
}
_PKCS1 = "RSA1_5"
_PKCS1_OVERHEAD = 11  # bytes


def encrypt(key: rsa.RSAPublicKey, algorithm: object, plaintext: bytes) -> bytes:
    """Encrypt. Raises KeyVaultError (400) for an unknown algorithm or too long a plaintext."""
    scheme, overhead = _scheme(algorithm)
    limit = key.key_size // 8 - overhead
    if len(plaintext) > limit:
        raise bad_parameter(f"The value is longer than {limit} bytes, the most this key takes.")
    return key.encrypt(plaintext, scheme)


def decrypt(key: rsa.RSAPrivateKey, algorithm: object, ciphertext: bytes) -> bytes:
    """Decrypt. Raises KeyVaultError (400) for an unknown algorithm or what does not decrypt."""
    scheme, _ = _scheme(algorithm)
    if len(ciphertext) != key.key_size // 8:
        raise bad_parameter(f"The value must be {key.key_size // 8} bytes long for this key.")
    try:
        return key.decrypt(ciphertext, scheme)
    except ValueError:
        raise bad_parameter("Error occurred while decoding OAEP padding.") from None


def _scheme(algorithm: object) -> tuple[padding.AsymmetricPadding, int]:
    """Return the padding, and how many bytes of the modulus it takes."""
    if algorithm == _PKCS1:
        return padding.PKCS1v15(), _PKCS1_OVERHEAD
    if not isinstance(algorithm, str) or algorithm not in _HASHES:
        raise bad_parameter(f"Property 'alg' must be one of {', '.join(_HASHES)}, {_PKCS1}.")
    digest = _HASHES[algorithm]
    # RFC 7518, section 4.3: the mask generation uses the hash of the encoding itself; RFC 8017,
    # section 7.1.1: what OAEP takes of the modulus.
    oaep = padding.OAEP(mgf=padding.MGF1(digest()), algorithm=digest(), label=None)
    return oaep, 2 * digest.digest_size + 2
