"""Azure's worker library indexes each app, and gives the host the bindings that it needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.deployment.deployment import load, settings_of
from local.host.bindings import HttpFunction, QueueFunction, bind
from local.host.settings import Settings
from tests.pipeline.cloud_process import ROOT
from tests.worker.azure_worker import running

DEPLOYMENT = load(ROOT / "infra" / "local.snapshot.json")
ALL = "sender,receiver,tracker"


def http(route: str, level: str, *methods: str) -> list[dict[str, Any]]:
    trigger = {"type": "httpTrigger", "direction": "IN", "name": "req", "authLevel": level}
    answer = {"type": "http", "direction": "OUT", "name": "$return"}
    return [{**trigger, "route": route, "methods": [*methods]}, answer]


def queue(name: str, setting: str, **more: object) -> list[dict[str, Any]]:
    trigger = {"type": "serviceBusTrigger", "direction": "IN", "name": name, "dataType": "BINARY"}
    where = {"connection": "RELAY_BUS", "queueName": f"%{setting}%"}
    return [{**trigger, **where, "autoCompleteMessages": True, **more}]


COMMON = {
    "health": http("health", "ANONYMOUS", "GET", "HEAD"),
    "access": http("access", "ADMIN", "GET", "HEAD"),
}
OWN = {
    "sender": {"send": http("messages", "FUNCTION", "POST")},
    "receiver": {
        "receive": queue("message", "RELAY_QUEUE_MESSAGES", cardinality="ONE"),
        "retry": queue("message", "RELAY_QUEUE_RETRIES", cardinality="ONE"),
        "triage": queue("letter", "RELAY_QUEUE_DEAD_LETTERS", cardinality="ONE"),
    },
    "tracker": {
        "record": queue(
            "receipts", "RELAY_QUEUE_RECEIPTS", cardinality="MANY", maxMessageBatchSize=100
        ),
        "status": http("messages/{id}", "FUNCTION", "GET", "HEAD"),
        "messages": http("messages", "FUNCTION", "GET", "HEAD"),
        "states": http("states", "FUNCTION", "GET", "HEAD"),
    },
}


def environment(apps: str) -> dict[str, str]:
    """Return the settings of an app as deployed, or of several that are one process."""
    vaults = {v.resource_id: f"https://{v.name}.vault.azure.net/" for v in DEPLOYMENT.vaults}
    found: dict[str, str] = {}
    for spec in DEPLOYMENT.apps:
        if spec.app in apps.split(","):
            found |= settings_of(spec, vaults)
    return {**found, "RELAY_APP": apps}


@pytest.mark.parametrize("apps", [*OWN, ALL])
async def test_what_is_indexed_is_what_the_host_needs(
    folder: Path, tmp_path: Path, apps: str
) -> None:
    settings = environment(apps)
    async with running(folder, settings, tmp_path / "log") as worker:
        indexed = worker.indexed
    assert "refused" not in indexed
    assert Path(indexed["app"]) == folder / "function_app.py"
    functions = indexed["functions"]
    expected: dict[str, Any] = dict(COMMON)
    for app in apps.split(","):
        expected |= OWN[app]
    assert {name: one["raw"] for name, one in functions.items()} == expected
    for name, one in functions.items():
        assert (one["language"], one["script"]) == ("python", "function_app.py")
        # The numbers of BindingInfo.Direction and BindingInfo.DataType in FunctionRpc.proto.
        numbers = {
            raw["name"]: {
                "type": raw["type"],
                "direction": {"IN": 0, "OUT": 1}[raw["direction"]],
                "data_type": 2 if raw.get("dataType") == "BINARY" else None,
            }
            for raw in expected[name]
        }
        assert one["bindings"] == numbers


@pytest.mark.parametrize("apps", [*OWN, ALL])
async def test_the_host_takes_what_is_indexed(folder: Path, tmp_path: Path, apps: str) -> None:
    settings = environment(apps)
    async with running(folder, settings, tmp_path / "log") as worker:
        functions = worker.indexed["functions"]
    raw = [(name, [json.dumps(b) for b in one["raw"]]) for name, one in functions.items()]
    bound = {one.name: one for one in bind(raw, Settings(settings))}
    assert bound.keys() == functions.keys()
    for name, one in bound.items():
        if name in {"receive", "retry", "triage", "record"}:
            assert isinstance(one, QueueFunction)
            assert one.many == (name == "record")
        else:
            assert isinstance(one, HttpFunction)


@pytest.mark.parametrize("apps", [*OWN, ALL])
async def test_an_app_with_a_wrong_setting_is_one_health_that_names_it_and_no_value(
    folder: Path, tmp_path: Path, apps: str
) -> None:
    settings = environment(apps) | {"RELAY_BUS__fullyQualifiedNamespace": "planted value"}
    async with running(folder, settings, tmp_path / "log") as worker:
        (name,) = worker.indexed["functions"]
        answer = await worker.http(name)
    assert (name, answer.status) == ("health", 503)
    said = answer.body.decode() + (tmp_path / "log").read_text()
    assert "RELAY_BUS__fullyQualifiedNamespace" in said
    assert "planted" not in said
