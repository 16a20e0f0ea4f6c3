"""No property of a request is ignored: whatever Microsoft's clients can send is read."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from azure.keyvault.keys._generated import models as keys
from azure.keyvault.secrets._generated import models as secrets
from cryptography.hazmat.primitives.asymmetric import rsa

from local.key_vault.base64url import to_base64url
from local.key_vault.errors import KeyVaultError
from tests.unit.local.key_vault.local_vault import LocalVault

Request: TypeAlias = tuple[str, str, dict[str, Any]]

NONSENSE: dict[str, Any] = {"nonsense": [[]]}
DIGEST = "A" * 43  # 32 bytes
NUMBERS = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()
PUBLIC = NUMBERS.public_numbers
RSA = {
    "kty": "RSA",
    **{
        name: to_base64url(number.to_bytes(256, "big").lstrip(b"\0"))
        for name, number in (("n", PUBLIC.n), ("e", PUBLIC.e), ("d", NUMBERS.d))
    },
}
CREATE: Request = ("POST", "/keys/new/create", {"kty": "EC"})
IMPORT: Request = ("PUT", "/keys/new", {"key": RSA})
UPDATE: Request = ("PATCH", "/keys/rsa/", {})
POLICY: Request = ("PUT", "/keys/rsa/rotationpolicy", {})
ROTATE = {"action": {"type": "Rotate"}, "trigger": {"timeAfterCreate": "P30D"}}
ACTIONS: Request = ("PUT", "/keys/rsa/rotationpolicy", {"lifetimeActions": [ROTATE]})
SET: Request = ("PUT", "/secrets/new", {"value": "v"})
CHANGE: Request = ("PATCH", "/secrets/one/", {})

# model of the client, request, path to the object in the body that the model describes
DOCUMENTED: list[tuple[Any, Request, tuple[Any, ...]]] = [
    (keys.KeyCreateParameters, CREATE, ()),
    (keys.KeyAttributes, CREATE, ("attributes",)),
    (keys.KeyImportParameters, IMPORT, ()),
    (keys.JsonWebKey, IMPORT, ("key",)),
    (keys.KeyAttributes, IMPORT, ("attributes",)),
    (keys.KeyUpdateParameters, UPDATE, ()),
    (keys.KeyAttributes, UPDATE, ("attributes",)),
    *(
        (
            keys.KeyOperationsParameters,
            ("POST", f"/keys/rsa//{name}", {"alg": "RSA-OAEP", "value": "AAAA"}),
            (),
        )
        for name in ("encrypt", "decrypt", "wrapKey", "unwrapKey")
    ),
    (keys.KeySignParameters, ("POST", "/keys/rsa//sign", {"alg": "RS256", "value": DIGEST}), ()),
    (
        keys.KeyVerifyParameters,
        ("POST", "/keys/rsa//verify", {"alg": "RS256", "digest": DIGEST, "value": DIGEST}),
        (),
    ),
    (keys.GetRandomBytesRequest, ("POST", "/rng", {"count": 1}), ()),
    (keys.KeyRestoreParameters, ("POST", "/keys/restore", {"value": "AAAA"}), ()),
    (keys.KeyRotationPolicy, POLICY, ()),
    (keys.KeyRotationPolicyAttributes, POLICY, ("attributes",)),
    (keys.LifetimeActions, ACTIONS, ("lifetimeActions", 0)),
    (keys.LifetimeActionsTrigger, ACTIONS, ("lifetimeActions", 0, "trigger")),
    (keys.LifetimeActionsType, ACTIONS, ("lifetimeActions", 0, "action")),
    (secrets.SecretSetParameters, SET, ()),
    (secrets.SecretAttributes, SET, ("attributes",)),
    (secrets.SecretUpdateParameters, CHANGE, ()),
    (secrets.SecretAttributes, CHANGE, ("attributes",)),
    (secrets.SecretRestoreParameters, ("POST", "/secrets/restore", {"value": "AAAA"}), ()),
]


def properties(model: Any) -> list[str]:
    """Return the names that the properties of a model have in a request."""
    model()  # the client works out the names at first use
    return [field._rest_name for field in model._attr_to_rest_field.values()]


def changed(body: dict[str, Any], path: tuple[Any, ...], name: str) -> dict[str, Any]:
    """Return a body with nonsense as the value of one property."""
    found = copy.deepcopy(body)
    at: Any = found
    for step in path:
        at = at[step] if isinstance(step, int) else at.setdefault(step, {})
    at[name] = NONSENSE
    return found


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], LocalVault]:
    folder: Path = tmp_path_factory.mktemp("vaults") / "v"
    found: list[LocalVault] = []

    def vault() -> LocalVault:
        if not found:
            found.append(LocalVault(folder))
        return found[0]

    return vault


@pytest.mark.parametrize(("model", "request_", "path"), DOCUMENTED)
async def test_each_property_that_a_client_can_send_is_read(
    used: Callable[[], LocalVault],
    model: Any,
    request_: Request,
    path: tuple[Any, ...],
) -> None:
    vault = used()
    if not vault.opened().keys.find("rsa"):
        await vault.ask("POST", "/keys/rsa/create", {"kty": "RSA"})
        await vault.ask("PUT", "/secrets/one", {"value": "v"})
    method, url, body = request_
    names = properties(model)
    assert names
    for name in [*names, "colour"]:
        with pytest.raises(KeyVaultError) as caught:
            await vault.ask(method, url, changed(body, path, name))
        assert (caught.value.status, caught.value.code) == (400, "BadParameter")
        assert name in caught.value.message
