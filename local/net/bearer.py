"""Secrets sent as `Authorization: Bearer ...`, for what this user alone may see.

Any program of any user can reach loopback; only this user can read the folder with the secrets.
"""

from __future__ import annotations

import hmac
import secrets

from aiohttp import web


def new_key() -> str:
    """Make such a secret."""
    return secrets.token_urlsafe(32)


def has_key(request: web.Request, key: str) -> bool:
    """Return whether a request has the key. Compared in constant time."""
    given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
    return hmac.compare_digest(given, f"Bearer {key}".encode())
