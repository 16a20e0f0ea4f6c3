from __future__ import annotations

import pytest

from local.key_vault import api_versions
from local.key_vault.errors import KeyVaultError


@pytest.mark.parametrize("text", [*api_versions.STABLE, "7.6-preview.2", "2026-03-01-preview"])
def test_the_versions_of_the_sdks_are_known(text: str) -> None:
    assert api_versions.parse(text).name == text


@pytest.mark.parametrize("text", ["9.9", "2025-07-02", "7.4-preview.9", "latest", "7"])
def test_an_unknown_version_is_refused_by_name(text: str) -> None:
    with pytest.raises(KeyVaultError) as caught:
        api_versions.parse(text)
    assert (caught.value.status, caught.value.code) == (400, "BadParameter")
    assert caught.value.message == (
        f"The specified version ({text}) is not recognized. Consider using the latest supported "
        "version (2026-04-01)."
    )


def test_a_missing_version_is_refused() -> None:
    with pytest.raises(KeyVaultError, match="api-version must be specified"):
        api_versions.parse("")


@pytest.mark.parametrize(
    ("version", "feature", "expected"),
    [
        ("7.2", "rotation", False),
        ("7.3-preview", "rotation", True),
        ("7.3", "rotation", True),
        ("2025-07-01", "attestation", True),
        ("7.5", "attestation", False),
    ],
)
def test_each_version_has_what_came_until_then(version: str, feature: str, expected: bool) -> None:
    assert api_versions.parse(version).has(feature) is expected
