"""`make check` names what Azure would refuse, of a first deployment and of a second."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from checks import azure, infra
from local.resource_manager.template import MADE_ONCE

SNAPSHOTS = sorted(path.stem for path in infra.INFRA.glob("*.snapshot.json"))
DECORATOR = "@onlyIfNotExists()\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the infrastructure with one deployment: the compiler takes seconds for each."""
    copied = Path(shutil.copytree(infra.INFRA, tmp_path / "infra"))
    for path in copied.glob("*.bicepparam"):
        if path.stem != "local":
            path.unlink()
            path.with_suffix(".snapshot.json").unlink()
    return copied


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the compiler out."""
    monkeypatch.setattr(azure, "compiler", lambda: None)


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


@pytest.mark.usefixtures("alone")
def test_our_own_deployments_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert azure.main() == 0
    said = capsys.readouterr().out
    assert "rules of a first deployment" in said
    assert f"{len(SNAPSHOTS)} deployments" in said
    assert "no bicep on the PATH" in said


@pytest.mark.usefixtures("alone")
def test_what_is_planted_is_named_with_deployment_place_code_and_source(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "local.snapshot.json"
    document = json.loads(path.read_text())
    for one in document["predictedResources"]:
        if one["type"] == "Microsoft.Web/sites":
            one["properties"]["siteConfig"]["ftpsState"] = "Disabled"
        if one["type"].endswith("basicPublishingCredentialsPolicies"):
            del one["location"]
    document["outputs"][MADE_ONCE] = []
    path.write_text(json.dumps(document))
    assert azure.main(folder) == 1
    lines = told(capsys)
    assert len(lines) == 3 + 6 + 1
    assert lines[0].startswith(
        "azure: local: Microsoft.Web/sites/relay-receiver-local: siteConfig.ftpsState: "
    )
    assert "BadRequest 51021; source: microsoft/azure-pipelines-tasks 21032" in lines[0]
    assert sum("BadRequest 51008" in line for line in lines) == 6
    assert "after a year of use: Microsoft.KeyVault/vaults/payload-local/keys/payload" in lines[-1]


def test_a_template_is_marked_where_it_says_that_something_is_made_once() -> None:
    once = {"type": "a/b", "@options": {"onlyIfNotExists": []}}
    inner: dict[str, Any] = {"resources": {"one": dict(once), "two": {"type": "a/b"}}}
    module = {"type": "Microsoft.Resources/deployments", "properties": {"template": inner}}
    made = azure.marked({"resources": [dict(once), module]})
    assert made["resources"][0]["managedBy"] == "onlyIfNotExists"
    assert inner["resources"]["one"]["managedBy"] == "onlyIfNotExists"
    assert "managedBy" not in inner["resources"]["two"]


compiler = pytest.mark.skipif(infra.compiler() is None, reason="no bicep on the PATH")


@compiler
def test_the_second_evaluation_is_by_another_clock_and_is_taken(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert azure.main(folder) == 0, told(capsys)
    assert "by another clock" in capsys.readouterr().out
    (again,) = azure.evaluated_again(folder, str(infra.compiler())).values()
    first = json.loads((folder / "local.snapshot.json").read_text())
    assert isinstance(again, dict)
    expiries = [
        {
            one["properties"]["attributes"]["exp"]
            for one in document["predictedResources"]
            if one["type"].endswith(("vaults/keys", "vaults/secrets"))
        }
        for document in (first, again)
    ]
    assert expiries[0].isdisjoint(expiries[1])


@compiler
def test_a_key_that_is_not_made_once_is_named_though_the_output_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = folder / "modules" / "vault.bicep"
    text = vault.read_text()
    at = text.index(f"{DECORATOR}resource vaultKeys")
    vault.write_text(text[:at] + text[at + len(DECORATOR) :])
    assert azure.main(folder) == 1
    (line,) = told(capsys)
    assert "/keys/payload: has no @onlyIfNotExists()" in line


@compiler
def test_what_is_made_once_and_is_not_said_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = folder / "main.bicep"
    text = main.read_text()
    start = text.index(f"output {MADE_ONCE} string[] = ")
    end = text.index("\n)\n", start) + 3
    main.write_text(f"{text[:start]}output {MADE_ONCE} string[] = []\n{text[end:]}")
    assert azure.main(folder) == 1
    lines = told(capsys)
    assert sum("has @onlyIfNotExists(), which the output" in line for line in lines) == 2
    assert any(
        "another clock: Microsoft.KeyVault/vaults/payload-local/keys" in one for one in lines
    )
