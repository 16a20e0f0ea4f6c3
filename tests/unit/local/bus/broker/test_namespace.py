"""Queues together: who gets which message, and what goes where by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from local.bus.amqp.encoding import encode
from local.bus.amqp.message import Message, application_properties, parse
from local.bus.amqp.values import Described, Symbol, Timestamp, UInt, ULong, Value
from local.bus.broker.address import parse_address
from local.bus.broker.entry import QueueEntry
from local.bus.broker.message_sessions import MessageSessionLock
from local.bus.broker.namespace import Namespace, check_forwarding
from local.bus.broker.queue import Queue
from local.deployment.resources import NamespaceSpec, QueueSpec


def message(
    name: str, *, at: int | None = None, size: int = 0, time_to_live: int | None = None
) -> Message:
    ttl = None if time_to_live is None else UInt(time_to_live)
    header = Described(ULong(0x70), [None, None, ttl])
    annotations = Described(
        ULong(0x72), {Symbol("x-opt-scheduled-enqueue-time"): Timestamp(at or 0)}
    )
    data = Described(ULong(0x75), b"x" * size)
    sections = (header, annotations, Described(ULong(0x73), [name]), data)
    return parse(b"".join(map(encode, sections)))


@dataclass(eq=False)
class Taker:
    credit: int = 0
    deletes: bool = False
    got: list[QueueEntry] = field(default_factory=list)
    message_session: MessageSessionLock | None = None
    is_lost: bool = False

    def session_lost(self) -> None:
        self.is_lost = True

    def is_ready(self) -> bool:
        return self.credit > 0

    def deliver(self, entry: QueueEntry) -> None:
        self.credit -= 1
        self.got.append(entry)

    @property
    def names(self) -> list[str]:
        return [entry.message.message_id for entry in self.got]


class World:
    """A namespace, its clock, and the last alarm it set."""

    def __init__(self, *queues: QueueSpec) -> None:
        self.now = 0.0
        self.alarm = math.inf
        spec = NamespaceSpec("/n", "n", "n", "Standard", local_auth=False, queues=queues)
        self.namespace = Namespace(spec, lambda: self.now, self._set)

    def _set(self, at: float) -> None:
        self.alarm = min(at, self.alarm)

    def queue(self, address: str) -> Queue:
        found = self.namespace.find(parse_address(address))
        assert found is not None
        return found

    def send(self, queue: str, *messages: Message) -> None:
        self.namespace.send(self.queue(queue), [(one, one.size) for one in messages])

    def names(self, address: str) -> list[str]:
        return [one.message.message_id for one in self.queue(address).peek(0, 99, self.now)]


def queue(name: str, **properties: object) -> QueueSpec:
    return QueueSpec(f"/q/{name}", name, **properties)  # type: ignore[arg-type]


def test_consumers_take_turns_and_late_ones_get_what_comes() -> None:
    world = World(queue("q"))
    one, other = Taker(credit=2), Taker(credit=5, deletes=True)
    for taker in (one, other):
        world.namespace.add_consumer(world.queue("q"), taker)
    world.send("q", *(message(name) for name in "abcde"))
    assert one.names == ["a", "c"]
    assert other.names == ["b", "d", "e"]
    assert world.queue("q").counts(0).locked == 2


def test_a_consumer_that_left_gets_nothing() -> None:
    world = World(queue("q"))
    taker = Taker(credit=2)
    world.namespace.add_consumer(world.queue("q"), taker)
    world.namespace.remove_consumer(world.queue("q"), taker)
    world.send("q", message("a"))
    assert taker.got == []


def test_names_have_no_case() -> None:
    world = World(queue("Retries", forward_to="MESSAGES"), queue("Messages"))
    world.send("RETRIES", message("a"))
    assert world.names("amqps://host/messages") == ["a"]
    assert list(world.namespace.counts()) == ["Retries", "Messages"]


def test_a_scheduled_message_is_forwarded_when_due() -> None:
    world = World(queue("retries", forward_to="messages"), queue("messages"))
    taker = Taker(credit=1)
    world.namespace.add_consumer(world.queue("messages"), taker)
    world.send("retries", message("a", at=5000))
    assert (world.alarm, taker.got) == (5, [])
    world.now = 5.0
    world.namespace.advance()
    (entry,) = taker.got
    assert (entry.enqueued_at, entry.enqueued_sequence_number) == (5.0, 2)
    assert entry.dead_letter_source is None


def test_dead_letters_are_forwarded_with_reason_and_source() -> None:
    world = World(
        queue("messages", forward_dead_letters_to="rejected", lock_duration=timedelta(seconds=9)),
        queue("rejected"),
    )
    world.send("messages", message("a"))
    source = world.queue("messages")
    entry = source.receive(0)
    assert entry is not None
    assert entry.lock is not None
    source.dead_letter(entry.lock.token, 0, "Bad", "very")
    world.namespace.changed(source)
    (entry,) = world.queue("rejected").peek(0, 9, 0)
    assert entry.dead_letter_source == "messages"
    assert application_properties(entry.message)["DeadLetterReason"] == "Bad"
    assert entry.delivery_count == 0
    assert world.names("messages/$DeadLetterQueue") == []


def reason(world: World, address: str) -> Value:
    (entry,) = world.queue(address).peek(0, 9, 0)
    return application_properties(entry.message)["DeadLetterReason"]


TRANSFER = "/$Transfer/$DeadLetterQueue"


def test_what_a_full_queue_does_not_take_is_dead_lettered_in_transfer() -> None:
    world = World(queue("q", forward_to="small"), queue("small", max_size_bytes=450))
    world.send("q", *(message(name, size=100) for name in "abc"))
    assert world.names("small") == ["a", "b"]
    assert (world.names("q"), world.names("q" + TRANSFER)) == ([], ["c"])
    assert reason(world, "q" + TRANSFER) == "amqp:resource-limit-exceeded"
    counts = world.namespace.counts()["q"]
    assert (counts.active, counts.dead_lettered, counts.transfer_dead_lettered) == (0, 0, 1)


def test_dead_letters_wait_for_room_and_nothing_is_lost() -> None:
    world = World(queue("q", forward_dead_letters_to="small"), queue("small", max_size_bytes=600))
    world.send("q", *(message(name, size=100) for name in "abc"))
    source, small = world.queue("q"), world.queue("small")
    while (entry := source.receive(0)) is not None:
        assert entry.lock is not None
        source.dead_letter(entry.lock.token, 0, "Bad", "very")
    world.namespace.changed(source)
    assert world.names("small") == ["a", "b"]
    assert world.names("q/$DeadLetterQueue") == ["c"]
    small.take(0)
    world.namespace.changed(small)
    assert world.names("small") == ["b", "c"]
    assert world.names("q/$DeadLetterQueue") == []


def test_a_message_larger_than_the_next_queue_takes_holds_up_no_other() -> None:
    world = World(queue("q", forward_to="small"), queue("small", max_message_bytes=300))
    world.send("q", message("a", size=500), message("b", size=10))
    assert (world.names("small"), world.names("q" + TRANSFER)) == (["b"], ["a"])
    assert reason(world, "q" + TRANSFER) == "amqp:link:message-size-exceeded"


def test_a_circle_ends_in_the_transfer_dead_letters() -> None:
    world = World(queue("a", forward_to="b"), queue("b", forward_to="a"))
    world.send("a", message("m"))
    assert world.names("a" + TRANSFER) == ["m"]
    assert reason(world, "a" + TRANSFER) == "MaxTransferHopCountExceeded"


def test_a_circle_of_dead_letters_ends_as_well() -> None:
    world = World(
        *(
            queue(one, forward_dead_letters_to=other, dead_letter_on_expiration=True)
            for one, other in ("ab", "ba")
        )
    )
    world.send("a", message("m", time_to_live=0))
    for _ in range(9):
        world.namespace.advance()
    assert world.names("a" + TRANSFER) == ["m"]
    assert reason(world, "a" + TRANSFER) == "MaxTransferHopCountExceeded"


def test_a_message_passes_four_hops_and_no_fifth() -> None:
    world = World(*(queue(str(n), forward_to=str(n + 1)) for n in range(5)), queue("5"))
    world.send("0", message("far"))
    world.send("1", message("near"))
    assert world.names("4" + TRANSFER) == ["far"]
    assert world.names("5") == ["near"]


def test_transfer_dead_letters_are_received_and_settled_and_not_sent_to() -> None:
    world = World(queue("a", forward_to="b"), queue("b", forward_to="a"))
    world.send("a", message("m"))
    transfer = world.queue("a" + TRANSFER)
    assert transfer.is_dead_letter
    entry = transfer.receive(0)
    assert entry is not None
    assert entry.lock is not None
    transfer.complete(entry.lock.token, 0)
    assert world.names("a" + TRANSFER) == []


def test_a_duplicate_is_dropped_where_it_is_forwarded_to() -> None:
    world = World(
        queue("retries", forward_to="messages"),
        queue("messages", duplicate_window=timedelta(minutes=1)),
    )
    world.send("messages", message("a"))
    world.send("retries", message("a"), message("a.1"))
    assert world.names("messages") == ["a", "a.1"]


@pytest.mark.parametrize(
    "queues",
    [
        (queue("a", forward_to="b"),),
        (queue("a", forward_dead_letters_to="b"),),
        (queue("a", forward_to="a"),),
        (queue("a", forward_dead_letters_to="A"),),
    ],
)
def test_forwards_that_cannot_be(queues: tuple[QueueSpec, ...]) -> None:
    with pytest.raises(ValueError, match="forward"):
        check_forwarding(queues)
