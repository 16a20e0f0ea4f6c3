from __future__ import annotations

import pytest
from azure.functions.servicebus import ServiceBusMessage

from shared.envelope import MEDIA_TYPE, Context, DataKey, UnopenableError, WrappedKey, seal
from shared.queues import Incoming, outgoing

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TOKEN = seal(b"payload", Context("id-1", "a/b"), DataKey.generate(), WrappedKey("kid", b"key"))


def triggered(
    message_id: str, body: bytes = TOKEN.encode(), trace: str = TRACE
) -> ServiceBusMessage:
    properties = {"traceparent": trace}
    return ServiceBusMessage(
        body=body, message_id=message_id, user_properties={}, application_properties=properties
    )


def test_what_goes_out() -> None:
    message = outgoing(TOKEN, "id-1", TRACE)
    assert b"".join(message.body) == TOKEN.encode()
    assert message.message_id == "id-1"
    assert message.content_type == MEDIA_TYPE
    assert message.application_properties == {"traceparent": TRACE}
    assert not outgoing(TOKEN, "id-1", None).application_properties


@pytest.mark.parametrize(("message_id", "attempt"), [("id-1", 0), ("id-1.1", 1), ("id-1.12", 12)])
def test_what_comes_in(message_id: str, attempt: int) -> None:
    incoming = Incoming.from_trigger(triggered(message_id))
    assert incoming.attempt == attempt
    assert incoming.trace == TRACE
    assert incoming.sealed.context.message_id == "id-1"


@pytest.mark.parametrize("message_id", ["", "id-2", "id-1.", "id-1.x", "id-1.1.1", "id-1.²", "id"])
def test_a_message_under_another_id_is_foreign(message_id: str) -> None:
    with pytest.raises(UnopenableError) as caught:
        Incoming.from_trigger(triggered(message_id))
    assert caught.value.fault == "foreign"


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", "ä".encode(), b"{}", TOKEN.encode() + b"\n"])
def test_a_body_that_is_no_sealed_message_is_malformed(body: bytes) -> None:
    with pytest.raises(UnopenableError) as caught:
        Incoming.from_trigger(triggered("id-1", body))
    assert caught.value.fault == "malformed"


@pytest.mark.parametrize(
    "trace", ["", "x", TRACE.upper(), "ff" + TRACE[2:], "00-" + "0" * 32 + TRACE[35:], TRACE + "\n"]
)
def test_an_invalid_trace_is_left_out(trace: str) -> None:
    assert Incoming.from_trigger(triggered("id-1", trace=trace)).trace is None
