"""The reckoning of queue sizes, which Bicep, the settings and a document agree with."""

from __future__ import annotations

import json

import pytest

from checks.infra import INFRA
from checks.queue_sizes import (
    DEFAULTS,
    OTHER_DEFAULT,
    SIZES,
    Load,
    main,
    max_waiting_mb,
    needs,
    table,
)
from checks.snapshot import load, of_type, properties

LOCAL = load(INFRA / "local.snapshot.json")


def test_the_default_sizes_of_the_deployment_are_those_reckoned() -> None:
    sizes = {
        queue["name"].rsplit("/", 1)[1]: properties(queue)["maxSizeInMegabytes"]
        for queue in of_type(LOCAL, "Microsoft.ServiceBus/namespaces/queues")
    }
    declared = json.loads((INFRA / "access.json").read_text())["queues"]
    names = {queue["name"] for queue in declared}
    assert sizes == {name: DEFAULTS.get(name, OTHER_DEFAULT) for name in names}
    assert DEFAULTS.keys() <= names


def test_the_sender_refuses_callers_at_four_fifths_of_the_smaller_queue() -> None:
    (sender,) = (
        one for one in of_type(LOCAL, "Microsoft.Web/sites") if "relay-sender" in one["name"]
    )
    settings = {
        one["name"]: one["value"] for one in properties(sender)["siteConfig"]["appSettings"]
    }
    assert settings["RELAY_MAX_WAITING_MB"] == str(max_waiting_mb(DEFAULTS)) == "4096"
    assert max_waiting_mb({"messages": 5120, "retries": 1024}) == 819


def test_each_default_holds_an_outage_of_a_day_and_is_the_smallest_that_does() -> None:
    for need in needs(Load()):
        assert need.megabytes <= need.size
        assert all(size < need.megabytes for size in SIZES if size < need.size)
        assert need.size <= 5120, "which Standard has"


def test_an_outage_that_was_reckoned_for_is_over_before_callers_are_refused() -> None:
    load = Load()
    used = load.rate * load.hours * 3600 * (2048 + load.payload_bytes * 4 // 3) / 2**20
    assert used < max_waiting_mb(DEFAULTS)


@pytest.mark.parametrize(("load", "size"), [(Load(1, 100, 1), 1024), (Load(100, 4096, 24), 81_920)])
def test_another_load_takes_other_queues(load: Load, size: int) -> None:
    assert needs(load)[0].size == size


def test_what_no_queue_can_hold_is_said() -> None:
    with pytest.raises(ValueError, match="no queue can be as large as messages would have to be"):
        table(Load(1000, 100_000, 48))


@pytest.mark.parametrize("arguments", [[], ["1"], ["1", "2", "x"], ["1000", "100000", "48"]])
def test_a_wrong_call_says_how_it_is_called(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "usage: python -m checks.queue_sizes RATE PAYLOAD HOURS" in capsys.readouterr().err


def test_a_load_of_ones_own_is_reckoned(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["10", "2048", "24"]) == 0
    assert capsys.readouterr().out.rstrip() == table(Load())
