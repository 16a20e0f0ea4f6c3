"""Signatures of digests as Key Vault makes and verifies them.

Source: "Key types, algorithms, and operations"; RFC 7518, section 3, for the form of a signature.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

from local.key_vault.errors import bad_parameter
from local.key_vault.key_types import CURVES, PrivateKey, curve_bytes

_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_RSA = tuple(f"{scheme}{bits}" for scheme in ("PS", "RS") for bits in _HASHES)
# Each algorithm is for one curve.
_EC = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "P-256K"}


def sign(key: PrivateKey, algorithm: str, digest: bytes) -> bytes:
    """Sign a digest. Raises KeyVaultError (400) if key, algorithm and digest do not fit."""
    chosen = _hash(key, algorithm, digest)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(digest, _padding(algorithm, chosen), Prehashed(chosen))
    r, s = decode_dss_signature(key.sign(digest, ec.ECDSA(Prehashed(chosen))))
    length = curve_bytes(key)
    # RFC 7518, section 3.4: both numbers one after the other, not the DER that libraries make.
    return r.to_bytes(length, "big") + s.to_bytes(length, "big")


def verify(key: PrivateKey, algorithm: str, digest: bytes, signature: bytes) -> bool:
    """Return whether a signature is valid. Raises KeyVaultError (400), as `sign` does."""
    chosen = _hash(key, algorithm, digest)
    try:
        if isinstance(key, rsa.RSAPrivateKey):
            scheme = _padding(algorithm, chosen)
            key.public_key().verify(signature, digest, scheme, Prehashed(chosen))
            return True
        length = curve_bytes(key)
        if len(signature) != 2 * length:
            return False
        r, s = (int.from_bytes(half, "big") for half in (signature[:length], signature[length:]))
        encoded = encode_dss_signature(r, s)
        key.public_key().verify(encoded, digest, ec.ECDSA(Prehashed(chosen)))
    except InvalidSignature:
        return False
    return True


def _hash(key: PrivateKey, algorithm: str, digest: bytes) -> hashes.HashAlgorithm:
    if isinstance(key, rsa.RSAPrivateKey):
        allowed: tuple[str, ...] = _RSA
    else:
        allowed = tuple(n for n, curve in _EC.items() if CURVES[curve].name == key.curve.name)
    if algorithm not in allowed:
        raise bad_parameter(f"Property 'alg' must be one of {', '.join(allowed)} for this key.")
    chosen = _HASHES[algorithm.removesuffix("K")[-3:]]
    if len(digest) != chosen.digest_size:
        raise bad_parameter(f"The digest must be {chosen.digest_size} bytes long for {algorithm}.")
    return chosen


def _padding(algorithm: str, chosen: hashes.HashAlgorithm) -> padding.AsymmetricPadding:
    if algorithm.startswith("RS"):
        return padding.PKCS1v15()
    # RFC 7518, section 3.5: the salt is as long as the hash.
    return padding.PSS(mgf=padding.MGF1(chosen), salt_length=chosen.digest_size)
