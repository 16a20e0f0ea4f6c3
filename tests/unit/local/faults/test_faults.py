"""Which request meets a fault: by table and by seed, without any service."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.faults.fault_document import FaultError
from local.faults.faults import ANSWERS, MAX_ACTIVE, SERVICES, Fault, Faults, ObservedRequest

ANYTHING = ObservedRequest(
    "partner", id="m1", content_type="text/plain; fault=400", body=b"\xffmarked\x00"
)


def fault(**fields: object) -> Fault:
    return Fault.from_json({"service": "partner", "answer": "hang", **fields})


def faults(*standing: Fault) -> Faults:
    made = Faults()
    for one in standing:
        made.set(one)
    return made


def test_nothing_is_played_unless_told() -> None:
    assert Faults().decide(ANYTHING) is None


@pytest.mark.parametrize(
    ("fields", "struck"),
    [
        ({}, True),
        ({"id": "m1"}, True),
        ({"id": "m2"}, False),
        ({"content_type": "fault=400"}, True),
        ({"content_type": "FAULT=400"}, True),
        ({"content_type": "fault=500"}, False),
        ({"body": "marked"}, True),
        ({"body": "Marked"}, False),
        ({"body": "marked", "id": "m2"}, False),
        ({"body": "marked", "id": "m", "content_type": "text/"}, True),
    ],
)
def test_a_fault_strikes_what_has_all_its_marks(fields: dict[str, object], *, struck: bool) -> None:
    assert (faults(fault(**fields)).decide(ANYTHING) is not None) is struck


@pytest.mark.parametrize(
    ("fields", "struck"),
    [
        ({}, True),
        ({"vault": "payload-local"}, True),
        ({"vault": "Payload-Local"}, True),
        ({"vault": "payload"}, False),
        ({"operation": "keys/decrypt"}, True),
        ({"operation": "decrypt"}, True),
        ({"operation": "keys/encrypt"}, False),
        ({"operation": "get"}, False),
        ({"vault": "partner-local", "operation": "decrypt"}, False),
    ],
)
def test_a_fault_of_a_vault_strikes_by_vault_and_operation(
    fields: dict[str, object], *, struck: bool
) -> None:
    asked = ObservedRequest("vault", vault="payload-local", operation="keys/decrypt")
    assert (faults(fault(service="vault", **fields)).decide(asked) is not None) is struck


STEPS = (
    *("attach-send", "keep-send", "send", "forward"),
    *("attach-receive", "keep-receive", "receive", "browse"),
)


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        ("full", {*STEPS} - {"send", "forward"}),
        ("disabled", set[str]()),
        ("send-disabled", {"attach-receive", "keep-receive", "receive"}),
        ("receive-disabled", {"attach-send", "keep-send", "send", "forward", "browse"}),
        # What is on its way between queues is not a client's request, and open links stay.
        ("throttled", {"forward", "keep-send", "keep-receive"}),
    ],
)
def test_a_queue_refuses_what_its_state_says(answer: str, taken: set[str]) -> None:
    active = faults(fault(service="bus", answer=answer, queue="Retries"))
    assert {step for step in STEPS if not active.find(_at("retries", step))} == taken
    assert {step for step in STEPS if not active.decide(_at("retries", step))} == taken
    assert not any(active.decide(_at("messages", step)) for step in STEPS)


def test_without_a_name_it_is_every_queue() -> None:
    active = faults(fault(service="bus", answer="full"))
    assert active.decide(_at("messages", "send"))
    assert active.decide(_at("retries", "send"))


def test_a_look_at_a_fault_is_not_a_hit() -> None:
    active = faults(fault(service="bus", answer="full", times=1))
    assert active.find(_at("retries", "forward"))
    assert active.find(_at("retries", "forward"))
    assert active.hits["bus"] == 0
    assert active.decide(_at("retries", "send"))
    assert active.find(_at("retries", "forward")) is None


@pytest.mark.parametrize(("held", "refused"), [(0, False), (999, False), (1000, True)])
def test_a_small_queue_is_full_while_it_holds_so_much(held: int, refused: bool) -> None:
    active = faults(fault(service="bus", answer="full", above=1000))
    request = ObservedRequest("bus", queue="retries", operation="send", held=held)
    assert bool(active.decide(request)) is refused


def _at(queue: str, step: str) -> ObservedRequest:
    return ObservedRequest("bus", queue=queue, operation=step)


def test_a_fault_of_one_service_is_none_of_another() -> None:
    standing = faults(fault(service="identity"))
    assert standing.decide(ANYTHING) is None
    assert standing.decide(ObservedRequest("vault", vault="v", operation="keys/get")) is None
    assert standing.decide(ObservedRequest("identity")) is not None
    assert standing.any_at("identity")
    assert not standing.any_at("partner")


def test_the_next_k_are_struck_and_no_more() -> None:
    standing = faults(fault(times=2, id="m1"))
    other = ObservedRequest("partner", id="other")
    decided = [standing.decide(asked) for asked in (other, ANYTHING, other, ANYTHING, ANYTHING)]
    assert [one is not None for one in decided] == [False, True, False, True, False]
    assert standing.active() == []
    assert standing.hits["partner"] == 2


def test_the_first_one_told_that_strikes_is_the_one() -> None:
    standing = faults(fault(times=1), fault(answer="drop"))
    decided = [standing.decide(ANYTHING) for _ in range(2)]
    assert [one.answer for one in decided if one] == ["hang", "drop"]


def test_chance_is_repeated_by_its_seed() -> None:
    def run(seed: int) -> list[bool]:
        standing = faults(fault(probability=0.3, seed=seed))
        return [standing.decide(ANYTHING) is not None for _ in range(200)]

    assert run(7) == run(7)
    assert run(7) != run(8)
    assert 30 < sum(run(7)) < 90


def test_chance_has_a_seed_that_is_told_where_none_was_given() -> None:
    standing = faults(fault(probability=0.5))
    [told] = [one.as_json()["seed"] for one in standing.active()]
    again = faults(fault(probability=0.5, seed=told))
    for _ in range(50):
        assert (standing.decide(ANYTHING) is None) is (again.decide(ANYTHING) is None)


def test_faults_are_cleared_by_number_by_service_and_all() -> None:
    standing = Faults()
    first = standing.set(fault())
    second = standing.set(fault(service="vault"))
    third = standing.set(fault())
    assert standing.decide(ANYTHING)
    cleared = standing.clear_number(first)
    assert cleared is not None
    assert (cleared.number, cleared.hits) == (first, 1)
    assert standing.clear_number(first) is None
    assert [one.number for one in standing.active()] == [second, third]
    assert standing.clear("partner") == 1
    assert [one.number for one in standing.active()] == [second]
    assert standing.clear() == 1
    assert standing.set(fault()) > third


def test_the_list_tells_what_was_told_and_what_happened() -> None:
    standing = Faults()
    told = {"service": "partner", "answer": "status", "status": 429, "retry_after": "5", "times": 3}
    number = standing.set(Fault.from_json(told))
    standing.decide(ANYTHING)
    [shown] = [one.as_json() for one in standing.active()]
    assert shown == {"fault": number, **told, "hits": 1}


def test_there_is_an_end_to_the_list() -> None:
    standing = faults(*[fault()] * MAX_ACTIVE)
    with pytest.raises(FaultError, match="clear"):
        standing.set(fault())


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ([], "object"),
        ({}, "service"),
        ({"service": "disk", "answer": "hang"}, "partner, vault, identity, bus"),
        ({"service": "bus", "answer": "hang"}, "a service over HTTP"),
        ({"service": "bus", "answer": "status", "status": 503}, "a service over HTTP"),
        ({"service": "partner", "answer": "full"}, "a queue of the bus"),
        ({"service": "vault", "answer": "throttled"}, "a queue of the bus"),
        ({"service": "partner", "answer": "hang", "queue": "messages"}, "queue"),
        ({"service": "bus", "answer": "full", "queue": ""}, "queue"),
        ({"service": "bus", "answer": "full", "above": -1}, "above"),
        ({"service": "bus", "answer": "disabled", "above": 1}, "above is only for the answer full"),
        ({"service": "bus", "answer": "full", "vault": "v"}, "vault"),
        ({"service": "bus", "answer": "full", "seconds": 1}, "seconds"),
        ({"service": "bus", "answer": "disabled", "times": 1}, "times is not for disabled"),
        ({"service": "bus", "answer": "send-disabled", "probability": 0.5}, "probability"),
        ({"service": "bus", "answer": "receive-disabled", "seed": 7}, "seed"),
        ({"service": "partner"}, "answer"),
        ({"service": "partner", "answer": "explode"}, "status, redirect"),
        ({"service": "partner", "answer": "hang", "colour": 1}, "colour"),
        ({"service": "partner", "answer": "status"}, "status"),
        ({"service": "partner", "answer": "status", "status": 204}, "300 to 599"),
        ({"service": "partner", "answer": "status", "status": 600}, "300 to 599"),
        ({"service": "partner", "answer": "status", "status": "400"}, "status"),
        ({"service": "partner", "answer": "status", "status": True}, "status"),
        ({"service": "partner", "answer": "hang", "status": 400}, "status"),
        ({"service": "partner", "answer": "redirect", "status": 400}, "300 to 399"),
        ({"service": "vault", "answer": "redirect"}, "redirect"),
        ({"service": "partner", "answer": "hang", "retry_after": 1}, "retry_after"),
        (
            {"service": "vault", "answer": "status", "status": 429, "retry_after": "a\n"},
            "retry_after",
        ),
        (
            {"service": "vault", "answer": "status", "status": 429, "retry_after": True},
            "retry_after",
        ),
        ({"service": "partner", "answer": "slow"}, "seconds"),
        ({"service": "partner", "answer": "slow", "seconds": 0}, "seconds"),
        ({"service": "partner", "answer": "slow", "seconds": float("nan")}, "seconds"),
        ({"service": "partner", "answer": "hang", "seconds": 1}, "seconds"),
        ({"service": "partner", "answer": "hang", "times": 0}, "times"),
        ({"service": "partner", "answer": "hang", "times": 1.5}, "times"),
        ({"service": "partner", "answer": "hang", "probability": 0}, "probability"),
        ({"service": "partner", "answer": "hang", "probability": 1.1}, "probability"),
        ({"service": "partner", "answer": "hang", "probability": float("nan")}, "probability"),
        ({"service": "partner", "answer": "hang", "seed": "x"}, "seed"),
        ({"service": "partner", "answer": "hang", "id": ""}, "id"),
        ({"service": "partner", "answer": "hang", "id": 5}, "id"),
        ({"service": "partner", "answer": "hang", "body": "\ud800"}, "body"),
        ({"service": "partner", "answer": "hang", "vault": "v"}, "vault"),
        ({"service": "vault", "answer": "hang", "body": "x"}, "body"),
        ({"service": "vault", "answer": "hang", "operation": "explode"}, "keys/decrypt"),
        ({"service": "identity", "answer": "hang", "operation": "get"}, "operation"),
        ({"service": "vault", "answer": "hang", "deliver_first": True}, "deliver_first"),
        ({"service": "partner", "answer": "hang", "deliver_first": "yes"}, "deliver_first"),
        (
            {"service": "partner", "answer": "slow", "seconds": 1, "deliver_first": True},
            "deliver_first",
        ),
    ],
)
def test_what_is_no_fault_is_refused_by_name(document: object, named: str) -> None:
    with pytest.raises(FaultError, match=named):
        Fault.from_json(document)


def test_a_redirect_has_a_status_that_keeps_the_method() -> None:
    assert fault(answer="redirect").status == 307


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
NAMES = st.sampled_from(sorted(Fault.__dataclass_fields__))


@given(
    st.dictionaries(NAMES, JSON, max_size=4),
    st.sampled_from(SERVICES),
    st.sampled_from(ANSWERS),
)
def test_nothing_told_is_more_than_a_fault_or_a_refusal(
    fields: dict[str, object], at: str, answer: str
) -> None:
    try:
        read = Fault.from_json({"service": at, "answer": answer, **fields})
    except FaultError:
        return
    # What was read can be told again, and played.
    assert Fault.from_json(read.as_json()) == read
    faults(read).decide(ANYTHING)
