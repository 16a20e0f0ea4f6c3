from __future__ import annotations

import pytest

from local.host.worker.messages import (
    Decoder,
    Indexed,
    IndexingFailed,
    Invocation,
    Outcome,
    Stop,
    WorkerMessage,
    encode,
)

REQUEST = {"method": "GET", "headers": {"a": "ü"}, "body": ("bytes", bytes(range(256)))}
MESSAGES: list[WorkerMessage] = [
    Indexed((("send", ('{"type": "httpTrigger"}',)),)),
    IndexingFailed("no app"),
    Invocation("1", "send", {"req": ("http", REQUEST)}, {"a": ("json", "{}")}, "00-a-b-01", "x=1"),
    Outcome("1", ("http", {"status": "200", "body": ("bytes", b"\xff")})),
    Outcome("1", error="ValueError('\ud800')", traceback="Traceback"),
    Stop(),
]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_messages_come_out_as_they_went_in_whatever_the_pieces(size: int) -> None:
    data = b"".join(map(encode, MESSAGES))
    decoder = Decoder()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert [message for piece in pieces for message in decoder.feed(piece)] == MESSAGES


def test_a_value_that_the_protocol_lacks_is_refused() -> None:
    with pytest.raises(TypeError):
        encode(Outcome("1", ("dict", {"a": object()})))


def test_a_large_body_passes() -> None:
    body = bytes(50_000_000)
    (message,) = Decoder().feed(encode(Outcome("1", ("bytes", body))))
    assert message == Outcome("1", ("bytes", body))
