"""Base64url as requests and responses have it (RFC 7515, appendix C)."""

from __future__ import annotations

import base64
import re

from local.key_vault.errors import bad_parameter

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*={0,2}", re.ASCII)


def to_base64url(data: bytes) -> str:
    """Encode without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_base64url(text: object, name: str = "value") -> bytes:
    """Decode, with or without padding; `name` is the property's.

    Raises KeyVaultError (400) for anything else, and for nothing.
    """
    if not isinstance(text, str) or not text:
        raise bad_parameter(f"Property '{name}' is required.\r\n")
    bare = text.rstrip("=")
    if not _BASE64URL.fullmatch(text) or len(bare) % 4 == 1:
        raise bad_parameter(f"Content of '{name}' is not base64url.\r\n")
    return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
