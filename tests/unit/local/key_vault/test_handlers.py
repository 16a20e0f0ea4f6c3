"""What operations do to a vault's objects, without HTTP and without authorization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local.deployment.resources import KeySpec, SecretSpec, VaultSpec
from local.key_vault.errors import KeyVaultError
from local.key_vault.handlers import KeyHandlers, SecretHandlers, object_id
from local.key_vault.operations import parse
from local.key_vault.request_body import JsonObject
from local.key_vault.store import ObjectNotFoundError, VaultStore

URI = "https://v.example"
KEYS = (
    KeySpec("/k/payload", "payload", "RSA", 2048, ("encrypt", "decrypt")),
    KeySpec("/k/sealed", "sealed", "RSA", 2048, ("encrypt",)),
)
SPEC = VaultSpec(
    "/v",
    "v",
    "westeurope",
    "t",
    uses_rbac=True,
    policies=(),
    keys=KEYS,
    secrets=(SecretSpec("/s/partner", "partner", "a/b"),),
)
Ask = Callable[..., Any]


async def no_body() -> JsonObject:
    raise AssertionError("a body was read that the operation does not need")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> VaultStore:
    return VaultStore(tmp_path_factory.mktemp("vault") / "v", SPEC)


@pytest.fixture
def ask(store: VaultStore) -> Ask:
    handlers = {
        "keys": KeyHandlers(store, URI).by_name,
        "secrets": SecretHandlers(store, URI).by_name,
    }

    async def ask(method: str, path: str, body: JsonObject | None = None) -> Any:
        requested = parse(method, path)

        async def read_body() -> JsonObject:
            assert body is not None
            return body

        handler = handlers[requested.operation.kind][requested.operation.name]
        return await handler(requested, no_body if body is None else read_body)

    return ask


async def test_a_ciphertext_names_its_version_and_decrypts_by_it(
    ask: Ask, store: VaultStore
) -> None:
    sealed = await ask("POST", "/keys/payload/encrypt", {"alg": "RSA-OAEP-256", "value": "AAAA"})
    version = store.key_version("payload").version
    assert sealed["kid"] == f"{URI}/keys/payload/{version}"
    body = {"alg": "RSA-OAEP-256", "value": sealed["value"]}
    opened = await ask("POST", f"/keys/payload/{version}/decrypt", body)
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
    ask: Ask, path: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await ask("POST", path)


async def test_a_disabled_version_is_not_used(ask: Ask, store: VaultStore) -> None:
    version = store.key_version("sealed").version
    shown = await ask("PATCH", f"/keys/sealed/{version}", {"attributes": {"enabled": False}})
    assert shown["attributes"]["enabled"] is False
    with pytest.raises(KeyVaultError) as caught:
        await ask("POST", "/keys/sealed/encrypt")
    assert caught.value.inner == "KeyDisabled"


async def test_a_key_shows_its_public_half_only(ask: Ask) -> None:
    shown = await ask("GET", "/keys/payload")
    assert shown["key"].keys() == {"kid", "kty", "key_ops", "n", "e"}
    listed = await ask("GET", "/keys")
    assert [key["kid"] for key in listed["value"]] == [f"{URI}/keys/{key.name}" for key in KEYS]


async def test_a_secret_is_listed_without_its_value(ask: Ask) -> None:
    made = await ask("PUT", "/secrets/partner", {"value": "planted"})
    assert (made["value"], made["contentType"]) == ("planted", "a/b")
    shown = await ask("GET", "/secrets/partner")
    assert shown == made
    for path in ("/secrets", "/secrets/partner/versions"):
        listed = await ask("GET", path)
        assert "planted" not in str(listed)
        assert listed["value"]


def test_an_id_may_have_a_version() -> None:
    assert object_id(URI, "keys", "k") == f"{URI}/keys/k"
    assert object_id(URI, "keys", "k", "1") == f"{URI}/keys/k/1"
