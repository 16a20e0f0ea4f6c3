"""The managed identities of this process: a credential for each, by client id."""

from __future__ import annotations

from functools import cache

from azure.identity.aio import ManagedIdentityCredential


@cache
def credential(client_id: str) -> ManagedIdentityCredential:
    """Return the one credential of the user-assigned identity `client_id`.

    Never the default chain: it would fall back to whichever other identity happens to work. One
    object each, because tokens are cached per credential object. It gives up within seconds:
    a caller and the bus can wait longer than a thread of this process.
    """
    return ManagedIdentityCredential(client_id=client_id, retry_total=2)
