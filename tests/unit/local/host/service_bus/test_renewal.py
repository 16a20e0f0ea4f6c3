"""Locks are renewed together, in time, and no longer than they may be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from local.bus.amqp.errors import LOCK_LOST
from local.host.service_bus.connection import BusLinkError
from local.host.service_bus.renewal import LockRenewer
from tests.fast_clock import run

LOCK_SECONDS = 60.0
START = datetime(2026, 11, 26, tzinfo=UTC)
FIRST, SECOND, THIRD = (UUID(int=number) for number in (1, 2, 3))


def now() -> datetime:
    return START + timedelta(seconds=asyncio.get_running_loop().time())


class Locks:
    """Renews, and writes down when and which; those of `lost` are lost."""

    def __init__(self) -> None:
        self.renewed: list[tuple[float, list[UUID]]] = []
        self.lost: set[UUID] = set()
        self.error: BusLinkError | None = None

    async def renew(self, tokens: Sequence[UUID]) -> Sequence[datetime]:
        if self.error:
            raise self.error
        if self.lost & set(tokens):
            raise BusLinkError(LOCK_LOST, "lost")
        self.renewed.append((round(asyncio.get_running_loop().time(), 3), [*tokens]))
        return [now() + timedelta(seconds=LOCK_SECONDS)] * len(tokens)


def holding(locks: Locks, seconds: float, *tokens: UUID, longest: float = 300.0) -> None:
    """Keep messages in flight for so many seconds."""

    async def main() -> None:
        renewer = LockRenewer(locks.renew, longest, now)
        for token in tokens:
            renewer.add(token, now() + timedelta(seconds=LOCK_SECONDS))
        await asyncio.sleep(seconds)
        renewer.close()

    run(main())


def test_all_that_are_due_are_renewed_by_one_request_ten_seconds_before_the_end() -> None:
    locks = Locks()
    holding(locks, 110, FIRST, SECOND, THIRD)
    assert locks.renewed == [(50.0, [FIRST, SECOND, THIRD]), (100.0, [FIRST, SECOND, THIRD])]


def test_a_lock_is_not_renewed_for_longer_than_it_may_be() -> None:
    locks = Locks()
    holding(locks, 1000, FIRST, longest=120)
    assert [at for at, _ in locks.renewed] == [50.0, 100.0]


def test_without_a_time_nothing_is_renewed() -> None:
    locks = Locks()
    holding(locks, 1000, FIRST, longest=0)
    assert locks.renewed == []


def test_what_is_settled_is_not_renewed() -> None:
    async def main() -> None:
        renewer = LockRenewer(locks.renew, 300, now)
        renewer.add(FIRST, now() + timedelta(seconds=LOCK_SECONDS))
        await asyncio.sleep(20)
        renewer.add(SECOND, now() + timedelta(seconds=LOCK_SECONDS))
        renewer.remove(FIRST)
        await asyncio.sleep(60)
        renewer.remove(SECOND)
        await asyncio.sleep(500)
        renewer.close()

    locks = Locks()
    run(main())
    assert locks.renewed == [(70.0, [SECOND])]


def test_a_lock_that_is_lost_takes_no_other_with_it() -> None:
    locks = Locks()
    locks.lost = {SECOND}
    holding(locks, 110, FIRST, SECOND, THIRD)
    assert [tokens for _, tokens in locks.renewed] == [[FIRST], [THIRD], [FIRST, THIRD]]


def test_a_refusal_is_tried_again_soon() -> None:
    async def main() -> None:
        renewer = LockRenewer(locks.renew, 300, now)
        renewer.add(FIRST, now() + timedelta(seconds=LOCK_SECONDS))
        await asyncio.sleep(52.5)
        locks.error = None
        await asyncio.sleep(5)
        renewer.close()

    locks = Locks()
    locks.error = BusLinkError("com.microsoft:server-busy", "throttled")
    run(main())
    assert locks.renewed == [(53.0, [FIRST])]
