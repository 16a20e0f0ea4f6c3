"""The gate follows what an operator says, whatever the vault does."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from shared.azure.vault import VaultDeniedError, VaultRefusedError, VaultUnavailableError
from shared.partner.delivery import PartnerBlockedError
from shared.partner.operator_state import OPEN, PartnerState
from shared.partner.operator_watch import ANSWER_SECONDS, READ_SECONDS, OperatorWatch
from shared.telemetry.outages import Outages
from tests.fast_clock import run

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
PAUSED = PartnerState(is_paused=True, since=NOW, reason="why").to_json()
RESUMED = PartnerState(is_paused=False, since=NOW - timedelta(minutes=10)).to_json()
NOT_THERE = VaultRefusedError("read", "status 404", 404)
AWAY = VaultUnavailableError("read", "no answer")
DENIED = VaultDeniedError("read", "status 403", 403)


@dataclass
class Process:
    """One process: what the secret holds, or how it fails, and what was done to the gate."""

    secret: str | Exception = field(default_factory=OPEN.to_json)
    seconds: float = 0.0
    done: list[str] = field(default_factory=list)
    reads: int = 0

    def __post_init__(self) -> None:
        self.watch = OperatorWatch(
            self,
            self,
            Outages(logging.getLogger("test")),
            self.on_resumed,
            lambda: asyncio.get_running_loop().time(),
            lambda: NOW,
        )

    async def value(self) -> str:
        self.reads += 1
        await asyncio.sleep(self.seconds)
        if isinstance(self.secret, Exception):
            raise self.secret
        return self.secret

    def pause(self, reason: str) -> None:
        self.done.append(f"pause: {reason}")

    def resume(self) -> None:
        self.done.append("resume")

    async def on_resumed(self) -> None:
        self.done.append("resumed a while ago")


@pytest.mark.parametrize("secret", [OPEN.to_json(), '{"kind": "unset"}', NOT_THERE])
def test_nothing_is_done_where_nobody_has_paused_it(secret: str | Exception) -> None:
    process = Process(secret)
    run(process.watch.follow())
    assert process.done == []


def test_a_pause_is_in_effect_from_the_first_message_on() -> None:
    process = Process(PAUSED)
    run(process.watch.follow())
    assert process.done == ["pause: why"]


def test_it_is_read_every_thirty_seconds_at_most_however_many_messages_come() -> None:
    process = Process()

    async def play() -> None:
        for _ in range(61):
            await asyncio.gather(*(process.watch.follow() for _ in range(20)))
            await asyncio.sleep(1)

    run(play())
    assert process.reads == 3
    assert READ_SECONDS == 30


def test_a_message_that_comes_during_the_first_read_waits_for_it() -> None:
    process = Process(PAUSED, seconds=2)

    async def play() -> None:
        first = asyncio.ensure_future(process.watch.follow())
        await asyncio.sleep(1)
        await process.watch.follow()
        await first

    run(play())
    assert (process.reads, process.done) == (1, ["pause: why"])


def test_pause_and_resume_are_noticed_within_a_minute_also_when_no_message_comes() -> None:
    process = Process()

    async def play() -> None:
        await process.watch.follow()
        process.secret = PAUSED
        await asyncio.sleep(READ_SECONDS)
        await process.watch.follow()
        assert process.done == ["pause: why"]
        process.secret = RESUMED
        await asyncio.sleep(READ_SECONDS + 1)
        assert process.done == ["pause: why", "resume"]

    run(play())


@pytest.mark.parametrize("error", [AWAY, DENIED])
def test_what_cannot_be_read_leaves_the_last_known_state(error: Exception) -> None:
    for known, done in ((OPEN.to_json(), []), (PAUSED, ["pause: why"])):
        process = Process(known)

        async def play(process: Process = process) -> None:
            await process.watch.follow()
            process.secret = error
            for _ in range(5):
                await asyncio.sleep(READ_SECONDS)
                await process.watch.follow()

        run(play())
        assert process.done == done


@pytest.mark.parametrize("secret", [AWAY, DENIED, "not a state"])
def test_a_process_that_never_learned_it_posts_nothing(secret: str | Exception) -> None:
    process = Process(secret)

    async def play() -> None:
        with pytest.raises(PartnerBlockedError, match="not known"):
            await process.watch.follow()
        process.secret = OPEN.to_json()
        await process.watch.follow()

    run(play())
    assert process.reads == 2


def test_a_vault_that_never_answers_costs_each_message_seconds_and_not_minutes() -> None:
    process = Process()

    async def play() -> float:
        await process.watch.follow()
        process.seconds = 3600
        await asyncio.sleep(READ_SECONDS)
        before = asyncio.get_running_loop().time()
        await process.watch.follow()
        return asyncio.get_running_loop().time() - before

    assert run(play()) == ANSWER_SECONDS


def test_a_process_that_starts_after_a_resume_brings_forward_what_waits() -> None:
    process = Process(RESUMED)

    async def play() -> None:
        await process.watch.follow()
        await asyncio.sleep(0)

    run(play())
    assert process.done == ["resumed a while ago"]


def test_one_that_starts_long_after_it_does_not() -> None:
    process = Process(PartnerState(is_paused=False, since=NOW - timedelta(days=1)).to_json())

    async def play() -> None:
        await process.watch.follow()
        await asyncio.sleep(0)

    run(play())
    assert process.done == []


def test_another_reason_is_taken_over() -> None:
    process = Process(PAUSED)

    async def play() -> None:
        await process.watch.follow()
        process.secret = PartnerState(is_paused=True, since=NOW, reason="another").to_json()
        await asyncio.sleep(READ_SECONDS)
        await process.watch.follow()
        await asyncio.sleep(READ_SECONDS)
        await process.watch.follow()

    run(play())
    assert process.done == ["pause: why", "pause: another"]
