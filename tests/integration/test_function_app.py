"""The same package is three apps: each imports only what it runs, and none the local cloud."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.deployment.deployment import load, settings_of
from tests.documented_functions import documented

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENT = load(ROOT / "infra" / "local.snapshot.json")
PROGRAM = """
import json, sys
import function_app
functions = {f.get_function_name(): f.get_trigger().type for f in function_app.app.get_functions()}
print(json.dumps([functions, [name for name in list(sys.modules) if name.startswith("shared.")]]))
"""
QUEUES: dict[str, list[str]] = {
    app["name"]: app.get("trigger", {}).get("queues", [])
    for app in json.loads((ROOT / "infra" / "access.json").read_text())["apps"]
}
STRANGERS = {
    "sender": {"shared.apps.receiver", "shared.partner.partner", "shared.partner.webhook"},
    "receiver": {"shared.apps.sender", "shared.apps.idempotency", "shared.ledger.ledger"},
    "tracker": {
        "shared.apps.sender",
        "shared.apps.receiver",
        "shared.azure.vault_key",
        "shared.message.payload_key",
        "shared.message.envelope",
    },
}


def environment(app: str) -> dict[str, str]:
    (spec,) = (spec for spec in DEPLOYMENT.apps if spec.app == app)
    vaults = {v.resource_id: f"https://{v.name}.vault.azure.net/" for v in DEPLOYMENT.vaults}
    return {"PATH": os.environ["PATH"], **settings_of(spec, vaults)}


@pytest.mark.parametrize("app", list(QUEUES))
def test_an_app_is_its_functions_and_imports_only_what_it_runs(app: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=environment(app),
        capture_output=True,
        text=True,
        check=True,
    )
    functions, modules = json.loads(run.stdout)
    by_http = {name for name, trigger in functions.items() if trigger == "httpTrigger"}
    assert by_http == {one.function for one in documented(app)}
    others = [trigger for name, trigger in functions.items() if name not in by_http]
    assert others == ["serviceBusTrigger"] * len(QUEUES[app])
    # What tries access is there to be asked for, and not before.
    assert (STRANGERS.get(app, set()) | {"shared.access.probing"}).isdisjoint(modules)


def test_collections_are_on_again_and_look_through_nothing_that_was_imported() -> None:
    program = """
import gc
import function_app
print(gc.isenabled(), gc.get_freeze_count() > len(gc.get_objects()))
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment("receiver"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "True True\n"


def test_no_app_waits_for_the_library_of_the_database() -> None:
    program = """
import sys
import shared.apps.receiver, shared.apps.sender, shared.apps.tracker
loaded = {name.partition(".")[0] for name in list(sys.modules)}
print(loaded & {"sqlalchemy", "asyncpg", "aiosqlite"})
"""
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == "set()\n"


def test_the_access_audit_can_be_switched_off() -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**environment("tracker"), "RELAY_ACCESS": "false"},
        capture_output=True,
        text=True,
        check=True,
    )
    functions, modules = json.loads(run.stdout)
    assert "access" not in functions
    assert "shared.access.endpoint" not in modules


def triggers(app: str) -> dict[str, Any]:
    program = """
import json, function_app
print(json.dumps({
    f.get_function_name(): f.get_trigger().get_dict_repr() for f in function_app.app.get_functions()
}, default=str))
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment(app),
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(run.stdout))


@pytest.mark.parametrize("app", list(QUEUES))
def test_only_the_master_key_opens_the_access_audit(app: str) -> None:
    assert triggers(app)["access"]["authLevel"].upper().endswith("ADMIN")


@pytest.mark.parametrize("app", list(QUEUES))
def test_every_route_that_answers_get_answers_head(app: str) -> None:
    served = [
        {method.rpartition(".")[2] for method in trigger["methods"]}
        for trigger in triggers(app).values()
        if trigger["type"] == "httpTrigger"
    ]
    assert all("HEAD" in methods for methods in served if "GET" in methods)


def test_what_runs_in_azure_never_imports_what_runs_here() -> None:
    imported = {
        name
        for path in [ROOT / "function_app.py", *(ROOT / "shared").glob("**/*.py")]
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert {name.partition(".")[0] for name in imported}.isdisjoint({"local", "ops", "checks"})
