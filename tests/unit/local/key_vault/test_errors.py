"""The errors of a vault; their words over HTTP are tested in `tests/integration`."""

from __future__ import annotations

import pytest

from local.identity.tokens import InvalidTokenError
from local.key_vault.errors import (
    KeyVaultError,
    bad_parameter,
    disabled_key,
    invalid_token,
    missing_token,
    no_such_operation,
    not_found,
    not_permitted_on_key,
)
from local.key_vault.objects import ObjectNotFoundError


@pytest.mark.parametrize(
    ("error", "status", "code", "inner"),
    [
        (missing_token(), 401, "Unauthorized", None),
        (not_permitted_on_key("encrypt"), 403, "Forbidden", "KeyOperationForbidden"),
        (disabled_key("encrypt"), 403, "Forbidden", "KeyDisabled"),
        (not_found(ObjectNotFoundError("key", "k")), 404, "KeyNotFound", None),
        (not_found(ObjectNotFoundError("secret", "s", "1")), 404, "SecretNotFound", None),
        (bad_parameter("why"), 400, "BadParameter", None),
        (no_such_operation(), 405, "MethodNotAllowed", None),
    ],
)
def test_an_error_has_azures_status_and_codes(
    error: KeyVaultError, status: int, code: str, inner: str | None
) -> None:
    expected: dict[str, object] = {"code": code, "message": error.message}
    if inner:
        expected["innererror"] = {"code": inner}
    assert error.status == status
    assert error.body() == {"error": expected}


def test_a_missing_version_is_named() -> None:
    assert "s/1 was not found" in not_found(ObjectNotFoundError("secret", "s", "1")).message


@pytest.mark.parametrize(
    "reason", ["malformed", "signature", "audience", "issuer", "expired", "not yet valid"]
)
def test_every_reason_against_a_token_has_its_words(reason: str) -> None:
    error = invalid_token(InvalidTokenError(reason), "the-issuer")  # type: ignore[arg-type]
    assert error.status == 401
    assert error.message
