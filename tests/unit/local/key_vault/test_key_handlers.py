"""What operations do to keys, without HTTP and without authorization."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from local.key_vault.base64url import to_base64url
from local.key_vault.errors import KeyVaultError
from local.key_vault.objects import ObjectNotFoundError
from local.key_vault.request_body import JsonObject
from tests.unit.local.key_vault.local_vault import URI, LocalVault

PATH = "/keys/one/create"


async def refused(vault: LocalVault, *request: Any) -> KeyVaultError:
    with pytest.raises(KeyVaultError) as caught:
        await vault.ask(*request)
    return caught.value


async def test_a_key_shows_its_public_half_only(shared_vault: LocalVault) -> None:
    shown = await shared_vault.ask("GET", "/keys/payload")
    assert shown["key"].keys() == {"kid", "kty", "key_ops", "n", "e"}
    listed = await shared_vault.ask("GET", "/keys")
    assert {key["kid"] for key in listed["value"]} >= {
        f"{URI}/keys/{n}" for n in ("payload", "sealed")
    }


@pytest.mark.parametrize(
    ("body", "members"),
    [
        ({"kty": "RSA"}, {"kty": "RSA", "key_ops": 6}),
        ({"kty": "RSA", "key_size": 3072, "key_ops": ["sign"]}, {"kty": "RSA", "key_ops": 1}),
        ({"kty": "EC"}, {"kty": "EC", "crv": "P-256", "key_ops": 2}),
        ({"kty": "EC", "crv": "P-384"}, {"crv": "P-384"}),
        ({"kty": "EC", "crv": "P-521"}, {"crv": "P-521"}),
        ({"kty": "EC", "crv": "P-256K"}, {"crv": "P-256K"}),
    ],
)
async def test_keys_of_every_type_are_made(
    vault: LocalVault, body: JsonObject, members: dict[str, Any]
) -> None:
    made = (await vault.ask("POST", PATH, body))["key"]
    shown = {"key_ops": len(made["key_ops"]), "kty": made["kty"], "crv": made.get("crv")}
    assert shown == {**shown, **members}
    material = vault.opened().private_key("one")
    if isinstance(material, rsa.RSAPrivateKey):
        assert material.key_size == body.get("key_size", 2048)
    assert (await vault.ask("GET", "/keys/one"))["key"] == made


async def test_a_key_has_what_it_was_made_with(vault: LocalVault) -> None:
    attributes = {"enabled": False, "nbf": 5, "exp": 4_000_000_000, "exportable": False}
    body = {"kty": "EC", "attributes": attributes, "tags": {"a": "b"}}
    made = await vault.ask("POST", PATH, body)
    assert {**made["attributes"], **attributes} == made["attributes"]
    assert made["tags"] == {"a": "b"}
    listed = await vault.ask("GET", "/keys")
    assert listed["value"][0]["attributes"] == made["attributes"]
    assert listed["value"][0]["tags"] == made["tags"]


async def test_a_second_creation_is_a_new_version(vault: LocalVault) -> None:
    first = await vault.ask("POST", PATH, {"kty": "EC"})
    second = await vault.ask("POST", PATH, {"kty": "EC", "crv": "P-384"})
    listed = await vault.ask("GET", "/keys/one/versions")
    assert [one["kid"] for one in listed["value"]] == [first["key"]["kid"], second["key"]["kid"]]
    assert (await vault.ask("GET", "/keys/one"))["key"] == second["key"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "kty"),
        ({"kty": "oct"}, "kty"),
        ({"kty": "RSA-HSM"}, "HSM"),
        ({"kty": "EC-HSM"}, "HSM"),
        ({"kty": "RSA", "key_size": 1024}, "key_size"),
        ({"kty": "RSA", "key_size": "2048"}, "key_size"),
        ({"kty": "RSA", "crv": "P-256"}, "crv"),
        ({"kty": "RSA", "public_exponent": 3}, "public_exponent"),
        ({"kty": "EC", "crv": "P-192"}, "crv"),
        ({"kty": "EC", "key_size": 256}, "key_size"),
        ({"kty": "EC", "key_ops": ["encrypt"]}, "key_ops[0]"),
        ({"kty": "RSA", "key_ops": ["export"]}, "key_ops[0]"),
        ({"kty": "EC", "attributes": {"exportable": True}}, "attributes.exportable"),
        ({"kty": "EC", "attributes": {"created": 1}}, "attributes.created"),
        ({"kty": "EC", "release_policy": {"data": "e30"}}, "release_policy"),
        ({"kty": "EC", "tags": {str(n): "" for n in range(16)}}, "tags"),
        ({"kty": "EC", "colour": "red"}, "colour"),
    ],
)
async def test_what_no_key_can_be_is_refused_by_name(
    vault: LocalVault, body: JsonObject, named: str
) -> None:
    error = await refused(vault, "POST", PATH, body)
    assert (error.status, error.code) == (400, "BadParameter")
    assert named in error.message
    assert not vault.opened().keys.live()


def members(*names: str, **numbers: int) -> dict[str, str]:
    def encoded(number: int) -> str:
        return to_base64url(number.to_bytes((number.bit_length() + 7) // 8 or 1, "big"))

    return {name: encoded(numbers[name]) for name in names}


def rsa_members(key: rsa.RSAPrivateKey) -> dict[str, str]:
    numbers = key.private_numbers()
    public = numbers.public_numbers
    return members(
        *("n", "e", "d", "p", "q", "dp", "dq", "qi"),
        n=public.n,
        e=public.e,
        d=numbers.d,
        p=numbers.p,
        q=numbers.q,
        dp=numbers.dmp1,
        dq=numbers.dmq1,
        qi=numbers.iqmp,
    )


def ec_members(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.private_numbers()
    return members(
        "x",
        "y",
        "d",
        x=numbers.public_numbers.x,
        y=numbers.public_numbers.y,
        d=numbers.private_value,
    )


RSA = rsa_members(rsa.generate_private_key(public_exponent=65537, key_size=2048))
EC = ec_members(ec.generate_private_key(ec.SECP256K1()))


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "RSA", **RSA},
        {"kty": "RSA", **{name: RSA[name] for name in ("n", "e", "d")}},
        {"kty": "EC", "crv": "P-256K", **EC},
    ],
)
async def test_a_key_is_imported_and_signs(vault: LocalVault, key: JsonObject) -> None:
    body = {"key": {**key, "key_ops": ["sign", "verify"]}, "tags": {"a": "b"}, "Hsm": False}
    made = await vault.ask("PUT", "/keys/one", body)
    assert made["key"]["key_ops"] == ["sign", "verify"]
    public = [name for name in ("n", "e", "x", "y", "crv") if name in key]
    assert {name: made["key"][name] for name in public} == {name: key[name] for name in public}
    assert not {"d", "p", "q"} & made["key"].keys()
    algorithm = "ES256K" if key["kty"] == "EC" else "PS256"
    digest = to_base64url(bytes(32))
    signed = await vault.ask("POST", "/keys/one/sign", {"alg": algorithm, "value": digest})
    check = {"alg": algorithm, "digest": digest, "value": signed["value"]}
    assert await vault.ask("POST", "/keys/one/verify", check) == {"value": True}


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ({"kty": "RSA", **RSA, "d": "AQAB"}, "not those of an RSA key"),
        ({"kty": "RSA", "n": RSA["n"], "e": "AQAB"}, "key.d"),
        ({"kty": "RSA", **RSA, "n": "+"}, "key.n"),
        ({"kty": "RSA", **RSA, "kid": "https://v"}, "key.kid"),
        ({"kty": "EC", "crv": "P-256", **EC}, "not those of a key on P-256"),
        ({"kty": "EC", **EC}, "crv"),
        ({"kty": "oct", "k": "AAAA"}, "key.kty"),
        ({"kty": "RSA", **RSA, "key_hsm": "AAAA"}, "key.key_hsm"),
        ({"kty": "RSA", **RSA, "x": "AAAA"}, "key.x"),
        ({"kty": "RSA", **RSA, "key_ops": ["dance"]}, "key.key_ops[0]"),
    ],
)
async def test_what_is_not_a_whole_key_is_not_imported(
    vault: LocalVault, key: JsonObject, named: str
) -> None:
    error = await refused(vault, "PUT", "/keys/one", {"key": key})
    assert error.status == 400
    assert named in error.message
    assert RSA["d"] not in error.message


async def test_an_update_changes_what_it_names_and_leaves_the_rest(vault: LocalVault) -> None:
    made = await vault.ask(
        "POST", PATH, {"kty": "RSA", "tags": {"a": "b"}, "attributes": {"exp": 9}}
    )
    version = made["key"]["kid"].rpartition("/")[2]
    updated = await vault.ask("PATCH", f"/keys/one/{version}", {"key_ops": ["sign"]})
    assert (updated["key"]["key_ops"], updated["tags"]) == (["sign"], {"a": "b"})
    updated = await vault.ask("PATCH", "/keys/one/", {"tags": {}, "attributes": {"enabled": False}})
    assert updated["tags"] == {}
    assert updated["attributes"]["enabled"] is False
    assert updated["attributes"]["exp"] == 9
    assert updated["key"]["kid"] == made["key"]["kid"]


async def test_a_rotation_makes_a_key_of_the_same_kind_that_expires_by_the_policy(
    vault: LocalVault,
) -> None:
    body = {"kty": "EC", "crv": "P-384", "key_ops": ["sign"], "tags": {"a": "b"}}
    first = await vault.ask("POST", PATH, body)
    policy = {"attributes": {"expiryTime": "P90D"}}
    await vault.ask("PUT", "/keys/one/rotationpolicy", policy)
    second = await vault.ask("POST", "/keys/one/rotate")
    assert second["key"]["kid"] != first["key"]["kid"]
    assert second["key"]["x"] != first["key"]["x"]
    for name in ("kty", "crv", "key_ops"):
        assert second["key"][name] == first["key"][name]
    assert second["tags"] == {"a": "b"}
    created = second["attributes"]["created"]
    assert 0 <= second["attributes"]["exp"] - created - 90 * 86_400 <= 2


async def test_every_key_has_a_rotation_policy(vault: LocalVault) -> None:
    await vault.ask("POST", PATH, {"kty": "EC"})
    notice = {"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}}
    policy_id = f"{URI}/keys/one/rotationpolicy"
    shown = await vault.ask("GET", "/keys/one/rotationpolicy")
    assert shown == {"id": policy_id, "lifetimeActions": [notice], "attributes": {}}
    rotate = {"trigger": {"timeAfterCreate": "P2M"}, "action": {"type": "rotate"}}
    kept = await vault.ask("PUT", "/keys/one/rotationpolicy", {"lifetimeActions": [rotate]})
    assert kept["lifetimeActions"] == [{**rotate, "action": {"type": "Rotate"}}, notice]
    assert kept["attributes"].keys() == {"created", "updated"}
    assert await vault.ask("GET", "/keys/one/rotationpolicy") == kept
    with pytest.raises(ObjectNotFoundError):
        await vault.ask("GET", "/keys/absent/rotationpolicy")


async def test_versions_of_a_key_that_is_not_there_are_none(vault: LocalVault) -> None:
    assert await vault.ask("GET", "/keys/absent/versions") == {"value": [], "nextLink": None}


async def test_an_older_api_version_shows_what_it_knows(shared_vault: LocalVault) -> None:
    for api, shown in (("7.0", set()), ("7.1", {"recoverableDays"})):
        found = await shared_vault.ask("GET", "/keys/payload", api=api)
        newer = {"recoverableDays", "hsmPlatform"}
        assert newer & found["attributes"].keys() == shown
