"""The tables of docs/scaling.md, from `bench.capacity`; `make format` writes them there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.capacity import (
    Plan,
    instances,
    limits,
    messaging_units,
    plan,
    sealed_size,
    vault_operations,
)
from bench.designs import RELAY, SAMPLE, SMALL_KEYS, Design
from bench.inputs import BYTES_OF_A_UNIT, INPUTS

PAYLOAD = 1024
"""Bytes of the payload that the tables are for."""

RATES = (100, 10_000, 1_000_000)
"""Messages a second that the tables are for."""


def inputs() -> str:
    """Return what everything else follows from, with the sources."""
    rows = ((one.name, _number(one.value), one.unit, one.source) for one in INPUTS)
    return _table(("what", "", "", "source"), rows)


def per_message() -> str:
    """Return what one message costs each service, at a steady rate of 100 a second."""
    designs = (RELAY, SAMPLE)
    rows = (
        ("operations of Service Bus", [one.bus_operations for one in designs]),
        ("credits of the Standard tier", [one.bus_credits for one in designs]),
        (
            "MB through a Premium namespace",
            [_units(one) * BYTES_OF_A_UNIT.value for one in designs],
        ),
        ("operations of Key Vault", [_vault(one, 100) for one in designs]),
        ("executions of functions", [one.executions for one in designs]),
        ("core milliseconds of instances", [_cpu_ms(one) for one in designs]),
        ("rows written in the ledger", [float(one.ledger_writes) for one in designs]),
    )
    return _table(
        ("a message costs", *(one.name for one in designs)),
        ((name, *map(_number, values)) for name, values in rows),
    )


def one_deployment() -> str:
    """Return what each limit allows one deployment: messages a second."""
    designs = (RELAY, SMALL_KEYS, SAMPLE)
    allowed = {one.name: {lim.name: lim.rate for lim in limits(one, PAYLOAD)} for one in designs}
    rows = (
        (
            limit.name,
            limit.of,
            *(_whole(allowed[one.name].get(limit.name)) for one in designs),
        )
        for limit in limits(RELAY, PAYLOAD)
    )
    return _table(("limit", "of", *(f"{_code(one.name)}" for one in designs)), rows)


def plans() -> str:
    """Return what each rate needs, and what it costs a month."""
    found = [plan(RELAY, rate, PAYLOAD) for rate in RATES]
    rows: list[tuple[str, ...]] = [
        ("deployments alike", *(_whole(one.deployments) for one in found)),
        ("cores in all", *(_whole(one.cores) for one in found)),
        (
            "regions or subscriptions, at their default quotas",
            *(_whole(one.quotas) for one in found),
        ),
        ("of each: Service Bus", *map(_bus, found)),
        ("of each: instances of sender, receiver, tracker", *map(_instances, found)),
        (
            "of each: operations of Key Vault a second",
            *(f"{o.vault_operations:.2f}" for o in found),
        ),
        (
            "of each: operations of Key Vault for 1,000 messages",
            *(f"{o.vault_share:.1f}" for o in found),
        ),
        ("of each: PostgreSQL", *(one.database for one in found)),
    ]
    rows += [
        (f"{name}, $ a month", *(_whole(one.costs[name]) for one in found))
        for name in found[0].costs
    ]
    rows.append(("**all, $ a month**", *(f"**{_whole(one.cost)}**" for one in found)))
    return _table(("messages a second", *(f"{rate:,}" for rate in RATES)), rows)


def per_million() -> str:
    """Return what a million messages cost, in dollars, beside the sample."""
    rows = []
    for design in (RELAY, SMALL_KEYS, SAMPLE):
        found = [plan(design, rate, PAYLOAD) for rate in RATES]
        of_services = (
            (one.per_million, one.per_million * (1 - one.costs["telemetry"] / one.cost))
            for one in found
        )
        cells = (f"{whole:.2f}, {without:.2f} without telemetry" for whole, without in of_services)
        rows.append((_code(design.name), *cells))
    return _table(("$ a million messages, at", *(f"{rate:,} a second" for rate in RATES)), rows)


def _units(design: Design) -> float:
    return messaging_units(design, 1.0, sealed_size(PAYLOAD))


def _vault(design: Design, rate: float) -> float:
    return vault_operations(design, rate, instances(design, rate)) / rate


def _cpu_ms(design: Design) -> float:
    return 1000 * (design.sender_cpu + design.receiver_cpu + design.tracker_cpu)


def _bus(one: Plan) -> str:
    return one.tier if not one.units else f"{one.tier}, {one.units} units"


def _instances(one: Plan) -> str:
    return f"{one.each.sender}, {one.each.receiver}, {one.each.tracker}"


def _code(name: str) -> str:
    """Return a design's name with its setting as code."""
    design, _, setting = name.partition(", ")
    return f"{design}, `{setting}`" if setting else design


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _number(value: float) -> str:
    """Return a number without an exponent, and without more digits than it needs."""
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if value >= 100 else f"{value:.6f}".rstrip("0").rstrip(".")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)
