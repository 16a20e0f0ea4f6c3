"""`make check` names what Azure would refuse, of a first deployment and of a second."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest

from checks import azure, compiler, infra
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


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
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
    sites, publishing = 0, 0
    for one in document["predictedResources"]:
        if one["type"] == "Microsoft.Web/sites":
            one["properties"]["siteConfig"]["ftpsState"] = "Disabled"
            sites += 1
        if one["type"].endswith("basicPublishingCredentialsPolicies"):
            del one["location"]
            publishing += 1
    document["outputs"][MADE_ONCE] = []
    path.write_text(json.dumps(document))
    assert azure.main(folder) == 1
    lines = lines_of(capsys)
    later = [line for line in lines if "after a year of use: " in line]
    assert len(lines) == sites + publishing + len(later)
    (receiver,) = [line for line in lines if "relay-receiver-local: siteConfig" in line]
    assert receiver.startswith(
        "azure: local: Microsoft.Web/sites/relay-receiver-local: siteConfig.ftpsState: "
    )
    assert "BadRequest 51021; source: microsoft/azure-pipelines-tasks 21032" in receiver
    assert sum("BadRequest 51008" in line for line in lines) == publishing
    assert any("Microsoft.KeyVault/vaults/payload-local/keys/payload" in line for line in later)


compiled = pytest.mark.skipif(compiler.compiler() is None, reason="no bicep on the PATH")


@pytest.mark.long
@compiled
def test_the_second_evaluation_is_by_another_clock_and_is_taken(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert azure.main(folder) == 0, lines_of(capsys)
    assert "by another clock" in capsys.readouterr().out
    (again,) = azure.evaluated_again(folder, str(compiler.compiler())).values()
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


@compiled
def test_what_stands_for_clock_and_directory_must_be_there(folder: Path) -> None:
    nobody = folder / "nobody.bicep"
    nobody.write_text(nobody.read_text().replace("4000000000", "3999999999"))
    with pytest.raises(compiler.InfraError, match=r"nobody.bicep lacks var expiry"):
        azure.evaluated_again(folder, str(compiler.compiler()))


@pytest.fixture
def planted(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is said of two mistakes at once: the compiler takes its time for each run."""
    rights = folder / "modules" / "busRights.bicep"
    text = rights.read_text()
    assert "guid(operatorQueues[i].id, use.principalId, " in text
    rights.write_text(
        text.replace("guid(operatorQueues[i].id, use.principalId, ", "guid(operatorQueues[i].id, ")
    )
    main = folder / "main.bicep"
    text = main.read_text()
    start = text.index(f"output {MADE_ONCE} string[] = ")
    end = text.index("\n)\n", start) + 3
    main.write_text(f"{text[:start]}output {MADE_ONCE} string[] = []\n{text[end:]}")
    snapshot = folder / "local.snapshot.json"
    with tempfile.TemporaryDirectory() as temporary:
        copied = Path(shutil.copytree(folder, Path(temporary) / "infra"))
        made = compiler.evaluated(copied, str(compiler.compiler()))["local"]
    snapshot.write_text(json.dumps(made))
    assert azure.main(folder) == 1
    return [line for line in lines_of(capsys) if "by another clock" in line]


@pytest.mark.long
@compiled
def test_what_another_clock_or_operator_would_change_is_named(planted: list[str]) -> None:
    """An assignment that is not named after its operator, and a key that follows the clock."""
    assignments = [line for line in planted if "roleAssignments" in line]
    keys = [line for line in planted if "Microsoft.KeyVault/vaults/payload-local/keys" in line]
    assert sorted(planted) == sorted([*assignments, *keys])
    assert assignments
    assert all("principalId: is not that of " in line for line in assignments)
    assert all("RoleAssignmentUpdateNotPermitted" in line for line in assignments)
    assert any("attributes.exp: is not that of the existing key" in line for line in keys)
