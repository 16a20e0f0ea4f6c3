"""The keys that a vault makes and imports: RSA and elliptic curves, as JSON Web Keys and on disk.

Source: "Key types, algorithms, and operations"; RFC 7518, section 6, for the members of a JSON Web
Key; RFC 8812 for the curve that Key Vault calls P-256K.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from local.key_vault.base64url import from_base64url, to_base64url
from local.key_vault.errors import bad_parameter

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

KEY_TYPES = ("RSA", "RSA-HSM", "EC", "EC-HSM")
KEY_SIZES = (2048, 3072, 4096)  # bits, of RSA
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "RSA": ("encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"),
    "EC": ("sign", "verify"),
}
CURVES: Mapping[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "P-256K": ec.SECP256K1(),
}
_CURVE_NAMES = {curve.name: name for name, curve in CURVES.items()}
_EXPONENT = 65537


def family(kty: str) -> str:
    """Return RSA or EC for a type of key; those of an HSM are the same keys."""
    return kty.removesuffix("-HSM")


def generate(kty: str, size: int, curve: str) -> PrivateKey:
    """Make a key: RSA of `size` bits, or EC on `curve`."""
    if family(kty) == "RSA":
        return rsa.generate_private_key(public_exponent=_EXPONENT, key_size=size)
    return ec.generate_private_key(CURVES[curve])


def generate_like(key: PrivateKey) -> PrivateKey:
    """Make another key of the same type and size."""
    if isinstance(key, rsa.RSAPrivateKey):
        return generate("RSA", key.key_size, "")
    return ec.generate_private_key(key.curve)


def public_members(key: PrivateKey) -> dict[str, str]:
    """Return the members of the public half of a key."""
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"n": _text(numbers.n), "e": _text(numbers.e)}
    point, length = key.public_key().public_numbers(), curve_bytes(key)
    return {
        "crv": _CURVE_NAMES[key.curve.name],
        # RFC 7518, section 6.2.1.2: as long as the curve's field, zeros in front included.
        "x": to_base64url(point.x.to_bytes(length, "big")),
        "y": to_base64url(point.y.to_bytes(length, "big")),
    }


def curve_bytes(key: ec.EllipticCurvePrivateKey) -> int:
    """Return how many bytes a coordinate of a key's curve takes."""
    return (key.curve.key_size + 7) // 8


def from_rsa_members(members: Mapping[str, str]) -> rsa.RSAPrivateKey:
    """Read n, e and d, and p, q, dp, dq, qi where they are given.

    Raises KeyVaultError (400) for what is missing, malformed or does not fit together.
    """
    n, e, d = (_number(members, name) for name in ("n", "e", "d"))
    try:
        if "p" in members:
            p, q = _number(members, "p"), _number(members, "q")
        else:
            p, q = rsa.rsa_recover_prime_factors(n, e, d)
        dp = _number(members, "dp") if "dp" in members else rsa.rsa_crt_dmp1(d, p)
        dq = _number(members, "dq") if "dq" in members else rsa.rsa_crt_dmq1(d, q)
        qi = _number(members, "qi") if "qi" in members else rsa.rsa_crt_iqmp(p, q)
        key = rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, rsa.RSAPublicNumbers(e, n)).private_key()
    except (ValueError, ZeroDivisionError, OverflowError):
        raise bad_parameter("The members of 'key' are not those of an RSA key.") from None
    if key.key_size not in KEY_SIZES:
        raise bad_parameter("An RSA key must have 2048, 3072 or 4096 bits.")
    return key


def from_ec_members(members: Mapping[str, str], curve: str) -> ec.EllipticCurvePrivateKey:
    """Read x, y and d. Raises KeyVaultError (400), as `from_rsa_members` does."""
    x, y, d = (_number(members, name) for name in ("x", "y", "d"))
    try:
        point = ec.EllipticCurvePublicNumbers(x, y, CURVES[curve])
        return ec.EllipticCurvePrivateNumbers(d, point).private_key()
    except (ValueError, UnsupportedAlgorithm):
        raise bad_parameter(f"The members of 'key' are not those of a key on {curve}.") from None


def to_pem(key: PrivateKey) -> bytes:
    """Write a private key."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def from_pem(data: bytes) -> PrivateKey:
    """Read a private key. Raises ValueError, and TypeError for another kind of key."""
    key = serialization.load_pem_private_key(data, password=None)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError("neither an RSA key nor one on a curve")
    return key


def _number(members: Mapping[str, str], name: str) -> int:
    if name not in members:
        raise bad_parameter(f"Property 'key.{name}' is missing: the whole private key is needed.")
    return int.from_bytes(from_base64url(members[name], f"key.{name}"), "big")


def _text(number: int) -> str:
    # RFC 7518, section 2: in as few bytes as hold it.
    return to_base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))
