"""How the fault suite explains what reached the partner more than once."""

from __future__ import annotations

from tests.faults.account import UNEXPLAINED, explained, without_answer
from tests.faults.trouble import (
    COPIED_AT_ONCE,
    OF_FUNCTION,
    Break,
    brought_forward,
    lost_connections,
)


def test_a_repeat_is_explained_by_what_happened_between_its_deliveries() -> None:
    stop = Break("stop", 100, 101, most=2)
    assert explained([(99.5, 100.5), (50, 200)], [stop]) == ({"stop": 2}, [])
    assert explained([(90, 95), (110, 120)], [stop]) == (
        {UNEXPLAINED: 2},
        [(90, 95), (110, 120)],
    )


def test_nothing_explains_more_than_was_in_hand() -> None:
    stop, kill = Break("stop", 100, 101, most=2), Break("kill", 150, 151, most=1)
    assert explained([(99, 102)] * 3, [stop, kill])[0] == {"stop": 2, UNEXPLAINED: 1}
    # One that either explains leaves the other to those that it alone can explain.
    assert explained([(99, 160), (99, 102), (140, 160), (99, 102)], [stop, kill])[0] == {
        "stop": 2,
        "kill": 1,
        UNEXPLAINED: 1,
    }
    assert explained([(99, 160), (99, 102), (99, 103)], [stop, kill])[0] == {"stop": 2, "kill": 1}


def test_a_receiver_says_itself_when_it_lost_a_connection() -> None:
    told = "Host.ServiceBus: 'Functions.receive' on queue 'messages': "
    lines = ["attached", "not attached, trying on: A: b", "not attached, trying on: C: d"]
    log = [f"2026-11-26 04:00:0{n},123 WARNING {told}{line}" for n, line in enumerate(lines * 2)]
    other = log[1].replace("receive'", "triage'")
    of_retries = [line.replace("receive'", "retry'") for line in log[:2]]
    breaks = lost_connections(
        "\n".join([other, *log, "2026-11-26 04:00:09,000 INFO    x: attached"])
    )
    assert [one.most for one in breaks] == [OF_FUNCTION, OF_FUNCTION]
    assert breaks[1].end - breaks[0].end == 3
    assert len(lost_connections("\n".join([*log[:2], *of_retries]))) == 2


def test_a_receiver_says_itself_when_it_brought_messages_forward() -> None:
    lines = [
        "bringing forward what waits",
        "brought forward 20 messages that waited, 3 of them at once with others",
        "bringing forward what waits",
        "brought forward 0 messages that waited, 0 of them at once with others",
        "bringing forward what waits",
        "not everything that waits is brought forward: AMQPError",
        "bringing forward what waits",  # and the receiver was killed
        "bringing forward what waits",
    ]
    name = "shared.apps.catch_up"
    log = [f"2026-11-26 04:00:0{n},123 INFO    {name}: {line}" for n, line in enumerate(lines)]
    breaks = brought_forward("\n".join(log))
    assert [one.most for one in breaks] == [3, COPIED_AT_ONCE, COPIED_AT_ONCE, COPIED_AT_ONCE]
    assert brought_forward("2026-11-26 04:00:09,000 INFO    x: attached") == []


def test_a_post_without_an_answer_explains_one_repeat_of_its_message() -> None:
    assert without_answer([(10, 20), (20, 30)], [12]) == [(20, 30)]
    assert without_answer([(10, 20), (20, 30)], [12, 22]) == []
    assert without_answer([(10, 20)], [40]) == [(10, 20)]
