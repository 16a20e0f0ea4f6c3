"""The partner's queue by the unmodified SDK."""

from __future__ import annotations

import pytest

from shared.azure.network import ConnectionOptions
from shared.message.protected_header import MessageHeader
from shared.partner.delivery import Delivery, PartnerUnavailableError
from shared.partner.service_bus import PartnerQueue, PartnerQueueClient


async def test_the_real_connection_is_to_the_queue_that_the_secret_names() -> None:
    nobody = "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=send;SharedAccessKey=a2V5"
    client = PartnerQueueClient(ConnectionOptions())
    target = PartnerQueue("inbox", f"{nobody};UseDevelopmentEmulator=true")
    try:
        with pytest.raises(PartnerUnavailableError, match="send to queue inbox: no answer"):
            await client.send(target, Delivery(MessageHeader("id-1", "a/b"), b"x"))
    finally:
        await client.close()
