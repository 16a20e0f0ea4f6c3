"""Azure's worker library indexes each app, and gives the host the bindings that it needs.

Which functions there are is read: those of HTTP from docs/http.md, those that queues trigger from
access.json.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.deployment.deployment import load
from local.host.bindings import HttpFunction, QueueFunction, bind
from local.host.settings import Settings
from tests.documented_functions import documented
from tests.pipeline.cloud_process import ROOT
from tests.worker.azure_worker import running, settings_as_deployed

DEPLOYMENT = load(ROOT / "infra" / "local.snapshot.json")
ACCESS = json.loads((ROOT / "infra" / "access.json").read_text())
TRIGGERS: dict[str, list[str]] = {
    app["name"]: app.get("trigger", {}).get("queues", []) for app in ACCESS["apps"]
}
ALL = ",".join(TRIGGERS)


def documented_bindings(apps: str) -> dict[str, list[dict[str, Any]]]:
    """Return the bindings of the HTTP functions that docs/http.md has of some apps."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in documented(*apps.split(",")):
        trigger = {"type": "httpTrigger", "direction": "IN", "name": "req"}
        answer = {"type": "http", "direction": "OUT", "name": "$return"}
        route = {"authLevel": one.level.upper(), "route": one.path.removeprefix("/api/")}
        found[one.function] = [{**trigger, **route, "methods": one.methods}, answer]
    return found


def is_trigger_of_a_queue(binding: dict[str, Any]) -> bool:
    """Return whether the host hands over bytes, and settles by how the function ends."""
    many = {"cardinality": "MANY", "maxMessageBatchSize": 100}
    needed = {
        "type": "serviceBusTrigger",
        "direction": "IN",
        "dataType": "BINARY",
        "connection": "RELAY_BUS",
        "autoCompleteMessages": True,
    }
    named = {"name": binding["name"], "queueName": binding["queueName"]}
    return any(binding == {**needed, **named, **how} for how in ({"cardinality": "ONE"}, many))


@pytest.mark.parametrize("apps", [*TRIGGERS, ALL])
async def test_what_is_indexed_is_what_the_host_needs(
    folder: Path, tmp_path: Path, apps: str
) -> None:
    settings = settings_as_deployed(DEPLOYMENT, apps)
    async with running(folder, settings, tmp_path / "log") as worker:
        indexed = worker.indexed
    assert "refused" not in indexed
    assert Path(indexed["app"]) == folder / "function_app.py"
    functions = indexed["functions"]
    raws = {name: one["raw"] for name, one in functions.items()}
    triggers = [raw for raw, *others in raws.values() if not others]
    assert {name: raw for name, raw in raws.items() if len(raw) > 1} == documented_bindings(apps)
    assert all(map(is_trigger_of_a_queue, triggers)), triggers
    queues = [queue for app in apps.split(",") for queue in TRIGGERS[app]]
    settings_of_queues = {f"%RELAY_QUEUE_{one.upper().replace('-', '_')}%" for one in queues}
    assert {one["queueName"] for one in triggers} == settings_of_queues
    assert len(triggers) == len(queues)
    for one in functions.values():
        assert (one["language"], one["script"]) == ("python", "function_app.py")
        # The numbers of BindingInfo.Direction and BindingInfo.DataType in FunctionRpc.proto.
        numbers = {
            raw["name"]: {
                "type": raw["type"],
                "direction": {"IN": 0, "OUT": 1}[raw["direction"]],
                "data_type": 2 if raw.get("dataType") == "BINARY" else None,
            }
            for raw in one["raw"]
        }
        assert one["bindings"] == numbers


@pytest.mark.parametrize("apps", [*TRIGGERS, ALL])
async def test_the_host_takes_what_is_indexed(folder: Path, tmp_path: Path, apps: str) -> None:
    settings = settings_as_deployed(DEPLOYMENT, apps)
    async with running(folder, settings, tmp_path / "log") as worker:
        functions = worker.indexed["functions"]
    raw = [(name, [json.dumps(b) for b in one["raw"]]) for name, one in functions.items()]
    bound = {one.name: one for one in bind(raw, Settings(settings))}
    assert bound.keys() == functions.keys()
    for name, one in bound.items():
        trigger = functions[name]["raw"][0]
        if trigger["type"] == "serviceBusTrigger":
            assert isinstance(one, QueueFunction)
            assert one.many == (trigger["cardinality"] == "MANY")
        else:
            assert isinstance(one, HttpFunction)


@pytest.mark.parametrize("apps", [*TRIGGERS, ALL])
async def test_an_app_with_a_wrong_setting_is_one_health_that_names_it_and_no_value(
    folder: Path, tmp_path: Path, apps: str
) -> None:
    settings = settings_as_deployed(DEPLOYMENT, apps) | {
        "RELAY_BUS__fullyQualifiedNamespace": "planted value"
    }
    async with running(folder, settings, tmp_path / "log") as worker:
        (name,) = worker.indexed["functions"]
        answer = await worker.http(name)
    assert (name, answer.status) == ("health", 503)
    said = answer.body.decode() + (tmp_path / "log").read_text()
    assert "RELAY_BUS__fullyQualifiedNamespace" in said
    assert "planted" not in said
