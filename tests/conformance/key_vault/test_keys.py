"""Keys, by Microsoft's clients."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.keyvault.keys import (
    JsonWebKey,
    KeyCurveName,
    KeyRotationLifetimeAction,
    KeyRotationPolicy,
    KeyRotationPolicyAction,
    KeyVaultKey,
)
from cryptography.hazmat.primitives.asymmetric import ec

from tests.conformance.target import Target

Unused = Callable[[str], str]
EXPIRES = datetime(2050, 1, 2, tzinfo=UTC)


def members(key: KeyVaultKey) -> dict[str, Any]:
    """Return the members of a JSON Web Key, which the client makes into attributes."""
    return vars(key.key)


@pytest.mark.conformance("Key Vault keys", "create, RSA 2048 to 4096")
@pytest.mark.parametrize("size", [2048, 3072, 4096])
def test_rsa_keys_are_created(target: Target, unused: Unused, size: int) -> None:
    with target.keys() as client:
        key = client.create_rsa_key(unused("rsa"), size=size, key_operations=["sign"])
        assert (len(members(key)["n"]), key.key_type) == (size // 8, "RSA")
        assert key.key_operations == ["sign"]


@pytest.mark.conformance("Key Vault keys", "create, EC P-256, P-384, P-521 and P-256K")
@pytest.mark.parametrize("curve", list(KeyCurveName))
def test_keys_on_curves_are_created(target: Target, unused: Unused, curve: KeyCurveName) -> None:
    with target.keys() as client:
        key = client.create_ec_key(unused("ec"), curve=curve)
        assert members(key)["crv"] == curve
        assert members(client.get_key(key.name, key.properties.version)) == members(key)


@pytest.mark.conformance("Key Vault keys", "import")
def test_a_key_is_imported(target: Target, unused: Unused) -> None:
    numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    x, y, d = (
        number.to_bytes(32, "big")
        for number in (numbers.public_numbers.x, numbers.public_numbers.y, numbers.private_value)
    )
    with target.keys() as client:
        name = unused("imported")
        given = JsonWebKey(kty="EC", crv="P-256", key_ops=["sign", "verify"], x=x, y=y, d=d)
        key = client.import_key(name, given, tags={"from": "outside"})
        shown = members(key)
        assert (shown["x"], shown["y"], shown.get("d")) == (x, y, None)
        assert key.properties.tags == {"from": "outside"}


@pytest.mark.conformance("Key Vault keys", "get, update, list versions")
def test_what_is_updated_is_kept(target: Target, unused: Unused) -> None:
    with target.keys() as client:
        name = unused("updated")
        first = client.create_ec_key(name, tags={"a": "b"})
        client.create_ec_key(name)
        version = first.properties.version
        client.update_key_properties(
            name, version, enabled=False, expires_on=EXPIRES, key_operations=["sign"]
        )
        shown = client.get_key(name, version)
        assert (shown.properties.enabled, shown.properties.expires_on) == (False, EXPIRES)
        assert (shown.key_operations, shown.properties.tags) == (["sign"], {"a": "b"})
        versions = list(client.list_properties_of_key_versions(name))
        assert sorted(str(one.enabled) for one in versions) == ["False", "True"]


@pytest.mark.conformance("Key Vault keys", "list, in pages")
def test_keys_are_listed_in_pages(target: Target, unused: Unused) -> None:
    with target.keys() as client:
        made = {client.create_ec_key(unused("listed")).name for _ in range(5)}
        pages = client.list_properties_of_keys(max_page_size=2).by_page()
        names = [[one.name for one in page] for page in pages]
        assert max(map(len, names)) <= 2
        assert made <= {name for page in names for name in page}


@pytest.mark.conformance("Key Vault keys", "list versions of an absent key: none")
def test_an_absent_key_has_no_versions(target: Target, unused: Unused) -> None:
    with target.keys() as client:
        assert list(client.list_properties_of_key_versions(unused("absent"))) == []
        with pytest.raises(ResourceNotFoundError):
            client.get_key(unused("absent"))


@pytest.mark.conformance("Key Vault keys", "rotate")
@pytest.mark.conformance("Key Vault keys", "rotation policy: get, set")
async def test_a_key_is_rotated_by_its_policy(target: Target, unused: Unused) -> None:
    rotate = KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_after_create="P60D")
    async with target.keys_async() as client:
        name = unused("rotated")
        first = await client.create_ec_key(name)
        policy = KeyRotationPolicy(expires_in="P90D", lifetime_actions=[rotate])
        kept = await client.update_key_rotation_policy(name, policy)
        assert kept.expires_in == "P90D"
        assert (await client.get_key_rotation_policy(name)).updated_on == kept.updated_on
        second = await client.rotate_key(name)
        assert second.properties.version != first.properties.version
        assert second.properties.expires_on is not None


@pytest.mark.conformance("Key Vault keys", "a right for each operation, by roles and policies")
@pytest.mark.parametrize("vault", ["roles", "policies"])
def test_a_stranger_may_do_nothing(target: Target, unused: Unused, vault: str) -> None:
    name = unused("of-others")
    with target.keys(vault, caller="stranger") as client:  # type: ignore[arg-type]
        for attempt in (
            lambda: client.create_ec_key(name),
            lambda: client.get_key(name),
            lambda: client.begin_delete_key(name),
            lambda: client.backup_key(name),
            lambda: client.rotate_key(name),
            lambda: list(client.list_deleted_keys()),
            lambda: client.purge_deleted_key(name),
        ):
            with pytest.raises(HttpResponseError) as refused:
                attempt()
            assert refused.value.status_code == 403


@pytest.mark.conformance("Key Vault keys", "unknown api-version: 400")
def test_an_unknown_api_version_is_refused_by_name(target: Target) -> None:
    with (
        target.keys(api_version="9.9") as client,
        pytest.raises(HttpResponseError, match=r"The specified version \(9.9\)") as refused,
    ):
        client.get_key("any")
    assert refused.value.status_code == 400
