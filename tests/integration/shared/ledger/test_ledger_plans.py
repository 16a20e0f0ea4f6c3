"""Many messages: what the ledger asks is answered from an index, by the database's own plan.

The statements are those that the ledger really sends, with their values; no time is measured.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.ledger.engine import make_engine
from shared.ledger.entry import COUNT_LIMIT, Backlog, NewMessage, Position, StateCount
from shared.ledger.ledger import Ledger
from shared.ledger.pruning import RetainedLedger
from shared.message.receipt import Receipt
from shared.message.state import State
from tests import databases
from tests.databases import Secret
from tests.millions import fill
from tests.postgres import Postgres

# `make test-all` takes a million; fewer are enough to see at once that an index was lost.
COUNT = int(os.environ.get("ROWS", "30000"))
MIDDLE = datetime.fromtimestamp(1_700_000_000 + COUNT // 2, UTC)
Sent = tuple[str, Any]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    async def filled() -> str:
        url = await (databases.postgresql(server) if server else databases.sqlite(folder))
        await fill(url, COUNT)
        return url

    folder = tmp_path_factory.mktemp("million")
    server: Postgres | None = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
    yield asyncio.run(filled())
    for file in folder.iterdir():  # hundreds of megabytes
        file.unlink()


@contextmanager
def sent() -> Iterator[list[Sent]]:
    seen: list[Sent] = []

    def see(*arguments: Any) -> None:
        if not arguments[2].startswith("BEGIN"):
            seen.append((arguments[2], arguments[3]))

    event.listen(Engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", see)


async def steps(engine: AsyncEngine, statement: str, parameters: Any) -> set[str]:
    """Return the steps of a statement's plan, each as the database names it."""
    async with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return {row["detail"].partition(" (")[0] for row in plan.mappings()}
        found: set[str] = set()
        values = ", ".join(literal(value) for value in parameters)
        # For these values, and for whatever values they may be: a server chooses by itself.
        for mode in ("custom", "generic"):
            await connection.exec_driver_sql(f"SET plan_cache_mode = force_{mode}_plan")
            await connection.exec_driver_sql(f"PREPARE {mode} AS {statement}")
            explain = f"EXPLAIN (FORMAT JSON) EXECUTE {mode}({values})"
            text = (await connection.exec_driver_sql(explain)).scalar_one()
            await connection.exec_driver_sql(f"DEALLOCATE {mode}")
            document = json.loads(text) if isinstance(text, str) else text
            shown = json.dumps(document)
            assert ("$" in shown) == (mode == "generic" and "Index Cond" in shown)
            found |= set(nodes(document[0]["Plan"]))
        return found


def literal(value: object) -> str:
    """Write one of the values that the ledger's statements have."""
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(literal, value))}]"
    assert isinstance(value, str | int | datetime)
    return str(value) if isinstance(value, int) else f"'{value}'"


def nodes(plan: dict[str, Any]) -> Iterator[str]:
    named = [str(plan[key]) for key in ("Node Type", "Index Name") if key in plan]
    yield " ".join([*named, "filtered"] if "Filter" in plan else named)
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


BY_ID = "Index Scan messages_pkey"
BY_TIME = "SEARCH messages USING INDEX messages_by_time"
BY_STATE = "SEARCH messages USING INDEX messages_by_state"
ASKED: dict[str, tuple[set[str], set[str]]] = {
    "status": ({"SEARCH messages USING INDEX sqlite_autoindex_messages_1"}, {BY_ID}),
    "list": (
        {BY_TIME.replace("SEARCH", "SCAN")},
        {"Limit", "Index Scan messages_by_time"},
    ),
    "list from there on": ({BY_TIME}, {"Limit", "Index Scan messages_by_time"}),
    "list of a state": ({BY_STATE}, {"Limit", "Index Scan messages_by_state"}),
    "list of a state from there on": ({BY_STATE}, {"Limit", "Index Scan messages_by_state"}),
}


async def ask(ledger: Ledger, what: str) -> int:
    after = Position(MIDDLE, "m0000001") if "there" in what else None
    if what == "status":
        return 1 if await ledger.entry("m0000471") else 0
    if "state" not in what:
        return len(await ledger.entries(None, after, 100))
    # One that most have, one that few have, one that none has.
    states = (State.DELIVERED, State.RETRYING, State.REJECTED)
    return sum([len(await ledger.entries(state, after, 100)) for state in states])


@pytest.mark.parametrize("what", ASKED)
async def test_it_is_answered_from_an_index_without_sorting(url: str, what: str) -> None:
    ledger = Ledger(Secret(url))
    with sent() as seen:
        assert await ask(ledger, what) in (1, 100, 200)
    engine = make_engine(url)
    assert seen
    for statement, parameters in seen:
        found = await steps(engine, statement, parameters)
        assert found == ASKED[what][engine.dialect.name == "postgresql"]
    await engine.dispose()
    await ledger.close()


async def test_what_is_pruned_is_found_by_its_index(url: str) -> None:
    retained, start = RetainedLedger(Secret(url)), datetime.fromtimestamp(0, UTC)
    with sent() as seen:
        for after in (None, Position(start, "m")):
            await retained.prune(State.DROPPED, start, start, after, 10)
        await retained.expire(start, 10)
        await retained.open_before(start)
    engine = make_engine(url)
    by_index = ["messages_by_state"] * 2 + ["messages_pruned"] + ["messages_by_state"] * 4
    for (statement, parameters), index in zip(seen, by_index, strict=True):
        found = await steps(engine, statement, parameters)
        reading = {step for step in found if "messages" in step}
        assert [index in step for step in reading] == [True]
        assert not any("SORT" in step.upper() or "TEMP" in step or "Seq" in step for step in found)
    await engine.dispose()
    await retained.close()


async def test_the_states_are_counted_by_their_index_and_no_further_than_said(url: str) -> None:
    """However many were delivered, and however many ask at once, it is one bounded statement."""
    ledger = Ledger(Secret(url))
    with sent() as seen:
        found, *others = await asyncio.gather(*(ledger.counts() for _ in range(20)))
    assert len(seen) <= 2
    assert others == [found] * 19
    by_state = {one.state: one for one in found}
    first = datetime.fromtimestamp(1_700_000_001, UTC)
    delivered = min(COUNT - COUNT // 100, COUNT_LIMIT)
    assert by_state[State.DELIVERED] == StateCount(State.DELIVERED, delivered, first)
    retrying = by_state[State.RETRYING]
    assert retrying.messages == COUNT // 100
    assert retrying.oldest_at == datetime.fromtimestamp(1_700_000_100, UTC)
    assert by_state[State.REJECTED] == StateCount(State.REJECTED, 0, None)
    assert [one.state for one in found] == list(State)
    engine = make_engine(url)
    for statement, parameters in seen:
        plan = await steps(engine, statement, parameters)
        if engine.dialect.name == "postgresql":
            reading = {step for step in plan if "messages" in step or "Seq" in step}
            assert len(reading) == 1
            assert "messages_by_state" in reading.pop()
        else:
            assert {one for one in plan if "messages" in one} == {BY_STATE}
    await engine.dispose()
    await ledger.close()


async def test_what_is_written_finds_its_row_by_its_id(url: str) -> None:
    ledger = Ledger(Secret(url))
    with sent() as seen:
        await ledger.accept(NewMessage("m0000471", "text/plain", 3, MIDDLE))
        await ledger.record([Receipt("m0000471", State.DELIVERED, MIDDLE)])
    reading = [one for one in seen if one[0].lstrip().startswith("SELECT")]
    writing = [one for one in seen if one[0].lstrip().startswith("INSERT")]
    assert (len(reading), len(writing)) == (1, 2)
    engine = make_engine(url)
    by_id = ASKED["status"][engine.dialect.name == "postgresql"]
    assert await steps(engine, *reading[0]) == by_id
    for statement, _ in writing:
        assert "ON CONFLICT (id) DO UPDATE" in statement
    await engine.dispose()
    await ledger.close()


async def test_what_is_under_way_is_counted_by_the_index_of_its_state(url: str) -> None:
    """A sender asks every few seconds, and the ledger has all the others as well."""
    ledger = Ledger(Secret(url))
    with sent() as seen:
        everything = await ledger.backlog(datetime.fromtimestamp(0, UTC), COUNT)
        half = await ledger.backlog(MIDDLE, COUNT)
        some = await ledger.backlog(datetime.fromtimestamp(0, UTC), 10)
    retrying = COUNT // 100
    assert everything == Backlog(retrying, 100 * retrying)
    assert half.messages == retrying // 2
    assert some == Backlog(10, 1000)
    engine = make_engine(url)
    for statement, parameters in seen:
        found = await steps(engine, statement, parameters)
        if engine.dialect.name == "postgresql":
            by_state = "Index Scan messages_by_state"
            assert found - {"Subquery Scan"} == {"Aggregate", "Append", "Limit", by_state}
        else:
            assert {one for one in found if "messages" in one} == {BY_STATE}
    await engine.dispose()
    await ledger.close()
