"""Access tokens of managed identities: issued and verified."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from local.deployment.resources import Identity
from local.identity.token_ids import TokenIds

Reason = Literal["malformed", "signature", "audience", "issuer", "expired", "not yet valid"]
_CLAIMS = ("aud", "iss", "iat", "nbf", "exp", "oid", "appid", "tid")


class InvalidTokenError(Exception):
    """A token that is not valid; `reason` says why, and nothing of the token.

    `audience` is what a token is for that is for another service; empty in all other cases.
    """

    def __init__(self, reason: Reason, audience: str = "") -> None:
        super().__init__(f"invalid token: {reason}")
        self.reason = reason
        self.audience = audience


@dataclass(frozen=True)
class Token:
    """A token; times are seconds since 1970."""

    value: str = field(repr=False)
    resource: str
    client_id: str
    expires_on: int
    expires_in: int


@dataclass(frozen=True)
class Claims:
    """The claims of a valid token; `expires_on` is in seconds since 1970.

    `issued_to` is the name of who requested it, which only the issuer can read.
    """

    principal_id: str
    client_id: str
    tenant_id: str
    issuer: str
    audience: str
    expires_on: int
    issued_to: str | None = None


class TokenIssuer:
    """Signs tokens with a key that lives as long as this object.

    `seconds` is the lifetime of tokens made from now on, and may be set at any time. The
    claims are those of a version 1.0 token of Microsoft Entra ID for a managed identity.
    """

    def __init__(self, tenant_id: str, lifetime: timedelta = timedelta(hours=1)) -> None:
        self.tenant_id = tenant_id
        self.name = f"https://sts.windows.net/{tenant_id}/"
        self.seconds = int(lifetime.total_seconds())
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._key_id = secrets.token_urlsafe(16)
        self._ids = TokenIds()

    def issue(self, identity: Identity, resource: str, to: str = "") -> Token:
        """Make a token of an identity for a resource, `https://vault.azure.net` for example.

        `to` is the name of the app, or other caller, that requests it.
        """
        now = int(time.time())
        expires_on = now + self.seconds
        claims: dict[str, str | int] = {
            "aud": resource,
            "iss": self.name,
            "iat": now,
            "nbf": now,
            "exp": expires_on,
            "oid": identity.principal_id,
            "sub": identity.principal_id,
            "appid": identity.client_id,
            "tid": self.tenant_id,
            "xms_mirid": identity.resource_id,
            "uti": self._ids.make(to),
            "ver": "1.0",
        }
        value = jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._key_id})
        return Token(value, resource, identity.client_id, expires_on, self.seconds)

    def revoke(self) -> None:
        """Make all tokens issued so far count as expired."""
        # A token names the key id of its time, and the signature covers it; a clock of whole
        # seconds could not distinguish a token made just before from one made just after.
        self._key_id = secrets.token_urlsafe(16)

    def verify(self, token: str, audience: str) -> Claims:
        """Return the claims of a token that this issuer made for an audience and that is in force.

        A trailing slash of an audience makes no difference. Raises `InvalidTokenError`.
        """
        bare = audience.rstrip("/")
        try:
            claims = jwt.decode(
                token,
                self._key.public_key(),
                # One algorithm, chosen here and not by the token: `none`, or HMAC with the public
                # key as its secret, would let anybody sign.
                algorithms=["RS256"],
                audience=[bare, f"{bare}/"],
                issuer=self.name,
                options={"require": list(_CLAIMS)},
            )
            found = replace(_claims(claims), issued_to=self._ids.read(claims.get("uti")) or None)
            if jwt.get_unverified_header(token).get("kid") != self._key_id:
                raise InvalidTokenError("expired")
            return found
        except jwt.InvalidAudienceError:
            # The signature has been verified by then: the audience is one that was asked for here.
            raise InvalidTokenError("audience", _audience(token)) from None
        except jwt.PyJWTError as error:
            raise InvalidTokenError(_reason(error)) from None
        except (TypeError, ValueError, RecursionError):
            raise InvalidTokenError("malformed") from None


def _claims(claims: dict[str, object]) -> Claims:
    return Claims(
        principal_id=_text(claims, "oid"),
        client_id=_text(claims, "appid"),
        tenant_id=_text(claims, "tid"),
        issuer=_text(claims, "iss"),
        audience=_text(claims, "aud"),
        expires_on=int(str(claims["exp"])),
    )


def _audience(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False}).get("aud", ""))


def _text(claims: dict[str, object], name: str) -> str:
    value = claims[name]
    if not isinstance(value, str):
        raise InvalidTokenError("malformed")
    return value


def _reason(error: jwt.PyJWTError) -> Reason:
    if isinstance(error, jwt.ExpiredSignatureError):
        return "expired"
    if isinstance(error, jwt.ImmatureSignatureError):
        return "not yet valid"
    if isinstance(error, jwt.InvalidIssuerError):
        return "issuer"
    if isinstance(error, jwt.InvalidSignatureError | jwt.InvalidAlgorithmError):
        return "signature"
    return "malformed"
