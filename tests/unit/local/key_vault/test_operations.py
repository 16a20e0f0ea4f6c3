from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.key_vault.errors import KeyVaultError
from local.key_vault.operations import parse

KEYS = "Microsoft.KeyVault/vaults/keys"
SECRETS = "Microsoft.KeyVault/vaults/secrets"
POLICIES = "Microsoft.KeyVault/vaults/keyrotationpolicies"
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
        ("GET", "/keys/n/rotationpolicy", ("getRotationPolicy", "n", None)),
        ("PUT", "/keys/n/rotationpolicy", ("setRotationPolicy", "n", None)),
        ("PUT", "/keys/n", ("import", "n", None)),
        ("POST", "/keys/n/create", ("create", "n", None)),
        ("POST", "/keys/restore", ("restore", None, None)),
        ("POST", "/keys/restore/create", ("create", "restore", None)),
        ("POST", "/keys/n/backup", ("backup", "n", None)),
        ("POST", f"/keys/n/{V}/sign", ("sign", "n", V)),
        ("POST", "/keys/n//verify", ("verify", "n", None)),
        ("PATCH", "/keys/n/", ("update", "n", None)),
        ("PATCH", f"/keys/n/{V}", ("update", "n", V)),
        ("DELETE", "/keys/n", ("delete", "n", None)),
        ("GET", "/deletedkeys", ("listDeleted", None, None)),
        ("GET", "/deletedkeys/n", ("getDeleted", "n", None)),
        ("DELETE", "/deletedkeys/n", ("purge", "n", None)),
        ("POST", "/deletedkeys/n/recover", ("recover", "n", None)),
        ("POST", "/secrets/restore", ("restore", None, None)),
        ("POST", "/secrets/n/backup", ("backup", "n", None)),
        ("PATCH", f"/secrets/n/{V}", ("update", "n", V)),
        ("DELETE", "/secrets/n", ("delete", "n", None)),
        ("GET", "/deletedsecrets", ("listDeleted", None, None)),
        ("DELETE", "/deletedsecrets/n", ("purge", "n", None)),
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
        ("POST", "/keys/n/create", f"{KEYS}/create/action", "create"),
        ("PUT", "/keys/n", f"{KEYS}/import/action", "import"),
        ("PATCH", "/keys/n", f"{KEYS}/update/action", "update"),
        ("DELETE", "/keys/n", f"{KEYS}/delete", "delete"),
        ("POST", "/keys/n/backup", f"{KEYS}/backup/action", "backup"),
        ("POST", "/keys/restore", f"{KEYS}/restore/action", "restore"),
        ("POST", "/keys/n//sign", f"{KEYS}/sign/action", "sign"),
        ("POST", "/keys/n//verify", f"{KEYS}/verify/action", "verify"),
        ("GET", "/keys/n/rotationpolicy", f"{POLICIES}/read", "getrotationpolicy"),
        ("PUT", "/keys/n/rotationpolicy", f"{POLICIES}/write", "setrotationpolicy"),
        ("GET", "/deletedkeys", f"{KEYS}/read", "list"),
        ("GET", "/deletedkeys/n", f"{KEYS}/read", "get"),
        ("POST", "/deletedkeys/n/recover", f"{KEYS}/recover/action", "recover"),
        ("DELETE", "/deletedkeys/n", f"{KEYS}/purge/action", "purge"),
        ("PATCH", "/secrets/n", f"{SECRETS}/update/action", "set"),
        ("DELETE", "/secrets/n", f"{SECRETS}/delete", "delete"),
        ("POST", "/secrets/n/backup", f"{SECRETS}/backup/action", "backup"),
        ("POST", "/secrets/restore", f"{SECRETS}/restore/action", "restore"),
        ("GET", "/deletedsecrets", f"{SECRETS}/readMetadata/action", "list"),
        ("GET", "/deletedsecrets/n", f"{SECRETS}/readMetadata/action", "get"),
        ("POST", "/deletedsecrets/n/recover", f"{SECRETS}/recover/action", "recover"),
        ("DELETE", "/deletedsecrets/n", f"{SECRETS}/purge/action", "purge"),
        # Not served, which only those learn who have the right to it.
        ("POST", "/keys/n//release", f"{KEYS}/release/action", "release"),
        ("GET", f"/keys/n/{V}/attestation", f"{KEYS}/read", "get"),
        ("POST", "/keys", f"{KEYS}/create/action", "create"),
        ("DELETE", "/keys", f"{KEYS}/delete", "delete"),
        ("POST", "/secrets/n", f"{SECRETS}/setSecret/action", "set"),
        ("GET", "/certificates/n", "Microsoft.KeyVault/vaults/certificates/read", "get"),
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
        ("GET", "/Keys/n", 405),
        ("TRACE", "/keys/n", 405),
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


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/certificates/n"),
        ("POST", "/keys"),
        ("POST", "/secrets/n"),
        ("PUT", "/secrets"),
        ("PUT", f"/secrets/n/{V}"),
        ("PUT", "/deletedkeys/n"),
        ("GET", f"/keys/n/{V}/x"),
        ("GET", f"/keys/n/{V}/x/y"),
        ("POST", f"/keys/n/{V}/{V}/encrypt"),
        ("POST", "/keys/n//release"),
    ],
)
def test_what_no_operation_is_at_has_a_right_all_the_same(method: str, path: str) -> None:
    operation = parse(method, path).operation
    assert not operation.served
    assert operation.data_action


@given(st.sampled_from(["GET", "POST", "PUT"]), st.text())
def test_nothing_but_the_one_error_comes_out(method: str, text: str) -> None:
    for path in (text, f"/keys/{text}", f"/secrets/{text}", f"/keys/n/{text}/encrypt"):
        with contextlib.suppress(KeyVaultError):
            parse(method, path)
