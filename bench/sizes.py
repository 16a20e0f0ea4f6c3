"""How much is measured: in full, or just so much that each row has a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Sizes in bytes, times in seconds, numbers of messages, callers and rows."""

    payload: int = 1024
    callers: int = 64
    load_seconds: float = 6.0
    drain_seconds: float = 60.0
    turn_seconds: float = 2.0
    turns_accepting: int = 4
    turns_delivering: int = 3
    filled: int = 2000
    telemetry_rounds: int = 7
    telemetry_seconds: float = 1.5
    bare_messages: int = 3000
    idle_messages: int = 40
    several_messages: int = 6000
    slow_messages: int = 6000
    slow_every: int = 100
    slow_seconds: float = 10.0
    answer_seconds: float = 0.05
    slow_bound_seconds: float = 60.0
    slow_batched_seconds: float = 25.0
    cold_starts: int = 3
    imports: int = 11
    latency_ms: int = 5
    sweep_seconds: float = 2.5
    sweep_callers: Sequence[int] = (1, 4, 16, 64, 256)
    sweep_payloads: Sequence[int] = (1, 1024, 16 * 1024, 64 * 1024, 128 * 1024, 190_000)
    depths: Sequence[int] = (10, 100, 1000, 10_000, 100_000)
    depth_seconds: float = 60.0
    ledger_rows: int = 1_000_000
    peer_seconds: float = 0.5


FULL = Sizes()
QUICK = Sizes(
    callers=8,
    load_seconds=0.5,
    drain_seconds=30.0,
    turn_seconds=0.3,
    turns_accepting=1,
    turns_delivering=1,
    filled=60,
    telemetry_rounds=1,
    telemetry_seconds=0.3,
    bare_messages=60,
    idle_messages=3,
    several_messages=60,
    slow_messages=30,
    slow_every=10,
    slow_seconds=0.3,
    answer_seconds=0.01,
    slow_bound_seconds=20.0,
    slow_batched_seconds=10.0,
    cold_starts=1,
    imports=1,
    sweep_seconds=0.3,
    sweep_callers=(1, 8),
    sweep_payloads=(1, 190_000),
    depths=(20,),
    depth_seconds=20.0,
    ledger_rows=2000,
    peer_seconds=0.01,
)
