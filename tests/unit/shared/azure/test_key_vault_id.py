from __future__ import annotations

import pytest

from shared.azure.key_vault_id import KeyVaultId

KEY = KeyVaultId.parse("https://Payload.vault.azure.net/keys/payload", "keys")
VERSION = "0123456789abcdef0123456789abcdef"


def test_a_version_of_this_key() -> None:
    assert KEY.version_of(f"https://payload.vault.azure.net/keys/payload/{VERSION}") == VERSION


@pytest.mark.parametrize(
    "elsewhere",
    [
        "",
        "https://payload.vault.azure.net/keys/payload",
        "https://payload.vault.azure.net/keys/payload/",
        "https://payload.vault.azure.net/keys/payload/latest",
        f"https://payload.vault.azure.net/keys/payload/{VERSION}/",
        f"https://payload.vault.azure.net/keys/payload/{VERSION}\n",
        f"https://payload.vault.azure.net/keys/payload/../other/{VERSION}",
        f"https://payload.vault.azure.net/keys/other/{VERSION}",
        f"https://payload.vault.azure.net/secrets/payload/{VERSION}",
        f"https://payload.vault.azure.net.evil.example/keys/payload/{VERSION}",
        f"https://payload.vault.azure.net@evil.example/keys/payload/{VERSION}",
        f"https://payload.vault.azure.net:444/keys/payload/{VERSION}",
        f"http://payload.vault.azure.net/keys/payload/{VERSION}",
        f"https://payload.vault.azure.net/keys/payload/{VERSION}?x=1",
    ],
)
def test_whatever_else_an_id_points_to_is_none(elsewhere: str) -> None:
    assert KEY.version_of(elsewhere) is None
