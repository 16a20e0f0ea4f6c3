"""Smaller buffers for connections over TLS."""

from __future__ import annotations

from asyncio import sslproto

# A record of TLS has at most 16 KiB. asyncio gives each connection 256 KiB to read into, from when
# it is accepted: a thousand connections take 256 MB, which the allocator is slow to give back.
BUFFER_BYTES = 32 * 1024


def shrink_tls_buffers() -> None:
    """Have all connections over TLS that are made from now on in this process use these.

    There is no parameter for it: it is an attribute of asyncio's class, in Python 3.11 to 3.14.
    """
    sslproto.SSLProtocol.max_size = BUFFER_BYTES
