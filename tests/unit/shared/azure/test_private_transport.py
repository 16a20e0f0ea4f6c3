from __future__ import annotations

from pathlib import Path

import certifi
import pytest

from shared.azure.private_transport import PrivateTransport


async def test_a_closed_transport_stays_closed() -> None:
    transport = PrivateTransport(Path(certifi.where()))
    await transport.open()
    session = transport.session
    await transport.open()
    assert transport.session is session
    await transport.close()
    assert session.closed
    with pytest.raises(ValueError, match="already been closed"):
        await transport.open()


async def test_no_proxy_and_no_password_of_the_environment_is_used() -> None:
    async with PrivateTransport(Path(certifi.where())) as transport:
        assert transport.session.trust_env is False
