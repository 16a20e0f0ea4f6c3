"""What a role permits is judged by its patterns."""

from __future__ import annotations

import pytest

from checks.roles import (
    BUILT_IN,
    DATA_ACTIONS,
    OWN_BLOBS,
    SEND_TELEMETRY,
    STORE_PACKAGES,
    Permission,
    fits,
    permitted,
)

KEYS = "Microsoft.KeyVault/vaults/keys"
SECRETS = "Microsoft.KeyVault/vaults/secrets"
BUS = "Microsoft.ServiceBus/namespaces/messages"


@pytest.mark.parametrize(
    ("pattern", "fitting"),
    [
        ("*", True),
        (f"{KEYS}/encrypt/action", True),
        (f"{KEYS}/ENCRYPT/Action".lower(), True),
        (f"{KEYS}/*", True),
        (f"{KEYS}/*/action", True),
        ("Microsoft.KeyVault/*/encrypt/action", True),
        ("Microsoft.KeyVault/vaults", False),
        (f"{KEYS}/encrypt", False),
        (f"{KEYS}/decrypt/action", False),
        ("Microsoft.KeyVault.vaults/keys/encrypt/action", False),
        ("Microsoft_KeyVault/vaults/keys/encrypt/action", False),
        (f"{SECRETS}/*", False),
    ],
)
def test_a_pattern_fits_as_azure_fits_it(pattern: str, *, fitting: bool) -> None:
    assert fits(f"{KEYS}/encrypt/action", pattern) is fitting


@pytest.mark.parametrize(
    ("blocks", "actions"),
    [
        ([{"dataActions": [f"{KEYS}/encrypt/action"]}], {f"{KEYS}/encrypt/action"}),
        (
            [{"dataActions": ["Microsoft.ServiceBus/*"]}],
            {f"{BUS}/send/action", f"{BUS}/receive/action"},
        ),
        (
            [{"dataActions": [f"{KEYS}/*crypt/action"], "notDataActions": ["*/decrypt/*"]}],
            {f"{KEYS}/encrypt/action"},
        ),
        # What one block excludes another may permit.
        (
            [
                {"dataActions": [f"{KEYS}/*crypt/action"], "notDataActions": ["*/decrypt/*"]},
                {"dataActions": [f"{KEYS}/decrypt/action"]},
            ],
            {f"{KEYS}/encrypt/action", f"{KEYS}/decrypt/action"},
        ),
        ([{"dataActions": ["Microsoft.Storage/*/read"]}], {"Microsoft.Storage/*/read"}),
        (
            [{"actions": ["Microsoft.Authorization/*/write"]}],
            {"Microsoft.Authorization/*/write (control plane)"},
        ),
        ([{"actions": ["*"], "notActions": ["*/write"]}], {"* (control plane)"}),
        ([{"dataActions": ["*"]}], set(DATA_ACTIONS)),
        ([{}], set()),
    ],
)
def test_a_role_permits_what_its_blocks_permit(blocks: list[Permission], actions: set[str]) -> None:
    assert permitted(blocks) == actions


def test_each_built_in_role_permits_what_it_is_used_for() -> None:
    assert [permitted(role) for role in BUILT_IN.values()] == [
        {f"{BUS}/send/action"},
        {f"{BUS}/receive/action"},
        set(STORE_PACKAGES),
        set(OWN_BLOBS),
        set(SEND_TELEMETRY),
    ]
