"""Sources of Bicep, compiled for the local cloud by the Bicep CLI."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from checks import compiler
from local.deployment.bicep import CompilationError, compiled

STRANGERS = Path(__file__).parents[1] / "conformance" / "strangers"
has_bicep = pytest.mark.skipif(compiler.compiler() is None, reason="no bicep on the PATH")


@has_bicep
def test_parameters_of_sources_are_compiled_and_secure_ones_stay_out_of_the_snapshot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PAYMENT_KEY", "hush 'quoted' ${not}")
    folder = Path(shutil.copytree(STRANGERS / "orders", tmp_path / "orders"))
    before = sorted(folder.iterdir())
    found = compiled(folder / "main.bicepparam")
    assert found.secure_parameters["paymentKey"] == "hush 'quoted' ${not}"
    assert b"hush" not in found.snapshot
    assert "hush" not in repr(found)
    resources = json.loads(found.snapshot)["predictedResources"]
    kept = json.loads((folder / "main.snapshot.json").read_text())["predictedResources"]
    assert [one["type"] for one in resources] == [one["type"] for one in kept]
    assert {one["location"] for one in resources if "location" in one} == {"northeurope"}
    assert sorted(folder.iterdir()) == before


@has_bicep
def test_a_deployment_of_a_subscription_is_compiled() -> None:
    found = compiled(STRANGERS / "web" / "main.bicepparam")
    kept = json.loads((STRANGERS / "web" / "main.snapshot.json").read_text())
    resources = json.loads(found.snapshot)["predictedResources"]
    assert [one["id"] for one in resources] == [one["id"] for one in kept["predictedResources"]]


@has_bicep
def test_sources_that_do_not_compile_are_refused_in_the_compilers_words(tmp_path: Path) -> None:
    wrong = tmp_path / "main.bicep"
    wrong.write_text("resource nonsense\n")
    with pytest.raises(CompilationError, match="BCP"):
        compiled(wrong)


def test_without_the_compiler_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CompilationError, match=r"needs the Bicep CLI .* --snapshot FILE"):
        compiled(STRANGERS / "web" / "main.bicepparam")
