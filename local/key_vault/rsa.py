"""RSA-OAEP as Key Vault does it, with the sizes it takes and the errors it gives."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from local.key_vault.errors import bad_parameter

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*={0,2}", re.ASCII)
_HASHES: Mapping[str, type[hashes.SHA1 | hashes.SHA256]] = {
    "RSA-OAEP": hashes.SHA1,
    "RSA-OAEP-256": hashes.SHA256,
}


def to_base64url(data: bytes) -> str:
    """Encode without padding (RFC 7515, appendix C)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_base64url(text: object) -> bytes:
    """Decode, with or without padding. Raises KeyVaultError (400) for anything else."""
    if not isinstance(text, str) or not text:
        raise bad_parameter("Property 'value' is required.\r\n")
    bare = text.rstrip("=")
    if not _BASE64URL.fullmatch(text) or len(bare) % 4 == 1:
        raise bad_parameter("Content of 'value' is not base64url.\r\n")
    return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


def encrypt(key: rsa.RSAPublicKey, algorithm: object, plaintext: bytes) -> bytes:
    """Encrypt. Raises KeyVaultError (400) for an unknown algorithm or too long a plaintext."""
    digest = _hash(algorithm)
    # RFC 8017, section 7.1.1: what OAEP leaves of the modulus.
    limit = key.key_size // 8 - 2 * digest.digest_size - 2
    if len(plaintext) > limit:
        raise bad_parameter(f"The value is longer than {limit} bytes, the most this key takes.")
    return key.encrypt(plaintext, _oaep(digest))


def decrypt(key: rsa.RSAPrivateKey, algorithm: object, ciphertext: bytes) -> bytes:
    """Decrypt. Raises KeyVaultError (400) for an unknown algorithm or what does not decrypt."""
    digest = _hash(algorithm)
    if len(ciphertext) != key.key_size // 8:
        raise bad_parameter(f"The value must be {key.key_size // 8} bytes long for this key.")
    try:
        return key.decrypt(ciphertext, _oaep(digest))
    except ValueError:
        raise bad_parameter("Error occurred while decoding OAEP padding.") from None


def _hash(algorithm: object) -> type[hashes.SHA1 | hashes.SHA256]:
    if not isinstance(algorithm, str) or algorithm not in _HASHES:
        raise bad_parameter(f"Property 'alg' must be one of {', '.join(_HASHES)}.")
    return _HASHES[algorithm]


def _oaep(digest: type[hashes.SHA1 | hashes.SHA256]) -> padding.OAEP:
    # RFC 7518, section 4.3: the mask generation uses the hash of the encoding itself.
    return padding.OAEP(mgf=padding.MGF1(digest()), algorithm=digest(), label=None)
