"""The api-versions of Key Vault, and what each of them does not have yet.

Source: the versions that azure-keyvault-keys 4.11 and azure-keyvault-secrets 4.12 list, with what
their changelogs say was added in each.
"""

from __future__ import annotations

from dataclasses import dataclass

from local.key_vault.errors import bad_parameter

# Oldest first; a preview counts as the version that it announces.
STABLE = (
    *("2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6"),
    *("2025-07-01", "2026-04-01"),
)
_PREVIEWS = {
    "7.1-preview": "7.1",
    "7.2-preview": "7.2",
    "7.3-preview": "7.3",
    "7.4-preview.1": "7.4",
    "7.5-preview.1": "7.5",
    "7.6-preview.1": "7.6",
    "7.6-preview.2": "7.6",
    "2025-06-01-preview": "2025-07-01",
    "2026-01-01-preview": "2026-04-01",
    "2026-03-01-preview": "2026-04-01",
}
FIRST = {
    "recoverableDays": "7.1",
    "rotation": "7.3",
    "release": "7.3",
    "randomBytes": "7.3",
    "hsmPlatform": "7.5",
    "attestation": "7.6",
    "outContentType": "2025-07-01",
}


@dataclass(frozen=True)
class ApiVersion:
    """An api-version that a request named."""

    name: str

    def has(self, feature: str) -> bool:
        """Return whether the version has a feature of `FIRST`."""
        stable = _PREVIEWS.get(self.name, self.name)
        return STABLE.index(stable) >= STABLE.index(FIRST[feature])


def parse(text: str) -> ApiVersion:
    """Read the parameter api-version. Raises KeyVaultError (400), which names an unknown one."""
    if not text:
        raise bad_parameter("api-version must be specified")
    if text not in STABLE and text not in _PREVIEWS:
        raise bad_parameter(
            f"The specified version ({_shown(text)}) is not recognized. Consider using the latest "
            f"supported version ({STABLE[-1]})."
        )
    return ApiVersion(text)


def _shown(text: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text[:40])
