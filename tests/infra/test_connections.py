"""The database has a connection for every instance that can ask for one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checks import connections
from checks.resource_types import DATABASE, SITE
from checks.snapshot import PredictedResource, Snapshot, load, of_type
from shared.ledger.engine import POOL_SIZE

INFRA = Path(__file__).resolve().parents[2] / "infra"
LIMIT = 35 - connections.FOR_PEOPLE  # of the smallest database, without what Azure keeps


@pytest.fixture
def made() -> Snapshot:
    return load(INFRA / "local.snapshot.json")


def site(made: Snapshot, app: str) -> PredictedResource:
    (found,) = (one for one in of_type(made, SITE) if f"relay-{app}-" in one["id"])
    return found


def scale(made: Snapshot, app: str) -> dict[str, Any]:
    found: dict[str, Any] = site(made, app)["properties"]["functionAppConfig"][
        "scaleAndConcurrency"
    ]
    return found


def server(made: Snapshot) -> PredictedResource:
    (found,) = of_type(made, DATABASE)
    return found


@pytest.mark.parametrize("path", sorted(INFRA.glob("*.snapshot.json")), ids=lambda p: p.stem)
def test_each_deployment_has_enough(path: Path) -> None:
    assert list(connections.overruns(load(path))) == []


def test_groups_are_counted_as_azure_scales_them(made: Snapshot) -> None:
    """Three instances each: one group of the sender, two of the tracker, with pools of five."""
    scale(made, "tracker")["maximumInstanceCount"] = 3
    (named,) = connections.overruns(made)
    assert named == (
        f"databases/relay (Standard_B1ms) has {LIMIT} connections for apps, which can ask for "
        f"{9 * POOL_SIZE}: {3 * POOL_SIZE} of apps/sender (http: 3 x {POOL_SIZE}) and "
        f"{3 * POOL_SIZE} of apps/tracker (function:record: 3 x {POOL_SIZE}) and "
        f"{3 * POOL_SIZE} of apps/tracker (http: 3 x {POOL_SIZE})"
    )


def test_groups_are_those_of_the_code(made: Snapshot) -> None:
    settings = {
        app: {
            setting["name"]: setting["value"]
            for setting in site(made, app)["properties"]["siteConfig"]["appSettings"]
        }
        for app in ("sender", "receiver", "tracker")
    }
    found = {app: connections.groups(app, given) for app, given in settings.items()}
    assert found == {
        "sender": ["http"],
        "receiver": ["function:receive", "function:retry", "function:triage", "http"],
        "tracker": ["function:record", "http"],
    }


def test_instances_that_are_always_ready_count_as_well(made: Snapshot) -> None:
    scale(made, "tracker")["alwaysReady"] = [{"name": "function:record", "instanceCount": 2}]
    (named,) = connections.overruns(made)
    assert "apps/tracker (function:record: 3 x 5)" in named


def test_an_app_that_scales_without_limit_is_named(made: Snapshot) -> None:
    del scale(made, "sender")["maximumInstanceCount"]
    (named,) = connections.overruns(made)
    assert "500 of apps/sender (http: 100 x 5)" in named


def test_an_app_without_the_ledger_has_no_connections(made: Snapshot) -> None:
    scale(made, "receiver")["maximumInstanceCount"] = 1000
    assert list(connections.overruns(made)) == []


def test_a_larger_database_has_more(made: Snapshot) -> None:
    scale(made, "tracker")["maximumInstanceCount"] = 30
    assert list(connections.overruns(made)) != []
    server(made)["sku"] = {"name": "Standard_B2s", "tier": "Burstable"}
    assert list(connections.overruns(made)) == []


def test_what_a_deployment_sets_counts(made: Snapshot) -> None:
    setting: PredictedResource = {
        "id": f"{server(made)['id']}/configurations/max_connections",
        "type": f"{DATABASE}/configurations",
        "name": "relay-local/max_connections",
        "properties": {"value": "40"},
    }
    made["predictedResources"].append(setting)
    (named,) = connections.overruns(made)
    assert "has 20 connections for apps, which can ask for 25" in named


def test_an_unknown_size_is_named(made: Snapshot) -> None:
    server(made)["sku"]["name"] = "Standard_Z9"
    (named,) = connections.overruns(made)
    assert named == (
        "databases/relay is of size Standard_Z9, whose number of connections is unknown"
    )


def test_an_app_that_cannot_be_indexed_is_named(made: Snapshot) -> None:
    for setting in site(made, "tracker")["properties"]["siteConfig"]["appSettings"]:
        if setting["name"] == "RELAY_QUEUE_RECEIPTS":
            setting["name"] = "RELAY_QUEUE_RECEIPT"
    (named,) = connections.overruns(made)
    assert named.startswith("apps/tracker: its functions cannot be indexed: ")
    assert "RELAY_QUEUE_RECEIPTS" in named


@pytest.mark.parametrize(
    ("sku", "count"),
    [
        ("Standard_B1ms", 50),
        ("standard_b2S", 429),
        ("Standard_D2ds_v5", 859),
        ("Standard_D96ads_v5", 5000),
        ("Standard_E4s_v3", 3437),
        ("Standard_D2ds_v9", None),
        ("Standard_D3ds_v5", None),
        ("", None),
    ],
)
def test_connections_by_size(sku: str, count: int | None) -> None:
    assert connections.connections(sku) == count
