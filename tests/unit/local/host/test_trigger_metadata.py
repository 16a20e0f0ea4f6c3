"""The metadata of triggers: names and types of the Service Bus extension, kinds of the host."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
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


OTHER = f"00-{'1' * 32}-{'2' * 16}-00"


@pytest.mark.parametrize(
    ("properties", "trace", "state"),
    [
        ({"Diagnostic-Id": TRACE}, TRACE, ""),
        ({"traceparent": TRACE, "tracestate": "a=b"}, TRACE, "a=b"),
        ({"traceparent": TRACE, "tracestate": "a=b", "Diagnostic-Id": OTHER}, TRACE, "a=b"),
        ({"traceparent": "x", "tracestate": "a=b", "Diagnostic-Id": TRACE}, TRACE, ""),
    ],
)
def test_with_open_telemetry_the_trace_of_a_call_is_below_the_senders(
    properties: dict[str, str], trace: str, state: str
) -> None:
    found = trace_of(Received(application_properties=properties), is_open_telemetry=True)
    assert (found.parent[:36], found.state) == (trace[:36], state)
    assert found.parent != trace


def test_without_it_a_call_is_below_the_diagnostic_id_alone() -> None:
    both = {"traceparent": OTHER, "tracestate": "a=b", "Diagnostic-Id": TRACE}
    assert trace_of(Received(application_properties=both)).parent[:36] == TRACE[:36]
    alone = trace_of(Received(application_properties={"traceparent": OTHER}))
    assert OTHER[3:35] not in alone.parent
    assert alone.state == ""


@pytest.mark.parametrize("is_open_telemetry", [False, True])
def test_a_message_without_a_trace_begins_one(is_open_telemetry: bool) -> None:
    for message in (Received(application_properties={"traceparent": "x"}), BARE):
        found = trace_of(message, is_open_telemetry=is_open_telemetry)
        assert (found.parent[:3], found.state) == ("00-", "")
