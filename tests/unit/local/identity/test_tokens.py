from __future__ import annotations

import base64
import json
import string
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, hmac, serialization
from hypothesis import given
from hypothesis import strategies as st

from local.deployment.resources import Identity
from local.identity.tokens import InvalidTokenError, TokenIssuer

TENANT = "00000000-0000-4000-8000-000000000002"
VAULT = "https://vault.azure.net"
BUS = "https://servicebus.azure.net"
IDENTITY = Identity("/identities/encrypt", "encrypt", "principal-1", "client-1")

ISSUER = TokenIssuer(TENANT)
OTHER = TokenIssuer(TENANT)
TOKEN = ISSUER.issue(IDENTITY, VAULT).value
CHARACTERS = string.ascii_letters + string.digits + "-_.=+/ \n\0\u0430"
Claims = dict[str, Any]


def claims_of(value: str) -> Claims:
    claims: Claims = jwt.decode(value, options={"verify_signature": False})
    return claims


def signed(change: Callable[[Claims], object], algorithm: str = "RS256") -> str:
    claims = claims_of(ISSUER.issue(IDENTITY, VAULT).value)
    change(claims)
    return jwt.encode(claims, ISSUER._key, algorithm=algorithm)


def reason(token: str, audience: str = VAULT) -> str:
    with pytest.raises(InvalidTokenError) as caught:
        ISSUER.verify(token, audience)
    assert token == "" or token not in str(caught.value)
    return caught.value.reason


def test_a_token_speaks_for_its_identity() -> None:
    token = ISSUER.issue(IDENTITY, VAULT)
    claims = ISSUER.verify(token.value, VAULT)
    assert claims.principal_id == "principal-1"
    assert claims.client_id == "client-1"
    assert claims.tenant_id == TENANT
    assert claims.issuer == f"https://sts.windows.net/{TENANT}/"
    assert claims.expires_on == token.expires_on
    assert token.expires_in == 3600
    assert abs(token.expires_on - time.time() - 3600) < 60


def test_the_claims_are_those_of_a_managed_identity() -> None:
    token = ISSUER.issue(IDENTITY, BUS)
    claims = claims_of(token.value)
    assert claims["aud"] == BUS
    assert claims["oid"] == claims["sub"] == "principal-1"
    assert claims["appid"] == "client-1"
    assert claims["tid"] == TENANT
    assert claims["xms_mirid"] == "/identities/encrypt"
    assert jwt.get_unverified_header(token.value)["alg"] == "RS256"


@pytest.mark.parametrize("asked", [VAULT, f"{VAULT}/"])
@pytest.mark.parametrize("expected", [VAULT, f"{VAULT}/"])
def test_a_slash_at_the_end_of_an_audience_makes_no_difference(asked: str, expected: str) -> None:
    assert ISSUER.verify(ISSUER.issue(IDENTITY, asked).value, expected).audience == asked


def test_a_token_is_for_one_service() -> None:
    assert reason(ISSUER.issue(IDENTITY, BUS).value, VAULT) == "audience"
    assert reason(ISSUER.issue(IDENTITY, f"{VAULT}.evil.example").value) == "audience"


def test_a_token_of_another_issuer_is_not_believed() -> None:
    assert reason(OTHER.issue(IDENTITY, VAULT).value) == "signature"


def test_a_token_of_another_tenant_is_not_believed() -> None:
    other = "https://sts.windows.net/another/"
    assert reason(signed(lambda claims: claims.update(iss=other))) == "issuer"


def test_a_token_has_its_time() -> None:
    expired = TokenIssuer(TENANT, lifetime=timedelta(seconds=-1))
    token = expired.issue(IDENTITY, VAULT).value
    with pytest.raises(InvalidTokenError) as caught:
        expired.verify(token, VAULT)
    assert caught.value.reason == "expired"
    assert reason(signed(lambda claims: claims.update(nbf=time.time() + 60))) == "not yet valid"


@pytest.mark.parametrize("name", ["aud", "iss", "iat", "nbf", "exp", "oid", "appid", "tid"])
def test_every_claim_that_is_used_must_be_there(name: str) -> None:
    assert reason(signed(lambda claims: claims.pop(name))) == "malformed"


@pytest.mark.parametrize(
    ("name", "value"),
    [("oid", 1), ("appid", None), ("tid", ["x"]), ("exp", "never"), ("aud", [VAULT, BUS])],
)
def test_claims_of_another_type_are_refused(name: str, value: object) -> None:
    assert reason(signed(lambda claims: claims.update({name: value}))) == "malformed"


def test_only_one_algorithm_is_believed() -> None:
    unsigned = jwt.encode(claims_of(ISSUER.issue(IDENTITY, VAULT).value), "", algorithm="none")
    assert reason(unsigned) == "signature"
    assert reason(signed(lambda _: None, algorithm="RS512")) == "signature"
    assert reason(signed(lambda _: None, algorithm="PS256")) == "signature"


def test_the_public_key_is_no_secret_to_sign_with() -> None:
    _, payload, _ = ISSUER.issue(IDENTITY, VAULT).value.split(".")
    forged = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    signing_input = forged.rstrip(b"=") + b"." + payload.encode()
    public = ISSUER._key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    mac = hmac.HMAC(public, hashes.SHA256())
    mac.update(signing_input)
    signature = base64.urlsafe_b64encode(mac.finalize()).rstrip(b"=")
    assert reason((signing_input + b"." + signature).decode()) == "signature"


@given(st.integers(min_value=0), st.sampled_from(CHARACTERS))
def test_no_altered_token_is_believed(position: int, character: str) -> None:
    at = position % len(TOKEN)
    altered = TOKEN[:at] + character + TOKEN[at + 1 :]
    if altered == TOKEN:
        return
    try:
        claims = ISSUER.verify(altered, VAULT)
    except InvalidTokenError:
        return
    # The last character of base64url carries spare bits: the same bytes, so the same token.
    assert claims == ISSUER.verify(TOKEN, VAULT)
    assert at == len(TOKEN) - 1


@given(st.text())
def test_nothing_but_the_one_error_comes_out(text: str) -> None:
    for token in (text, f"{text}.{text}.{text}"):
        with pytest.raises(InvalidTokenError):
            ISSUER.verify(token, VAULT)


def test_a_token_shows_itself_nowhere() -> None:
    token = ISSUER.issue(IDENTITY, VAULT)
    assert token.value not in repr(token)


def test_a_lifetime_holds_for_the_tokens_made_from_then_on() -> None:
    issuer = TokenIssuer(TENANT)
    before = issuer.issue(IDENTITY, VAULT)
    issuer.seconds = 20
    after = issuer.issue(IDENTITY, VAULT)
    assert (before.expires_in, after.expires_in) == (3600, 20)
    assert issuer.verify(after.value, VAULT).expires_on == after.expires_on


def test_revoked_tokens_are_expired_and_new_ones_are_not() -> None:
    issuer = TokenIssuer(TENANT)
    before = issuer.issue(IDENTITY, VAULT).value
    issuer.revoke()
    after = issuer.issue(IDENTITY, VAULT).value
    with pytest.raises(InvalidTokenError) as caught:
        issuer.verify(before, VAULT)
    assert caught.value.reason == "expired"
    assert issuer.verify(after, VAULT).principal_id == "principal-1"


def test_only_the_issuer_can_tell_for_whom_a_token_was_made() -> None:
    issuer, other = TokenIssuer(TENANT), TokenIssuer(TENANT)
    ids = set()
    for name in ("sender", "receiver", "sender"):
        token = issuer.issue(IDENTITY, VAULT, name).value
        assert issuer.verify(token, VAULT).issued_to == name
        claims = claims_of(token)
        assert name not in json.dumps(claims)
        ids.add(claims["uti"])
        assert len(claims["uti"]) == 22  # as in Azure: 16 octets
    assert len(ids) == 3
    assert issuer.verify(issuer.issue(IDENTITY, VAULT).value, VAULT).issued_to is None
    made_elsewhere = other._ids.make("sender")
    for odd in (made_elsewhere, "", "x", "é", 7, None, ["uti"], "A" * 10_000):
        assert issuer._ids.read(odd) is None
