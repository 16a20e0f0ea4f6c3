"""base64url without padding, as JOSE and Key Vault write bytes (RFC 7515 section 2)."""

from __future__ import annotations

import pybase64


def encode(data: bytes | memoryview) -> str:
    """Return `data` as text."""
    return pybase64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
