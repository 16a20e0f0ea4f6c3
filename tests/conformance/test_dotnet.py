"""Azure's client for .NET, by identity."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.conformance import dotnet
from tests.conformance.target import Target


def sbnet(target: Target, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Run a command of the client as the caller who may do everything."""
    dotnet.sbnet()
    if target.bus is None:
        pytest.skip("sbnet signs in by managed identity alone")
    options = (
        *("--namespace", "localhost"),
        *("--endpoint", target.bus.replace("127.0.0.1", "localhost")),
    )
    environment = {**target.environments["caller"], "SSL_CERT_FILE": str(target.ca)}
    return dotnet.run(environment, *arguments, *options)


@pytest.mark.conformance("Service Bus queues", "abandon", ".NET")
@pytest.mark.conformance("Service Bus queues", "dead-letter, and receive dead letters", ".NET")
@pytest.mark.conformance("Service Bus queues", "defer, and receive by sequence number", ".NET")
@pytest.mark.conformance("Service Bus queues", "peek", ".NET")
@pytest.mark.conformance("Service Bus queues", "receive and delete", ".NET")
@pytest.mark.conformance("Service Bus queues", "refuse a message that is too large", ".NET")
@pytest.mark.conformance("Service Bus queues", "refuse a session receiver without sessions", ".NET")
@pytest.mark.conformance("Service Bus queues", "refuse what does not exist", ".NET")
@pytest.mark.conformance("Service Bus queues", "schedule, and cancel", ".NET")
@pytest.mark.conformance("Service Bus queues", "send a received message again", ".NET")
def test_what_a_queue_can_do(target: Target) -> None:
    code, found = sbnet(target, "features", "dotnet")
    assert len(found) > 10, found
    assert [one for one in found if not one["ok"]] == []
    assert code == 0


@pytest.mark.conformance("Service Bus sessions", "receive a session in order", ".NET")
@pytest.mark.conformance("Service Bus sessions", "lock a session for one receiver", ".NET")
@pytest.mark.conformance("Service Bus sessions", "get and set a state, and renew a lock", ".NET")
def test_a_session(target: Target) -> None:
    session_id = uuid.uuid4().hex
    # The command `session` expects the bodies that `send` gives messages with --text.
    code, found = sbnet(target, "send", "sessions", "5", "--text", "--session", session_id)
    assert code == 0, found
    code, found = sbnet(target, "session", "sessions", session_id)
    assert code == 0, json.dumps(found)
    result = found[-1]
    assert (result["received"], result["inOrder"]) == (5, True)
    assert (result["state"], result["renewed"]) == ("half way", True)
    assert result["second"] == "SessionCannotBeLocked"
