"""The documented first steps with keys and secrets, by the synchronous and asynchronous SDKs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from azure.core.exceptions import HttpResponseError

from tests.conformance.target import Target


@pytest.mark.conformance("Key Vault secrets", "set and get")
def test_a_secret_is_set_and_read(target: Target, unused: Callable[[str], str]) -> None:
    name = unused("secret")
    with target.secrets() as client:
        client.set_secret(name, "a value")
        assert client.get_secret(name).value == "a value"


@pytest.mark.conformance("Key Vault secrets", "refused without a right")
def test_a_caller_without_a_right_is_refused(target: Target) -> None:
    with target.secrets(caller="stranger") as client, pytest.raises(HttpResponseError) as refused:
        client.get_secret("any")
    assert refused.value.status_code == 403
