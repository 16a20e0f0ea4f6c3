"""Topics: which subscription gets what, and entities that come and go."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from local.bus.amqp.encoding import encode_section
from local.bus.amqp.errors import EntityDeletedError, QueueDisabledError, QueueFullError
from local.bus.amqp.message import Message, application_properties, parse
from local.bus.amqp.values import Symbol, Timestamp, UInt, Value
from local.bus.broker.address import parse_address
from local.bus.broker.entry import QueueEntry
from local.bus.broker.forwarding import check_forwarding
from local.bus.broker.journal import Journal
from local.bus.broker.namespace import Namespace
from local.bus.broker.queue import Queue
from local.bus.broker.topic import FILTER_FAILED, NO_SESSION
from local.bus.topics.errors import RuleSyntaxError
from local.deployment.resources import (
    NamespaceSpec,
    QueueSpec,
    SubscriptionSpec,
    TopicSpec,
    subscription_path,
)
from local.deployment.rules import RuleSpec, SqlSpec, TrueFilterSpec


def topic(name: str = "t", **properties: object) -> TopicSpec:
    return TopicSpec(f"/topics/{name}", name, **properties)  # type: ignore[arg-type]


def subscription(name: str, *rules: RuleSpec, of: str = "t", **other: object) -> SubscriptionSpec:
    return SubscriptionSpec(
        f"/topics/{of}/subscriptions/{name}",
        subscription_path(of, name),
        topic=of,
        rules=rules or (RuleSpec("$Default"),),
        **other,  # type: ignore[arg-type]
    )


def queue(name: str, **properties: object) -> QueueSpec:
    return QueueSpec(f"/queues/{name}", name, **properties)  # type: ignore[arg-type]


def message(
    name: str, *, ttl: float | None = None, at: float | None = None, **user: Value
) -> Message:
    header: list[Value] = [None, None, None if ttl is None else UInt(int(ttl * 1000)), None, None]
    annotations: dict[Value, Value] = {}
    if at is not None:
        annotations[Symbol("x-opt-scheduled-enqueue-time")] = Timestamp(int(at * 1000))
    application: dict[Value, Value] = dict(user.items())
    return parse(
        encode_section(0x70, header)
        + encode_section(0x72, annotations)
        + encode_section(0x73, [name, *[None] * 12])
        + encode_section(0x74, application)
        + encode_section(0x75, b"x" * 100)
    )


class World:
    """A namespace with topics, and its clock."""

    def __init__(self, *specs: QueueSpec, journal: Journal | None = None) -> None:
        self.now = 1000.0
        self.changes = 0
        kinds = (TopicSpec, SubscriptionSpec)
        spec = NamespaceSpec(
            *("/n", "n", "n", "Standard"),
            local_auth=False,
            queues=tuple(one for one in specs if not isinstance(one, kinds)),
            topics=tuple(one for one in specs if isinstance(one, TopicSpec)),
            subscriptions=tuple(one for one in specs if isinstance(one, SubscriptionSpec)),
        )
        self.namespace = Namespace(
            spec, lambda: self.now, journal=journal, on_change=self._count_change
        )

    def _count_change(self) -> None:
        self.changes += 1

    def at(self, path: str) -> Queue:
        found = self.namespace.find(parse_address(path))
        assert found is not None
        return found

    def send(self, path: str, *messages: Message) -> None:
        self.namespace.send(self.at(path), [(one, one.size) for one in messages])

    def entries(self, path: str) -> list[QueueEntry]:
        return self.at(path).peek(0, 100, self.now)

    def names(self, path: str) -> list[str]:
        return [entry.message.message_id for entry in self.entries(path)]


def test_each_subscription_gets_what_its_rules_take() -> None:
    world = World(
        topic(),
        subscription("all"),
        subscription("red", RuleSpec("r", SqlSpec("color = 'red'"))),
        subscription("none", RuleSpec("r", SqlSpec("1 = 0"))),
    )

    world.send("t", message("1", color="red"), message("2", color="blue"))

    assert world.names("t/Subscriptions/all") == ["1", "2"]
    assert world.names("T/subscriptions/RED") == ["1"]
    assert world.names("t/subscriptions/none") == []
    assert world.names("t") == []


def test_a_message_that_no_subscription_takes_is_dropped() -> None:
    world = World(topic())

    world.send("t", message("1"))

    assert world.names("t") == []


def test_copies_have_numbers_of_their_own_and_know_the_topics() -> None:
    world = World(topic(), subscription("s"))
    world.send("t", message("1"), message("2"))
    world.namespace.add(subscription("late"))
    world.send("t", message("3"))

    (entry,) = world.entries("t/subscriptions/late")
    assert (entry.sequence_number, entry.enqueued_sequence_number) == (1, 3)


def test_the_shortest_time_to_live_counts() -> None:
    lives = {"s": None, "brief": timedelta(seconds=5)}
    world = World(
        topic(time_to_live=timedelta(seconds=60)),
        *(subscription(name, time_to_live=life) for name, life in lives.items()),
    )

    world.send("t", message("1", ttl=3600), message("2", ttl=1))

    found = {
        name: [one.time_to_live for one in world.entries(f"t/subscriptions/{name}")]
        for name in lives
    }
    assert found == {"s": [60, 1], "brief": [5, 1]}


def test_a_duplicate_is_dropped_at_the_topic() -> None:
    world = World(topic(duplicate_window=timedelta(minutes=1)), subscription("s"))

    world.send("t", message("1"), message("1"))
    world.now += 61
    world.send("t", message("1"))

    assert world.names("t/subscriptions/s") == ["1", "1"]


def test_a_scheduled_message_waits_in_the_topic() -> None:
    world = World(topic(), subscription("s"))

    world.send("t", message("1", at=world.now + 10))
    assert (world.names("t"), world.names("t/subscriptions/s")) == (["1"], [])

    world.now += 10
    world.namespace.advance()
    assert (world.names("t"), world.names("t/subscriptions/s")) == ([], ["1"])


def test_a_message_whose_filter_fails_is_a_dead_letter_or_is_dropped() -> None:
    bad = RuleSpec("bad", SqlSpec("n / 0 = 1"))
    world = World(
        topic(),
        subscription("keeps", bad),
        subscription("drops", bad, dead_letter_on_filter_errors=False),
    )

    world.send("t", message("1", n=1))

    (dead,) = world.entries("t/Subscriptions/keeps/$DeadLetterQueue")
    properties = application_properties(dead.message)
    assert properties["DeadLetterReason"] == FILTER_FAILED
    assert properties["DeadLetterErrorDescription"] == "Division by zero."
    assert world.names("t/subscriptions/keeps") == []
    assert world.names("t/subscriptions/drops/$deadletterqueue") == []


def test_a_message_without_a_session_is_a_dead_letter_where_sessions_are_required() -> None:
    world = World(topic(), subscription("s", requires_session=True))

    world.send("t", message("1"))

    (dead,) = world.entries("t/subscriptions/s/$deadletterqueue")
    assert application_properties(dead.message)["DeadLetterReason"] == NO_SESSION


def test_subscriptions_forward_to_queues_and_topics() -> None:
    world = World(
        topic(),
        topic("next"),
        queue("q"),
        subscription("to-queue", forward_to="q"),
        subscription("to-topic", forward_to="next"),
        subscription("end", of="next"),
    )

    world.send("t", message("1"))

    assert world.names("q") == world.names("next/subscriptions/end") == ["1"]
    assert world.entries("q")[0].enqueued_sequence_number == 1


@pytest.mark.parametrize("target", ["t/Subscriptions/s", "nothing"])
def test_a_forward_to_what_takes_none_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="forwards"):
        check_forwarding([topic(), subscription("s", forward_to=target)])


def test_the_size_of_a_topic_limits_its_subscriptions_together() -> None:
    world = World(topic(max_size_bytes=350), subscription("a"), subscription("b"))
    world.send("t", message("1"))

    with pytest.raises(QueueFullError):
        world.send("t", message("2"))


# Entities that come and go


def test_entities_are_added_changed_and_removed() -> None:
    world = World()
    world.namespace.add(queue("q"))
    world.namespace.add(topic())
    added = world.namespace.add(subscription("s"))
    world.namespace.change(added, subscription("s", RuleSpec("r", SqlSpec("n = 1"))))
    world.send("t", message("1", n=1), message("2", n=2))
    assert world.names("t/subscriptions/s") == ["1"]

    found = world.at("t")
    world.namespace.remove(found)

    assert [one.name for one in world.namespace.entities()] == ["q"]
    assert world.changes == 6
    for gone in (found, added):
        with pytest.raises(EntityDeletedError):
            world.namespace.availability.require(gone, "keep-receive")


def test_a_malformed_rule_changes_nothing() -> None:
    world = World(topic(), subscription("s"))

    with pytest.raises(RuleSyntaxError, match=r"t/Subscriptions/s, rule r: "):
        world.namespace.change(
            world.at("t/subscriptions/s"), subscription("s", RuleSpec("r", SqlSpec("x =")))
        )

    world.send("t", message("1"))
    assert world.names("t/subscriptions/s") == ["1"]


def test_a_circle_made_at_run_time_ends_in_dead_letters() -> None:
    world = World(queue("q"), topic(), subscription("s"))
    world.namespace.change(world.at("q"), queue("q", forward_to="q"))
    world.namespace.change(world.at("t/subscriptions/s"), subscription("s", forward_to="t"))

    world.send("q", message("1"))
    world.send("t", message("2"))

    for path, name in (("q", "1"), ("t/subscriptions/s", "2")):
        (dead,) = world.entries(f"{path}/$Transfer/$deadletterqueue")
        reason = application_properties(dead.message)["DeadLetterReason"]
        assert (dead.message.message_id, reason) == (name, "MaxTransferHopCountExceeded")
        assert world.names(path) == []


def test_what_was_forwarded_to_a_deleted_queue_is_dead_lettered_in_transfer() -> None:
    world = World(queue("to"), queue("from", forward_to="to"))
    world.namespace.remove(world.at("to"))
    world.send("from", message("1"))
    assert world.names("from") == []
    assert world.names("from/$Transfer/$DeadLetterQueue") == ["1"]

    world.namespace.add(queue("to"))
    world.send("from", message("2"))
    assert world.names("to") == ["2"]


@pytest.mark.parametrize(
    ("status", "refused"),
    [
        ("Active", []),
        ("Disabled", ["send", "receive"]),
        ("SendDisabled", ["send"]),
        ("ReceiveDisabled", ["receive"]),
    ],
)
def test_a_status_refuses(status: str, refused: list[str]) -> None:
    world = World(queue("q", status=status))
    found = []
    for step in ("send", "receive"):
        try:
            world.namespace.availability.require(world.at("q"), step)
        except QueueDisabledError:
            found.append(step)

    assert found == refused


def test_what_subscriptions_hold_outlives_the_process(tmp_path: Path) -> None:
    rule = RuleSpec("r", TrueFilterSpec(), SqlSpec("SET n = 5"))
    specs = (topic(), subscription("s", rule))
    journal = Journal(tmp_path / "journal.sqlite3")
    world = World(*specs, journal=journal)
    world.namespace.add(subscription("later"))
    world.send("t", message("1"), message("2", at=world.now + 10))
    journal.close()

    journal = Journal(tmp_path / "journal.sqlite3")
    again = World(*specs, subscription("later"), journal=journal)
    assert application_properties(again.entries("t/subscriptions/s")[0].message)["n"] == 5
    assert again.names("t/subscriptions/later") == ["1"]
    assert again.names("t") == ["2"]
    again.namespace.remove(again.at("t/subscriptions/later"))
    journal.close()

    journal = Journal(tmp_path / "journal.sqlite3")
    assert World(*specs, journal=journal).names("t/subscriptions/s") == ["1"]
    journal.close()
