"""Secrets that are asked for as `Authorization: Bearer ...`, of what is for this user alone.

Any program of any user can reach loopback: only one who can read the private folder knows them.
"""

from __future__ import annotations

import hmac
import secrets

from aiohttp import web


def new_key() -> str:
    """Make such a secret."""
    return secrets.token_urlsafe(32)


def has_key(request: web.Request, key: str) -> bool:
    """Return whether a request comes with the key. Compared in constant time."""
    given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
    return hmac.compare_digest(given, f"Bearer {key}".encode())
