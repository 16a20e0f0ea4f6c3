"""The managed identities of this process: a credential for each, by client id."""

from __future__ import annotations

from functools import cache
from typing import Any

from azure.identity.aio import ManagedIdentityCredential


@cache
def credential(client_id: str) -> ManagedIdentityCredential:
    """Return the one credential of the user-assigned identity `client_id`.

    Never the default chain: it would fall back to whichever other identity happens to work. One
    object each, because tokens are cached per credential object. It gives up within seconds:
    a caller and the bus can wait longer than a thread of this process.
    """
    return managed_identity(client_id, retries=2)


def managed_identity(
    client_id: str | None = None, *, retries: int, user_agent: str | None = None
) -> ManagedIdentityCredential:
    """Return a new credential of an identity; without `client_id`, of the process's own one.

    The endpoint is on this machine or next to it, and a request to it has a secret header in clear,
    or is answered by a token in clear. So it is asked directly: the SDK would send the request to
    whatever proxy the environment names, with a password of `.netrc` added.
    """
    more: dict[str, Any] = {"user_agent": user_agent} if user_agent else {}
    return ManagedIdentityCredential(
        client_id=client_id, retry_total=retries, use_env_settings=False, **more
    )
