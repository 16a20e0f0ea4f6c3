"""The groups of measurements, in the order in which they are made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench import (
    end_to_end,
    expectations,
    import_time,
    ledger,
    peers,
    single_messages,
    slow_partner,
    sweeps,
    telemetry,
    throughput,
)
from bench.cloud import RunningCloud, cloud
from bench.figures import Figure, Findings
from bench.sizes import Sizes
from tests.postgres import running as postgres

_OnCloud = Callable[[RunningCloud, Sizes], Awaitable[Findings]]


@dataclass(frozen=True)
class Group:
    """Measurements on a cloud that is up, and the rows of the table that they are of."""

    title: str
    rows: Sequence[str]
    measure: _OnCloud


NEAR = (
    Group("64 cold callers", ("cold encrypts", "cold decrypts"), single_messages.cold_callers),
    Group("one message, idle", (*expectations.IDLE,), single_messages.idle),
    Group(
        "end to end, beside the bare SDK",
        (*expectations.END_TO_END, "vault operations"),
        end_to_end.end_to_end,
    ),
    Group("beside a sample", (*expectations.BESIDE,), throughput.near),
    Group("telemetry", (*expectations.TELEMETRY,), telemetry.telemetry),
)
NEAR_TOO = (
    Group("a partner of slow answers", (*expectations.SLOW_PARTNER,), slow_partner.slow_partner),
    Group("three of each", ("vault operations, several",), end_to_end.several_instances),
    Group("importing the apps", (*expectations.IMPORTS,), import_time.import_time),
    Group("a cold sender", ("cold first message",), single_messages.cold_first_message),
    Group("over the depth of the queue", (), sweeps.drains),
    Group("over callers and payloads", (), sweeps.accepting),
)
DISTANT = (Group("beside a sample, far away", (*expectations.DISTANT,), throughput.distant),)


@dataclass
class Run:
    """A run as far as it got: figures by row, why rows have none, and series for the plots.

    `say` gets a line for each group; `folder` is for what the run makes. `refused` is how many
    requests the relay did not accept, by group.
    """

    sizes: Sizes
    folder: Path
    say: Callable[[str], None]
    figures: dict[str, Figure] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    series: dict[str, object] = field(default_factory=dict)

    async def measure(
        self, title: str, rows: Sequence[str], call: Callable[[], Awaitable[Findings]]
    ) -> None:
        """Make a group of measurements. What it raises is why its rows have no figure."""
        self.say(title)
        try:
            found = await call()
        except Exception as error:  # noqa: BLE001 - nobody watches: one group must not end the run
            why = f"{type(error).__name__}: {error}"
            self.say(f"  failed: {why}")
            for row in rows or (title,):
                self.failures.setdefault(row, " ".join(why.split()))
        else:
            self.figures |= found.figures
            self.series |= found.series
            if found.refused:
                self.say(f"  THE RELAY REFUSED {found.refused:,} REQUESTS")
                self.refused[title] = found.refused

    async def on_cloud(self, name: str, groups: Sequence[Group], *options: str) -> None:
        """Start a cloud, and make groups of measurements on it."""

        async def all_groups() -> Findings:
            async with cloud(self.folder / name, *options) as running:
                for group in groups:
                    measuring = partial(self._anew, group, running)
                    await self.measure(group.title, group.rows, measuring)
            return Findings()

        rows = [row for group in groups for row in group.rows]
        await self.measure(f"a cloud, {name}", rows, all_groups)

    async def _anew(self, group: Group, running: RunningCloud) -> Findings:
        await running.reset()
        return await group.measure(running, self.sizes)


async def run_all(run: Run) -> None:
    """Make all measurements, one after the other."""
    await _without_cloud(run)
    await run.on_cloud("near", (*NEAR, *NEAR_TOO))
    await run.on_cloud("distant", DISTANT, "--latency", str(run.sizes.latency_ms))


async def run_at_once(run: Run) -> None:
    """Make all measurements at once, on two clouds: for a run whose figures mean nothing."""
    await asyncio.gather(
        _without_cloud(run),
        run.on_cloud("near", NEAR),
        run.on_cloud("distant", (*DISTANT, *NEAR_TOO), "--latency", str(run.sizes.latency_ms)),
    )


async def _without_cloud(run: Run) -> None:
    await run.measure("envelopes", (*expectations.SEAL,), lambda: _envelopes(run))
    await run.measure("ledger in SQLite", (*expectations.SQLITE,), lambda: _sqlite(run))
    await run.measure("ledger in PostgreSQL", (*expectations.POSTGRESQL,), lambda: _postgresql(run))


async def _envelopes(run: Run) -> Findings:
    measured = await asyncio.to_thread(peers.measure, run.sizes.peer_seconds)
    relay, base64 = measured[peers.RELAY], measured[peers.BASE64]
    assert isinstance(relay, dict)  # noqa: S101 - both are always installed
    assert isinstance(base64, dict)  # noqa: S101
    figures = {
        f"seal {size}": Figure(over, f"base64 alone takes {base64[size]:.1f} of it")
        for size, over in relay.items()
    }
    return Findings(figures, {"envelopes": measured})


async def _sqlite(run: Run) -> Findings:
    return Findings(await ledger.measured(run.folder, None, run.sizes.ledger_rows))


async def _postgresql(run: Run) -> Findings:
    with postgres(durable=True) as server:
        return Findings(await ledger.measured(run.folder, server, run.sizes.ledger_rows))
