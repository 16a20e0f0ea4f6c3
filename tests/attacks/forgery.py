"""Tokens that nobody issued: altered, signed with another key, or not signed at all."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

Forge = Callable[[str, str], str]
OWN_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    header, claims, signature = token.split(".")
    return decoded(header), decoded(claims), signature


def decoded(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def encoded(part: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def altered(**changes: object) -> Forge:
    """Change claims and keep the signature."""

    def forge(token: str, _url: str) -> str:
        header, claims, signature = parts(token)
        return f"{encoded(header)}.{encoded(claims | changes)}.{signature}"

    return forge


def signed_anew(**more: object) -> Forge:
    """Sign with a key of one's own, under the issuer's key id; the header may say where it is."""

    def forge(token: str, url: str) -> str:
        header, claims, _ = parts(token)
        places = {name: url for name in ("jku", "x5u") if name in more}
        return jwt.encode(claims, OWN_KEY, "RS256", headers=header | more | places)

    return forge


def unsigned(algorithm: str) -> Forge:
    def forge(token: str, _url: str) -> str:
        _, claims, _ = parts(token)
        return f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{encoded(claims)}."

    return forge


def by_secret(secret: bytes) -> Forge:
    """Sign as HMAC does, with something that is not a secret."""

    def forge(token: str, _url: str) -> str:
        header, claims, _ = parts(token)
        text = f"{encoded(header | {'alg': 'HS256'})}.{encoded(claims)}"
        signature = base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), hashlib.sha256))
        return f"{text}.{signature.rstrip(b'=').decode()}"

    return forge


JWK = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(OWN_KEY.public_key()))
FORGED: dict[str, Forge] = {
    "own key": signed_anew(),
    "own key in the header": signed_anew(jwk=JWK),
    "own key at a place": signed_anew(jku="", x5u=""),
    "own key in a chain": signed_anew(x5c=["AAAA"]),
    "a key id that is a path": signed_anew(kid="../../../../dev/null"),
    "another's object id": altered(oid="00000000-0000-4000-8000-000000000000"),
    "longer": altered(exp=int(time.time()) + 10**6),
    "another tenant": altered(tid="00000000-0000-4000-8000-000000000000"),
    "alg none": unsigned("none"),
    "alg None": unsigned("None"),
    "alg nOnE": unsigned("nOnE"),
    "alg of no text": lambda token, _: f"{encoded({'alg': None})}.{token.split('.')[1]}.",
    "no secret": by_secret(b""),
    "no signature": lambda token, _: token.rpartition(".")[0] + ".",
    "half a signature": lambda token, _: token[:-80],
    "two parts": lambda token, _: token.rpartition(".")[0],
    "two tokens": lambda token, _: f"{token},{token}",
    "nested deep": lambda _, __: f"{encoded({'alg': 'RS256'})}.{'W1tb' * 1500}.AAAA",
}
