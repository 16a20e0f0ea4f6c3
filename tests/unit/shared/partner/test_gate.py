"""The gate before the partner: who gets through, who waits, and what the log has of it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

import pytest

from shared.azure.vault import VaultUnavailableError
from shared.message.protected_header import MessageHeader
from shared.partner.breaker import BreakerPolicy
from shared.partner.delivery import (
    Delivery,
    MessageDeniedError,
    PartnerBlockedError,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerSecretError,
    PartnerUnavailableError,
)
from shared.partner.gate import GatePolicy, PartnerGate
from shared.telemetry.outages import Outages

AWAY = PartnerUnavailableError("it answered 503", status=503)
DENIED = PartnerDeniedError("it answered 403", status=403)
SOON = 0.01  # seconds between probes, for those that wait for one
LATER = 3600.0
WAITING = "messages that this instance has sent back are waiting"


@dataclass
class Partner:
    """Answers each message as `answers` says by its id, others by `error`; notes what was posted.

    While `gate` is not set, posts are under way.
    """

    error: Exception | None = None
    answers: dict[str, Exception | None] = field(default_factory=dict)
    posted: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: int = 0
    most: int = 0

    def __post_init__(self) -> None:
        self.open.set()

    async def deliver(self, delivery: Delivery) -> None:
        message_id = delivery.header.message_id
        self.posted.append(message_id)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.open.wait()
        finally:
            self.under_way -= 1
        if error := self.answers.get(message_id, self.error):
            raise error


@pytest.fixture
def partner() -> Partner:
    return Partner()


def gate_of(
    partner: Partner,
    probes: float = LATER,
    concurrency: int = 100,
    rate: float = 0.0,
    wait_seconds: float = 1.0,
) -> PartnerGate:
    policy = GatePolicy(BreakerPolicy(3, probes), concurrency, rate, 30.0, wait_seconds)
    return PartnerGate(partner, policy, Outages(logging.getLogger("test")))


async def post(gate: PartnerGate, message_id: str) -> Exception | None:
    """Deliver a message; return what that raised."""
    try:
        gate.check(message_id)
        await gate.deliver(Delivery(MessageHeader(message_id, "a/b"), b"payload"))
    except Exception as error:
        return error
    return None


async def post_all(gate: PartnerGate, *message_ids: str) -> list[Exception | None]:
    return await asyncio.gather(*(post(gate, one) for one in message_ids))


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_while_the_partner_is_away_messages_are_parked_without_a_post(
    partner: Partner,
) -> None:
    partner.error = AWAY
    gate = gate_of(partner, wait_seconds=0.0)
    assert await post_all(gate, "a", "b", "c") == [AWAY] * 3
    for message_id in "defgh":
        blocked = await post(gate, message_id)
        assert isinstance(blocked, PartnerBlockedError)
        assert blocked.retry_after
        assert str(blocked) == "the partner is away: it answered 503"
    assert partner.posted == ["a", "b", "c"]


async def test_a_message_is_parked_before_it_is_opened(partner: Partner) -> None:
    partner.error = AWAY
    gate = gate_of(partner, wait_seconds=0.0)
    gate.check("a")
    await post_all(gate, "a", "b", "c")
    with pytest.raises(PartnerBlockedError):
        gate.check("d")


async def test_a_short_absence_is_waited_for_and_one_probe_tries_for_all(partner: Partner) -> None:
    partner.error = AWAY
    gate = gate_of(partner, SOON)
    await post_all(gate, "a", "b", "c")
    partner.open.clear()
    partner.error = None
    others = asyncio.create_task(post_all(gate, "d", "e", "f", "g"))
    await asyncio.sleep(3 * SOON)
    assert partner.posted == ["a", "b", "c", "d"], "one probe, and the others wait for its end"
    partner.open.set()
    assert await others == [None] * 4
    assert sorted(partner.posted) == list("abcdefg")


async def test_what_waits_for_a_probe_that_does_not_end_is_parked(partner: Partner) -> None:
    partner.error = AWAY
    gate = gate_of(partner, SOON, wait_seconds=0.1)
    await post_all(gate, "a", "b", "c")
    partner.open.clear()
    probe = asyncio.create_task(post(gate, "d"))
    await asyncio.sleep(3 * SOON)
    assert isinstance(await post(gate, "e"), PartnerBlockedError)
    partner.open.set()
    assert await probe is AWAY


async def test_no_more_than_so_many_posts_are_under_way_and_none_fails_for_it(
    partner: Partner,
) -> None:
    gate = gate_of(partner, concurrency=4)
    partner.open.clear()
    calls = asyncio.create_task(post_all(gate, *map(str, range(32))))
    await settle()
    assert partner.under_way == 4
    partner.open.set()
    assert await calls == [None] * 32
    assert partner.most == 4
    assert partner.posted == [str(n) for n in range(32)], "first come, first served"


async def test_a_place_that_gets_free_is_of_who_waits_and_not_of_who_comes_just_then(
    partner: Partner,
) -> None:
    gate = gate_of(partner, concurrency=1)
    partner.open.clear()
    calls = [asyncio.create_task(post(gate, message_id)) for message_id in "ab"]
    await settle()
    # In each turn of the loop one more comes, whenever the place is given up.
    partner.open.set()
    for number in range(8):
        calls.append(asyncio.create_task(post(gate, str(number))))
        await asyncio.sleep(0)
    assert await asyncio.gather(*calls) == [None] * 10
    assert partner.posted == [*"ab", *map(str, range(8))]


async def test_who_waits_in_vain_leaves_the_gate_as_it_was(partner: Partner) -> None:
    gate = gate_of(partner, concurrency=1, wait_seconds=0.01)
    partner.open.clear()
    first = asyncio.create_task(post(gate, "a"))
    await settle()
    cancelled = asyncio.create_task(post(gate, "b"))
    await settle()
    cancelled.cancel()
    assert isinstance(await post(gate, "c"), PartnerBlockedError)
    partner.open.set()
    assert await first is None
    assert await post(gate, "d") is None
    assert partner.posted == ["a", "d"]


async def test_what_gets_no_place_in_time_is_parked_and_not_failed(partner: Partner) -> None:
    gate = gate_of(partner, concurrency=1, wait_seconds=0.05)
    partner.open.clear()
    first = asyncio.create_task(post(gate, "a"))
    await settle()
    for blocked in await post_all(gate, "b", "c"):
        assert isinstance(blocked, PartnerBlockedError)
        assert "as many messages as its limits allow" in str(blocked)
    partner.open.set()
    assert await first is None
    assert partner.posted == ["a"]


async def test_posts_are_spaced_by_the_rate(partner: Partner) -> None:
    gate = gate_of(partner, rate=100.0)
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await post_all(gate, *map(str, range(6))) == [None] * 6
    assert loop.time() - began >= 0.049


@pytest.mark.parametrize("wrong", [PartnerSecretError("no JSON"), VaultUnavailableError("r", "a")])
async def test_without_a_usable_secret_all_wait_and_each_error_is_the_one_raised(
    partner: Partner, wrong: Exception
) -> None:
    partner.error = wrong
    gate = gate_of(partner, wait_seconds=0.0)
    assert await post(gate, "a") is wrong
    assert isinstance(await post(gate, "b"), PartnerBlockedError)


async def test_a_firewall_that_dislikes_one_body_does_not_stop_the_others(
    partner: Partner,
) -> None:
    partner.answers = {"bad": DENIED}
    gate = gate_of(partner)
    assert await post(gate, "bad") is DENIED
    for round_ in range(30):
        assert await post(gate, f"good-{round_}") is None
        own = await post(gate, "bad")
        assert isinstance(own, MessageDeniedError)
        assert str(own) == "it answered 403, and accepts other messages"
        assert own.status == 403


async def test_a_wrong_secret_is_nobodys_own(partner: Partner) -> None:
    gate = gate_of(partner, SOON)
    assert await post_all(gate, "a", "b", "c") == [None] * 3
    partner.error = DENIED
    for _ in range(5):
        for message_id in "abcd":
            assert await post(gate, message_id) is DENIED


async def test_a_refusal_of_messages_closes_nothing(partner: Partner) -> None:
    refused = PartnerRefusedError("it answered 400", status=400)
    partner.error = refused
    gate = gate_of(partner)
    assert await post_all(gate, *map(str, range(20))) == [refused] * 20


async def test_one_answer_that_asks_to_wait_stops_all_for_that_long(partner: Partner) -> None:
    partner.error = PartnerUnavailableError("it answered 429", status=429, retry_after=50)
    gate = gate_of(partner)
    await post(gate, "a")
    blocked = await post(gate, "b")
    assert isinstance(blocked, PartnerBlockedError)
    assert blocked.retry_after
    assert 49 < blocked.retry_after < 52, "and one message comes back just then"


async def test_the_log_has_one_line_when_it_goes_and_one_when_it_is_back(
    partner: Partner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    gate = gate_of(partner, 0.2, wait_seconds=0.0)
    await post(gate, "good")
    partner.error = AWAY
    await post_all(gate, "a", "b", "c")
    await post_all(gate, *map(str, range(40)))
    await asyncio.sleep(0.2)
    assert await post(gate, "7") is AWAY
    partner.error = None
    await asyncio.sleep(0.2)
    assert await post(gate, "8") is None
    await post_all(gate, "9", "10")
    assert caplog.messages == [
        "the partner is away, until further notice: it answered 503",
        f"the partner serves again, after 0 s and 4 failures; 42 {WAITING}",
    ]


async def test_single_failures_are_no_line_of_the_log(
    partner: Partner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    partner.answers = {"bad": AWAY}
    gate = gate_of(partner)
    for n in range(20):
        await post_all(gate, "bad", f"good-{n}")
    assert caplog.messages == []


class Calls:
    """What `on_back` is: counts its calls, and fails if it is to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.count = 0
        self._fails = fails

    async def __call__(self) -> None:
        self.count += 1
        if self._fails:
            raise RuntimeError("planted")


async def test_an_operators_pause_stops_everything_until_it_is_resumed(
    partner: Partner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    gate = gate_of(partner)
    gate.on_back = on_back = Calls()
    for _ in range(3):
        gate.pause("their new release")
    for blocked in await post_all(gate, "a", "b", "c"):
        assert isinstance(blocked, PartnerBlockedError)
        assert str(blocked) == "the partner is paused by an operator"
    assert partner.posted == []
    for _ in range(3):
        gate.resume()
    await settle()
    assert on_back.count == 1
    assert await post(gate, "a") is None
    assert caplog.messages == [
        "the partner is paused by an operator: their new release",
        f"the partner is resumed, after 0 s; 3 {WAITING}",
    ]


@pytest.mark.parametrize("fails", [False, True])
async def test_what_waits_is_asked_for_once_when_the_partner_is_back(
    partner: Partner, caplog: pytest.LogCaptureFixture, fails: bool
) -> None:
    gate = gate_of(partner, SOON, wait_seconds=0.05)
    gate.on_back = on_back = Calls(fails=fails)
    partner.error = AWAY
    await post_all(gate, "a", "b", "c")
    await asyncio.sleep(0.06)
    partner.error = None
    await post_all(gate, "d", "e", "f")
    await settle()
    assert on_back.count == 1
    assert "planted" not in caplog.text
    assert ("unforeseen" in caplog.text) == fails


async def test_an_absence_that_calls_waited_out_asks_for_nothing(partner: Partner) -> None:
    gate = gate_of(partner, SOON)
    gate.on_back = on_back = Calls()
    partner.error = AWAY
    await post_all(gate, "a", "b", "c")
    partner.error = None
    assert await post(gate, "d") is None
    await settle()
    assert on_back.count == 0


async def test_during_a_pause_a_return_of_the_partner_asks_for_nothing(partner: Partner) -> None:
    gate = gate_of(partner, SOON, wait_seconds=0.0)
    gate.on_back = on_back = Calls()
    partner.open.clear()
    slow = asyncio.create_task(post(gate, "slow"))
    await settle()
    gate.pause("why")
    partner.open.set()
    assert await slow is None
    await settle()
    assert on_back.count == 0


@pytest.mark.parametrize("cancelled", [1, 2, 3])
async def test_a_call_that_is_cancelled_keeps_no_place_and_is_no_verdict(
    partner: Partner, cancelled: int
) -> None:
    gate = gate_of(partner, SOON, concurrency=1)
    partner.error = AWAY
    await post_all(gate, "a", "b", "c")
    partner.error = None
    partner.open.clear()
    calls = [asyncio.create_task(post(gate, str(n))) for n in range(cancelled)]
    await asyncio.sleep(3 * SOON)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    partner.open.set()
    assert await post_all(gate, "d", "e") == [None, None]


async def test_what_nobody_foresaw_fails_as_it_is_and_says_nothing_of_its_text(
    partner: Partner, caplog: pytest.LogCaptureFixture
) -> None:
    error = RuntimeError("planted")
    partner.error = error
    gate = gate_of(partner, wait_seconds=0.0)
    assert await post_all(gate, "a", "b", "c") == [error] * 3
    assert "RuntimeError" in str(await post(gate, "d"))
    assert "planted" not in caplog.text
