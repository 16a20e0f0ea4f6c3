"""Whatever a queue gives up ends, over queues that forward it, where an operator may take it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from shared.access.declaration import FILE, Declaration

# Source: Microsoft Learn, "Service Bus dead-letter queues", MaxTransferHopCountExceeded. What has
# been forwarded more often goes to a dead-letter queue that is not forwarded any more:
# https://github.com/Azure/azure-service-bus/issues/249
MAX_HOPS = 4

QUEUES = {queue["name"]: queue for queue in json.loads(FILE.read_text())["queues"]}


def path(name: str) -> Iterator[str]:
    """Give the queues that a message goes through at most, each giving it up in turn."""
    yield name
    for key in ("forwardTo", "forwardDeadLettersTo"):
        # What is forwarded from a dead-letter queue keeps its time to live, and expires again:
        # https://github.com/Azure/azure-sdk-for-net/issues/6748
        if target := QUEUES[name].get(key):
            yield from path(target)
            return


@pytest.mark.parametrize("queue", QUEUES)
def test_what_a_queue_gives_up_ends_where_an_operator_may_take_it(queue: str) -> None:
    *forwarded, last = path(queue)
    assert len(forwarded) <= MAX_HOPS
    may_receive = {
        grant.identity
        for grant in Declaration.load(FILE).grants
        if (grant.kind, grant.object, grant.operation) == ("queue", last, "receive")
    }
    # Its dead letters, which nothing forwards, are read by the same right: `ops rejected` does.
    assert last == "rejected"
    assert may_receive == {"operator", "records_officer"}
