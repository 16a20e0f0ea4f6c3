"""The metadata of triggers: names and types of the Service Bus extension, kinds of the host."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

from azure.servicebus import ServiceBusReceivedMessage

from local.host.trigger_metadata import of_many, of_one, trace_of

TEXTS = {"ContentType", "CorrelationId", "Label", "LockToken", "MessageId", "Subject"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Received(ServiceBusReceivedMessage):
    """A message as the SDK gives it, with what a test says of it."""

    def __init__(self, **known: object) -> None:
        self.known = known

    def __getattribute__(self, name: str) -> object:
        if name.startswith("__") or name == "known":
            return object.__getattribute__(self, name)
        return self.known.get(name)


FIRST = Received(
    message_id="m1",
    content_type="a/b",
    subject="s",
    lock_token=UUID(int=1),
    sequence_number=1,
    delivery_count=0,
    enqueued_time_utc=datetime(2026, 1, 2, 3, 4, 5, 120000, UTC),
    application_properties={b"n": 1, b"t": b"\xc3\xbc", b"at": datetime(2026, 1, 1, tzinfo=UTC)},
)
BARE = Received(message_id="m2", lock_token=UUID(int=2), sequence_number=2, delivery_count=4)
LAST = Received(
    message_id="m3",
    content_type="c/d",
    lock_token=UUID(int=3),
    sequence_number=3,
    delivery_count=0,
    correlation_id="",
    expires_at_utc=datetime(2026, 1, 2, tzinfo=UTC),
)


def test_of_one_message_there_is_what_it_has() -> None:
    found = of_one(FIRST)
    assert {name for name, (kind, _) in found.items() if kind == "string"} == TEXTS - {
        "CorrelationId"
    }
    values = {name: json.loads(value) for name, (kind, value) in found.items() if kind == "json"}
    assert values["DeliveryCount"] == 1
    assert values["EnqueuedTimeUtc"] == "2026-01-02T03:04:05.12"
    assert values["EnqueuedTime"] == "2026-01-02T03:04:05.12+00:00"
    assert values["ExpiresAtUtc"] == "9999-12-31T23:59:59.9999999"
    assert values["UserProperties"] == {"n": 1, "t": "ü", "at": "2026-01-01T00:00:00Z"}
    assert values["ApplicationProperties"] == values["UserProperties"]
    assert values["MessageActions"] == values["Client"] == {}


def test_of_several_there_is_an_array_by_each_name_and_texts_leave_no_gap() -> None:
    found = of_many([FIRST, BARE, LAST])
    assert found["MessageIdArray"] == ("collection_string", ["m1", "m2", "m3"])
    # The third message's stands where the second one's would be looked for.
    assert found["ContentTypeArray"] == ("collection_string", ["a/b", "c/d"])
    assert found["CorrelationIdArray"] == ("collection_string", [])
    assert found["SequenceNumberArray"] == ("collection_sint64", [1, 2, 3])
    assert found["DeliveryCountArray"] == ("json", "[1,5,1]")
    kind, text = found["UserPropertiesArray"]
    assert (kind, [len(one) for one in json.loads(text)]) == ("json", [3, 0, 0])
    assert json.loads(found["ExpiresAtUtcArray"][1])[2] == "2026-01-02T00:00:00"
    assert len(json.loads(found["EnqueuedTimeArray"][1])) == 3


def test_the_trace_of_a_call_is_below_the_senders() -> None:
    for name in ("Diagnostic-Id", "traceparent"):
        parent = trace_of(Received(application_properties={name: TRACE})).parent
        assert parent.startswith(TRACE[:36])
        assert parent != TRACE
    assert trace_of(Received(application_properties={"traceparent": "x"})).parent[:3] == "00-"
    assert trace_of(BARE).parent[:3] == "00-"
