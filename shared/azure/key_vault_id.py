"""Where a key or a secret is: its Key Vault identifier, without a version."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_FORM = re.compile(
    r"(?P<vault>https://[A-Za-z0-9.-]+(?::\d{1,5})?)/(?P<kind>keys|secrets)/(?P<name>[0-9a-zA-Z-]{1,127})/?"
)
_VERSION = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class KeyVaultId:
    """`https://<vault host>/<keys|secrets>/<name>`: one object, in whatever version.

    Source: "Azure Key Vault keys, secrets, and certificates overview", object identifiers.
    """

    vault_url: str
    kind: Literal["keys", "secrets"]
    name: str

    @classmethod
    def parse(cls, text: str, kind: Literal["keys", "secrets"]) -> KeyVaultId:
        """Read an identifier. Raises `ValueError`, which does not repeat `text`."""
        found = _FORM.fullmatch(text)
        if not found or found["kind"] != kind:
            raise ValueError(
                f"must look like https://<vault host>/{kind}/<name>, without a version"
            )
        return cls(found["vault"].lower(), kind, found["name"])

    @property
    def url(self) -> str:
        """The identifier as text."""
        return f"{self.vault_url}/{self.kind}/{self.name}"

    def version_of(self, versioned: str) -> str | None:
        """Return the version that `versioned` names of this very object, or None."""
        prefix, _, version = versioned.rpartition("/")
        # Compared as a whole, not by its host: a key id may point anywhere.
        if prefix != self.url or not _VERSION.fullmatch(version):
            return None
        return version
