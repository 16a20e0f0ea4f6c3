"""What keys do, without HTTP and without authorization."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from local.key_vault.base64url import from_base64url, to_base64url
from local.key_vault.errors import KeyVaultError
from local.key_vault.objects import ObjectNotFoundError
from local.key_vault.request_body import JsonObject
from tests.unit.local.key_vault.local_vault import URI, LocalVault

RSA_SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
SIZES = {"256": 32, "384": 48, "512": 64, "56K": 32}
LATER = int(time.time()) + 10**6


async def refused(vault: LocalVault, *request: Any) -> KeyVaultError:
    with pytest.raises(KeyVaultError) as caught:
        await vault.ask(*request)
    return caught.value


async def test_a_ciphertext_names_its_version_and_decrypts_by_it(shared_vault: LocalVault) -> None:
    body = {"alg": "RSA-OAEP-256", "value": "AAAA"}
    sealed = await shared_vault.ask("POST", "/keys/payload/encrypt", body)
    (version,) = shared_vault.opened().key_versions("payload")
    assert sealed["kid"] == f"{URI}/keys/payload/{version}"
    body = {"alg": "RSA-OAEP-256", "value": sealed["value"]}
    opened = await shared_vault.ask("POST", f"/keys/payload/{version}/decrypt", body)
    assert opened == {"kid": sealed["kid"], "value": "AAAA"}


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/keys/absent/encrypt", ObjectNotFoundError),
        ("/keys/payload/absent/encrypt", ObjectNotFoundError),
        ("/keys/sealed/decrypt", KeyVaultError),
    ],
)
async def test_what_is_wrong_without_the_body_comes_first(
    shared_vault: LocalVault, path: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await shared_vault.ask("POST", path)


async def test_wrapped_keys_unwrap(vault: LocalVault) -> None:
    await vault.ask("POST", "/keys/one/create", {"kty": "RSA"})
    for algorithm in ("RSA-OAEP", "RSA-OAEP-256", "RSA1_5"):
        body = {"alg": algorithm, "value": to_base64url(b"a data key")}
        wrapped = await vault.ask("POST", "/keys/one/wrapKey", body)
        body["value"] = wrapped["value"]
        assert from_base64url((await vault.ask("POST", "/keys/one/unwrapKey", body))["value"]) == (
            b"a data key"
        )


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        ({"kty": "RSA"}, RSA_SIGNATURES),
        ({"kty": "EC", "crv": "P-256"}, ("ES256",)),
        ({"kty": "EC", "crv": "P-384"}, ("ES384",)),
        ({"kty": "EC", "crv": "P-521"}, ("ES512",)),
        ({"kty": "EC", "crv": "P-256K"}, ("ES256K",)),
    ],
)
async def test_signatures_verify_and_others_do_not(
    vault: LocalVault, key: JsonObject, algorithms: tuple[str, ...]
) -> None:
    await vault.ask("POST", "/keys/one/create", key)
    for algorithm in algorithms:
        digest = to_base64url(os.urandom(SIZES[algorithm[-3:]]))
        signed = await vault.ask("POST", "/keys/one/sign", {"alg": algorithm, "value": digest})
        check = {"alg": algorithm, "digest": digest, "value": signed["value"]}
        assert await vault.ask("POST", "/keys/one/verify", check) == {"value": True}
        changed = bytearray(from_base64url(signed["value"]))
        changed[-1] ^= 1
        for other in (to_base64url(bytes(changed)), "AAAA"):
            body = {**check, "value": other}
            assert await vault.ask("POST", "/keys/one/verify", body) == {"value": False}
        error = await refused(vault, "POST", "/keys/one/sign", {"alg": algorithm, "value": "AAAA"})
        assert "digest" in error.message
    for algorithm in ("ES256", "ES384", "ES512", "ES256K", *RSA_SIGNATURES, "HS256", "RSNULL"):
        if algorithm not in algorithms:
            body = {"alg": algorithm, "value": to_base64url(bytes(32))}
            assert "alg" in (await refused(vault, "POST", "/keys/one/sign", body)).message


@pytest.mark.parametrize(
    ("change", "inner"),
    [
        ({"enabled": False}, "KeyDisabled"),
        ({"nbf": LATER}, "KeyNotYetValid"),
        ({"exp": 1}, "KeyExpired"),
    ],
)
async def test_outside_of_its_time_a_key_only_opens_what_it_protected(
    vault: LocalVault, change: JsonObject, inner: str
) -> None:
    await vault.ask("POST", "/keys/one/create", {"kty": "RSA"})
    body = {"alg": "RSA-OAEP", "value": "AAAA"}
    sealed = {**body, "value": (await vault.ask("POST", "/keys/one/encrypt", body))["value"]}
    digest = {"alg": "RS256", "value": to_base64url(bytes(32))}
    signed = await vault.ask("POST", "/keys/one/sign", digest)
    check = {"alg": "RS256", "digest": digest["value"], "value": signed["value"]}
    await vault.ask("PATCH", "/keys/one/", {"attributes": change})
    for operation, request in (("encrypt", body), ("wrapKey", body), ("sign", digest)):
        error = await refused(vault, "POST", f"/keys/one/{operation}", request)
        assert (error.status, error.code, error.inner) == (403, "Forbidden", inner)
    for operation, request in (("decrypt", sealed), ("unwrapKey", sealed), ("verify", check)):
        if inner == "KeyDisabled":
            assert (await refused(vault, "POST", f"/keys/one/{operation}")).inner == inner
        else:
            assert await vault.ask("POST", f"/keys/one/{operation}", request)


async def test_a_key_does_only_what_it_is_for(vault: LocalVault) -> None:
    await vault.ask("POST", "/keys/one/create", {"kty": "EC"})
    for operation in ("encrypt", "decrypt", "wrapKey", "unwrapKey"):
        error = await refused(vault, "POST", f"/keys/one/{operation}")
        assert error.inner == "KeyOperationForbidden"


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        *(
            (operation, {name: "AAAA"})
            for operation in ("encrypt", "decrypt")
            for name in ("iv", "aad", "tag")
        ),
        ("encrypt", {"colour": "red"}),
        ("sign", {"digest": "AAAA"}),
        ("verify", {"colour": "red"}),
    ],
)
async def test_no_property_is_ignored(vault: LocalVault, operation: str, more: JsonObject) -> None:
    await vault.ask("POST", "/keys/one/create", {"kty": "RSA"})
    digest = to_base64url(bytes(32))
    bodies: dict[str, JsonObject] = {
        "sign": {"alg": "RS256", "value": digest},
        "verify": {"alg": "RS256", "digest": digest, "value": digest},
    }
    body = {**bodies.get(operation, {"alg": "RSA-OAEP", "value": "AAAA"}), **more}
    error = await refused(vault, "POST", f"/keys/one/{operation}", body)
    assert error.status == 400
    assert next(iter(more)) in error.message


async def test_random_bytes(vault: LocalVault) -> None:
    for count in (1, 32, 128):
        found = await vault.ask("POST", "/rng", {"count": count})
        assert len(from_base64url(found["value"])) == count
    for body in ({}, {"count": 0}, {"count": 129}, {"count": "1"}, {"count": 1, "seed": 1}):
        assert (await refused(vault, "POST", "/rng", body)).status == 400
