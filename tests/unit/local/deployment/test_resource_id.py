from __future__ import annotations

import pytest

from local.deployment.resource_id import kind, last, normal, parent, within

GROUP = "/subscriptions/S/resourceGroups/G"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/v"


@pytest.mark.parametrize(
    ("resource_id", "scope", "expected"),
    [
        (f"{VAULT}/keys/payload", f"{VAULT}/keys/payload", True),
        (f"{VAULT}/keys/payload", VAULT, True),
        (f"{VAULT}/keys/payload", GROUP, True),
        (f"{VAULT}/keys/payload", "/subscriptions/S", True),
        (f"{VAULT}/keys/payload", "/", True),
        (f"{VAULT}/keys/payload", VAULT.upper(), True),
        (f"{VAULT}/keys/payload", f"{VAULT}/", True),
        (f"{VAULT}/keys/payload", f"{VAULT}/keys/pay", False),
        (f"{VAULT}/keys/pay", f"{VAULT}/keys/payload", False),
        (f"{VAULT}2/keys/payload", VAULT, False),
        (VAULT, f"{VAULT}/keys/payload", False),
        (VAULT, "/subscriptions/other", False),
    ],
)
def test_a_scope_reaches_whole_segments_in_any_case(
    resource_id: str, scope: str, *, expected: bool
) -> None:
    assert within(resource_id, scope) is expected


def test_parts_of_an_id() -> None:
    assert last(f"{VAULT}/keys/Payload") == "Payload"
    assert parent(f"{VAULT}/keys/payload") == VAULT
    assert normal(f"{VAULT}/") == VAULT.lower()
    assert kind(VAULT) == "Microsoft.KeyVault/vaults"
    assert kind(f"{VAULT}/keys/payload/") == "Microsoft.KeyVault/vaults/keys"
    assert kind(f"{VAULT}/providers/Microsoft.Insights/diagnosticSettings/audit") == (
        "Microsoft.Insights/diagnosticSettings"
    )
    assert kind("/subscriptions/1/resourceGroups/relay") == "resourceGroups"
