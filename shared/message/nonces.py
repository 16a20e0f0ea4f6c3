"""Nonces of AES-GCM (NIST SP 800-38D section 8.2.2): 96 random bits each, used once."""

from __future__ import annotations

import os

NONCE_BYTES = 12
_DRAWN = 64

# A key seals at most 2^20 messages, so random 96-bit nonces repeat with a chance below 2^-57 and
# need no counter that processes would have to share. They come from the operating system's random
# source, many at a time: to ask it takes as long as to encrypt half a kilobyte.
NONCES: list[bytes] = []
"""Those that are drawn and not used: `pop` takes one, of any thread."""
if hasattr(os, "register_at_fork"):
    # A nonce that parent and child both used under one key would give away what AES-GCM protects.
    os.register_at_fork(after_in_child=NONCES.clear)


def draw_nonces() -> bytes:
    """Draw more, where none is left; return one that is not among them."""
    drawn = os.urandom(_DRAWN * NONCE_BYTES)
    first, *others = [drawn[at : at + NONCE_BYTES] for at in range(0, len(drawn), NONCE_BYTES)]
    NONCES.extend(others)
    return first
