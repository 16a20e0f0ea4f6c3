"""`make check` names what Azure would refuse, of a first deployment and of a second."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from checks import azure, infra
from local.resource_manager.template import MADE_ONCE

SNAPSHOTS = sorted(path.stem for path in infra.INFRA.glob("*.snapshot.json"))


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
def test_an_assignment_that_is_not_named_after_its_operator_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rights = folder / "modules" / "busRights.bicep"
    text = rights.read_text()
    assert "guid(operatorQueues[i].id, use.principalId, " in text
    rights.write_text(
        text.replace("guid(operatorQueues[i].id, use.principalId, ", "guid(operatorQueues[i].id, ")
    )
    infra.build(folder)
    assert azure.main(folder) == 1
    lines = told(capsys)
    assert lines
    assert all("principalId: is not that of " in line for line in lines)
    assert all("RoleAssignmentUpdateNotPermitted" in line for line in lines)


@compiler
def test_what_stands_for_clock_and_directory_must_be_there(folder: Path) -> None:
    nobody = folder / "nobody.bicep"
    nobody.write_text(nobody.read_text().replace("4000000000", "3999999999"))
    with pytest.raises(infra.InfraError, match=r"nobody.bicep does not say var expiry"):
        azure.evaluated_again(folder, str(infra.compiler()))


@compiler
def test_a_key_that_follows_the_clock_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = folder / "main.bicep"
    text = main.read_text()
    start = text.index(f"output {MADE_ONCE} string[] = ")
    end = text.index("\n)\n", start) + 3
    main.write_text(f"{text[:start]}output {MADE_ONCE} string[] = []\n{text[end:]}")
    assert azure.main(folder) == 1
    lines = told(capsys)
    assert all(
        "another clock: Microsoft.KeyVault/vaults/payload-local/keys" in one for one in lines
    )
    assert any("attributes.exp: is not that of the key that is there" in one for one in lines)
