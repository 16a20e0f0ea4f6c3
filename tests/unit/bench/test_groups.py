from __future__ import annotations

from pathlib import Path

from bench import expectations
from bench.figures import Figure, Findings
from bench.groups import DISTANT, NEAR, NEAR_TOO, Run
from bench.sizes import QUICK


def test_each_row_is_measured_by_one_group() -> None:
    on_clouds = [row for group in (*NEAR, *NEAR_TOO, *DISTANT) for row in group.rows]
    others = [*expectations.SEAL, *expectations.SQLITE, *expectations.POSTGRESQL]
    assert sorted(on_clouds + others) == sorted(expectations.EXPECTED)


async def test_what_the_relay_refused_is_said_and_kept_by_its_group() -> None:
    said: list[str] = []
    run = Run(QUICK, Path(), said.append)

    async def measure(refused: int) -> Findings:
        return Findings({"end to end": Figure(1.0)}, refused=refused)

    await run.measure("cold", (), lambda: measure(0))
    await run.measure("warm", (), lambda: measure(3))
    assert run.refused == {"warm": 3}
    assert said == ["cold", "warm", "  THE RELAY REFUSED 3 REQUESTS"]


async def test_what_a_group_raises_is_why_its_rows_have_no_figure() -> None:
    run = Run(QUICK, Path(), lambda _: None)

    async def measure() -> Findings:
        raise ValueError("nothing\nwas sampled")

    await run.measure("beside", ("accepted", "delivered"), measure)
    assert run.failures == dict.fromkeys(
        ("accepted", "delivered"), "ValueError: nothing was sampled"
    )
