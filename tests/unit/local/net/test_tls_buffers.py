from __future__ import annotations

from asyncio import sslproto

import pytest

from local.net.tls_buffers import BUFFER_BYTES, shrink_tls_buffers


def test_a_connection_over_tls_has_a_small_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sslproto.SSLProtocol, "max_size", sslproto.SSLProtocol.max_size)
    assert sslproto.SSLProtocol.max_size > BUFFER_BYTES
    shrink_tls_buffers()
    assert sslproto.SSLProtocol.max_size == BUFFER_BYTES
