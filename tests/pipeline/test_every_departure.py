"""Each deployment that departs from the declaration by one step: the proof names just that step.

There are hundreds, and each takes a second. With a SEED, as where every change is judged, a third
of them is played, which the seed chooses; without one, as by night, all are.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.pipeline.access_audit import Prover
from tests.pipeline.allowed import Snapshot
from tests.pipeline.cloud_process import POLICIES_SNAPSHOT, ROOT, SNAPSHOT, running
from tests.pipeline.mutations import Mutation, every, expected

pytestmark = pytest.mark.long


def kinds(original: Snapshot, mutation: Mutation) -> set[str]:
    return {kind for _, _, kind, _, _ in expected(original, mutation)}


# Parts, because several clouds are through them sooner than one.
@pytest.mark.parametrize(
    ("name", "part", "parts"),
    [(SNAPSHOT, part, 3) for part in range(3)] + [(POLICIES_SNAPSHOT, 0, 1)],
)
async def test_the_proof_names_each_departure_and_nothing_else(
    tmp_path: Path, name: str, part: int, parts: int
) -> None:
    original = Snapshot.load(ROOT / "infra" / name)
    mutations = list(every(original))
    if name == POLICIES_SNAPSHOT:
        # Rights on queues are given by roles in either case: those have been played.
        mutations = [one for one in mutations if kinds(original, one) != {"queue"}]
    assert len(mutations) > 90
    if seed := os.environ.get("SEED"):
        mutations = mutations[int(seed) % 3 :: 3]
    mutations = mutations[part::parts]
    wrong: list[str] = []
    began = time.monotonic()
    with running(tmp_path / "cloud", name) as cloud:
        prover = Prover(cloud, original)
        whole = await prover.ask_all()
        assert whole.differences() == []
        for mutation in mutations:
            wrong += await prover.check(mutation)
        await cloud.deploy(original.document)
        whole = await prover.ask_all()
        assert whole.differences() == []
    seconds = time.monotonic() - began
    print(f"\n{name}: {len(mutations)} departures in {seconds:.0f} s")
    assert wrong == []
