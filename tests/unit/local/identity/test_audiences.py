from __future__ import annotations

import pytest

from local.identity.audiences import is_known


@pytest.mark.parametrize(
    "resource",
    [
        "https://vault.azure.net",
        "https://vault.azure.net/",
        "https://SERVICEBUS.azure.net//",
        "https://graph.microsoft.com/",
        "https://database.windows.net/",
        "https://management.core.windows.net/",
        "https://my-vault.vault.azure.net",
        "https://relay.servicebus.windows.net/",
        "https://account.blob.core.windows.net",
    ],
)
def test_tokens_are_issued_for_azures_services(resource: str) -> None:
    assert is_known(resource)


@pytest.mark.parametrize(
    "resource",
    [
        "",
        "https://elsewhere.example",
        "https://vault.azure.net.evil.example",
        "https://vault.azure.net/.default",
        "vault.azure.net",
        "http://vault.azure.net",
        "https://a.b.vault.azure.net",
        "https://evil.example/.vault.azure.net",
        "api://relay",
        "https://storage.azure.net",
        "https://vault.azure.net///",
    ],
)
def test_no_token_is_issued_for_what_no_tenant_has(resource: str) -> None:
    assert not is_known(resource)
