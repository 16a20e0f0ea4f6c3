from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.key_vault.errors import KeyVaultError
from local.key_vault.operations import parse

KEYS = "Microsoft.KeyVault/vaults/keys"
SECRETS = "Microsoft.KeyVault/vaults/secrets"
V = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/keys", ("list", None, None)),
        ("GET", "/keys/", ("list", None, None)),
        ("GET", "/keys/n", ("get", "n", None)),
        ("GET", "/keys/n/", ("get", "n", None)),
        ("GET", "//keys/n", ("get", "n", None)),
        ("GET", f"/keys/n/{V}", ("get", "n", V)),
        ("GET", f"/keys/n/{V}/", ("get", "n", V)),
        ("GET", "/keys/n/versions", ("versions", "n", None)),
        ("POST", "/keys/n/rotate", ("rotate", "n", None)),
        ("POST", "/keys/n//encrypt", ("encrypt", "n", None)),
        ("POST", "/keys/n/encrypt", ("encrypt", "n", None)),
        ("POST", f"/keys/n/{V}/decrypt", ("decrypt", "n", V)),
        ("POST", "/keys/n//wrapKey", ("wrapKey", "n", None)),
        ("POST", "/keys/n//wrapkey", ("wrapKey", "n", None)),
        ("POST", f"/keys/n/{V}/unwrapKey", ("unwrapKey", "n", V)),
        ("GET", "/secrets", ("list", None, None)),
        ("GET", "/secrets/n", ("get", "n", None)),
        ("GET", "/secrets/n/", ("get", "n", None)),
        ("GET", f"/secrets/n/{V}", ("get", "n", V)),
        ("GET", "/secrets/n/versions", ("versions", "n", None)),
        ("PUT", "/secrets/n", ("set", "n", None)),
        ("GET", "/keys/%6E", ("get", "n", None)),
    ],
)
def test_paths(method: str, path: str, expected: tuple[str, str | None, str | None]) -> None:
    call = parse(method, path)
    assert (call.operation.name, call.object_name, call.version) == expected
    assert call.operation.kind == ("keys" if "keys" in path else "secrets")


@pytest.mark.parametrize(
    ("method", "path", "data_action", "permission"),
    [
        ("GET", "/keys", f"{KEYS}/read", "list"),
        ("GET", "/keys/n", f"{KEYS}/read", "get"),
        ("GET", "/keys/n/versions", f"{KEYS}/read", "list"),
        ("POST", "/keys/n/rotate", f"{KEYS}/rotate/action", "rotate"),
        ("POST", "/keys/n//encrypt", f"{KEYS}/encrypt/action", "encrypt"),
        ("POST", "/keys/n//decrypt", f"{KEYS}/decrypt/action", "decrypt"),
        ("POST", "/keys/n//wrapKey", f"{KEYS}/wrap/action", "wrapKey"),
        ("POST", "/keys/n//unwrapKey", f"{KEYS}/unwrap/action", "unwrapKey"),
        ("GET", "/secrets", f"{SECRETS}/readMetadata/action", "list"),
        ("GET", "/secrets/n", f"{SECRETS}/getSecret/action", "get"),
        ("GET", "/secrets/n/versions", f"{SECRETS}/readMetadata/action", "list"),
        ("PUT", "/secrets/n", f"{SECRETS}/setSecret/action", "set"),
    ],
)
def test_the_right_that_each_operation_takes(
    method: str, path: str, data_action: str, permission: str
) -> None:
    operation = parse(method, path).operation
    assert (operation.data_action, operation.permission) == (data_action, permission)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 405),
        ("GET", "/certificates/n", 405),
        ("GET", "/Keys/n", 405),
        ("POST", "/keys/n//sign", 405),
        ("POST", "/keys/n/create", 405),
        ("POST", "/keys", 405),
        ("DELETE", "/keys/n", 405),
        ("DELETE", "/secrets/n", 405),
        ("POST", "/secrets/n", 405),
        ("PUT", "/keys/n", 405),
        ("PUT", "/secrets", 405),
        ("PUT", f"/secrets/n/{V}", 405),
        ("GET", f"/keys/n/{V}/x", 405),
        ("GET", f"/keys/n/{V}/x/y", 405),
        ("POST", f"/keys/n/{V}/{V}/encrypt", 405),
        ("GET", "/keys/n_n", 400),
        ("GET", "/keys/n%2Fn", 400),
        ("GET", "/keys/%2E%2E", 400),
        ("GET", "/keys//x", 400),
        ("GET", f"/keys/{'n' * 128}", 400),
        ("PUT", "/secrets/n%00", 400),
        ("GET", "/secrets/%FF", 400),
    ],
)
def test_what_is_not_served(method: str, path: str, status: int) -> None:
    with pytest.raises(KeyVaultError) as caught:
        parse(method, path)
    assert caught.value.status == status


@given(st.sampled_from(["GET", "POST", "PUT"]), st.text())
def test_nothing_but_the_one_error_comes_out(method: str, text: str) -> None:
    for path in (text, f"/keys/{text}", f"/secrets/{text}", f"/keys/n/{text}/encrypt"):
        with contextlib.suppress(KeyVaultError):
            parse(method, path)
